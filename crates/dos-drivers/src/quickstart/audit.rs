//! What happened, by the journal and git alone.
//!
//! The journal is folded record by record, in its own exact order: two leases that are held at
//! once and could write one file are a collision. Then each commit is held against the leases of
//! its author: both carry times of whole seconds, so that a lease counts as live in the second it
//! was granted and in the second it ended. What the clock leaves open the content settles: every
//! worker signs its lines and adds to files as a whole, so two who wrote one file at once have
//! lost or swept in a line.

use std::collections::BTreeSet;
use std::fmt;

use dos_core::journal::LiveSet;
use dos_core::journal::decode::{Effect, Key, Line, decode_line, object_of};
use dos_core::journal::entry::op;
use dos_core::lane::lease::LeaseKey;
use dos_core::lane::overlap::{Exact, Meeting, OverlapPolicy};
use dos_core::lane::{Lease, Region};
use dos_core::timestamp::Timestamp;
use dos_store::log::RawLine;

use super::QuickstartError;
use super::repository::{Change, Commit, Repository};
use crate::referee::Referee;

/// What the journal and git say of a race.
#[derive(Debug, Default)]
pub struct Audit {
    /// How many holders were granted a lane.
    pub holders: u64,
    /// ACQUIRE records.
    pub grants: u64,
    /// REFUSE records.
    pub refusals: u64,
    /// Grants that were asked for by a SPAWN first, where between the two some other lease was
    /// held that stood in the way.
    pub waits: u64,
    /// Lanes of dead holders that went to others.
    pub takeovers: Vec<Takeover>,
    /// Commits, without the first one.
    pub commits: u64,
    /// Files that they changed, each counted for every commit.
    pub files: u64,
    /// Lines that they added.
    pub lines: u64,
    /// Records of the journal.
    pub records: u64,
    /// Leases that are still held.
    pub still_held: u64,
    /// What must not have happened.
    pub collisions: Vec<Collision>,
}

/// A lane that was taken from a dead holder and granted in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The lane of the dead.
    pub lane: String,
    /// The dead.
    pub from: String,
    /// Who has it now.
    pub to: String,
    /// The proof of death, as the journal has it.
    pub proof: String,
}

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collision {
    /// Two leases were held at once that can write one file.
    DoubleGrant {
        /// The record that granted the second.
        seq: u64,
        /// The first: holder and lane.
        first: (String, String),
        /// The second: holder and lane.
        second: (String, String),
        /// Where they meet; `None` when they are one and the same lease.
        meeting: Option<Meeting>,
    },
    /// A record whose number is not above the one before: two have decided at once.
    OutOfOrder {
        /// Its number.
        seq: u64,
        /// The highest one before.
        after: u64,
    },
    /// A file was changed by somebody who held no lease on it.
    Unleased {
        /// The commit.
        commit: String,
        /// Who made it.
        author: String,
        /// The file.
        path: String,
    },
    /// A commit changed nothing: another commit has swept its lines in, or wrote over them.
    Lost {
        /// The commit.
        commit: String,
        /// Who made it.
        author: String,
    },
    /// A commit took away lines, or swept in those of another.
    Overwritten {
        /// The commit.
        commit: String,
        /// Who made it.
        author: String,
        /// The file.
        path: String,
        /// How many lines went.
        removed: u64,
        /// How many came in that are not the author's.
        foreign: u64,
    },
}

impl fmt::Display for Collision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleGrant { seq, first, second, meeting } => {
                let ((holder, lane), (other, other_lane)) = (second, first);
                write!(formatter, "record {seq} grants {lane} to {holder} while {other} holds ")?;
                match meeting {
                    Some(meeting) => write!(formatter, "{other_lane}: {meeting}"),
                    None => write!(formatter, "that very lease"),
                }
            }
            Self::OutOfOrder { seq, after } => {
                write!(formatter, "record {seq} comes after record {after}: two decided at once")
            }
            Self::Unleased { commit, author, path } => {
                write!(
                    formatter,
                    "commit {commit} of {author} changes {path} without a lease on it"
                )
            }
            Self::Lost { commit, author } => {
                write!(formatter, "commit {commit} of {author} is empty: its lines went elsewhere")
            }
            Self::Overwritten { commit, author, path, removed, foreign } => write!(
                formatter,
                "commit {commit} of {author} removes {removed} lines of {path} and sweeps in \
                 {foreign} that are not its own"
            ),
        }
    }
}

/// Reads the whole journal and the whole history.
pub fn audit(referee: &Referee<'_>, repository: &Repository) -> Result<Audit, QuickstartError> {
    let mut book = Book::default();
    let mut outcome = Ok(());
    referee.ledger().log().scan(|line| {
        if outcome.is_ok() {
            outcome = book.read(line);
        }
    })?;
    outcome?;
    for commit in repository.history()?.iter().filter(|commit| !commit.first) {
        book.check(commit);
    }
    Ok(book.closed())
}

