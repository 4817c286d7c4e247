//! Is a run moving? From commits, journal events, the newest beat and the process table, and never
//! from what the run says of itself.

use alloc::string::String;
use core::fmt;

use serde_json::{Value, json};

use crate::timestamp::span;

/// The windows of the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivenessPolicy {
    /// A run that is younger than this, in milliseconds, is not accused of spinning.
    pub grace_ms: i64,
    /// A beat that is not older than this, in milliseconds, shows that the run is alive.
    pub spin_ms: i64,
}

impl Default for LivenessPolicy {
    fn default() -> Self {
        Self { grace_ms: 30 * 60_000, spin_ms: 15 * 60_000 }
    }
}

/// What is known of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When it began, in milliseconds since the epoch.
    pub run_started_ms: i64,
    /// The time of the verdict.
    pub now_ms: i64,
    /// Commits since it began.
    pub commits_since_start: u64,
    /// Changes of its own lease since it began; a beat is none.
    pub journal_events_since: u64,
    /// How old its newest beat is; `None` when there was none.
    pub last_heartbeat_age_ms: Option<i64>,
    /// Does the process table show its process? `None` when it cannot be told.
    pub process_alive: Option<bool>,
}

impl Progress {
    /// The object for programs. What a run spends is nothing that we see.
    pub fn to_json(&self) -> Value {
        json!({
            "run_started_ms": self.run_started_ms,
            "now_ms": self.now_ms,
            "commits_since_start": self.commits_since_start,
            "journal_events_since": self.journal_events_since,
            "last_heartbeat_age_ms": self.last_heartbeat_age_ms,
            "tokens_spent_since": null,
            "process_alive": self.process_alive,
        })
    }
}

/// The three states of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Liveness {
    /// Something moved, or it is too young to be judged.
    Advancing,
    /// It is alive and nothing moves.
    Spinning,
    /// There is no sign of life.
    Stalled,
}

impl Liveness {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Advancing => "ADVANCING",
            Self::Spinning => "SPINNING",
            Self::Stalled => "STALLED",
        }
    }

    /// The state of that name.
    pub fn named(token: &str) -> Option<Self> {
        [Self::Advancing, Self::Spinning, Self::Stalled].into_iter().find(|l| l.token() == token)
    }
}

/// The verdict, with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub liveness: Liveness,
    /// Why.
    pub because: Because,
    /// The evidence.
    pub progress: Progress,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// There are commits.
    Committed,
    /// Its lease changed.
    LeaseMoved,
    /// It beats, and is too young.
    Young,
    /// It beats, and nothing moves.
    NothingMoves,
    /// It beats, and its process is gone.
    ProcessGone,
    /// Its newest beat is too old.
    Silent,
    /// It never beat.
    NeverBeat,
}

/// Judges one run. The first that holds: it committed, its lease changed, its process is gone, it is
/// young, it beats without moving; else it is stalled.
pub fn classify(progress: &Progress, policy: &LivenessPolicy) -> Verdict {
    let beats = progress.last_heartbeat_age_ms.is_some_and(|age| age <= policy.spin_ms);
    let age = progress.now_ms.saturating_sub(progress.run_started_ms);
    let because = if progress.commits_since_start > 0 {
        Because::Committed
    } else if progress.journal_events_since > 0 {
        Because::LeaseMoved
    } else if progress.last_heartbeat_age_ms.is_none() {
        Because::NeverBeat
    } else if !beats {
        Because::Silent
    } else if progress.process_alive == Some(false) {
        Because::ProcessGone
    } else if age < policy.grace_ms {
        Because::Young
    } else {
        Because::NothingMoves
    };
    let liveness = match because {
        Because::Committed | Because::LeaseMoved | Because::Young => Liveness::Advancing,
        Because::NothingMoves => Liveness::Spinning,
        Because::ProcessGone | Because::Silent | Because::NeverBeat => Liveness::Stalled,
    };
    Verdict { liveness, because, progress: *progress }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress { run_started_ms, now_ms, commits_since_start, journal_events_since, .. } =
            self.progress;
        let age = span(now_ms.saturating_sub(run_started_ms));
        let beat = match self.progress.last_heartbeat_age_ms {
            Some(millis) => span(millis),
            None => String::from("never"),
        };
        match self.because {
            Because::Committed if commits_since_start == 1 => {
                formatter.write_str("a commit since its start")
            }
            Because::Committed => {
                write!(formatter, "{commits_since_start} commits since its start")
            }
            Because::LeaseMoved if journal_events_since == 1 => {
                formatter.write_str("its lease changed once since its start")
            }
            Because::LeaseMoved => {
                write!(formatter, "its lease changed {journal_events_since} times since its start")
            }
            Because::Young => {
                write!(formatter, "it beats, and is {age} old: too young to be accused of spinning")
            }
            Because::NothingMoves => {
                write!(formatter, "it beat {beat} ago, and nothing has moved in {age}")
            }
            Because::ProcessGone => {
                write!(formatter, "it beat {beat} ago, but its process is gone from this host")
            }
            Because::Silent => write!(formatter, "no beat for {beat}, and no commit"),
            Because::NeverBeat => formatter.write_str("it never beat, and there is no commit"),
        }
    }
}

impl Verdict {
    /// The object for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "verdict": self.liveness.token(),
            "reason": alloc::format!("{self}"),
            "evidence": self.progress.to_json(),
        })
    }
}
