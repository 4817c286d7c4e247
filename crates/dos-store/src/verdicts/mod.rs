//! The verdict journal: a log of what was decided, cut into segments as it grows.
//!
//! A writer holds the kernel lock on the guard beside the log, and numbers its row one above all rows
//! that are there. The original takes no lock: it may give a number a second time, and no reader may
//! rely on numbers alone; see [`reader`].
//!
//! Rows of ours carry `ts_ms`. Whoever wrote such a row held the lock, so that its number is above
//! those of all rows before it: the next number is found at the end of the log, however long it is.
//!
//! When the log is full it moves to the archive folder beside it, and a new one with the next row
//! takes its place in one step. At no time is there a log without its last row, from which the
//! original would start to count anew.

pub mod reader;

use std::cell::Cell;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::verdict::{Line, ObservePolicy, VerdictEvent, decode_line};

pub use self::reader::{Batch, From, Position, Reader};
use crate::archive;
use crate::clock::Clock;
use crate::disk::{Disk, DiskFile, remove_if_there};
use crate::error::StoreError;
use crate::lock::{guard_path, kernel_lock};
use crate::log::Log;
use crate::poison;

/// The verdict journal of one workspace.
#[derive(Clone, Debug)]
pub struct VerdictJournal<D> {
    disk: D,
    log: Log<D>,
    policy: ObservePolicy,
}

impl<D: Disk + Clone> VerdictJournal<D> {
    /// The journal whose log is at `path`; it need not exist.
    pub fn new(disk: D, path: &Utf8Path, policy: ObservePolicy) -> Self {
        Self { log: Log::new(disk.clone(), path), disk, policy }
    }

    /// Where its log is.
    pub fn path(&self) -> &Utf8Path {
        self.log.path()
    }

    /// What was moved out of the log as it grew, the oldest first. Right after a crash the newest of
    /// them may be the log itself.
    pub fn segments(&self) -> Result<Vec<Utf8PathBuf>, StoreError> {
        archive::segments(&self.disk, self.log.path())
    }

    /// Starts to read.
    pub fn read(&self, from: From) -> Result<Reader<'_, D>, StoreError> {
        Reader::start(self, from)
    }

    /// Gives the row its number and its time, and appends it durably. Returns its number. The folder
    /// of the journal is there. Waits at most `wait` for other writers.
    pub fn record<C: Clock>(
        &self,
        clock: &C,
        event: VerdictEvent,
        wait: Duration,
    ) -> Result<i64, StoreError> {
        let path = self.log.path();
        let lock = kernel_lock(&self.disk, clock, &guard_path(path), wait)?;
        // Nothing is decided by it, so that it needs nobody to look at it first.
        poison::heal(&self.disk, &self.log)?;
        let now = clock.now()?;
        let (file, _) = self.disk.open_append(path).map_err(StoreError::io("open", path))?;
        let length = file.stat().map_err(StoreError::io("look at", path))?.len;
        let seq = self.next_seq(&file)?;
        let line = event.stamped(seq, now).line();
        let is_full = length.saturating_add(line.len() as u64) > self.policy.segment_max_bytes;
        if is_full && length > 0 {
            match self.rotate(seq.saturating_sub(1), &line) {
                Ok(()) => {
                    self.drop_old_segments();
                    return Ok(seq);
                }
                // The row is there.
                Err(error @ StoreError::NameNotDurable { .. }) => return Err(error),
                // A log that cannot be moved away grows on.
                Err(_) => {}
            }
        }
        let appended = self.log.append_to(file, &line);
        let appended = poison::marked_if_lost(&self.disk, path, appended);
        drop(lock);
        poison::sync(&self.disk, path, appended?).map(|_| seq)
    }

    /// One above all numbers that are there.
    fn next_seq(&self, file: &D::File) -> Result<i64, StoreError> {
        let highest = Cell::new(0);
        let look = |line: &[u8]| match decode_line(line, true) {
            Line::Event(event) => {
                // Above the last of all numbers there is none: who gave it, gave no number.
                let is_number = event.seq < i64::MAX;
                if is_number {
                    highest.set(highest.get().max(event.seq));
                }
                event.ts_ms.is_some() && is_number
            }
            _ => false,
        };
        if self.log.last_line(file, look)?.is_none() {
            // None of our rows at the end: none at all, or rows of others without end.
            self.log.scan_file(file, 0, |line| {
                look(line.bytes);
            })?;
            let archived = self.segments()?.last().and_then(|segment| last_seq(segment));
            highest.set(highest.get().max(archived.unwrap_or(0)));
        }
        Ok(highest.get().saturating_add(1))
    }

    /// Moves the log to the archive and puts one with this line in its place.
    fn rotate(&self, last_seq: i64, line: &str) -> Result<(), StoreError> {
        let path = self.log.path();
        archive::keep(&self.disk, path, last_seq.unsigned_abs(), true)?;
        let replaced = self.log.replace(line, || Ok(()));
        poison::marked_if_lost(&self.disk, path, replaced)
    }

    /// What cannot be removed now is removed another time.
    fn drop_old_segments(&self) {
        let (Some(keep), Ok(segments)) = (self.policy.segments_keep_last, self.segments()) else {
            return;
        };
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        for segment in segments.iter().take(segments.len().saturating_sub(keep)) {
            // What is not of our making stays.
            if last_seq(segment).is_some() {
                let _ = remove_if_there(&self.disk, segment);
            }
        }
    }
}

/// The highest number in a segment, by its name; `None` for any other file.
fn last_seq(segment: &Utf8Path) -> Option<i64> {
    let (seq, rest) = segment.file_name()?.split_once('.')?;
    let is_ours = seq.len() == 20 && rest.len() == "000000.jsonl".len();
    seq.parse().ok().filter(|_| is_ours)
}
