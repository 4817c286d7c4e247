//! The hash chain: each record names the SHA-256 of the record's line before it, so that a later
//! change of the history shows. Lines that are no records are no part of it.
//!
//! A change of the last record, or its loss, shows only to whoever kept its hash elsewhere.

use dos_core::journal::decode::{Line, decode_line, object_of};
use dos_core::journal::entry::{Record, op};
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

/// A walk along the chain, file by file and line by line: the archive, if it is there, and the
/// journal.
#[derive(Debug, Default)]
pub struct ChainCheck {
    /// The line of the last record.
    previous: Vec<u8>,
    linked: u64,
    file: usize,
    broken_at: Option<Place>,
    /// Since where no record is linked any more.
    loose_since: Option<Place>,
}

/// A line of the files that were walked along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which file, from zero.
    pub file: usize,
    /// Which line, from zero.
    pub line: u64,
}

impl ChainCheck {
    /// The next line is one of the next file.
    pub fn next_file(&mut self) {
        self.file += 1;
    }

    /// Takes the next line.
    pub fn look(&mut self, line: RawLine<'_>) {
        let Line::Entry(entry) = decode_line(line.bytes, line.complete) else {
            return;
        };
        let here = Place { file: self.file, line: line.number };
        let names_field = memchr::memmem::find(line.bytes, b"\"chain\"").is_some();
        let object = names_field.then(|| object_of(line.bytes)).flatten();
        match object.as_ref().and_then(|object| object.get(FIELD)?.as_str()) {
            Some(hash) => {
                // A CHECKPOINT may lead into an archive that is gone.
                let from_archive = self.previous.is_empty() && entry.op == op::CHECKPOINT;
                if hash != hash_of(&self.previous) && !from_archive {
                    self.broken_at = self.broken_at.or(self.loose_since).or(Some(here));
                }
                self.linked += 1;
                self.loose_since = None;
            }
            None if self.linked > 0 => self.loose_since = self.loose_since.or(Some(here)),
            None => {}
        }
        self.previous.clear();
        self.previous.extend_from_slice(line.bytes);
    }

    /// How many records are linked to the one before.
    pub fn linked(&self) -> u64 {
        self.linked
    }

    /// The hash of the last record, where there is a chain. Whoever keeps it elsewhere can tell
    /// later whether the end of the journal was changed or cut off.
    pub fn last(&self) -> Option<String> {
        (self.linked > 0).then(|| hash_of(&self.previous))
    }

    /// The first line that does not follow from the record before it. Where the chain is
    /// `required`, that is also one at the end that is not linked at all.
    pub fn broken_at(&self, required: bool) -> Option<Place> {
        self.broken_at.or(self.loose_since.filter(|_| required))
    }
}

fn hash_of(line: &[u8]) -> String {
    hex(&Sha256::digest(line))
}
