//! The watchdog: when a run that does not move is proposed to be halted.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use crate::fleet::liveness::{Liveness, Verdict};
use crate::timestamp::Timestamp;

/// How a watchdog judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchPolicy {
    /// A stalled run that is younger than this, in milliseconds, is left alone; `None` for none.
    pub budget_ms: Option<i64>,
    /// How long one proposal stands before the same is proposed again, in milliseconds.
    pub repropose_ms: i64,
}

impl Default for WatchPolicy {
    fn default() -> Self {
        Self { budget_ms: None, repropose_ms: 30 * 60_000 }
    }
}

/// What follows from a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// It is stalled, and young enough to be left alone.
    WithinBudget,
    /// A halt is proposed.
    Propose,
    /// A halt has been proposed already.
    Proposed,
}

/// The halts that were proposed, by run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proposals(BTreeMap<String, Timestamp>);

impl Proposals {
    /// Takes note of one.
    pub fn note(&mut self, run_id: &str, at: Timestamp) {
        let newest = self.0.entry(run_id.to_string()).or_insert(at);
        *newest = at.max(*newest);
    }

    /// What follows from the verdict on a run. One that moves again starts afresh.
    pub fn judge(&mut self, run_id: &str, verdict: &Verdict, policy: &WatchPolicy) -> Action {
        let age = verdict.progress.now_ms.saturating_sub(verdict.progress.run_started_ms);
        match verdict.liveness {
            Liveness::Advancing => {
                self.0.remove(run_id);
                return Action::None;
            }
            Liveness::Stalled if policy.budget_ms.is_some_and(|budget| age < budget) => {
                return Action::WithinBudget;
            }
            Liveness::Stalled | Liveness::Spinning => {}
        }
        let last = self.0.get(run_id).map(|at| at.millis());
        let stands = |at: i64| verdict.progress.now_ms.saturating_sub(at) < policy.repropose_ms;
        if last.is_some_and(stands) { Action::Proposed } else { Action::Propose }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::liveness::{LivenessPolicy, Progress, classify};

    fn verdict(now_ms: i64, beat: Option<i64>, commits: u64) -> Verdict {
        let progress = Progress {
            now_ms,
            commits_since_start: commits,
            last_heartbeat_age_ms: beat,
            ..Progress::default()
        };
        classify(&progress, &LivenessPolicy { grace_ms: 10, spin_ms: 10 })
    }

    #[test]
    fn one_episode_is_one_proposal() {
        let policy = WatchPolicy { budget_ms: Some(100), repropose_ms: 1000 };
        let mut proposals = Proposals::default();
        let mut judge = |verdict: &Verdict| {
            let action = proposals.judge("r", verdict, &policy);
            if action == Action::Propose {
                let now = Timestamp::from_millis(verdict.progress.now_ms);
                proposals.note("r", now.unwrap());
            }
            action
        };
        assert_eq!(judge(&verdict(50, None, 0)), Action::WithinBudget);
        assert_eq!(judge(&verdict(100, None, 0)), Action::Propose);
        assert_eq!(judge(&verdict(1099, None, 0)), Action::Proposed);
        assert_eq!(judge(&verdict(1100, None, 0)), Action::Propose);
        // Spinning is not a matter of the budget, and who moves starts afresh.
        assert_eq!(judge(&verdict(1200, None, 1)), Action::None);
        assert_eq!(judge(&verdict(1201, Some(0), 0)), Action::Propose);
    }
}
