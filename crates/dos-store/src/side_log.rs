//! A log beside the journal: durable like it, ordered by a lock of its own, and by which nobody's lane
//! is decided.

use std::time::Duration;

use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::lock::{guard_path, kernel_lock};
use crate::log::Log;
use crate::poison;

const WAIT: Duration = Duration::from_secs(10);

/// Appends lines, made under the lock and each with its newline, durably. Nothing, when there are none.
/// The folder of the log is there.
pub fn append<D: Disk + Clone, C: Clock>(
    disk: &D,
    clock: &C,
    log: &Log<D>,
    lines: impl FnOnce() -> Result<String, StoreError>,
) -> Result<(), StoreError> {
    let lock = kernel_lock(disk, clock, &guard_path(log.path()), WAIT)?;
    // It needs nobody to look at it first.
    poison::heal(disk, log)?;
    let lines = lines()?;
    if lines.is_empty() {
        return Ok(());
    }
    let appended = poison::marked_if_lost(disk, log.path(), log.append(&lines));
    drop(lock);
    poison::sync(disk, log.path(), appended?).map(drop)
}

/// Puts other lines in place of all that the log holds: after a crash it holds the one or the other.
pub fn replace<D: Disk + Clone, C: Clock>(
    disk: &D,
    clock: &C,
    log: &Log<D>,
    lines: &str,
) -> Result<(), StoreError> {
    let _lock = kernel_lock(disk, clock, &guard_path(log.path()), WAIT)?;
    poison::marked_if_lost(disk, log.path(), log.replace(lines, || Ok(())))
}
