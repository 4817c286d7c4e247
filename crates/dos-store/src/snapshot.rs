//! The snapshot: what stands for the beginning of the journal, so that a read costs the same
//! however long the history is.
//!
//! It is derived: deleting it loses nothing, and whoever reads it checks it first. Its first line is
//! the SHA-256 of all that follows; the second says which file it stands for, how many bytes of it,
//! since which start of the machine,
//! and the SHA-256 of the first and the last of these bytes; the rest are the records of a
//! [`Compaction`]. When anything does not fit, the journal is read whole. Only a writer that holds
//! the lane mutex replaces it, and it need not survive a crash.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::journal::Compaction;
use dos_core::journal::decode::split_line;
use dos_core::journal::entry::Record;
use dos_core::json::canonical;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::disk::{Disk, DiskFile, read_exactly, read_small, remove_if_there};

/// So many bytes at the start and at the end of what a snapshot stands for are compared with the
/// journal.
const HEAD_BYTES: u64 = 512;
const TAIL_BYTES: u64 = 4096;
/// A larger one is not written, and not read.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// The journal grows by at least so much before the snapshot is made anew, in bytes.
const GROWTH_MIN: u64 = 32 * 1024;
const FAMILY: &str = "lane-journal-snapshot";
const VERSION: u64 = 1;

/// How far a snapshot reaches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach {
    /// So many bytes of the journal it stands for.
    pub offset: u64,
    /// Its own length in bytes.
    pub bytes: u64,
}

impl Reach {
    /// Is there no snapshot that fits?
    pub fn is_none(self) -> bool {
        self.offset == 0
    }

    /// Is it time to make it anew for a journal of this length? What is written for snapshots stays
    /// below what is written for the journal, however many leases are held.
    pub fn is_outgrown(self, journal_bytes: u64) -> bool {
        self.is_none() || journal_bytes.saturating_sub(self.offset) >= self.bytes.max(GROWTH_MIN)
    }
}

/// Where the snapshot of a journal is.
pub fn snapshot_path(journal: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{journal}.snapshot"))
}

/// Reads the snapshot of the journal that is open as `file`, and the last bytes of what it stands
/// for; `None` when there is none that fits.
pub(crate) fn load<D: Disk>(
    disk: &D,
    journal: &Utf8Path,
    file: &D::File,
) -> Option<(Compaction, Reach, Vec<u8>)> {
    let content = read_small(disk, &snapshot_path(journal), BYTES_MAX).ok()??;
    let (seal, sealed) = split_line(&content)?;
    if seal != hex(&Sha256::digest(sealed)).as_bytes() {
        return None;
    }
    let (header, standing_for) = split_line(sealed)?;
    let header: Value = serde_json::from_slice(header).ok()?;
    let number = |name: &str| header.get(name)?.as_u64();
    let known = header.get("family")? == FAMILY && number("version")? == VERSION;
    let stat = file.stat().ok()?;
    let same_file = (number("device")?, number("inode")?) == (stat.id.0, stat.id.1);
    let offset = number("offset")?;
    // What was not synced may be gone after the machine went down.
    let same_boot = header.get("boot")?.as_str()? == disk.boot();
    if !known || !same_file || !same_boot || offset > stat.len {
        return None;
    }
    let (window, tail) = window(file, offset).ok()?;
    if header.get("window")?.as_str()? != window {
        return None;
    }
    let compaction = Compaction::resume(standing_for, number("lines")?, number("records")?);
    Some((compaction, Reach { offset, bytes: content.len() as u64 }, tail))
}

/// Makes the snapshot of the first `offset` bytes of the journal that is open as `file`: whole
/// lines, which gave `compaction`. The caller holds the lane mutex.
pub(crate) fn store<D: Disk>(
    disk: &D,
    journal: &Utf8Path,
    file: &D::File,
    offset: u64,
    compaction: &mut Compaction,
) -> io::Result<Reach> {
    let records = compaction.standing_for();
    let standing_for: String = records.iter().map(Record::line).collect();
    let read_back = Compaction::resume(standing_for.as_bytes(), 0, 0).into_live();
    let live = compaction.live();
    if read_back != *live || read_back.last_seq() != live.last_seq() {
        // A lease of another program may fit into no line of its own.
        return Err(io::Error::other("the leases do not fit into a snapshot"));
    }
    let id = file.stat()?.id;
    let (window, _) = window(file, offset)?;
    let header = canonical(&json!({
        "boot": disk.boot(),
        "device": id.0,
        "family": FAMILY,
        "inode": id.1,
        "lines": compaction.lines(),
        "offset": offset,
        "records": compaction.records_before(),
        "version": VERSION,
        "window": window,
    }));
    let sealed = format!("{header}\n{standing_for}");
    let content = format!("{}\n{sealed}", hex(&Sha256::digest(&sealed)));
    if content.len() > BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let path = snapshot_path(journal);
    let draft = Utf8PathBuf::from(format!("{path}.tmp"));
    // Only a writer that died under the mutex can have left one.
    remove_if_there(disk, &draft)?;
    let placed =
        disk.create_new(&draft, content.as_bytes()).and_then(|_| disk.rename(&draft, &path));
    if placed.is_err() {
        // A full disk needs the room for other things.
        let _ = disk.remove(&draft);
    }
    placed.map(|()| Reach { offset, bytes: content.len() as u64 })
}

/// Removes the snapshot. The caller holds the lane mutex.
pub(crate) fn remove<D: Disk>(disk: &D, journal: &Utf8Path) -> io::Result<()> {
    remove_if_there(disk, &snapshot_path(journal))
}

/// The SHA-256 of the first and of the last of the first `offset` bytes, and these last ones.
fn window<F: DiskFile>(file: &F, offset: u64) -> io::Result<(String, Vec<u8>)> {
    let head = read_exactly(file, 0, offset.min(HEAD_BYTES))?;
    let tail = read_exactly(file, offset.saturating_sub(TAIL_BYTES), offset)?;
    let digest = Sha256::new().chain_update(head).chain_update(&tail).finalize();
    Ok((hex(&digest), tail))
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
