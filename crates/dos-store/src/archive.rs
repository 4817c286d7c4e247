//! The archive: history that a compaction took out of the journal, one segment for each.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::disk::{Disk, copy_new};
use crate::error::StoreError;

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

/// Gives the whole journal, which reaches up to `last_seq`, a second and durable name in the
/// archive. The caller holds the lane mutex and replaces the journal next.
pub(crate) fn keep<D: Disk>(
    disk: &D,
    journal: &Utf8Path,
    last_seq: u64,
) -> Result<Utf8PathBuf, StoreError> {
    let dir = archive_dir(journal);
    let failed = || StoreError::io("archive", journal);
    disk.create_dir(&dir).map_err(StoreError::io("create", &dir))?;
    disk.sync_dir(journal.parent().unwrap_or(Utf8Path::new("."))).map_err(failed())?;
    let ours = disk.stat(journal).map_err(failed())?.map(|stat| stat.id);
    let mut taken = 0;
    for segment in segments(disk, journal)? {
        // A compaction that died between the two steps left the journal in the archive.
        let same = disk.stat(&segment).map_err(failed())?.map(|stat| stat.id) == ours;
        if same {
            disk.remove(&segment).map_err(StoreError::io("remove", &segment))?;
        } else if segment.file_name().is_some_and(|name| name.starts_with(&number(last_seq))) {
            taken += 1;
        }
    }
    let segment = dir.join(format!("{}.{taken}.jsonl", number(last_seq)));
    match disk.link(journal, &segment) {
        // A file system without second names.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
            ) =>
        {
            let file = disk.open_read(journal).map_err(failed())?;
            copy_new(disk, &file, &segment).map_err(failed())?;
        }
        other => other.map_err(failed())?,
    }
    disk.sync_dir(&dir).map_err(StoreError::io("make durable", &dir))?;
    Ok(segment)
}

/// As many digits as the largest number has, so that names sort as numbers do.
fn number(seq: u64) -> String {
    format!("{seq:020}")
}
