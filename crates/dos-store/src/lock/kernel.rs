//! The kernel lock that orders our own processes, and the names of the files that it is on.

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::clock::Clock;
use crate::disk::{Disk, LockFile};
use crate::error::StoreError;

/// A writer is nearly always done in this time: until then whoever waits only lets others go first.
const YIELDS: Duration = Duration::from_millis(2);
const YIELD: Duration = Duration::from_micros(1);
const POLL_MIN: Duration = Duration::from_micros(50);
pub(super) const POLL_MAX: Duration = Duration::from_millis(3);

/// Takes the kernel lock on a guard file, waiting at most `wait`. It orders our own processes
/// alone; dropping it, or dying, frees it.
pub fn kernel_lock<D: Disk, C: Clock>(
    disk: &D,
    clock: &C,
    guard: &Utf8Path,
    wait: Duration,
) -> Result<D::Lock, StoreError> {
    locked(disk, clock, guard, None, wait)
}

/// The same, where the guard file may still be open from the last time.
pub(super) fn locked<D: Disk, C: Clock>(
    disk: &D,
    clock: &C,
    guard: &Utf8Path,
    mut open: Option<D::Lock>,
    wait: Duration,
) -> Result<D::Lock, StoreError> {
    let started = clock.elapsed();
    let deadline = started.saturating_add(wait);
    loop {
        let tried = tried(disk, guard, &mut open, D::Lock::try_alone);
        if let Some(lock) = tried.map_err(StoreError::io("lock", guard))? {
            return Ok(lock);
        }
        let now = clock.elapsed();
        if now >= deadline {
            let holder = "another process is writing".to_string();
            return Err(StoreError::Busy { path: guard.to_owned(), holder });
        }
        let waited = now.saturating_sub(started);
        clock.sleep(if waited < YIELDS { YIELD } else { uneven_pause(clock, waited / 4) });
    }
}

/// One try. A file that stays open is kept for the next one.
pub(super) fn tried<D: Disk>(
    disk: &D,
    path: &Utf8Path,
    open: &mut Option<D::Lock>,
    attempt: fn(&mut D::Lock) -> io::Result<bool>,
) -> io::Result<Option<D::Lock>> {
    let mut lock = match open.take() {
        Some(lock) => lock,
        None => disk.open_lock(path)?,
    };
    match attempt(&mut lock) {
        Ok(true) => Ok(Some(lock)),
        Ok(false) => {
            *open = Some(lock);
            Ok(None)
        }
        // It was removed: another one has to be opened.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The guard file of a locked file.
pub fn guard_path(file: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{file}.guard"))
}

/// The file that every process of ours has a share in that wants the mutex or has it.
pub(super) fn crew_path(file: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{file}.crew"))
}

/// The guard file of a journal, wherever its visible lock file is.
pub fn journal_guard_path(journal: &Utf8Path) -> Utf8PathBuf {
    journal.with_file_name(".lane-lease.lock.guard")
}

/// A short while, at most about `most`, that differs from one waiter to the next. Most writers are
/// done in a fraction of a millisecond; who waits for longer is in less of a hurry.
pub(super) fn uneven_pause<C: Clock>(clock: &C, most: Duration) -> Duration {
    let most = most.clamp(POLL_MIN, POLL_MAX);
    let quarters = clock.elapsed().subsec_nanos() % 4 + 1;
    most * quarters / 4
}
