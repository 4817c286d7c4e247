//! One decision, atomic and durable: lock, read the journal, decide, append, unlock, sync.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::journal::entry::Record;
use dos_core::journal::live_set::{Compaction, replay};
use dos_core::journal::{Fold, LiveSet};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::lock::{Held, LaneMutex};
use crate::log::{Log, RawLine};

/// How long a writer waits for the mutex unless told otherwise.
pub const WAIT_DEFAULT: Duration = Duration::from_secs(10);

/// The lane journal and the mutex that orders its writers.
#[derive(Clone, Debug)]
pub struct Ledger<D, C> {
    disk: D,
    clock: C,
    log: Log<D>,
    lock: Utf8PathBuf,
    host: String,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug)]
pub struct Compacted {
    /// Records and corrupt lines before.
    pub entries_before: u64,
    /// Records after.
    pub entries_after: u64,
    /// By how much the file shrank, in bytes.
    pub bytes_reclaimed: u64,
}

impl<D: Disk + Clone, C: Clock> Ledger<D, C> {
    /// The ledger of the journal at `journal`, whose visible lock file is `lock`.
    pub fn new(
        disk: D,
        clock: C,
        journal: impl Into<Utf8PathBuf>,
        lock: impl Into<Utf8PathBuf>,
        host: impl Into<String>,
    ) -> Self {
        let log = Log::new(disk.clone(), journal);
        Self { disk, clock, log, lock: lock.into(), host: host.into() }
    }

    /// The journal's log, for readers.
    pub fn log(&self) -> &Log<D> {
        &self.log
    }

    /// The clock.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// The visible lock file.
    pub fn lock_path(&self) -> &Utf8Path {
        &self.lock
    }

    /// The fold of the whole journal. Takes no lock and writes nothing.
    pub fn read(&self) -> Result<LiveSet, StoreError> {
        let mut fold = Fold::default();
        self.log.scan(0, |line| fold.line(line.bytes, line.complete))?;
        Ok(fold.finish())
    }

    /// Runs `decide` on the fold and appends what it returns, with no other writer in between.
    ///
    /// When this returns success the records survive a crash; when it fails nothing is
    /// acknowledged. Waits at most `wait` for the mutex, and never goes on without it.
    pub fn transact<T, E: From<StoreError>>(
        &self,
        wait: Duration,
        decide: impl FnOnce(&LiveSet) -> Result<(Vec<Record>, T), E>,
    ) -> Result<T, E> {
        let held = self.mutex().acquire(wait)?;
        let (records, outcome) = match self.read().map_err(E::from).and_then(|live| decide(&live)) {
            Ok(decided) => decided,
            Err(error) => {
                held.release()?;
                return Err(error);
            }
        };
        if records.is_empty() {
            held.release()?;
            return Ok(outcome);
        }
        let lines: String = records.iter().map(Record::line).collect();
        self.make_names_durable(&held)?;
        if !held.is_ours()? {
            return Err(StoreError::LockLost { path: self.lock.clone() }.into());
        }
        let appended = self.log.append(&lines);
        // What was appended counts, whatever becomes of the lock: a leftover is replaced.
        let released = held.release();
        appended?.sync()?;
        drop(released);
        Ok(outcome)
    }

    /// A writer that died may have left the journal under a name that a power cut would take back.
    fn make_names_durable(&self, held: &Held<'_, D, C>) -> Result<(), StoreError> {
        let folder = self.log.path().parent().unwrap_or(Utf8Path::new("."));
        match held.recovered() {
            true => self.disk.sync_dir(folder).map_err(StoreError::io("make durable", folder)),
            false => Ok(()),
        }
    }

    /// Puts one CHECKPOINT, and a record for each corrupt line, in place of the whole journal.
    /// Refuses when that would not hold the very same leases.
    pub fn compact(&self, wait: Duration) -> Result<Compacted, StoreError> {
        let held = self.mutex().acquire(wait)?;
        let mut replacing = false;
        let compacted = self.compact_held(&held, &mut replacing);
        if compacted.is_err() && replacing {
            // The new name may not be durable: the next writer finds our lock file left over, and
            // makes it so.
            return compacted;
        }
        held.release()?;
        compacted
    }

    fn compact_held(
        &self,
        held: &Held<'_, D, C>,
        replacing: &mut bool,
    ) -> Result<Compacted, StoreError> {
        self.make_names_durable(held)?;
        let mut compaction = Compaction::default();
        let before = self.log.scan(0, |line: RawLine<'_>| {
            compaction.feed(line.bytes, line.complete);
        })?;
        let entries_before = compaction.records_before();
        if entries_before == 0 {
            return Ok(Compacted { entries_before, entries_after: 0, bytes_reclaimed: 0 });
        }
        let records = compaction.finish();
        let content: String = records.iter().map(Record::line).collect();
        let (old, new) = (self.read()?, replay(content.as_bytes()));
        if old != new || new.next_seq() < old.next_seq() {
            return Err(StoreError::CannotCompact { path: self.log.path().to_owned() });
        }
        if !held.is_ours()? {
            return Err(StoreError::LockLost { path: self.lock.clone() });
        }
        *replacing = true;
        self.log.replace(&content)?;
        Ok(Compacted {
            entries_before,
            entries_after: records.len() as u64,
            bytes_reclaimed: before.saturating_sub(content.len() as u64),
        })
    }

    fn mutex(&self) -> LaneMutex<'_, D, C> {
        LaneMutex::new(&self.disk, &self.clock, self.log.path(), &self.lock, &self.host)
    }
}
