//! How much of what agents leave behind is kept: the caps, and what falls beyond them.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use serde_json::Value;

use crate::journal::entry::op;
use crate::json::Object;
use crate::timestamp::{Timestamp, span};

const DAY_MILLIS: f64 = 86_400_000.0;

/// The caps of a workspace. `None` is no cap.
#[derive(Clone, Debug, PartialEq)]
pub struct RetentionPolicy {
    /// A journal with more records is compacted.
    pub journal_max_entries: Option<u64>,
    /// A journal with an older record is compacted; in days.
    pub journal_max_age_days: Option<f64>,
    /// So many run folders are kept.
    pub runs_keep_last: Option<u64>,
    /// So many verdict files are kept.
    pub verdicts_keep_last: Option<u64>,
    /// So many audit reports are kept.
    pub audits_keep_last: Option<u64>,
    /// May `reindex` put a digest in the place of the central files?
    pub projections_compact: bool,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self {
            journal_max_entries: Some(5000),
            journal_max_age_days: Some(30.0),
            runs_keep_last: Some(200),
            verdicts_keep_last: Some(500),
            audits_keep_last: Some(200),
            projections_compact: true,
        }
    }
}

/// One thing that may be dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// When it was last written, in seconds since the epoch.
    pub modified: f64,
}

/// The names beyond the newest `keep_last`. Of two that are equally old the one whose name sorts
/// later counts as the newer.
pub fn plan_reap(entries: &[Kept], keep_last: Option<u64>) -> Vec<String> {
    let Some(keep_last) = keep_last else { return Vec::new() };
    if keep_last == 0 {
        return entries.iter().map(|entry| entry.name.clone()).collect();
    }
    let mut newest_first: Vec<&Kept> = entries.iter().collect();
    newest_first.sort_by(|left, right| {
        right.modified.total_cmp(&left.modified).then_with(|| right.name.cmp(&left.name))
    });
    let keep_last = usize::try_from(keep_last).unwrap_or(usize::MAX);
    newest_first.iter().skip(keep_last).map(|entry| entry.name.clone()).collect()
}

/// What of a journal says whether it is to be compacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalSize {
    /// How many records it has, corrupt lines included.
    pub records: u64,
    /// The oldest stamp of a record that no compaction has written.
    pub oldest: Option<Timestamp>,
}

impl JournalSize {
    /// Counts one more record.
    ///
    /// A CHECKPOINT has no age: it stands for what was compacted, and a journal that has just been
    /// compacted would be compacted again.
    pub fn see(&mut self, record: &Object) {
        self.records += 1;
        if record.get("op").and_then(Value::as_str) == Some(op::CHECKPOINT) {
            return;
        }
        if let Some(stamp) = record.get("ts").and_then(stamp) {
            self.oldest = Some(self.oldest.map_or(stamp, |oldest| oldest.min(stamp)));
        }
    }

    /// Why it is to be compacted; `None` when it is not.
    pub fn past(&self, policy: &RetentionPolicy, now: Timestamp) -> Option<Past> {
        if let Some(most) = policy.journal_max_entries.filter(|most| self.records > *most) {
            return Some(Past::Entries { records: self.records, most });
        }
        let age_millis = now.millis_since(self.oldest?);
        let days = policy.journal_max_age_days?;
        let older = (age_millis as f64).partial_cmp(&(days * DAY_MILLIS));
        (older == Some(Ordering::Greater)).then_some(Past::Age { age_millis, days })
    }
}

/// Which cap a journal is past.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Past {
    /// It has too many records.
    Entries {
        /// So many.
        records: u64,
        /// The cap.
        most: u64,
    },
    /// Its oldest record is too old.
    Age {
        /// So old, in milliseconds.
        age_millis: i64,
        /// The cap, in days.
        days: f64,
    },
}

impl fmt::Display for Past {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entries { records, most } => {
                write!(formatter, "{records} records, more than {most}")
            }
            Self::Age { age_millis, days } => {
                write!(
                    formatter,
                    "its oldest record is {} old, more than {days} days",
                    span(*age_millis)
                )
            }
        }
    }
}

/// A record's time: text as journals have it, or whole milliseconds.
fn stamp(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => Timestamp::parse(text),
        Value::Number(number) => Timestamp::from_millis(number.as_i64()?).ok(),
        _ => None,
    }
}
