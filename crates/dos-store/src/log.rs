//! One durable, append-only file of JSON lines.
//!
//! A reader takes no lock. A writer holds the lock of whoever owns the log, appends all its lines
//! with one write, lets the lock go, and syncs: the order is fixed under the lock, a sync covers
//! all earlier bytes, and nothing is acknowledged before one's own sync has returned.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::limits;

use crate::disk::{
    Disk, DiskFile, copy_new, folder_of, read_exactly, remove_if_there, sync_folder_names,
};
use crate::error::StoreError;

/// How much is read at once: little at first, since the tail of a journal is short, then more and more.
const CHUNK_BYTES_FIRST: usize = 4 * 1024;
const CHUNK_BYTES: usize = 256 * 1024;
/// The last line is nearly always in so many bytes.
const LAST_LINES_BYTES: u64 = 4096;
/// Nobody looks further back for it.
const LAST_LINES_BYTES_MAX: u64 = 2 * limits::LINE_BYTES_MAX as u64;

/// A log file.
#[derive(Clone, Debug)]
pub struct Log<D> {
    disk: D,
    path: Utf8PathBuf,
}

/// One line of a log, without its newline.
#[derive(Clone, Copy, Debug)]
pub struct RawLine<'a> {
    /// Its number, from zero.
    pub number: u64,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// Where the next one begins.
    pub end: u64,
    /// Its bytes. Of a line beyond the bound, only so many as exceed the bound by one.
    pub bytes: &'a [u8],
    /// Does it end in a newline? Only the last line may not.
    pub complete: bool,
}

/// Lines that were appended and are not yet durable.
#[must_use = "nothing is acknowledged before `sync`"]
pub struct Unsynced<D: Disk> {
    file: D::File,
}

impl<D: Disk + Clone> Log<D> {
    /// The log at this path; it need not exist.
    pub fn new(disk: D, path: impl Into<Utf8PathBuf>) -> Self {
        Self { disk, path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Opens the log for reading; `None` when there is none.
    pub fn open(&self) -> Result<Option<D::File>, StoreError> {
        match self.disk.open_read(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &self.path)(error)),
        }
    }

