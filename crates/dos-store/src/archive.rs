//! The archive: history that a compaction took out of the journal, one segment for each.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::disk::{Disk, copy_new, folder_of, remove_if_there};
use crate::error::StoreError;

/// A segment that is being copied.
const UNFINISHED: &str = "unfinished.tmp";

/// The folder with the archive of a journal.
pub fn archive_dir(journal: &Utf8Path) -> Utf8PathBuf {
    journal.with_extension("archive")
}

/// The segments, the oldest first.
pub fn segments<D: Disk>(disk: &D, journal: &Utf8Path) -> Result<Vec<Utf8PathBuf>, StoreError> {
    let dir = archive_dir(journal);
    let mut names = match disk.names(&dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(StoreError::io("read", &dir)(error)),
    };
    names.retain(|name| name.ends_with(".jsonl"));
    names.sort();
    Ok(names.into_iter().map(|name| dir.join(name)).collect())
}

/// Takes out of the archive what is the journal itself: a compaction that died between its two steps
/// left it there, and unfinished copies. The caller holds the lane mutex.
pub(crate) fn sweep<D: Disk>(disk: &D, journal: &Utf8Path) -> Result<(), StoreError> {
    let dir = archive_dir(journal);
    let ours = disk.stat(journal).map_err(StoreError::io("look at", journal))?;
    // It is the newest by its name.
    if let Some(segment) = segments(disk, journal)?.pop() {
        let newest = disk.stat(&segment).map_err(StoreError::io("look at", &segment))?;
        if newest.map(|stat| stat.id) == ours.map(|stat| stat.id) {
            disk.remove(&segment).map_err(StoreError::io("remove", &segment))?;
        }
    }
    let unfinished = dir.join(UNFINISHED);
    remove_if_there(disk, &unfinished).map_err(StoreError::io("remove", &unfinished))
}

/// Gives the whole journal, which reaches up to `last_seq`, a second and durable name in the
/// archive. The caller holds the lane mutex and replaces the journal next. Where a file cannot have
/// two names it is copied, if it `may_copy`: that takes its time.
pub(crate) fn keep<D: Disk>(
    disk: &D,
    journal: &Utf8Path,
    last_seq: u64,
    may_copy: bool,
) -> Result<Utf8PathBuf, StoreError> {
    let dir = archive_dir(journal);
    let failed = || StoreError::io("archive", journal);
    disk.create_dir(&dir).map_err(StoreError::io("create", &dir))?;
    disk.sync_dir(folder_of(journal)).map_err(failed())?;
    sweep(disk, journal)?;
    let mut taken = 0;
    let segment = loop {
        // So many digits that names sort as numbers do.
        let segment = dir.join(format!("{last_seq:020}.{taken:06}.jsonl"));
        match disk.link(journal, &segment) {
            Ok(()) => break segment,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken += 1,
            Err(error) if may_copy && has_one_name_only(&error) => {
                let unfinished = dir.join(UNFINISHED);
                let file = disk.open_read(journal).map_err(failed())?;
                copy_new(disk, &file, &unfinished).map_err(failed())?;
                disk.rename_new(&unfinished, &segment).map_err(failed())?;
                break segment;
            }
            Err(error) => return Err(failed()(error)),
        }
    };
    disk.sync_dir(&dir).map_err(StoreError::io("make durable", &dir))?;
    Ok(segment)
}

/// A file system without second names, or a folder on another one.
fn has_one_name_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::Unsupported
            | io::ErrorKind::CrossesDevices
    )
}