/// How many grants there were so far, and how many leases are held.
pub fn so_far(referee: &Referee<'_>) -> Result<(u64, usize), QuickstartError> {
    let (mut live, mut grants) = (LiveSet::default(), 0);
    referee.ledger().log().scan(|line| {
        if let Line::Entry(entry) = decode_line(line.bytes, line.complete) {
            grants += u64::from(entry.op == op::ACQUIRE);
            live.apply(entry);
        }
    })?;
    Ok((grants, live.len()))
}

/// The journal, read line by line, and all that is concluded from it.
#[derive(Default)]
struct Book {
    live: LiveSet,
    holds: Vec<Hold>,
    intents: Vec<Intent>,
    /// What the records right before this one took from the dead.
    scavenged: Vec<Takeover>,
    audit: Audit,
}

/// One lease in the hands of one holder.
struct Hold {
    key: LeaseKey,
    holder: String,
    region: Region,
    since: Timestamp,
    until: Option<Timestamp>,
}

/// A SPAWN, and every lease that was held since.
struct Intent {
    key: LeaseKey,
    beside: Vec<Lease>,
}

/// What a record does, as far as it matters here.
enum Step {
    Hold(LeaseKey),
    Drop(LeaseKey),
    Transfer(LeaseKey),
    Other,
}

