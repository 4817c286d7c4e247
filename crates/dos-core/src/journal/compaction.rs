//! What stands for a journal: its live set, its watermark, and the evidence of what was corrupt.
//!
//! The records of a compaction take the place of the journal when it is compacted, and stand for
//! its beginning in a snapshot. They mean what the journal meant.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::journal::decode::{Line, decode_line, object_of, split_line};
use crate::journal::entry::{self, Record, op};
use crate::journal::live_set::{Fold, LiveSet};
use crate::limits;

/// A journal, folded line by line.
#[derive(Debug, Default)]
pub struct Compaction {
    live: Fold,
    /// The lines of the records that stand for corrupt ones.
    evidence: Vec<Box<str>>,
    evidence_bytes: usize,
    lines: u64,
    records: u64,
}

impl Compaction {
    /// Goes on from the records that stand for the first `lines` lines of a journal, of which
    /// `records` were records or corrupt.
    pub fn resume(standing_for: &[u8], lines: u64, records: u64) -> Self {
        let mut compaction = Self::default();
        let mut rest = standing_for;
        while let Some((line, after)) = split_line(rest) {
            compaction.feed(line, true);
            rest = after;
        }
        Self { lines, records, ..compaction }
    }

    /// Takes the next line without its newline.
    pub fn feed(&mut self, line: &[u8], complete: bool) {
        match decode_line(line, complete) {
            Line::Entry(entry) => {
                if entry.op == op::CORRUPT
                    && let Some(object) = object_of(line)
                {
                    self.keep(Record::from_object(object).line());
                }
                self.records += 1;
                self.live.apply(entry);
            }
            Line::Corrupt => {
                self.records += 1;
                self.keep(entry::corrupt(line, self.lines).line());
            }
            Line::Blank | Line::Foreign | Line::Torn => {}
        }
        self.lines += 1;
    }

    /// Evidence is bounded, as memory is: what came first is kept.
    fn keep(&mut self, line: String) {
        let bytes = self.evidence_bytes.saturating_add(line.len());
        if bytes <= limits::EVIDENCE_BYTES_MAX {
            self.evidence_bytes = bytes;
            self.evidence.push(line.into());
        } else {
            // Or a later and shorter line would be kept in the place of this one.
            self.evidence_bytes = limits::EVIDENCE_BYTES_MAX;
        }
    }

    /// How many lines went in.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// How many of them were records or corrupt.
    pub fn records_before(&self) -> u64 {
        self.records
    }

    /// The live set.
    pub fn live(&mut self) -> &LiveSet {
        self.live.live()
    }

    /// The live set, and nothing else.
    pub fn into_live(self) -> LiveSet {
        self.live.finish()
    }

    /// What stands for it: one CHECKPOINT (with a RECONCILE for each lease that does not fit into
    /// its line), then a record for each corrupt line, which stays evidence.
    pub fn standing_for(&mut self) -> Vec<Record> {
        let mut records = self.live.live().snapshot();
        let objects = self.evidence.iter().filter_map(|line| serde_json::from_str(line).ok());
        records.extend(objects.map(Record::from_object));
        records
    }
}

/// Compacts a whole journal.
pub fn compact(journal: &[u8]) -> Vec<Record> {
    let mut compaction = Compaction::default();
    let mut rest = journal;
    while let Some((line, after)) = split_line(rest) {
        compaction.feed(line, true);
        rest = after;
    }
    compaction.feed(rest, false);
    compaction.standing_for()
}