    /// Calls `each` for every line, in order. Memory does not grow with the log. Returns the length
    /// read; a missing log is empty.
    pub fn scan(&self, each: impl FnMut(RawLine<'_>)) -> Result<u64, StoreError> {
        match self.open()? {
            Some(file) => self.scan_file(&file, 0, each),
            None => Ok(0),
        }
    }

    /// The same for the log that is open as `file`, from byte `from` on, which is the start of a
    /// line. Lines are numbered from there.
    pub fn scan_file(
        &self,
        file: &D::File,
        from: u64,
        mut each: impl FnMut(RawLine<'_>),
    ) -> Result<u64, StoreError> {
        self.scan_while(file, from, |line| {
            each(line);
            true
        })
    }

    /// The same, until `each` says no. Returns where the next line begins.
    pub fn scan_while(
        &self,
        file: &D::File,
        from: u64,
        mut each: impl FnMut(RawLine<'_>) -> bool,
    ) -> Result<u64, StoreError> {
        let mut buffer = vec![0; CHUNK_BYTES_FIRST];
        // `buffer[..filled]` holds the start of a line that has no newline yet.
        let (mut filled, mut offset, mut number) = (0, from, 0);
        loop {
            let position = offset + filled as u64;
            let space = buffer.get_mut(filled..).unwrap_or_default();
            let count =
                file.read_at(position, space).map_err(StoreError::io("read", &self.path))?;
            if count == 0 {
                break;
            }
            let there_is_more = count == space.len();
            let searched = filled;
            filled += count;
            let mut start = 0;
            let window = buffer.get(..filled).unwrap_or_default();
            for end in memchr::memchr_iter(b'\n', window.get(searched..).unwrap_or_default()) {
                let end = end + searched;
                let bytes = bounded(window.get(start..end).unwrap_or_default());
                let (begin, next) = (offset + start as u64, offset + end as u64 + 1);
                let line = RawLine { number, offset: begin, end: next, bytes, complete: true };
                if !each(line) {
                    return Ok(next);
                }
                number += 1;
                start = end + 1;
            }
            buffer.copy_within(start..filled, 0);
            offset += start as u64;
            filled -= start;
            if filled > limits::LINE_BYTES_MAX {
                let (end, complete) = self.end_of_long_line(file, offset, &mut buffer, filled)?;
                let bytes = bounded(buffer.get(..filled).unwrap_or_default());
                if !each(RawLine { number, offset, end, bytes, complete }) {
                    return Ok(end);
                }
                offset = end;
                number += 1;
                filled = 0;
            } else if filled == buffer.len() {
                buffer.resize(buffer.len() * 2, 0);
            } else if there_is_more && buffer.len() < CHUNK_BYTES {
                buffer.resize(buffer.len() * 8, 0);
            }
        }
        if filled > 0 {
            let bytes = bounded(buffer.get(..filled).unwrap_or_default());
            let end = offset + filled as u64;
            each(RawLine { number, offset, end, bytes, complete: false });
        }
        Ok(offset + filled as u64)
    }

    /// Calls `each` for the last lines of the log, in order: those that begin in its last `bytes` bytes.
    pub fn scan_tail(
        &self,
        bytes: u64,
        mut each: impl FnMut(RawLine<'_>),
    ) -> Result<(), StoreError> {
        let Some(file) = self.open()? else { return Ok(()) };
        let length = file.stat().map_err(StoreError::io("look at", &self.path))?.len;
        // One byte earlier, so that a line that begins right there is known to begin.
        let from = length.saturating_sub(bytes).saturating_sub(1);
        let mut first = from > 0;
        self.scan_file(&file, from, |line| {
            if !core::mem::take(&mut first) {
                each(line);
            }
        })?;
        Ok(())
    }

    /// Passes over the rest of a line that is too long to keep, whose beginning stays in the buffer.
    /// Returns where the next one begins, and whether this one had its newline.
    fn end_of_long_line(
        &self,
        file: &D::File,
        offset: u64,
        buffer: &mut [u8],
        filled: usize,
    ) -> Result<(u64, bool), StoreError> {
        let (_, space) = buffer.split_at_mut(limits::LINE_BYTES_MAX + 1);
        let mut scratch = vec![0; CHUNK_BYTES];
        let space = if space.is_empty() { scratch.as_mut_slice() } else { space };
        let mut position = offset + filled as u64;
        loop {
            let count =
                file.read_at(position, space).map_err(StoreError::io("read", &self.path))?;
            let newline = memchr::memchr(b'\n', space.get(..count).unwrap_or_default());
            if let Some(newline) = newline {
                return Ok((position + newline as u64 + 1, true));
            }
            position += count as u64;
            if count == 0 {
                return Ok((position, false));
            }
        }
    }

    /// Appends lines, each with its newline, with one write. The caller holds the log's lock and
    /// calls [`Unsynced::sync`] after letting it go.
    ///
    /// A last line that lacks its newline is closed in the same write: if it is a record it stays
    /// one, and if it is not it stays evidence. When only part could be written it is taken back.
    pub fn append(&self, lines: &str) -> Result<Unsynced<D>, StoreError> {
        self.refuse_long(lines)?;
        let opened = self.disk.open_append(&self.path);
        let (file, created) = opened.map_err(StoreError::io("open", &self.path))?;
        self.append_open(file, created, lines)
    }

    /// The same, where the log is open already. It must be the log as it is now.
    pub(crate) fn append_to(&self, file: D::File, lines: &str) -> Result<Unsynced<D>, StoreError> {
        self.refuse_long(lines)?;
        self.append_open(file, false, lines)
    }

    /// The same, where all of the log is known: its length, and that it ends in a newline.
    pub(crate) fn append_behind(
        &self,
        mut file: D::File,
        before: u64,
        lines: &str,
    ) -> Result<Unsynced<D>, StoreError> {
        self.refuse_long(lines)?;
        self.write(&mut file, before, "", lines)?;
        Ok(Unsynced { file })
    }

    fn append_open(
        &self,
        mut file: D::File,
        created: bool,
        lines: &str,
    ) -> Result<Unsynced<D>, StoreError> {
        let before = file.stat().map_err(StoreError::io("look at", &self.path))?.len;
        if created || before == 0 {
            // Before the first byte: a log with content has a name that survives a crash.
            self.sync_folder()?;
            sync_folder_names(&self.disk, folder_of(&self.path))?;
        }
        let closing = self.closing(&file, before)?;
        self.write(&mut file, before, closing, lines)?;
        Ok(Unsynced { file })
    }

    /// Appends lines that a crash of the machine may lose: counts, never promises. Needs no lock, since
    /// one write is one piece; a crash in the middle of it costs these lines and no others.
    pub fn append_forgettable(&self, lines: &str) -> Result<(), StoreError> {
        let failed = |action| StoreError::io(action, &self.path);
        self.refuse_long(lines)?;
        let (mut file, _) = self.disk.open_append(&self.path).map_err(failed("open"))?;
        let before = file.stat().map_err(failed("look at"))?.len;
        let closing = self.closing(&file, before)?;
        self.write(&mut file, before, closing, lines)
    }

    fn refuse_long(&self, lines: &str) -> Result<(), StoreError> {
        match lines.lines().find(|line| line.len() > limits::LINE_BYTES_MAX) {
            Some(long) => Err(StoreError::TooLong { path: self.path.clone(), bytes: long.len() }),
            None => Ok(()),
        }
    }

    /// What a last line lacks.
    fn closing(&self, file: &D::File, length: u64) -> Result<&'static str, StoreError> {
        let mut last = [b'\n'];
        if let Some(offset) = length.checked_sub(1) {
            file.read_at(offset, &mut last).map_err(StoreError::io("read", &self.path))?;
        }
        Ok(if last == *b"\n" { "" } else { "\n" })
    }

    /// Writes lines behind the first `before` bytes, all of them or none.
    fn write(
        &self,
        file: &mut D::File,
        before: u64,
        closing: &str,
        lines: &str,
    ) -> Result<(), StoreError> {
        let failed = |action| StoreError::io(action, &self.path);
        let bytes = [closing.as_bytes(), lines.as_bytes()].concat();
        let written = file.append(&bytes);
        if written.as_ref().is_ok_and(|count| *count == bytes.len()) {
            return Ok(());
        }
        let ours = written.as_ref().map_or(0, |count| *count as u64);
        let taken_back = take_back(file, before, ours);
        match (written, taken_back) {
            (_, Err(source)) => Err(StoreError::TornWrite { path: self.path.clone(), source }),
            (Ok(_), Ok(())) => Err(StoreError::ShortWrite { path: self.path.clone() }),
            (Err(error), Ok(())) => Err(failed("append to")(error)),
        }
    }

    /// The last whole lines, at most so many bytes. A missing log is empty.
    pub fn tail(&self, most: u64) -> Result<Vec<u8>, StoreError> {
        let failed = || StoreError::io("read", &self.path);
        let Some(file) = self.open()? else {
            return Ok(Vec::new());
        };
        let end = file.stat().map_err(failed())?.len;
        let start = end.saturating_sub(most);
        let mut bytes = read_exactly(&file, start, end).map_err(failed())?;
        if start > 0 {
            // It may begin in the middle of a line.
            let first = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |newline| newline + 1);
            bytes.drain(..first);
        }
        Ok(bytes)
    }

    /// Puts a new content in place of the old one: after a crash there is one or the other, whole.
    /// The caller holds the log's lock; `may_replace` is asked right before the old one goes.
    pub fn replace(
        &self,
        content: &str,
        may_replace: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let temporary = self.temporary()?;
        let written = self.disk.create_new(&temporary, content.as_bytes());
        self.put_in_place(&temporary, written.and_then(|file| file.sync()), may_replace)
    }

    /// Puts a synced and compared copy of the log in its place. Returns its length in bytes. The
    /// caller holds the log's lock; `may_replace` is asked right before the old one goes.
    pub fn renew(
        &self,
        may_replace: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let Some(file) = self.open()? else {
            return Ok(0);
        };
        let temporary = self.temporary()?;
        let copied = copy_new(&self.disk, &file, &temporary);
        let bytes = copied.as_ref().copied().unwrap_or(0);
        self.put_in_place(&temporary, copied.map(drop), may_replace)?;
        Ok(bytes)
    }

    /// A name for what is to take the log's place.
    fn temporary(&self) -> Result<Utf8PathBuf, StoreError> {
        let temporary = Utf8PathBuf::from(format!("{}.compact.tmp", self.path));
        // Only a writer that died under this lock can have left one.
        remove_if_there(&self.disk, &temporary).map_err(StoreError::io("remove", &temporary))?;
        Ok(temporary)
    }

    fn put_in_place(
        &self,
        temporary: &Utf8Path,
        written: std::io::Result<()>,
        may_replace: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let failed = || StoreError::io("replace", &self.path);
        let placed = written
            .map_err(failed())
            .and_then(|()| may_replace())
            .and_then(|()| self.disk.rename(temporary, &self.path).map_err(failed()));
        if placed.is_err() {
            let _ = self.disk.remove(temporary);
        }
        placed?;
        self.sync_folder()
    }

    /// Makes the log's name survive a crash.
    pub(crate) fn sync_folder(&self) -> Result<(), StoreError> {
        self.disk
            .sync_dir(folder_of(&self.path))
            .map_err(|source| StoreError::NameNotDurable { path: self.path.clone(), source })
    }

    /// The last line of the log that is open as `file` and for which `wanted` says yes, without its
    /// newline. Looks no further back than two of the longest lines.
    pub(crate) fn last_line(
        &self,
        file: &D::File,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let failed = || StoreError::io("read", &self.path);
        let end = file.stat().map_err(failed())?.len;
        let mut reach = LAST_LINES_BYTES;
        loop {
            let start = end.saturating_sub(reach);
            let bytes = read_exactly(file, start, end).map_err(failed())?;
            let mut lines = bytes.rsplit(|byte| *byte == b'\n').peekable();
            while let Some(line) = lines.next() {
                // The first piece may be the end of a line that began earlier.
                let whole = start == 0 || lines.peek().is_some();
                if whole && wanted(line) {
                    return Ok(Some(line.to_vec()));
                }
            }
            if start == 0 || reach == LAST_LINES_BYTES_MAX {
                return Ok(None);
            }
            reach = (reach * 16).min(LAST_LINES_BYTES_MAX);
        }
    }
}

/// Cuts off what we have appended, unless somebody has appended more behind it.
fn take_back<F: DiskFile>(file: &F, before: u64, ours: u64) -> std::io::Result<()> {
    if ours == 0 {
        return Ok(());
    }
    if file.stat()?.len != before + ours {
        return Err(std::io::Error::other("somebody else has written after it"));
    }
    file.truncate(before)?;
    file.sync()
}

/// As much of a line as shows that it is too long.
fn bounded(line: &[u8]) -> &[u8] {
    line.get(..=limits::LINE_BYTES_MAX).unwrap_or(line)
}

impl<D: Disk> Unsynced<D> {
    /// Makes the lines survive a crash. Only now may they be acknowledged. When this fails it is
    /// not known whether they will be there, and trying again would prove nothing.
    /// Returns the log, open for the next lines.
    pub fn sync(self) -> std::io::Result<D::File> {
        self.file.sync().map(|()| self.file)
    }

    /// The log, open as the lines were appended to it.
    pub(crate) fn file(&self) -> &D::File {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use super::take_back;
    use crate::disk::{DiskFile, FileId, Stat};

    /// A file that has a length and nothing else.
    struct Length(Cell<u64>);

    impl DiskFile for Length {
        fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
        fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn truncate(&self, len: u64) -> io::Result<()> {
            self.0.set(len);
            Ok(())
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
        fn stat(&self) -> io::Result<Stat> {
            let (id, modified) = (FileId(0, 0), std::time::Duration::ZERO);
            Ok(Stat { id, len: self.0.get(), modified, is_dir: false })
        }
    }

    #[test]
    fn only_our_own_bytes_are_taken_back() {
        let file = Length(Cell::new(107));
        take_back(&file, 100, 7).unwrap();
        assert_eq!(file.0.get(), 100);
        // Another program took our lock away, and has written behind our seven bytes.
        let file = Length(Cell::new(140));
        assert!(take_back(&file, 100, 7).is_err());
        assert_eq!(file.0.get(), 140);
    }
}
