//! How many verdicts of each kind there are, along one dimension.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::json::Object;
use crate::verdict::event::VerdictEvent;

/// The questions that have a place of their own in a rollup, in this order; others follow by name.
const KNOWN_SYSCALLS: [&str; 11] = [
    "verify",
    "liveness",
    "productivity",
    "efficiency",
    "arbitrate",
    "reward",
    "breaker",
    "hook_exit",
    "pretool",
    "posttool",
    "stop",
];

/// Along what verdicts are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dimension {
    /// The question that was answered.
    #[default]
    Syscall,
    /// The answer.
    Verdict,
    /// The run.
    RunId,
    /// The lane.
    Lane,
    /// Who decided.
    Source,
}

impl Dimension {
    /// Their names.
    pub const NAMES: [&str; 5] = ["syscall", "verdict", "run_id", "lane", "source"];

    /// The dimension of that name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "syscall" => Self::Syscall,
            "verdict" => Self::Verdict,
            "run_id" | "run" => Self::RunId,
            "lane" => Self::Lane,
            "source" => Self::Source,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syscall => "syscall",
            Self::Verdict => "verdict",
            Self::RunId => "run_id",
            Self::Lane => "lane",
            Self::Source => "source",
        }
    }

    /// Where a verdict stands along it.
    pub fn of(self, event: &VerdictEvent) -> &str {
        let (value, none) = match self {
            Self::Syscall => (&event.syscall, NONE),
            Self::Verdict => (&event.verdict, NONE),
            Self::RunId => (&event.run_id, "(unattributed)"),
            Self::Lane => (&event.lane, NONE),
            Self::Source => (&event.source, NONE),
        };
        if value.is_empty() { none } else { value }
    }
}

const NONE: &str = "(none)";

/// Counts of verdicts. Rows are fed to it one by one, so that it needs no room for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollup {
    /// Along what is counted.
    pub by: Dimension,
    counts: BTreeMap<String, BTreeMap<String, u64>>,
    /// How many rows there were.
    pub total: u64,
    /// How many lines nobody could read.
    pub corrupt: u64,
}

impl Rollup {
    /// Nothing counted yet.
    pub fn by(by: Dimension) -> Self {
        Self { by, ..Self::default() }
    }

    /// Counts one row.
    pub fn feed(&mut self, event: &VerdictEvent) {
        let verdict = Dimension::Verdict.of(event);
        let group = self.by.of(event);
        // Most rows are of a kind that was seen before: no text is copied for them.
        let counted = self.counts.get_mut(group).and_then(|counts| counts.get_mut(verdict));
        match counted {
            Some(count) => *count += 1,
            None => {
                let counts = self.counts.entry(group.to_string()).or_default();
                counts.insert(verdict.to_string(), 1);
            }
        }
        self.total += 1;
    }

    /// The groups in order, each with its verdicts and their counts.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, u64>)> {
        let known = match self.by {
            Dimension::Syscall => &KNOWN_SYSCALLS[..],
            _ => &[],
        };
        let first = known.iter().filter_map(|name| self.counts.get_key_value(*name));
        let rest = self.counts.iter().filter(move |(name, _)| !known.contains(&name.as_str()));
        first.chain(rest).map(|(name, counts)| (name.as_str(), counts))
    }

    /// As programs read it.
    pub fn to_json(&self) -> Value {
        let names: Vec<&str> = self.groups().map(|(name, _)| name).collect();
        let counts: Object =
            self.groups().map(|(name, counts)| (name.to_string(), json!(counts))).collect();
        json!({
            "by": self.by.name(),
            "total": self.total,
            "corrupt": self.corrupt,
            "dimensions": names,
            "counts": counts,
        })
    }
}
