//! The lane journal: a log, the snapshot of its fold, its archive, and the marker that forbids it.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::journal::decode::{Line, decode_line};
use dos_core::journal::entry::Record;
use dos_core::journal::{Compaction, JournalPolicy, LiveSet};

use crate::archive;
use crate::chain;
use crate::disk::{Disk, DiskFile, FileId, Stat, read_exactly};
use crate::error::StoreError;
use crate::log::{Log, Unsynced};
use crate::poison;
use crate::snapshot::{self, Reach, snapshot_path};

/// The journal of one workspace. Writers hold the lane mutex.
#[derive(Clone, Debug)]
pub struct LaneJournal<D> {
    disk: D,
    log: Log<D>,
    policy: JournalPolicy,
}

/// The journal as it was when it was read.
pub struct Tip<D: Disk> {
    compaction: Compaction,
    /// Its length in bytes.
    end: u64,
    /// Its last line, with its newline: what must still be there for somebody to go on.
    last: Vec<u8>,
    /// What its snapshot stands for.
    reach: Reach,
    /// It, open; `None` when it was not there.
    file: Option<Opened<D::File>>,
    /// It, open for appending: from the last transaction to the next.
    writer: Option<D::File>,
    /// It is all that there was when it was last looked at: nothing was appended of which it does not
    /// know.
    complete: bool,
}

/// An open file. As long as it is open no other file has its number.
struct Opened<F> {
    file: F,
    id: FileId,
}

impl<D: Disk> Tip<D> {
    fn of_none() -> Self {
        Self {
            compaction: Compaction::default(),
            end: 0,
            last: Vec::new(),
            reach: Reach::default(),
            file: None,
            writer: None,
            complete: true,
        }
    }

    /// What somebody may go on from later, as if he had read the journal just now. `writer` is the
    /// journal, open for appending.
    pub fn kept(mut self, writer: D::File) -> Option<Self> {
        self.writer = Some(writer);
        (self.complete && self.file.is_some()).then_some(self)
    }

    /// Is the open file `now` the journal as it was, with so many bytes after it?
    fn is_followed_by(&self, now: Stat, bytes: u64) -> bool {
        let same = self.file.as_ref().is_none_or(|opened| opened.id == now.id);
        same && now.len == self.end + bytes
    }

    /// The live set.
    pub fn live(&mut self) -> &LiveSet {
        self.compaction.live()
    }

    /// The live set, and nothing else.
    pub fn into_live(self) -> LiveSet {
        self.compaction.into_live()
    }

    /// How many records and corrupt lines the journal has.
    pub fn records(&self) -> u64 {
        self.compaction.records_before()
    }
}

/// What a compaction did.
#[derive(Clone, Debug)]
pub struct Compacted {
    /// Records and corrupt lines before.
    pub entries_before: u64,
    /// Records after.
    pub entries_after: u64,
    /// By how much the file shrank, in bytes.
    pub bytes_reclaimed: u64,
    /// Where the history is now; `None` when it was dropped, or when there was none.
    pub archived: Option<Utf8PathBuf>,
}

/// What becomes of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// It moves to the archive.
    Archive {
        /// May it be copied, however long that takes, where a file cannot have two names?
        may_copy: bool,
    },
    /// It is dropped.
    Discard,
}

impl<D: Disk + Clone> LaneJournal<D> {
    /// The journal whose log is at `path`.
    pub fn new(disk: D, path: &Utf8Path, policy: JournalPolicy) -> Self {
        let log = Log::new(disk.clone(), path);
        Self { disk, log, policy }
    }

    /// Its log, for readers of single lines. Does not look for the marker.
    pub fn log(&self) -> &Log<D> {
        &self.log
    }

    /// Reads it: the snapshot where one fits, and what came later. Locks and writes nothing.
    pub fn read(&self) -> Result<Tip<D>, StoreError> {
        poison::refuse(&self.disk, self.log.path())?;
        let Some(file) = self.log.open()? else {
            return Ok(Tip::of_none());
        };
        let stat = file.stat().map_err(StoreError::io("look at", self.log.path()))?;
        let (compaction, reach, last) =
            snapshot::load(&self.disk, self.log.path(), &file).unwrap_or_default();
        let (end, file) = (reach.offset, Some(Opened { file, id: stat.id }));
        let mut tip = Tip { compaction, end, reach, file, ..Tip::of_none() };
        self.read_on(&mut tip, stat.len)?;
        if tip.last.is_empty() {
            tip.last = last_line(&last).to_vec();
        }
        Ok(tip)
    }

    /// The journal as it is now, given how it was. Under the mutex this is little to read.
    pub fn catch_up(&self, mut tip: Tip<D>) -> Result<Tip<D>, StoreError> {
        poison::refuse(&self.disk, self.log.path())?;
        let failed = || StoreError::io("look at", self.log.path());
        let now = self.disk.stat(self.log.path()).map_err(failed())?;
        let now = match (now, &tip.file) {
            (None, None) => return Ok(tip),
            (Some(now), Some(then)) if now.id == then.id && now.len >= tip.end => now,
            _ => return self.read(),
        };
        match self.read_on(&mut tip, now.len)? {
            true => Ok(tip),
            false => self.read(),
        }
    }

