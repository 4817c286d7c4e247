//! The marker of a journal whose bytes may not be on the disk.
//!
//! When a sync fails the kernel may mark the lost pages clean: a second sync then answers success,
//! and a read shows what a crash would take away. So nothing is tried again. A durable marker is
//! put beside the journal, and whoever opens the journal refuses until it has been copied to a new
//! file that was synced in its turn.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::json::canonical;
use serde_json::json;

use crate::disk::{Disk, DiskFile, folder_of, remove_if_there};
use crate::error::StoreError;
use crate::log::{Log, Unsynced};

/// Where the marker of a log is.
pub fn marker_path(log: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{log}.poisoned"))
}

/// Refuses a log that is marked.
pub(crate) fn refuse<D: Disk>(disk: &D, log: &Utf8Path) -> Result<(), StoreError> {
    let marker = marker_path(log);
    match disk.stat(&marker).map_err(StoreError::io("look at", &marker))? {
        Some(_) => Err(StoreError::Poisoned { path: log.to_owned() }),
        None => Ok(()),
    }
}

/// Marks a log, durably. The cause is written into the marker where that is possible.
pub(crate) fn mark<D: Disk>(disk: &D, log: &Utf8Path, cause: &io::Error) -> io::Result<()> {
    let marker = marker_path(log);
    // First the marker, empty: a disk that is full has room for a name more often than for a text.
    let created = match disk.create_new(&marker, b"") {
        Ok(file) => file.sync(),
        // Somebody else's sync failed as well.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    created.and_then(|()| disk.sync_dir(folder_of(log)))?;
    let text = canonical(&json!({"cause": cause.to_string(), "pid": std::process::id()}));
    let _ = disk.open_append(&marker).and_then(|(mut file, _)| file.append(text.as_bytes()));
    Ok(())
}

/// Marks a log when what failed cannot be tried again.
pub(crate) fn marked_if_lost<D: Disk, T>(
    disk: &D,
    log: &Utf8Path,
    done: Result<T, StoreError>,
) -> Result<T, StoreError> {
    done.inspect_err(|error| {
        if let StoreError::TornWrite { source, .. } | StoreError::NameNotDurable { source, .. } =
            error
        {
            let _ = mark(disk, log, source);
        }
    })
}

/// Makes appended lines survive a crash. When that fails, the log is marked. Returns the log, open.
pub(crate) fn sync<D: Disk>(
    disk: &D,
    log: &Utf8Path,
    unsynced: Unsynced<D>,
) -> Result<D::File, StoreError> {
    match unsynced.sync() {
        // Somebody else's sync may have failed, and the kernel may have told them alone.
        Ok(file) => refuse(disk, log).map(|()| file),
        Err(source) => {
            let marked = mark(disk, log, &source).is_ok();
            Err(StoreError::NotDurable { path: log.to_owned(), source, marked })
        }
    }
}

/// Copies a log that is marked to a new file that is synced in its turn: for a log by which nothing
/// is decided, so that it needs nobody to look at it first. The caller holds the log's lock.
pub(crate) fn heal<D: Disk + Clone>(disk: &D, log: &Log<D>) -> Result<(), StoreError> {
    match refuse(disk, log.path()) {
        Err(StoreError::Poisoned { .. }) => {
            log.renew(|| Ok(()))?;
            unmark(disk, log.path())
        }
        other => other,
    }
}

/// Appends lines to such a log, durably. The caller holds the log's lock.
pub(crate) fn append<D: Disk + Clone>(
    disk: &D,
    log: &Log<D>,
    lines: &str,
) -> Result<(), StoreError> {
    heal(disk, log)?;
    let appended = marked_if_lost(disk, log.path(), log.append(lines));
    sync(disk, log.path(), appended?).map(drop)
}

/// Takes the marker away, durably.
pub(crate) fn unmark<D: Disk>(disk: &D, log: &Utf8Path) -> Result<(), StoreError> {
    let marker = marker_path(log);
    remove_if_there(disk, &marker)
        .and_then(|()| disk.sync_dir(folder_of(log)))
        .map_err(StoreError::io("remove", &marker))
}