impl Book {
    fn read(&mut self, line: RawLine<'_>) -> Result<(), QuickstartError> {
        let unusable = |problem| QuickstartError::Journal { line: line.number + 1, problem };
        let entry = match decode_line(line.bytes, line.complete) {
            Line::Entry(entry) => entry,
            Line::Blank | Line::Torn => return Ok(()),
            Line::Foreign | Line::Corrupt => return Err(unusable("is damaged")),
        };
        let object = object_of(line.bytes).ok_or_else(|| unusable("is no record"))?;
        let text =
            |field: &str| object.get(field).and_then(|value| value.as_str()).unwrap_or_default();
        let time = Timestamp::parse(text("ts")).ok_or_else(|| unusable("has no time"))?;
        let key = |key: &Key<'_>| LeaseKey {
            lane: key.lane.clone().into_owned(),
            loop_ts: key.loop_ts.clone().into_owned(),
        };
        let step = match &entry.effect {
            Effect::Hold(held, _) => Step::Hold(key(held)),
            Effect::Drop(dropped) => Step::Drop(key(dropped)),
            Effect::Transfer(passed, _) => Step::Transfer(key(passed)),
            Effect::Beat(..) | Effect::None => Step::Other,
            Effect::Reset(_) => return Err(unusable("stands for records that are gone")),
        };
        self.audit.records += 1;
        let (seq, after) = (entry.seq, self.live.last_seq());
        if seq <= after {
            self.audit.collisions.push(Collision::OutOfOrder { seq, after });
        }
        match entry.op.as_ref() {
            op::ACQUIRE => self.audit.grants += 1,
            op::REFUSE => self.audit.refusals += 1,
            op::SPAWN => self.intend(text("lane"), text("loop_ts")),
            _ => {}
        }
        let scavenge = (entry.op == op::SCAVENGE).then(|| text("reason").to_string());
        let before = match &step {
            Step::Hold(key) | Step::Drop(key) => self.live.get(&key.lane, &key.loop_ts).cloned(),
            Step::Transfer(_) | Step::Other => None,
        };
        self.live.apply(entry);
        self.step(&step, before, seq, time);
        self.follow_takeover(&step, scavenge);
        Ok(())
    }

    fn intend(&mut self, lane: &str, loop_ts: &str) {
        let key = LeaseKey { lane: lane.to_string(), loop_ts: loop_ts.to_string() };
        self.intents.push(Intent { key, beside: self.live.leases().cloned().collect() });
    }

    /// `before` is the lease of that identity before the record.
    fn step(&mut self, step: &Step, before: Option<Lease>, seq: u64, time: Timestamp) {
        match step {
            Step::Hold(key) => {
                if let (Some(before), Some(lease)) = (before, self.lease(key)) {
                    let meeting = None;
                    let (first, second) = (who(&before), who(&lease));
                    let collision = Collision::DoubleGrant { seq, first, second, meeting };
                    self.audit.collisions.push(collision);
                }
                self.close(key, time);
                self.open(key, seq, time);
            }
            Step::Drop(key) => self.close(key, time),
            Step::Transfer(key) => {
                self.close(key, time);
                self.open(key, seq, time);
            }
            Step::Other => {}
        }
    }

    fn lease(&self, key: &LeaseKey) -> Option<Lease> {
        self.live.get(&key.lane, &key.loop_ts).cloned()
    }

    /// A holder has this lease from now on: does it meet another that is held?
    fn open(&mut self, key: &LeaseKey, seq: u64, time: Timestamp) {
        let Some(lease) = self.lease(key) else { return };
        let tree = lease.tree();
        let exact = Exact::default();
        for other in self.live.leases().filter(|other| other.key() != *key) {
            if let Some(meeting) = exact.meeting(&tree, &other.tree()) {
                let (first, second, meeting) = (who(other), who(&lease), Some(meeting));
                let collision = Collision::DoubleGrant { seq, first, second, meeting };
                self.audit.collisions.push(collision);
            }
        }
        if let Some(place) = self.intents.iter().position(|intent| intent.key == *key) {
            let intent = self.intents.swap_remove(place);
            let mut beside = intent.beside.iter();
            let waited = beside.any(|other| exact.meeting(&tree, &other.tree()).is_some());
            self.audit.waits += u64::from(waited);
        }
        for intent in &mut self.intents {
            intent.beside.push(lease.clone());
        }
        let (key, holder) = (key.clone(), who(&lease).0);
        let region = tree.region(exact.case);
        self.holds.push(Hold { key, holder, region, since: time, until: None });
    }

    fn close(&mut self, key: &LeaseKey, time: Timestamp) {
        let open = |hold: &&mut Hold| hold.until.is_none() && hold.key == *key;
        if let Some(hold) = self.holds.iter_mut().find(open) {
            hold.until = Some(time);
        }
    }

    /// SCAVENGE records that a grant follows on are a takeover.
    fn follow_takeover(&mut self, step: &Step, scavenge: Option<String>) {
        match (step, scavenge) {
            (Step::Drop(key), Some(proof)) => {
                let holder = self.holds.iter().rfind(|hold| hold.key == *key);
                let from = holder.map_or_else(String::new, |hold| hold.holder.clone());
                let (lane, to) = (key.lane.clone(), String::new());
                self.scavenged.push(Takeover { lane, from, to, proof });
            }
            (Step::Hold(key), _) => {
                let to = self.lease(key).map(|lease| who(&lease).0).unwrap_or_default();
                let taken = self.scavenged.drain(..);
                let taken = taken.map(|takeover| Takeover { to: to.clone(), ..takeover });
                self.audit.takeovers.extend(taken);
            }
            _ => self.scavenged.clear(),
        }
    }

    /// Holds one commit against the leases of its author.
    fn check(&mut self, commit: &Commit) {
        self.audit.commits += 1;
        let (id, author) = (commit.id.get(..12).unwrap_or(&commit.id), commit.author.as_str());
        if commit.changes.is_empty() {
            let (commit, author) = (id.to_string(), author.to_string());
            self.audit.collisions.push(Collision::Lost { commit, author });
        }
        for change in &commit.changes {
            self.audit.files += 1;
            self.audit.lines += change.added.len() as u64;
            let mut holds = self.holds.iter();
            if !holds.any(|hold| hold.covers(author, commit.seconds, &change.path)) {
                let (commit, author) = (id.to_string(), author.to_string());
                let path = change.path.clone();
                self.audit.collisions.push(Collision::Unleased { commit, author, path });
            }
            let is_own = |line: &&String| line.split(' ').next() == Some(author);
            let foreign = (change.added.len() - change.added.iter().filter(is_own).count()) as u64;
            if change.removed > 0 || foreign > 0 {
                self.audit.collisions.push(overwritten(id, author, change, foreign));
            }
        }
    }

    fn closed(mut self) -> Audit {
        let holders: BTreeSet<&str> = self.holds.iter().map(|hold| hold.holder.as_str()).collect();
        self.audit.holders = holders.len() as u64;
        self.audit.still_held = self.live.len() as u64;
        self.audit
    }
}

impl Hold {
    fn covers(&self, author: &str, seconds: i64, path: &str) -> bool {
        let from = self.since.millis() / 1000;
        let until = self.until.map_or(i64::MAX, |until| until.millis() / 1000);
        self.holder == author && (from..=until).contains(&seconds) && self.region.matches(path)
    }
}

fn who(lease: &Lease) -> (String, String) {
    (lease.holder().unwrap_or_default().to_string(), lease.lane().into_owned())
}

fn overwritten(commit: &str, author: &str, change: &Change, foreign: u64) -> Collision {
    Collision::Overwritten {
        commit: commit.to_string(),
        author: author.to_string(),
        path: change.path.clone(),
        removed: change.removed,
        foreign,
    }
}

#[cfg(test)]
mod tests;
