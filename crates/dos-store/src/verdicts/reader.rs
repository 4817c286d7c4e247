//! Reading the verdict journal from anywhere, across its segments, and on as it grows.
//!
//! A place in the journal is told by the row before it: where that begins and ends in its file, and a
//! digest of its text. That holds whatever the file is called by now, and for rows without a number or
//! with one that was given before. A number alone tells a place only by what stands around it.
//!
//! A reader takes no lock and writes nothing. It passes from a segment to the next one only after it
//! has seen that there is a next one and then read its own to the end once more.

use core::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::limits;
use dos_core::verdict::{Line, VerdictEvent, decode_line};
use sha2::{Digest, Sha256};

use super::VerdictJournal;
use crate::disk::{Disk, DiskFile, FileId, read_exactly};
use crate::error::StoreError;

/// Where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the oldest row that is kept.
    Oldest,
    /// Behind the row of this number: all that is beyond the last row with a number up to this one
    /// which stands before the first row with a higher one. Rows without a number, and late ones with
    /// a lower number, that stand behind it are read.
    AfterSeq(i64),
    /// Behind the row that this tells of.
    At(Position),
    /// At the end: only what is yet to come.
    Newest,
}

/// A place in the journal: the end of one row. It is a text for whoever keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Where the row before it begins, in bytes from the start of its file.
    start: u64,
    /// How long that row is, without its newline.
    length: u32,
    /// What tells that row from others.
    mark: u64,
}

impl Position {
    fn behind(line: &[u8], start: u64) -> Self {
        let digest = Sha256::digest(line);
        let mark = digest.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte));
        Self { start, length: u32::try_from(line.len()).unwrap_or(u32::MAX), mark }
    }

    fn end(self) -> u64 {
        self.start.saturating_add(u64::from(self.length))
    }

    /// Reads the text of a position.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.');
        let position = Self {
            start: parts.next()?.parse().ok()?,
            length: parts.next()?.parse().ok()?,
            mark: u64::from_str_radix(parts.next()?, 16).ok()?,
        };
        // A longer line is no row, and nobody is to make room for one.
        let is_row = position.length as usize <= limits::LINE_BYTES_MAX;
        (parts.next().is_none() && is_row).then_some(position)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{:016x}", self.start, self.length, self.mark)
    }
}

/// Rows that were read, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The rows. None, when there are no more for now.
    pub events: Vec<VerdictEvent>,
    /// How many lines between them nobody can read.
    pub corrupt: u64,
    /// The place behind the last row; `None` while no row was read at all. To go on from there means
    /// to read each later row, and none of these.
    pub position: Option<Position>,
    /// Right before these rows others may be missing: the place where the reader was is not there any
    /// more, because it was archived and dropped, or because the journal is another one. These are the
    /// oldest that are left.
    pub gap: bool,
}

/// One who reads on.
pub struct Reader<'j, D: Disk> {
    journal: &'j VerdictJournal<D>,
    place: Option<Place<D::File>>,
    position: Option<Position>,
    gap: bool,
}

/// An open file of the journal. As long as it is open no other file has its number.
struct Place<F> {
    file: F,
    id: FileId,
    offset: u64,
    /// The newest segment that is not younger than this file.
    reached: Option<Utf8PathBuf>,
}

impl<'j, D: Disk + Clone> Reader<'j, D> {
    pub(super) fn start(journal: &'j VerdictJournal<D>, from: From) -> Result<Self, StoreError> {
        let mut reader = Self { journal, place: None, position: None, gap: false };
        match from {
            From::Oldest => {}
            From::AfterSeq(seq) => reader.pass(seq)?,
            From::Newest => reader.go_to_the_end()?,
            From::At(position) => {
                reader.position = Some(position);
                reader.gap = !reader.find()?;
            }
        }
        Ok(reader)
    }

    /// Where the log of the journal is.
    pub fn path(&self) -> &Utf8Path {
        self.journal.path()
    }

    /// The next rows, at most so many. An empty batch says that there are no more for now: the same
    /// reader can be asked again later.
    pub fn next(&mut self, most: usize) -> Result<Batch, StoreError> {
        let most = most.max(1);
        let mut batch = Batch { gap: core::mem::take(&mut self.gap), ..Batch::default() };
        if self.place.is_none() {
            // No journal so far, or a place that is not in it.
            self.place = self.oldest()?;
        }
        loop {
            self.read(most, &mut batch)?;
            if batch.events.len() >= most || !self.turn(most, &mut batch)? {
                break;
            }
            if self.gap && !batch.events.is_empty() {
                break;
            }
            batch.gap |= core::mem::take(&mut self.gap);
        }
        batch.position = self.position;
        Ok(batch)
    }

    /// Reads rows of the file that is open, until the batch has so many. Returns how many.
    fn read(&mut self, most: usize, batch: &mut Batch) -> Result<usize, StoreError> {
        let Some(place) = &mut self.place else { return Ok(0) };
        let before = batch.events.len();
        let mut offset = place.offset;
        // The digest of the last row alone is asked for.
        let (mut start, mut last) = (0, Vec::new());
        self.journal.log.scan_while(&place.file, place.offset, |line| {
            match decode_line(line.bytes, line.complete) {
                // Somebody may still be writing it.
                Line::Torn => return false,
                Line::Event(event) => {
                    batch.events.push(event);
                    start = line.offset;
                    last.clear();
                    last.extend_from_slice(line.bytes);
                }
                Line::Corrupt => batch.corrupt += 1,
                Line::Blank | Line::Foreign => {}
            }
            offset = line.end;
            batch.events.len() < most
        })?;
        place.offset = offset;
        let count = batch.events.len() - before;
        if count > 0 {
            self.position = Some(Position::behind(&last, start));
        }
        Ok(count)
    }

