//! The watchdog's hands: looks at runs, and records the halts that it proposes.

use std::collections::BTreeMap;

use dos_core::fleet::CommitId;
use dos_core::fleet::liveness::Verdict;
use dos_core::fleet::run_id::millis_of;
use dos_core::fleet::view::{Holder, Recent};
use dos_core::fleet::watchdog::{Action, Proposals, WatchPolicy};
use dos_core::journal::entry::op;
use dos_core::lane::Command;
use dos_core::lane::command::Halt;
use dos_core::lane::lease::LeaseKey;
use dos_core::timestamp::Timestamp;
use dos_store::Workspace;
use dos_store::ledger::WAIT_DEFAULT;

use crate::fleet::{self, RECENT_BYTES, Run, judge_all};
use crate::referee::{Referee, RefereeError};

/// Who proposes.
const OWNER: &str = "watchdog";

/// A run that is watched.
#[derive(Clone, Debug, Default)]
pub struct Tracked {
    /// Its id.
    pub run_id: String,
    /// When it began; `None` when the id does not say.
    pub started_ms: Option<i64>,
    /// The commit that it began at.
    pub start: Option<CommitId>,
    /// The lane of its lease.
    pub lane: String,
    /// The loop stamp of its lease.
    pub loop_ts: String,
    /// What means the run to whoever stops it.
    pub handle: String,
}

/// One look.
pub struct Round<'a> {
    /// The runs.
    pub tracked: &'a [Tracked],
    /// Every live lease that names its run as well?
    pub discover: bool,
    /// How they are judged.
    pub policy: WatchPolicy,
    /// What would stop them.
    pub command: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
}

/// What was seen, by run.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The verdicts.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Runs that were proposed to be halted now.
    pub proposed: Vec<String>,
    /// Stalled ones that are young enough to be left alone.
    pub within_budget: Vec<String>,
    /// Those whose id is none.
    pub skipped: Vec<String>,
}

/// Looks at every run once. A proposal that another process has recorded stands as well.
pub fn look(
    workspace: &Workspace,
    referee: &Referee<'_>,
    round: &Round<'_>,
    proposals: &mut Proposals,
) -> Result<Seen, RefereeError> {
    let mut recent = Recent::default();
    referee.ledger().log().scan_tail(RECENT_BYTES, |line| recent.line(line.bytes))?;
    for notice in recent.notices.iter().filter(|notice| notice.op == op::HALT) {
        if let Some((run_id, at)) = notice.run_id.as_ref().zip(notice.at) {
            proposals.note(run_id, at);
        }
    }
    let mut seen = Seen::default();
    let (dated, undated): (Vec<Tracked>, Vec<Tracked>) =
        round.tracked.iter().cloned().partition(|run| run.started_ms.is_some());
    seen.skipped = undated.into_iter().map(|run| run.run_id).collect();
    let runs: Vec<Run> = dated.iter().map(Tracked::evidence).collect();
    let verdicts = judge_all(workspace, referee, &runs, round.now)?;
    let mut judged: Vec<(Tracked, Verdict)> = dated.into_iter().zip(verdicts).collect();
    if round.discover {
        // The same verdicts as those of `top`, `loop` and the supervisor.
        let view = fleet::look(workspace, referee, Some(round.now))?;
        judged.extend(view.living().filter_map(discovered));
    }
    for (run, verdict) in &judged {
        match proposals.judge(&run.run_id, verdict, &round.policy) {
            Action::None | Action::Proposed => {}
            Action::WithinBudget => seen.within_budget.push(run.run_id.clone()),
            Action::Propose => {
                propose(referee, run, verdict, round)?;
                proposals.note(&run.run_id, round.now);
                seen.proposed.push(run.run_id.clone());
            }
        }
        seen.verdicts.insert(run.run_id.clone(), *verdict);
    }
    Ok(seen)
}

/// The run of a lease that names one, and whether it moves. A loop stamp that is a run id is one.
fn discovered(holder: &Holder) -> Option<(Tracked, Verdict)> {
    let lease = &holder.lease;
    let key = lease.key();
    let named = [lease.run_id().unwrap_or_default(), &key.loop_ts];
    let run_id = named.into_iter().find(|text| millis_of(text).is_some())?.to_string();
    let handle = lease.object().get("pid").and_then(serde_json::Value::as_u64);
    let run = Tracked {
        started_ms: millis_of(&run_id),
        run_id,
        start: None,
        handle: handle.map_or(String::new(), |pid| pid.to_string()),
        lane: key.lane,
        loop_ts: key.loop_ts,
    };
    Some((run, holder.verdict))
}

impl Tracked {
    fn evidence(&self) -> Run {
        let named = !self.lane.is_empty() && !self.loop_ts.is_empty();
        let lease = LeaseKey { lane: self.lane.clone(), loop_ts: self.loop_ts.clone() };
        Run {
            started_ms: self.started_ms.unwrap_or_default(),
            start: self.start.clone(),
            lease: named.then_some(lease),
            ..Run::default()
        }
    }
}

fn propose(
    referee: &Referee<'_>,
    run: &Tracked,
    verdict: &Verdict,
    round: &Round<'_>,
) -> Result<(), RefereeError> {
    let handle = if run.handle.is_empty() { &run.run_id } else { &run.handle };
    let halt = Halt {
        handle: handle.clone(),
        lane: run.lane.clone(),
        loop_ts: run.loop_ts.clone(),
        owner: OWNER.to_string(),
        reason: format!("{OWNER}: {}: {verdict}", verdict.liveness.token()),
        run_id: Some(run.run_id.clone()),
        command: round.command.map(str::to_string),
    };
    referee.act(&Command::Halt(halt), WAIT_DEFAULT).map(drop)
}
