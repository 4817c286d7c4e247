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

use crate::disk::{Disk, DiskFile, remove_if_there};
use crate::error::StoreError;

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

/// Marks a log, durably.
pub(crate) fn mark<D: Disk>(disk: &D, log: &Utf8Path, cause: &io::Error) -> Result<(), StoreError> {
    let marker = marker_path(log);
    let content = canonical(&json!({
        "cause": cause.to_string(),
        "pid": std::process::id(),
    }));
    let marked = match disk.create_new(&marker, format!("{content}\n").as_bytes()) {
        Ok(file) => file.sync(),
        // Somebody else's sync failed as well.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    let folder = log.parent().unwrap_or(Utf8Path::new("."));
    marked.and_then(|()| disk.sync_dir(folder)).map_err(StoreError::io("mark", &marker))
}

/// Takes the marker away, durably.
pub(crate) fn unmark<D: Disk>(disk: &D, log: &Utf8Path) -> Result<(), StoreError> {
    let marker = marker_path(log);
    let folder = log.parent().unwrap_or(Utf8Path::new("."));
    remove_if_there(disk, &marker)
        .and_then(|()| disk.sync_dir(folder))
        .map_err(StoreError::io("remove", &marker))
}