    /// Reads what the journal, `length` bytes long, has beyond the tip. Says no where the tip's last line
    /// is not where it was: a writer may have taken back what it could not write whole, and somebody may
    /// have read it. A line without its newline is not one to go on from.
    fn read_on(&self, tip: &mut Tip<D>, length: u64) -> Result<bool, StoreError> {
        let Tip { compaction, end, last, file: Some(opened), .. } = tip else {
            return Ok(true);
        };
        let Some(start) = end.checked_sub(last.len() as u64) else {
            return Ok(false);
        };
        let (from, mut stands) = (*end, last.is_empty());
        let scanned = self.log.scan_while(&opened.file, start, |line| {
            if line.offset < from {
                stands = line.complete && last.strip_suffix(b"\n") == Some(line.bytes);
                return stands;
            }
            compaction.feed(line.bytes, line.complete);
            if line.end >= length {
                // Of one beyond the bound this is not all, so that nobody goes on from it.
                last.clear();
                last.extend_from_slice(line.bytes);
                last.extend(line.complete.then_some(b'\n'));
            }
            true
        })?;
        *end = scanned;
        Ok(stands)
    }

    /// Appends records to the journal that was read as `tip`, and makes its snapshot anew when that
    /// lags behind. They are acknowledged only after [`LaneJournal::sync`].
    pub fn append(
        &self,
        tip: &mut Tip<D>,
        records: Vec<Record>,
    ) -> Result<Unsynced<D>, StoreError> {
        if tip.reach.is_none() && tip.file.is_some() {
            // Whoever put this file in place may not have made its name durable. A snapshot of it
            // says that somebody has.
            self.marked_if_lost(self.log.sync_folder())?;
        }
        let records = self.linked(records)?;
        let texts: Vec<String> = records.iter().map(Record::line).collect();
        let lines = texts.concat();
        let appended = match tip.writer.take().filter(|_| tip.last.ends_with(b"\n")) {
            Some(file) => self.log.append_behind(file, tip.end, &lines),
            None => self.log.append(&lines),
        };
        let appended = match appended {
            Err(error) if self.made_room(&error) => self.log.append(&lines),
            other => other,
        };
        let unsynced = self.marked_if_lost(appended)?;
        for text in &texts {
            tip.compaction.feed(text.trim_end_matches('\n').as_bytes(), true);
        }
        let grown = lines.len() as u64;
        let now = unsynced.file().stat().map_err(StoreError::io("look at", self.log.path()))?;
        // Else another program has written as well: a snapshot would leave that out.
        tip.complete = tip.is_followed_by(now, grown);
        tip.end += grown;
        if let Some(text) = texts.last() {
            tip.last.clear();
            tip.last.extend_from_slice(text.as_bytes());
        }
        if tip.complete && tip.reach.is_outgrown(tip.end) {
            self.refresh_snapshot(tip, unsynced.file());
        }
        Ok(unsynced)
    }

    /// Makes the snapshot anew, unless another writer has done so since it was looked at.
    fn refresh_snapshot(&self, tip: &mut Tip<D>, file: &D::File) {
        let path = self.log.path();
        if let Some((_, reach, _)) = snapshot::load(&self.disk, path, file) {
            tip.reach = reach;
        }
        if tip.reach.is_outgrown(tip.end)
            && let Ok(reach) = snapshot::store(&self.disk, path, file, tip.end, &mut tip.compaction)
        {
            tip.reach = reach;
        }
    }

    /// When there was no room on the disk: gives that of the snapshot, which can be made again.
    pub fn made_room(&self, error: &StoreError) -> bool {
        let path = self.log.path();
        let is_there = self.disk.stat(&snapshot_path(path)).is_ok_and(|stat| stat.is_some());
        error.is_for_want_of_room() && is_there && snapshot::remove(&self.disk, path).is_ok()
    }

    /// Makes appended records survive a crash. When that fails, the journal is marked and nobody
    /// opens it again before [`LaneJournal::repair`]. Returns the journal, open for appending.
    pub fn sync(&self, unsynced: Unsynced<D>) -> Result<D::File, StoreError> {
        poison::sync(&self.disk, self.log.path(), unsynced)
    }

