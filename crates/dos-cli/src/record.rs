//! Where verdicts leave for the verdict journal: the one place that records them.
//!
//! Recording changes neither an answer nor an exit code. What cannot be recorded is said on stderr.

use std::collections::BTreeSet;
use std::time::Duration;

use dos_core::config::Config;
use dos_core::fleet::liveness::Verdict;
use dos_core::lane::{Admission, Refusal};
use dos_core::verdict::VerdictEvent;
use dos_core::verdict::policy::is_armed_by;
use dos_core::witness::EffectVerdict;
use dos_store::disk::RealDisk;
use dos_store::workspace::Environment;
use dos_store::{StoreError, Workspace};
use serde_json::Value;

use crate::context::Context;
use crate::output;

/// How long a verb waits for other writers, after it has answered.
const WAIT: Duration = Duration::from_secs(1);
/// Longer texts are cut, in characters: a row is evidence, not a copy of what was asked.
const TEXT_MAX: usize = 400;

impl Context {
    /// Are verdicts recorded? The command line goes before the environment, that before `dos.toml`.
    pub fn records(&self, config: &Config) -> bool {
        let said = || self.environment.variable("DISPATCH_OBSERVE").ok().flatten();
        self.observes()
            || said().and_then(|text| is_armed_by(&text)).unwrap_or(config.observe.enabled)
    }

    /// Records a verdict that was answered, when verdicts are recorded.
    pub fn record(&self, workspace: &Workspace, verdict: impl FnOnce() -> VerdictEvent) {
        if !self.records(&workspace.config) {
            return;
        }
        if let Err(error) = self.put(workspace, verdict()) {
            let error = anyhow::Error::from(error);
            output::note(&format!("warning: this verdict was not recorded: {error:#}"));
        }
    }

    /// Records a verdict. A run that nobody named is the one that asks.
    pub fn put(&self, workspace: &Workspace, mut verdict: VerdictEvent) -> Result<(), StoreError> {
        if verdict.run_id.is_empty() {
            let asks = self.first_variable(&["CID_RUN_ID", "DISPATCH_RUN_ID"]);
            verdict.run_id = asks.ok().flatten().unwrap_or_default();
        }
        for text in [&mut verdict.subject, &mut verdict.lane, &mut verdict.run_id] {
            cut(text);
        }
        for value in verdict.detail.values_mut() {
            if let Value::String(text) = value {
                cut(text);
            }
        }
        workspace.prepare_verdict(&RealDisk)?;
        workspace.verdict_journal(RealDisk).record(&self.clock, verdict, WAIT).map(drop)
    }
}

/// What is so of whom, in a verb that looks again and again: only what is new is recorded.
#[derive(Default)]
pub struct Standing(BTreeSet<(String, &'static str)>);

impl Standing {
    /// Takes what is so now; returns what of it was not so before.
    pub fn renew(
        &mut self,
        now: impl Iterator<Item = (String, &'static str)>,
    ) -> Vec<(String, &'static str)> {
        let now: BTreeSet<_> = now.collect();
        let new = now.difference(&self.0).cloned().collect();
        self.0 = now;
        new
    }
}

fn cut(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(at);
        text.push('…');
    }
}

/// A request for a lane, and the answer to it. `taken` says whether the lane is held from now on.
pub fn arbitration(
    requested: &str,
    answer: Result<&Admission, &Refusal>,
    taken: bool,
) -> VerdictEvent {
    let event = match answer {
        Ok(admission) => VerdictEvent::new("arbitrate", "acquire")
            .on_lane(&admission.lane)
            .with("lane_kind", admission.kind.as_str())
            .with("auto_picked", admission.auto_picked),
        Err(refusal) => VerdictEvent::new("arbitrate", "refuse")
            .on_lane(requested)
            .with("reason_class", refusal.cause.token()),
    };
    event.with("taken", taken)
}

/// Whether a claimed effect was seen, by whom. What the agent said of it is no evidence.
pub fn effect(syscall: &str, verdict: &EffectVerdict) -> VerdictEvent {
    let rung = verdict.accountability.map(|rung| rung.token());
    VerdictEvent::new(syscall, verdict.outcome.token())
        .about(&verdict.claim_key)
        .with("witness", verdict.witness.as_str())
        .with("accountability", rung.unwrap_or_default())
}

/// Whether a run moves, with the counts that it was judged by.
pub fn liveness(run_id: &str, lane: &str, verdict: &Verdict) -> VerdictEvent {
    let mut event = VerdictEvent::new("liveness", verdict.liveness.token());
    if let Value::Object(evidence) = verdict.progress.to_json() {
        event.detail = evidence.into_iter().filter(|(_, value)| !value.is_null()).collect();
    }
    event.for_run(run_id).on_lane(lane)
}
