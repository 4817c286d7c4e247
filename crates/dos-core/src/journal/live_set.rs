//! The fold: which leases are held after these entries. Replaying a journal *is* the state.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::journal::decode::{Effect, Entry, Key, Line, decode_line, object_of, split_line};
use crate::journal::entry::{self, Record, op};
use crate::json::Object;
use crate::lane::lease::Lease;

/// The leases that are held, in the order in which they were first taken, and the highest
/// sequence number seen.
#[derive(Clone, Debug, Default)]
pub struct LiveSet {
    /// The leases by order of first grant.
    leases: BTreeMap<u64, Lease>,
    /// Lane, then loop stamp, to the place in `leases`.
    places: BTreeMap<String, BTreeMap<String, u64>>,
    next_place: u64,
    last_seq: u64,
}

/// Two live sets are equal when they hold the same leases in the same order.
impl PartialEq for LiveSet {
    fn eq(&self, other: &Self) -> bool {
        self.leases().eq(other.leases())
    }
}

impl LiveSet {
    /// Folds one entry.
    pub fn apply(&mut self, entry: Entry<'_>) {
        self.last_seq = self.last_seq.max(entry.seq);
        match entry.effect {
            Effect::None => {}
            Effect::Hold(key, lease) => self.hold(&key, lease),
            Effect::Drop(key) => self.drop_lease(&key),
            Effect::Beat(key, stamp) => {
                if let (Some(lease), Some(stamp)) = (self.lease_mut(&key), stamp) {
                    lease.set("heartbeat_at", stamp);
                }
            }
            Effect::Transfer(key, fields) => self.transfer(&key, fields),
            Effect::Reset(leases) => {
                *self = Self { last_seq: self.last_seq, ..Self::default() };
                for lease in leases {
                    let key = lease.key();
                    self.hold(&Key { lane: key.lane.into(), loop_ts: key.loop_ts.into() }, lease);
                }
            }
        }
    }

    /// Folds one line without its newline; what is no entry changes nothing.
    pub fn apply_line(&mut self, line: &[u8], complete: bool) {
        if let Line::Entry(entry) = decode_line(line, complete) {
            self.apply(entry);
        }
    }

    /// Folds a record that was just decided.
    pub fn apply_record(&mut self, record: &Record) {
        self.apply_line(record.line().trim_end_matches('\n').as_bytes(), true);
    }

    /// The leases in the order in which they were first taken.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }

    /// How many leases are held.
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// Is nothing held?
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// The lease of that lane and loop stamp.
    pub fn get(&self, lane: &str, loop_ts: &str) -> Option<&Lease> {
        self.leases.get(self.places.get(lane)?.get(loop_ts)?)
    }

    /// The highest sequence number seen.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The sequence number of the next record.
    pub fn next_seq(&self) -> u64 {
        self.last_seq + 1
    }

    /// The CHECKPOINT that stands for everything folded so far.
    pub fn checkpoint(&self) -> Record {
        entry::checkpoint(self.leases(), self.last_seq)
    }

    /// A lease is known by what its record says: where the nested lease says otherwise, it is
    /// corrected, so that a checkpoint of it means the same lease.
    fn hold(&mut self, key: &Key<'_>, mut lease: Lease) {
        if lease.lane() != key.lane {
            lease.set("lane", Value::String(key.lane.clone().into_owned()));
        }
        if lease.loop_ts() != key.loop_ts {
            lease.set("loop_ts", Value::String(key.loop_ts.clone().into_owned()));
        }
        let place = self.place(key).unwrap_or(self.next_place);
        if place == self.next_place {
            self.next_place += 1;
            let lane = self.places.entry(key.lane.clone().into_owned()).or_default();
            lane.insert(key.loop_ts.clone().into_owned(), place);
        }
        self.leases.insert(place, lease);
    }

    fn drop_lease(&mut self, key: &Key<'_>) {
        let Some(place) = self.place(key) else {
            return;
        };
        self.leases.remove(&place);
        if let Some(lane) = self.places.get_mut(key.lane.as_ref()) {
            lane.remove(key.loop_ts.as_ref());
            if lane.is_empty() {
                self.places.remove(key.lane.as_ref());
            }
        }
    }

    fn transfer(&mut self, key: &Key<'_>, fields: Object) {
        let Some(lease) = self.lease_mut(key) else {
            return;
        };
        lease.unset("pid_start");
        lease.unset("pid_boot");
        for (name, value) in fields {
            lease.set(&name, value);
        }
    }

    fn lease_mut(&mut self, key: &Key<'_>) -> Option<&mut Lease> {
        let place = self.place(key)?;
        self.leases.get_mut(&place)
    }

    fn place(&self, key: &Key<'_>) -> Option<u64> {
        self.places.get(key.lane.as_ref())?.get(key.loop_ts.as_ref()).copied()
    }
}

/// Folds a whole journal. A last line without its newline counts when it is a record.
pub fn replay(journal: &[u8]) -> LiveSet {
    let mut live = LiveSet::default();
    let mut rest = journal;
    while let Some((line, after)) = split_line(rest) {
        live.apply_line(line, true);
        rest = after;
    }
    live.apply_line(rest, false);
    live
}

/// Folds a journal line by line into what stands for all of it: one CHECKPOINT, then a record for
/// each corrupt line, which stays evidence.
#[derive(Debug, Default)]
pub struct Compaction {
    live: LiveSet,
    corrupt: Vec<Record>,
    lines: u64,
    records: u64,
}

impl Compaction {
    /// Takes the next line without its newline.
    pub fn feed(&mut self, line: &[u8], complete: bool) {
        match decode_line(line, complete) {
            Line::Entry(entry) => {
                if entry.op == op::CORRUPT {
                    self.corrupt.extend(object_of(line).map(Record::from_object));
                }
                self.records += 1;
                self.live.apply(entry);
            }
            Line::Corrupt => {
                self.records += 1;
                self.corrupt.push(entry::corrupt(line, self.lines));
            }
            Line::Blank | Line::Foreign | Line::Torn => {}
        }
        self.lines += 1;
    }

    /// How many records and corrupt lines went in.
    pub fn records_before(&self) -> u64 {
        self.records
    }

    /// What stands for them.
    pub fn records(&self) -> Vec<Record> {
        core::iter::once(self.live.checkpoint()).chain(self.corrupt.iter().cloned()).collect()
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
    compaction.records()
}