    /// Marks the journal when what failed cannot be tried again.
    fn marked_if_lost<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        poison::marked_if_lost(&self.disk, self.log.path(), done)
    }

    /// Puts what stands for the journal, read as `tip`, in its place. Refuses when that would not
    /// hold the very same leases. `may_write` is asked right before the old file goes.
    pub fn compact(
        &self,
        mut tip: Tip<D>,
        history: History,
        may_write: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<Compacted, StoreError> {
        let path = self.log.path();
        let entries_before = tip.records();
        let Some(old) = tip.file.take().filter(|_| entries_before > 0) else {
            let (entries_after, bytes_reclaimed) = (0, 0);
            return Ok(Compacted {
                entries_before,
                entries_after,
                bytes_reclaimed,
                archived: None,
            });
        };
        let records = self.linked(tip.compaction.standing_for())?;
        let content: String = records.iter().map(Record::line).collect();
        let after = Compaction::resume(content.as_bytes(), 0, 0).into_live();
        let before = tip.live();
        if *before != after || after.next_seq() < before.next_seq() {
            return Err(StoreError::CannotCompact { path: path.to_owned() });
        }
        let last_seq = before.last_seq();
        let archived = match history {
            History::Archive { may_copy } => {
                Some(archive::keep(&self.disk, path, last_seq, may_copy)?)
            }
            History::Discard => None,
        };
        let replaced = self.log.replace(&content, || {
            self.is_still(Some(old.id), tip.end)?;
            may_write()
        });
        self.marked_if_lost(replaced)?;
        // It stood for the old file; nobody would take it for the new one.
        let _ = snapshot::remove(&self.disk, path);
        self.carry_over(&old.file, tip.end)?;
        Ok(Compacted {
            entries_before,
            entries_after: records.len() as u64,
            bytes_reclaimed: tip.end.saturating_sub(content.len() as u64),
            archived,
        })
    }

    /// Is the journal what was read as `tip`, and nothing more? A journal that has grown: a lock was
    /// taken away and used, or another program needs none.
    pub fn is_unchanged(&self, tip: &Tip<D>) -> Result<(), StoreError> {
        self.is_still(tip.file.as_ref().map(|opened| opened.id), tip.end)
    }

    /// Is the journal the file that was read, and no longer than it was? The original appends some
    /// of its records without any lock.
    fn is_still(&self, then: Option<FileId>, end: u64) -> Result<(), StoreError> {
        let now = self.disk.stat(self.log.path());
        let same = match (now.map_err(StoreError::io("look at", self.log.path()))?, then) {
            (None, None) => true,
            (Some(now), None) => now.len == 0,
            (Some(now), Some(then)) => now.id == then && now.len == end,
            (None, Some(_)) => false,
        };
        match same {
            true => Ok(()),
            false => Err(StoreError::Changed { path: self.log.path().to_owned() }),
        }
    }

    /// What another program wrote to the old file after the last look at it.
    fn carry_over(&self, old: &D::File, end: u64) -> Result<(), StoreError> {
        let failed = || StoreError::io("read the end of", self.log.path());
        let length = old.stat().map_err(failed())?.len;
        if length <= end {
            return Ok(());
        }
        let late = read_exactly(old, end, length).map_err(failed())?;
        let late = String::from_utf8_lossy(&late);
        self.sync(self.marked_if_lost(self.log.append(&late))?).map(drop)
    }

    /// Is it time for a compaction of the journal that was read as `tip` and got `added` records
    /// since? Past the limit it is tried now and then, where it would at least halve the journal.
    pub fn wants_compaction(&self, tip: &mut Tip<D>, added: u64) -> bool {
        let records = tip.records();
        let turns = |records: u64| records / COMPACTION_EVERY;
        let past = self.policy.max_entries.is_some_and(|most| records > most);
        past && turns(records) > turns(records.saturating_sub(added))
            && tip.compaction.standing_for().len() as u64 * 2 <= records
    }

    /// Copies the journal to a new file, syncs and compares it, and takes the marker away. Returns
    /// its length in bytes, or `None` when it is not marked and nobody insists with `force`.
    pub fn repair(
        &self,
        force: bool,
        may_write: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<Option<u64>, StoreError> {
        let path = self.log.path();
        match poison::refuse(&self.disk, path) {
            Ok(()) if !force => return Ok(None),
            Ok(()) | Err(StoreError::Poisoned { .. }) => {}
            Err(error) => return Err(error),
        }
        // It gets another identity, by which nobody would find it there.
        archive::sweep(&self.disk, path)?;
        let bytes = self.log.renew(may_write)?;
        snapshot::remove(&self.disk, path)
            .map_err(StoreError::io("remove the snapshot of", path))?;
        poison::unmark(&self.disk, path)?;
        Ok(Some(bytes))
    }

    /// Links records to the last one of the journal, where the policy asks for a chain.
    fn linked(&self, records: Vec<Record>) -> Result<Vec<Record>, StoreError> {
        if !self.policy.chain {
            return Ok(records);
        }
        let is_record = |line: &[u8]| matches!(decode_line(line, true), Line::Entry(_));
        let last = match self.log.open()? {
            Some(file) => self.log.last_line(&file, is_record)?,
            None => None,
        };
        Ok(chain::linked(records, &last.unwrap_or_default()))
    }
}

/// The last line of these bytes, or as much of it as there is.
fn last_line(bytes: &[u8]) -> &[u8] {
    let before = bytes.len().saturating_sub(1);
    let newline = bytes.get(..before).and_then(|bytes| memchr::memrchr(b'\n', bytes));
    newline.and_then(|newline| bytes.get(newline + 1..)).unwrap_or(bytes)
}

/// Past the limit, a compaction is tried at every so many records.
const COMPACTION_EVERY: u64 = 64;
