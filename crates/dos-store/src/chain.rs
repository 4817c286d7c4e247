//! The hash chain: each record names the SHA-256 of the record's line before it, so that a later
//! change of the history shows. Lines that are no records are no part of it.
//!
//! It shows tampering to whoever knows the last line; it does not prevent it.

use dos_core::journal::decode::{Line, decode_line, object_of};
use dos_core::journal::entry::Record;
use sha2::{Digest, Sha256};

use crate::log::RawLine;
use crate::snapshot::hex;

/// The field that holds the hash of the line before.
pub const FIELD: &str = "chain";

/// Links records to the line that they follow, and each to the one before it.
pub(crate) fn linked(records: Vec<Record>, before: &[u8]) -> Vec<Record> {
    let mut hash = hash_of(before);
    let link = |record: Record| {
        let record = record.with(FIELD, Some(hash.as_str().into()));
        hash = hash_of(record.line().trim_end_matches('\n').as_bytes());
        record
    };
    records.into_iter().map(link).collect()
}

/// A walk along the chain of a journal, line by line.
#[derive(Debug, Default)]
pub struct ChainCheck {
    /// The line of the last record.
    previous: Vec<u8>,
    linked: u64,
    broken_at: Option<u64>,
    /// Since where no record is linked any more.
    loose_since: Option<u64>,
}

impl ChainCheck {
    /// Takes the next line.
    pub fn look(&mut self, line: RawLine<'_>) {
        let Line::Entry(_) = decode_line(line.bytes, line.complete) else {
            return;
        };
        let names_field = memchr::memmem::find(line.bytes, b"\"chain\"").is_some();
        let object = names_field.then(|| object_of(line.bytes)).flatten();
        match object.as_ref().and_then(|object| object.get(FIELD)?.as_str()) {
            Some(hash) => {
                // The first link leads into the archive, or to where the chain was switched on.
                let is_first = self.linked == 0;
                if !is_first && hash != hash_of(&self.previous) {
                    self.broken_at = self.broken_at.or(self.loose_since).or(Some(line.number));
                }
                self.linked += 1;
                self.loose_since = None;
            }
            None if self.linked > 0 => self.loose_since = self.loose_since.or(Some(line.number)),
            None => {}
        }
        self.previous.clear();
        self.previous.extend_from_slice(line.bytes);
    }

    /// How many records are linked to the one before.
    pub fn linked(&self) -> u64 {
        self.linked
    }

    /// The number of the first line, from zero, that does not follow from the record before it.
    /// Where the chain is `required`, that is also one at the end that is not linked at all.
    pub fn broken_at(&self, required: bool) -> Option<u64> {
        self.broken_at.or(self.loose_since.filter(|_| required))
    }
}

fn hash_of(line: &[u8]) -> String {
    hex(&Sha256::digest(line))
}
