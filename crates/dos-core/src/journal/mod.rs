//! What was decided? Records, how bytes become entries, and the fold that makes them a live set.

pub mod compaction;
pub mod decode;
pub mod entry;
pub mod freshness;
pub mod live_set;
mod plain;

pub use compaction::Compaction;
pub use freshness::Freshness;
pub use live_set::{Fold, LiveSet};

/// How the journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalPolicy {
    /// Does each record name the hash of the one before?
    pub chain: bool,
    /// With more records than this, a writer compacts the journal; `None` for never.
    pub max_entries: Option<u64>,
}

impl Default for JournalPolicy {
    fn default() -> Self {
        Self { chain: false, max_entries: Some(5000) }
    }
}
