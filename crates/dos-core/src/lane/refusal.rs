//! A refusal: what stands in the way, who holds it and until when, and how to go on.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Value, json};

use crate::lane::lease::Lease;
use crate::lane::overlap::Meeting;
use crate::lane::region::Doubt;
use crate::lane::vitality::lapses_at;
use crate::timestamp::{Timestamp, span};

/// One live lease that stands in the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocker {
    /// The lease.
    pub lease: Lease,
    /// The patterns that meet, when that is the reason.
    pub meeting: Option<Meeting>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub cause: Cause,
    /// The lane that was asked for; empty for a request that named none.
    pub lane: String,
    /// The leases in the way.
    pub blockers: Vec<Blocker>,
    /// Lanes of the auto-pick order whose names nobody holds.
    pub free_lanes: Vec<String>,
    /// Those that could be taken right now.
    pub open_lanes: Vec<String>,
}

/// The kinds of refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An exclusive lane is live: nothing else may start.
    ExclusiveLive,
    /// The lane itself is held.
    LaneHeld,
    /// An exclusive lane was asked for while others are live.
    MustRunAlone,
    /// The trees meet.
    TreeOverlap,
    /// The lane has no tree, so that what it would write is unknown.
    EmptyTree,
    /// The workspace declares no such lane.
    UnknownLane {
        /// The lanes that it does declare.
        known: Vec<String>,
    },
    /// Every candidate belongs to a class that is full: `kind (live/most)`.
    ClassBudgetExhausted {
        /// The full classes.
        full: Vec<String>,
    },
    /// No lane is free to be picked.
    NoFreeLane,
    /// A condition of the embedding program refuses.
    Condition {
        /// The condition's name.
        name: String,
        /// Its reason.
        reason: String,
    },
}

impl Cause {
    /// The stable word, which a REFUSE record carries as `reason_class`.
    pub fn token(&self) -> &'static str {
        match self {
            Self::ExclusiveLive => "EXCLUSIVE_LIVE",
            Self::LaneHeld => "LANE_HELD",
            Self::MustRunAlone => "MUST_RUN_ALONE",
            Self::TreeOverlap => "TREE_OVERLAP",
            Self::EmptyTree => "EMPTY_TREE",
            Self::UnknownLane { .. } => "UNKNOWN_LANE",
            Self::ClassBudgetExhausted { .. } => "CLASS_BUDGET_EXHAUSTED",
            Self::NoFreeLane => "NO_FREE_LANE",
            Self::Condition { .. } => "CONDITION",
        }
    }
}

impl Refusal {
    /// The sentences for people at this time: the cause, each holder, what to do next.
    pub fn explain(&self, now: Timestamp) -> String {
        let mut text = self.cause_sentence();
        for blocker in &self.blockers {
            text.push(' ');
            text.push_str(&blocker.sentence(now));
        }
        text.push(' ');
        text.push_str(&self.next_step());
        text
    }

    /// Can it change while the workspace's policy stays as it is?
    pub fn may_pass(&self) -> bool {
        !matches!(self.cause, Cause::UnknownLane { .. })
    }

    /// What to do next.
    pub fn next_step(&self) -> String {
        match &self.cause {
            Cause::UnknownLane { .. } => {
                "Ask for one of those, leave --lane out to take any free lane, or declare it under \
                 [lanes] in dos.toml."
                    .to_string()
            }
            Cause::EmptyTree => "Pass --tree, or declare what it covers under [lanes.trees] in \
                                 dos.toml."
                .to_string(),
            Cause::Condition { .. } => "Ask whoever set up this condition.".to_string(),
            Cause::ClassBudgetExhausted { .. } => {
                "Wait for one of them (--wait 10m), or raise max_concurrent in dos.toml."
                    .to_string()
            }
            Cause::NoFreeLane if self.blockers.is_empty() => "Name a lane with --lane, or list \
                                                              lanes under autopick in dos.toml."
                .to_string(),
            _ if self.open_lanes.is_empty() => "Wait for it (--wait 10m) or ask the holder.".into(),
            _ => format!(
                "Wait for it (--wait 10m), or take a free lane: {}.",
                self.open_lanes.join(", ")
            ),
        }
    }

    fn cause_sentence(&self) -> String {
        let lane = match self.lane.as_str() {
            "" => "The request".to_string(),
            lane => format!("Lane {lane}"),
        };
        match &self.cause {
            Cause::ExclusiveLive => {
                "An exclusive lane is live and nothing may run beside it.".to_string()
            }
            Cause::LaneHeld => format!("{lane} is held."),
            Cause::MustRunAlone => match self.blockers.len() {
                1 => format!("{lane} runs alone, and another is live."),
                count => format!("{lane} runs alone, and {count} others are live."),
            },
            Cause::TreeOverlap => format!("{lane} meets a live lane."),
            Cause::EmptyTree => {
                format!("{lane} has no tree, so what it would write is unknown.")
            }
            Cause::UnknownLane { known } => format!(
                "This workspace has no lane {}. Its lanes are: {}.",
                self.lane,
                if known.is_empty() { "(none)".to_string() } else { known.join(", ") }
            ),
            Cause::ClassBudgetExhausted { full } => {
                format!("Every candidate belongs to a full class: {}.", full.join(", "))
            }
            Cause::NoFreeLane => "No lane is free to be picked.".to_string(),
            Cause::Condition { name, reason } => format!("Condition {name} refuses: {reason}."),
        }
    }

    /// The holders for programs.
    pub fn blockers_json(&self, now: Timestamp) -> Value {
        Value::Array(self.blockers.iter().map(|blocker| blocker.to_json(now)).collect())
    }
}

impl Blocker {
    /// Who holds it, since when, until when, and what meets.
    pub fn sentence(&self, now: Timestamp) -> String {
        let lease = &self.lease;
        let verb = if lease.is_shared() { "reads" } else { "holds" };
        let mut text =
            format!("{} {verb} {}", lease.holder().unwrap_or("(nobody named)"), lease.lane());
        if let Some(host) = lease.host() {
            text.push_str(&format!(" on {host}"));
        }
        if let Some(since) = lease.acquired_at() {
            text.push_str(&format!(" for {}", span(now.millis_since(since))));
        }
        if let Some(end) = lapses_at(lease) {
            text.push_str(&format!(", lapses in {} if silent", span(end.millis_since(now))));
        }
        if let Some(meeting) = &self.meeting {
            text.push_str(&format!("; {meeting}"));
        }
        text.push('.');
        text
    }

    fn to_json(&self, now: Timestamp) -> Value {
        let lease = &self.lease;
        json!({
            "lane": lease.lane(),
            "holder": lease.holder(),
            "host_id": lease.host(),
            "run_id": lease.run_id(),
            "loop_ts": lease.loop_ts(),
            "mode": if lease.is_shared() { "shared" } else { "exclusive" },
            "held_seconds": lease.acquired_at().map(|since| now.millis_since(since) / 1000),
            "lapses_at": lapses_at(lease).map(|end| end.to_string()),
            "requested_pattern": self.meeting.as_ref().map(|meeting| &meeting.requested),
            "held_pattern": self.meeting.as_ref().map(|meeting| &meeting.held),
            "witness": self.meeting.as_ref().and_then(|meeting| meeting.witness.as_ref()),
            "doubt": self.meeting.as_ref().and_then(|meeting| meeting.doubt).map(Doubt::token),
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.token())
    }
}
