//! The fold: which leases are held after these entries. Replaying a journal *is* the state.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde_json::Value;

use crate::journal::decode::{Effect, Entry, Key, LeaseText, Line, Stamp, decode_line, split_line};
use crate::journal::entry::{self, Record};
use crate::json::{Object, canonical_object};
use crate::lane::lease::{Lease, LeaseKey};
use crate::limits;

/// The leases that are held, in the order in which they were first taken, and the highest
/// sequence number seen.
#[derive(Clone, Debug, Default)]
pub struct LiveSet {
    /// The leases by order of first grant.
    leases: BTreeMap<u64, Lease>,
    /// Lane and loop stamp to the place in `leases`.
    places: BTreeMap<Box<str>, BTreeMap<Box<str>, u64>>,
    next_place: u64,
    last_seq: u64,
}

/// Two live sets are equal when they hold the same leases in the same order.
impl PartialEq for LiveSet {
    fn eq(&self, other: &Self) -> bool {
        self.leases().eq(other.leases())
    }
}

/// A fold in progress over many lines: the leases that are gone by its end are never read.
#[derive(Debug, Default)]
pub struct Fold {
    set: LiveSet,
    unread: BTreeMap<u64, Unread>,
}

/// A lease that was taken and not looked at yet. Its place in the set is reserved.
#[derive(Debug)]
struct Unread {
    text: Box<str>,
    key: LeaseKey,
    beat: Option<Value>,
}

impl Fold {
    /// Goes on from a live set.
    pub fn on(set: LiveSet) -> Self {
        Self { set, unread: BTreeMap::new() }
    }

    /// Folds one line without its newline; what is no entry changes nothing.
    pub fn line(&mut self, line: &[u8], complete: bool) {
        if let Line::Entry(entry) = decode_line(line, complete) {
            self.apply(entry);
        }
    }

    /// Folds one entry.
    pub fn apply(&mut self, entry: Entry<'_>) {
        self.set.last_seq = self.set.last_seq.max(entry.seq);
        match entry.effect {
            Effect::None => {}
            Effect::Hold(key, lease) => self.hold(key, lease),
            Effect::Drop(key) => {
                if let Some(place) = self.set.forget(&key) {
                    self.unread.remove(&place);
                }
            }
            Effect::Beat(key, stamp) => self.beat(&key, stamp),
            Effect::Transfer(key, fields) => {
                if let Some(place) = self.set.place(&key) {
                    self.read(place);
                    self.set.transfer(place, fields);
                }
            }
            Effect::Reset(leases) => {
                let last_seq = self.set.last_seq;
                *self = Self::on(LiveSet { last_seq, ..LiveSet::default() });
                for lease in leases {
                    let key = lease.key();
                    let place = self.set.reserve(&key.lane, &key.loop_ts);
                    self.set.leases.insert(place, lease);
                }
            }
        }
    }

    /// The live set so far, every lease of it read.
    pub fn live(&mut self) -> &LiveSet {
        let places: Vec<u64> = self.unread.keys().copied().collect();
        for place in places {
            self.read(place);
        }
        &self.set
    }

    /// The live set, every lease of it read.
    pub fn finish(mut self) -> LiveSet {
        self.live();
        self.set
    }

    fn hold(&mut self, key: Key<'_>, lease: LeaseText<'_>) {
        let place = self.set.reserve(&key.lane, &key.loop_ts);
        let key = LeaseKey { lane: key.lane.into_owned(), loop_ts: key.loop_ts.into_owned() };
        self.set.leases.remove(&place);
        match lease {
            LeaseText::Nested(text) => {
                self.unread.insert(place, Unread { text: text.into(), key, beat: None });
            }
            LeaseText::Inline(object) => {
                self.unread.remove(&place);
                self.set.leases.insert(place, named(Lease::from_object(object), &key));
            }
        }
    }

    fn beat(&mut self, key: &Key<'_>, stamp: Option<Stamp<'_>>) {
        let (Some(place), Some(stamp)) = (self.set.place(key), stamp) else {
            return;
        };
        if let Some(unread) = self.unread.get_mut(&place) {
            match (stamp, &mut unread.beat) {
                // One beat follows another: the text has its room already.
                (Stamp::Text(new), Some(Value::String(old))) => {
                    old.clear();
                    old.push_str(new);
                }
                (stamp, beat) => *beat = Some(stamp.into()),
            }
        } else if let Some(lease) = self.set.leases.get_mut(&place) {
            lease.set("heartbeat_at", stamp.into());
        }
    }