    /// At the end of the open file: goes on to the next one. False when there is nothing more.
    fn turn(&mut self, most: usize, batch: &mut Batch) -> Result<bool, StoreError> {
        let path = self.journal.log.path();
        let log = self.journal.disk.stat(path).map_err(StoreError::io("look at", path))?;
        let Some(Place { id: here, reached, .. }) = &self.place else { return Ok(false) };
        let (here, reached) = (*here, reached.clone());
        if log.is_some_and(|log| log.id == here) {
            return Ok(false);
        }
        // It was moved away. What was written to it until then is still to be read.
        if self.read(most, batch)? > 0 {
            return Ok(true);
        }
        loop {
            let files = self.files()?;
            let next = match files.iter().position(|named| named.id == here) {
                Some(at) => files.get(at + 1),
                // It may have been copied to a new file; else it is gone.
                None if self.find()? => return Ok(true),
                None => {
                    let next = files
                        .iter()
                        .find(|named| named.is_log || Some(&named.path) > reached.as_ref());
                    self.gap = next.is_some();
                    next
                }
            };
            let Some(next) = next else { return Ok(false) };
            if let Some(place) = self.open(next)? {
                self.place = Some(place);
                return Ok(true);
            }
        }
    }

    /// Goes to the place behind the row that `position` tells of. False when that row is not there.
    fn find(&mut self) -> Result<bool, StoreError> {
        let Some(position) = self.position else { return Ok(false) };
        'again: loop {
            for named in self.files()?.iter().rev() {
                let Some(mut place) = self.open(named)? else { continue 'again };
                let line = match read_exactly(&place.file, position.start, position.end()) {
                    // A file that ends before it does not have the row.
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => continue,
                    line => line.map_err(StoreError::io("read", &named.path))?,
                };
                if Position::behind(&line, position.start) == position {
                    place.offset = position.end();
                    self.place = Some(place);
                    return Ok(true);
                }
            }
            return Ok(false);
        }
    }

    /// Goes behind the last row with a number up to `seq` that stands before the first with a higher
    /// one.
    fn pass(&mut self, seq: i64) -> Result<(), StoreError> {
        'again: loop {
            let mut beyond = false;
            for named in self.files()? {
                let Some(mut place) = self.open(&named)? else { continue 'again };
                let mut behind = None;
                self.journal.log.scan_while(&place.file, 0, |line| {
                    if let Line::Event(event) = decode_line(line.bytes, line.complete) {
                        beyond |= event.seq > seq;
                        if event.seq > 0 && !beyond {
                            behind = Some(Position::behind(line.bytes, line.offset));
                        }
                    }
                    !beyond
                })?;
                if let Some(position) = behind {
                    place.offset = position.end();
                    (self.place, self.position) = (Some(place), behind);
                }
                if beyond {
                    break;
                }
            }
            return Ok(());
        }
    }

    fn go_to_the_end(&mut self) -> Result<(), StoreError> {
        while let Some(last) = self.files()?.last() {
            if let Some(place) = self.open(last)? {
                self.place = Some(place);
                while !self.next(usize::MAX)?.events.is_empty() {}
                break;
            }
        }
        Ok(())
    }

    fn oldest(&self) -> Result<Option<Place<D::File>>, StoreError> {
        while let Some(oldest) = self.files()?.first() {
            if let Some(place) = self.open(oldest)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// The files of the journal as they are at one moment, the oldest first. A rotation that died
    /// half-way leaves the log with two names: then the last two are one.
    fn files(&self) -> Result<Vec<Named>, StoreError> {
        let log = self.journal.log.path();
        loop {
            let segments = self.journal.segments()?;
            let mut files: Vec<Named> = Vec::new();
            let mut reached = None;
            for path in segments.iter().map(Utf8PathBuf::as_path).chain([log]) {
                let stat = self.journal.disk.stat(path);
                let Some(stat) = stat.map_err(StoreError::io("look at", path))? else { continue };
                let is_log = path == log;
                if !is_log {
                    reached = Some(path.to_owned());
                }
                let (path, reached) = (path.to_owned(), reached.clone());
                files.push(Named { path, id: stat.id, is_log, reached });
            }
            // Else the log was moved away after the segments were listed.
            if self.journal.segments()? == segments {
                return Ok(files);
            }
        }
    }

    /// Opens a file at its start; `None` when it is not what it was a moment ago.
    fn open(&self, named: &Named) -> Result<Option<Place<D::File>>, StoreError> {
        match self.journal.disk.open_read(&named.path) {
            Ok(file) => {
                let id = file.stat().map_err(StoreError::io("look at", &named.path))?.id;
                let reached = named.reached.clone();
                Ok((id == named.id).then_some(Place { file, id, offset: 0, reached }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &named.path)(error)),
        }
    }
}

/// A file of the journal.
struct Named {
    path: Utf8PathBuf,
    id: FileId,
    is_log: bool,
    reached: Option<Utf8PathBuf>,
}
