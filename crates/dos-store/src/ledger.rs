//! One decision, atomic and durable: lock, read the journal, decide, append, unlock, sync.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::journal::entry::Record;
use dos_core::journal::{JournalPolicy, LiveSet};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::journal::{Compacted, History, LaneJournal, Tip};
use crate::lock::{Held, Kept, LaneMutex, guard_paths};
use crate::log::Log;

/// How long a writer waits for the mutex unless told otherwise.
pub const WAIT_DEFAULT: Duration = Duration::from_secs(10);

/// After this long a writer first reads what came since, before anybody has to wait for it.
const KEPT_MAX: Duration = Duration::from_secs(1);

/// The lane journal and the mutex that orders its writers.
pub struct Ledger<D: Disk, C> {
    disk: D,
    clock: C,
    journal: LaneJournal<D>,
    lock: Utf8PathBuf,
    guards: Arc<[Utf8PathBuf]>,
    host: String,
    kept: RefCell<Memory<D>>,
}

/// What one transaction leaves to the next.
struct Memory<D: Disk> {
    /// The journal as it was then, and when that was.
    tip: Option<(Tip<D>, Duration)>,
    /// What is open of the mutex.
    mutex: Kept<D>,
}

impl<D: Disk> Default for Memory<D> {
    fn default() -> Self {
        Self { tip: None, mutex: Kept::default() }
    }
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
        let (journal, lock) = (journal.into(), lock.into());
        let guards = guard_paths(&journal, &lock);
        let journal = LaneJournal::new(disk.clone(), &journal, JournalPolicy::default());
        let (host, kept) = (host.into(), RefCell::default());
        Self { disk, clock, journal, lock, guards, host, kept }
    }

    /// The same ledger, whose journal is kept by this policy.
    pub fn kept_by(mut self, policy: JournalPolicy) -> Self {
        self.journal = LaneJournal::new(self.disk.clone(), self.journal.log().path(), policy);
        self
    }

    /// The journal's log, for readers of single lines.
    pub fn log(&self) -> &Log<D> {
        self.journal.log()
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
        Ok(self.journal.read()?.into_live())
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
        let before = self.before()?;
        let held = self.held(wait)?;
        let mut tip = match self.journal.catch_up(before) {
            Ok(tip) => tip,
            Err(error) => {
                self.leave(held)?;
                return Err(error.into());
            }
        };
        let mut added = 0;
        let written = match decide(tip.live()) {
            Ok((records, outcome)) if records.is_empty() => Ok((None, outcome)),
            Ok((records, outcome)) => {
                added = records.len() as u64;
                // In this order: a lock that is put back between the two is seen by the second.
                let appended = self
                    .journal
                    .is_unchanged(&tip)
                    .and_then(|()| self.may_write(&held))
                    .and_then(|()| self.journal.append(&mut tip, records));
                appended.map(|unsynced| (Some(unsynced), outcome)).map_err(E::from)
            }
            Err(error) => Err(error),
        };
        let (unsynced, outcome) = match written {
            Ok(written) => written,
            Err(error) => {
                let _ = self.leave(held);
                return Err(error);
            }
        };
        match unsynced {
            // Nothing was written: what becomes of the lock changes no answer.
            None => drop(self.leave(held)),
            Some(unsynced) => {
                // What was appended counts, whatever becomes of the lock: a leftover is replaced.
                let mut kept = held.pass_on().unwrap_or_default();
                let synced = self.journal.sync(unsynced);
                let _ = self.mutex().leave(&mut kept);
                self.kept.borrow_mut().mutex = kept;
                let writer = synced?;
                if self.journal.wants_compaction(&mut tip, added) {
                    // The outcome stands without it, and a later writer tries again.
                    let _ = self.compact(Duration::ZERO, History::Archive { may_copy: false });
                } else {
                    self.remember_tip(tip.kept(writer));
                }
            }
        }
        Ok(outcome)
    }

    fn remember_tip(&self, tip: Option<Tip<D>>) {
        self.kept.borrow_mut().tip = tip.map(|tip| (tip, self.clock.elapsed()));
    }

    /// Lets the mutex go, and leaves those who want it.
    fn leave(&self, held: Held<'_, D, C>) -> Result<(), StoreError> {
        let mut kept = held.pass_on()?;
        self.mutex().leave(&mut kept)?;
        self.kept.borrow_mut().mutex = kept;
        Ok(())
    }

    /// The journal, more or less as it is: most of the reading is done before anybody has to wait
    /// for it.
    fn before(&self) -> Result<Tip<D>, StoreError> {
        let kept = self.kept.borrow_mut().tip.take();
        match kept {
            Some((tip, then)) if self.clock.elapsed().saturating_sub(then) < KEPT_MAX => Ok(tip),
            Some((tip, _)) => self.journal.catch_up(tip),
            None => self.journal.read(),
        }
    }

    /// The mutex. Its file needs a little room on the disk.
    fn held(&self, wait: Duration) -> Result<Held<'_, D, C>, StoreError> {
        let kept = std::mem::take(&mut self.kept.borrow_mut().mutex);
        match self.mutex().acquire_again(kept, wait) {
            Err(error) if self.journal.made_room(&error) => self.mutex().acquire(wait),
            other => other,
        }
    }

    /// To be asked right before writing.
    fn may_write(&self, held: &Held<'_, D, C>) -> Result<(), StoreError> {
        match held.is_ours()? {
            true => Ok(()),
            false => Err(StoreError::LockLost { path: self.lock.clone() }),
        }
    }

    /// Puts one CHECKPOINT, and a record for each corrupt line, in place of the whole journal.
    pub fn compact(&self, wait: Duration, history: History) -> Result<Compacted, StoreError> {
        let before = self.journal.read()?;
        let held = self.held(wait)?;
        let compacted = self
            .journal
            .catch_up(before)
            .and_then(|tip| self.journal.compact(tip, history, || self.may_write(&held)));
        let released = self.leave(held);
        let compacted = compacted?;
        released.map(|()| compacted)
    }

    /// Makes a journal whose sync failed usable again. Returns how long it is, in bytes; `None` when
    /// it is not marked and nobody insists with `force`.
    pub fn repair(&self, wait: Duration, force: bool) -> Result<Option<u64>, StoreError> {
        let held = self.held(wait)?;
        let repaired = self.journal.repair(force, || self.may_write(&held));
        let released = self.leave(held);
        let repaired = repaired?;
        released.map(|()| repaired)
    }

    fn mutex(&self) -> LaneMutex<'_, D, C> {
        LaneMutex::with_guards(&self.disk, &self.clock, &self.lock, &self.guards, &self.host)
    }
}
