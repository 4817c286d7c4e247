//! May this turn be held open once more? The budget of turns that only wait.
//!
//! A stop hook runs at the end of every turn. Only in a loop that waits for something is a stop
//! worth holding back, and only so often: each turn that is held open costs a whole turn.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Value, json};

use crate::json::Object;
use crate::schema::{self, Readability};
use crate::timestamp::Timestamp;

/// The format of the records of a tally, and its version.
pub const SCHEMA_FAMILY: &str = "wait-marker";
/// The version that this reader knows.
pub const SCHEMA_VERSION: i64 = 1;
/// So many turns may wait unless `dos.toml` says otherwise.
pub const STREAK_DEFAULT: u32 = 4;

const MARKER: &str = "MARKER";
const RESET: &str = "RESET";

/// The `[marker]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkerPolicy {
    /// So many turns in a row may do nothing but wait.
    pub max_streak: u32,
    /// A variable of one of these names, set and not empty, says that this is a loop.
    pub arm_on_env: Vec<String>,
    /// Is a stop let through that another hook has already held back?
    pub respect_stop_hook_active: bool,
}

impl Default for MarkerPolicy {
    fn default() -> Self {
        Self {
            max_streak: STREAK_DEFAULT,
            arm_on_env: ["DOS_LOOP", "CID_RUN_ID"].map(String::from).to_vec(),
            respect_stop_hook_active: true,
        }
    }
}

impl MarkerPolicy {
    /// The same policy with these names of variables, without blanks around them.
    pub fn armed_by(mut self, names: &[String]) -> Self {
        let names = names.iter().map(|name| name.trim().to_string());
        self.arm_on_env = names.filter(|name| !name.is_empty()).collect();
        self
    }
}

/// Does the budget apply to this stop, and why?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arming {
    /// It is a stop that a hook has held back before.
    StopHookActive,
    /// `--loop` was given.
    Loop,
    /// This variable is set.
    Variable(String),
    /// Nothing says that this is a loop: an ordinary end of a turn.
    NoLoop,
}

impl Arming {
    /// Does the budget apply?
    pub fn is_armed(&self) -> bool {
        matches!(self, Self::Loop | Self::Variable(_))
    }
}

impl fmt::Display for Arming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StopHookActive => formatter.write_str("a hook has already held this stop back"),
            Self::Loop => formatter.write_str("armed by --loop"),
            Self::Variable(name) => write!(formatter, "armed by {name}"),
            Self::NoLoop => formatter.write_str("nothing says that this is a loop"),
        }
    }
}

/// Says whether the budget applies. `variable` says what the environment holds.
pub fn decide<'e>(
    stop_hook_active: bool,
    loop_flag: bool,
    variable: impl Fn(&str) -> Option<&'e str>,
    policy: &MarkerPolicy,
) -> Arming {
    if policy.respect_stop_hook_active && stop_hook_active {
        return Arming::StopHookActive;
    }
    if loop_flag {
        return Arming::Loop;
    }
    let set = |name: &&String| variable(name).is_some_and(|value| !value.is_empty());
    match policy.arm_on_env.iter().find(set) {
        Some(name) => Arming::Variable(name.clone()),
        None => Arming::NoLoop,
    }
}

/// What is left of the budget at a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// May this turn be held open?
    pub allows: bool,
    /// Turns that waited, this one included when it is held open.
    pub spent: u64,
    /// So many may.
    pub most: u32,
}

impl Budget {
    /// The budget after so many turns that waited.
    pub fn after(waited: u64, most: u32) -> Self {
        let allows = waited < u64::from(most);
        Self { allows, spent: waited + u64::from(allows), most }
    }

    /// The stable word.
    pub fn token(&self) -> &'static str {
        if self.allows { "LIVE" } else { "EXHAUSTED" }
    }

    /// Under the keys of the original.
    pub fn to_json(&self) -> Value {
        json!({
            "allow_marker": self.allows,
            "markers_emitted": self.spent,
            "max_markers": self.most,
            "reason": self.to_string(),
        })
    }

    /// What the agent is told when its turn is held open.
    pub fn held_open(&self) -> String {
        format!(
            "DOS: {self}. You are in a loop that waits: wait for the completion signal of what \
             you started rather than asking again. Once the budget is spent, end the turn; the \
             signal will start the next one."
        )
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spent, most, .. } = self;
        match self.allows {
            true => write!(formatter, "wait-marker {spent}/{most}, the turn is held open"),
            false => write!(
                formatter,
                "wait-marker budget exhausted ({spent}/{most}): end the turn and wait for the \
                 completion signal"
            ),
        }
    }
}

/// What one line of a tally says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Marker,
    Reset,
}

impl Mark {
    /// Lines that cannot be read, are of another family or of a newer version say nothing.
    fn read(line: &[u8]) -> Option<Self> {
        let record: Object = serde_json::from_slice(line).ok()?;
        let (readability, _) = schema::classify(&record, SCHEMA_FAMILY, SCHEMA_VERSION);
        if !matches!(readability, Readability::Readable | Readability::Untagged) {
            return None;
        }
        match record.get("op")?.as_str()? {
            MARKER => Some(Self::Marker),
            RESET => Some(Self::Reset),
            _ => None,
        }
    }
}

/// The tally of one session: how many turns have waited since the last progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// So many.
    pub waited: u64,
}

impl Tally {
    /// Reads the lines of a tally, the newest last.
    pub fn read(text: &[u8]) -> Self {
        let mut lines = text.rsplit(|byte| *byte == b'\n').filter_map(Mark::read);
        let mut waited = 0;
        while lines.next() == Some(Mark::Marker) {
            waited += 1;
        }
        Self { waited }
    }
}

/// The line for a turn that waits.
pub fn marker_record(budget: &Budget, run_id: Option<&str>, now: Timestamp) -> Value {
    record(MARKER, &budget.to_string(), run_id, now)
}

/// The line for progress: the tally starts anew.
pub fn reset_record(run_id: Option<&str>, now: Timestamp) -> Value {
    record(RESET, "forward-delta reset", run_id, now)
}

fn record(op: &str, reason: &str, run_id: Option<&str>, now: Timestamp) -> Value {
    let mut record = Object::new();
    let schema = json!({"family": SCHEMA_FAMILY, "version": SCHEMA_VERSION});
    record.insert("schema".to_string(), schema);
    record.insert("op".to_string(), op.into());
    record.insert("reason".to_string(), reason.into());
    record.insert("ts".to_string(), now.to_string().into());
    if let Some(run_id) = run_id.filter(|run_id| !run_id.is_empty()) {
        record.insert("run_id".to_string(), run_id.into());
    }
    Value::Object(record)
}