    fn read(&mut self, place: u64) {
        let Some(Unread { text, key, beat }) = self.unread.remove(&place) else {
            return;
        };
        // The decoder has checked the text, so that this cannot fail; if it did, the lease would
        // have to be taken for one that may cover anything.
        let object = serde_json::from_str(&text).unwrap_or_else(|_| {
            [("tree".into(), Value::from(Vec::from(["**"])))].into_iter().collect()
        });
        let mut lease = named(Lease::from_object(object), &key);
        if let Some(stamp) = beat {
            lease.set("heartbeat_at", stamp);
        }
        self.set.leases.insert(place, lease);
    }
}

/// A lease is known by what its record says: where the nested lease says otherwise it is corrected,
/// so that a checkpoint of it means the same lease.
fn named(mut lease: Lease, key: &LeaseKey) -> Lease {
    if lease.lane() != key.lane {
        lease.set("lane", Value::String(key.lane.clone()));
    }
    if lease.loop_ts() != key.loop_ts {
        lease.set("loop_ts", Value::String(key.loop_ts.clone()));
    }
    lease
}

impl LiveSet {
    /// Folds one entry.
    pub fn apply(&mut self, entry: Entry<'_>) {
        let mut fold = Fold::on(core::mem::take(self));
        fold.apply(entry);
        *self = fold.finish();
    }

    /// Folds a record that was just decided.
    pub fn apply_record(&mut self, record: &Record) {
        let line = record.line();
        if let Line::Entry(entry) = decode_line(line.trim_end_matches('\n').as_bytes(), true) {
            self.apply(entry);
        }
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

    /// The CHECKPOINT that stands for everything folded so far, and a RECONCILE for each lease that
    /// did not fit into its line.
    pub fn snapshot(&self) -> Vec<Record> {
        let mut room = limits::LINE_BYTES_MAX / 2;
        let mut fitting = 0;
        for lease in self.leases() {
            let bytes = canonical_object(lease.object()).len();
            match room.checked_sub(bytes) {
                Some(left) => room = left,
                None => break,
            }
            fitting += 1;
        }
        let checkpoint = entry::checkpoint(self.leases().take(fitting), self.last_seq);
        core::iter::once(checkpoint)
            .chain(self.leases().skip(fitting).map(entry::reconcile))
            .collect()
    }

    /// The place of that identity; a new one at the end when it has none.
    fn reserve(&mut self, lane: &str, loop_ts: &str) -> u64 {
        let of_lane = match self.places.get_mut(lane) {
            Some(of_lane) => of_lane,
            None => self.places.entry(lane.into()).or_default(),
        };
        if let Some(place) = of_lane.get(loop_ts) {
            return *place;
        }
        let place = self.next_place;
        of_lane.insert(loop_ts.into(), place);
        self.next_place += 1;
        place
    }

    fn forget(&mut self, key: &Key<'_>) -> Option<u64> {
        let of_lane = self.places.get_mut(key.lane.as_ref())?;
        let place = of_lane.remove(key.loop_ts.as_ref())?;
        if of_lane.is_empty() {
            self.places.remove(key.lane.as_ref());
        }
        self.leases.remove(&place);
        Some(place)
    }

    fn transfer(&mut self, place: u64, fields: Object) {
        let Some(lease) = self.leases.get_mut(&place) else {
            return;
        };
        lease.unset("pid_start");
        lease.unset("pid_boot");
        lease.unset("worktree");
        lease.unset("worktree_id");
        lease.unset("parent_id");
        for (name, value) in fields {
            lease.set(&name, value);
        }
    }

    fn place(&self, key: &Key<'_>) -> Option<u64> {
        self.places.get(key.lane.as_ref())?.get(key.loop_ts.as_ref()).copied()
    }
}

/// Folds a whole journal. A last line without its newline counts when it is a record.
pub fn replay(journal: &[u8]) -> LiveSet {
    let mut fold = Fold::default();
    let mut rest = journal;
    while let Some((line, after)) = split_line(rest) {
        fold.line(line, true);
        rest = after;
    }
    fold.line(rest, false);
    fold.finish()
}
