//! Snapshots of states that were taken, in `.dos/snapshots`.
//!
//! A snapshot is a file whose name is the SHA-256 of its content. An append-only log says which name
//! was given to which file, and each of its records names the hash of the one before it; beside it
//! stands how many records it has at least, so that a log that was cut shows. Whoever reads a
//! snapshot hashes it first: what was changed afterwards is no snapshot any more.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::Utf8PathBuf;
use dos_core::journal::decode::object_of;
use dos_core::journal::entry::Record;
use dos_core::json::canonical;
use dos_core::limits::STATE_BYTES_MAX;
use dos_core::timestamp::Timestamp;
use dos_core::witness::taken::{Seal, SnapshotName};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::chain::{self, ChainCheck};
use crate::clock::Clock;
use crate::disk::{Disk, DiskFile, folder_of, read_open, remove_if_there};
use crate::error::StoreError;
use crate::log::Log;
use crate::side_log;
use crate::snapshot::hex;
use crate::workspace::Workspace;

/// Longest file that says how long the log is, in bytes.
const HEAD_BYTES_MAX: usize = 4096;
/// So much is written at once.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Longest file that is read.
const FILE_BYTES_MAX: usize = 2 * STATE_BYTES_MAX;

/// The snapshots of a workspace.
pub struct Taken<D> {
    disk: D,
    log: Log<D>,
}

/// A name that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name.
    pub name: String,
    /// Whose it is.
    pub seal: Seal,
    /// Since when.
    pub ts: String,
    /// Was the name taken from it, instead of given to it?
    pub dropped: bool,
}

/// What a keeping came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept, durably, under this SHA-256.
    New(Seal),
    /// The name is another snapshot's.
    NameTaken(Row),
}

/// What a dropping came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The name is free, and these files are gone that no name uses any more.
    Done(Row, Vec<Seal>),
    /// No snapshot has this name.
    NoSuchName,
    /// Names count for nothing, so that nobody can tell which files are in use.
    Broken(Broken),
}

/// Every name that was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// In the order in which they were given; of equal names the last one counts.
    pub rows: Vec<Row>,
    /// Why none of them counts.
    pub broken: Option<Broken>,
}

/// How it shows that the log of names was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The line, from 1, does not follow from the one before it, or cannot be read.
    #[error("line {0} of names.jsonl was changed after it was written")]
    Line(u64),
    /// There are fewer lines than there were.
    #[error("names.jsonl was cut: it has {lines} lines, and had {were}")]
    Cut {
        /// How many there are.
        lines: u64,
        /// How many there were.
        were: u64,
    },
    /// What says how many lines there are is gone, or cannot be read.
    #[error("names.head, which says how long names.jsonl is, is gone or damaged")]
    Headless,
}

impl Broken {
    /// The first line, from 1, that cannot be relied on.
    pub fn first_line(self) -> u64 {
        match self {
            Self::Line(line) => line,
            Self::Cut { lines, .. } => lines + 1,
            Self::Headless => 1,
        }
    }
}

/// How long the log is at least, and the SHA-256 of its last line then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Head {
    lines: u64,
    last: String,
}

/// A snapshot as it was found.
#[derive(Debug)]
pub enum Found {
    /// As it was taken.
    Whole(String),
    /// There is none.
    Missing,
    /// It was changed after it was taken: its content has this SHA-256 now.
    Changed(String),
}

impl<D: Disk + Clone> Taken<D> {
    /// The snapshots of a workspace; there need not be any.
    pub fn of(workspace: &Workspace, disk: &D) -> Self {
        let log = workspace.dot_dos().join("snapshots/names.jsonl");
        Self { disk: disk.clone(), log: Log::new(disk.clone(), log) }
    }

    /// Makes the folder of the snapshots, and so all that a workspace has beside them.
    pub fn prepare(&self, workspace: &Workspace) -> Result<(), StoreError> {
        workspace.prepare_write(&self.disk, self.log.path()).map(drop)
    }

    /// Keeps a snapshot, line by line, and gives it a name.
    pub fn keep<C: Clock>(
        &self,
        (workspace, clock): (&Workspace, &C),
        name: &SnapshotName,
        lines: impl Iterator<Item = String>,
        now: Timestamp,
        replace: bool,
    ) -> Result<Kept, StoreError> {
        workspace.prepare_write(&self.disk, self.log.path())?;
        let mut kept = None;
        self.append(clock, |names| {
            let held = names.of(name.as_str()).cloned();
            if let Some(row) = held.filter(|_| !replace) {
                kept = Some(Kept::NameTaken(row));
                return Ok(None);
            }
            let seal = self.write(lines)?;
            let (name, ts) = (name.as_str().to_string(), now.to_string());
            kept = Some(Kept::New(seal.clone()));
            Ok(Some(Row { name, seal, ts, dropped: false }))
        })?;
        kept.ok_or_else(|| self.failed("read")(io::Error::other("it says nothing")))
    }

    /// Takes a name from its snapshot, and removes the files that only dropped names ever had. That a
    /// name was dropped, and which snapshot it was, stays in the log.
    pub fn drop_name<C: Clock>(
        &self,
        (workspace, clock): (&Workspace, &C),
        name: &SnapshotName,
        now: Timestamp,
    ) -> Result<Dropped, StoreError> {
        if self.names()? == Names::default() {
            return Ok(Dropped::NoSuchName);
        }
        workspace.prepare_write(&self.disk, self.log.path())?;
        let mut dropped = Dropped::NoSuchName;
        self.append(clock, |names| {
            if let Some(broken) = names.broken {
                dropped = Dropped::Broken(broken);
                return Ok(None);
            }
            let Some(held) = names.of(name.as_str()) else { return Ok(None) };
            let row = Row { ts: now.to_string(), dropped: true, ..held.clone() };
            dropped = Dropped::Done(row.clone(), Vec::new());
            Ok(Some(row))
        })?;
        if let Dropped::Done(_, removed) = &mut dropped {
            *removed = self.sweep(clock)?;
        }
        Ok(dropped)
    }

    /// Removes the files that only dropped names ever had; also those that a drop before this one left
    /// behind when it was killed.
    fn sweep<C: Clock>(&self, clock: &C) -> Result<Vec<Seal>, StoreError> {
        let mut removed = Vec::new();
        self.append(clock, |names| {
            let used = names.used();
            let unused: BTreeSet<&Seal> = names
                .rows
                .iter()
                .map(|row| &row.seal)
                .filter(|seal| !used.contains(seal))
                .collect();
            for seal in unused.into_iter().filter(|_| names.broken.is_none()) {
                let path = self.path(seal);
                let failed = || StoreError::io("remove", &path);
                if self.disk.stat(&path).map_err(failed())?.is_some() {
                    self.disk.remove(&path).map_err(failed())?;
                    removed.push(seal.clone());
                }
            }
            Ok(None)
        })?;
        if !removed.is_empty() {
            self.log.sync_folder()?;
        }
        Ok(removed)
    }

    /// Appends the row that is made of all names, under the lock, and then says how long the log is.
    fn append<C: Clock>(
        &self,
        clock: &C,
        make: impl FnOnce(&Names) -> Result<Option<Row>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut head = None;
        side_log::append(&self.disk, clock, &self.log, || {
            let (names, now) = self.scanned()?;
            // The first thing that is written, so that it is missing only where it was removed.
            if now == Head::default() && names.broken.is_none() {
                self.write_head(&now)?;
            }
            let Some(row) = make(&names)? else { return Ok(String::new()) };
            let record = json!({"name": row.name, "sha256": row.seal.as_str(), "ts": row.ts});
            let Value::Object(mut record) = record else { return Ok(String::new()) };
            if row.dropped {
                record.insert("dropped".to_string(), true.into());
            }
            let last = match self.log.open()? {
                Some(file) => self.log.last_line(&file, |line| object_of(line).is_some())?,
                None => None,
            };
            let record = vec![Record::from_object(record)];
            let linked = chain::linked(record, last.as_deref().unwrap_or_default());
            let text: String = linked.iter().map(Record::line).collect();
            let last = hex(&Sha256::digest(text.trim_end_matches('\n')));
            // While it is broken, it stays broken: what is missing does not come back.
            head = Some(Head { lines: now.lines + 1, last }).filter(|_| names.broken.is_none());
            Ok(text)
        })?;
        if let Some(head) = head {
            // The row is durable. One that is behind is brought up to date by the next row.
            let _ = self.advance(clock, &head);
        }
        Ok(())
    }

    /// Says how long the log is, unless somebody else has said more meanwhile.
    fn advance<C: Clock>(&self, clock: &C, head: &Head) -> Result<(), StoreError> {
        side_log::append(&self.disk, clock, &self.log, || {
            match self.head()? {
                Some(said) if said.lines >= head.lines => {}
                _ => self.write_head(head)?,
            }
            Ok(String::new())
        })
    }

    /// Every name that was given.
    pub fn names(&self) -> Result<Names, StoreError> {
        Ok(self.scanned()?.0)
    }

    /// Every name that was given, and how long the log is.
    fn scanned(&self) -> Result<(Names, Head), StoreError> {
        // Read first: the log may be longer than it says, and never shorter.
        let head = self.head()?;
        let mut names = Names::default();
        let mut check = ChainCheck::default();
        let (mut unread, mut other) = (None, None);
        let mut now = Head::default();
        self.log.scan(|line| {
            now.lines = line.number + 1;
            if head.as_ref().is_some_and(|head| head.lines == now.lines)
                && head.as_ref().map(|head| &head.last) != Some(&hex(&Sha256::digest(line.bytes)))
            {
                other = Some(line.number);
            }
            check.look(line);
            match row(line.bytes) {
                Some(row) => names.rows.push(row),
                None => unread = unread.or(Some(line.number)),
            }
        })?;
        now.last = check.last().unwrap_or_default();
        let broken = check.broken_at(true).map(|place| place.line);
        let line = broken.into_iter().chain(unread).chain(other).min();
        names.broken = match (line, head) {
            (Some(line), _) => Some(Broken::Line(line + 1)),
            (None, None) if now.lines == 0 => None,
            (None, None) => Some(Broken::Headless),
            (None, Some(head)) if head.lines > now.lines => {
                Some(Broken::Cut { lines: now.lines, were: head.lines })
            }
            (None, Some(_)) => None,
        };
        Ok((names, now))
    }

    /// How long the log is said to be. Text that says nothing counts as none.
    fn head(&self) -> Result<Option<Head>, StoreError> {
        let path = self.head_path();
        let file = match self.disk.open_read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(StoreError::io("read", &path))?,
        };
        let content = read_open(&file, HEAD_BYTES_MAX).map_err(StoreError::io("read", &path))?;
        let read = || {
            let object = object_of(content.trim_ascii_end())?;
            let last = object.get("last")?.as_str()?.to_string();
            Some(Head { lines: object.get("lines")?.as_u64()?, last })
        };
        Ok(read())
    }

    fn write_head(&self, head: &Head) -> Result<(), StoreError> {
        let text = canonical(&json!({"last": head.last, "lines": head.lines})) + "\n";
        let (path, draft) = (self.head_path(), self.log.path().with_file_name("head.tmp"));
        let failed = || StoreError::io("write", &path);
        remove_if_there(&self.disk, &draft).map_err(failed())?;
        let file = self.disk.create_new(&draft, text.as_bytes()).map_err(failed())?;
        file.sync().map_err(failed())?;
        self.disk.rename(&draft, &path).map_err(failed())?;
        self.log.sync_folder()
    }

    fn head_path(&self) -> Utf8PathBuf {
        self.log.path().with_file_name("names.head")
    }

    /// The snapshots that no name was ever given to, as far as the names are still there.
    pub fn unnamed(&self, names: &Names) -> Result<Vec<Seal>, StoreError> {
        let folder = folder_of(self.log.path());
        let files = match self.disk.names(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(StoreError::io("list", folder))?,
        };
        let seals = files.iter().filter_map(|file| Seal::parse(file.strip_suffix(".jsonl")?));
        let named: BTreeSet<&Seal> = names.rows.iter().map(|row| &row.seal).collect();
        let mut unnamed: Vec<Seal> = seals.filter(|seal| !named.contains(seal)).collect();
        unnamed.sort();
        Ok(unnamed)
    }

    /// Reads a snapshot, and compares it with its seal.
    pub fn read(&self, seal: &Seal) -> Result<Found, StoreError> {
        let path = self.path(seal);
        let failed = || StoreError::io("read", &path);
        let file = match self.disk.open_read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
            other => other.map_err(failed())?,
        };
        let content = read_open(&file, FILE_BYTES_MAX).map_err(failed())?;
        let is = hex(&Sha256::digest(&content));
        if is != seal.as_str() {
            return Ok(Found::Changed(is));
        }
        match String::from_utf8(content) {
            Ok(text) => Ok(Found::Whole(text)),
            Err(_) => Err(failed()(io::Error::other("it is not UTF-8"))),
        }
    }

    /// Writes a file under the name that its content gives it. The caller holds the lock.
    fn write(&self, lines: impl Iterator<Item = String>) -> Result<Seal, StoreError> {
        let draft = self.log.path().with_file_name("draft.tmp");
        let failed = || StoreError::io("write", &draft);
        // Only a writer that died under the lock can have left one.
        remove_if_there(&self.disk, &draft).map_err(failed())?;
        let written = self.fill(&draft, lines).map_err(failed()).and_then(|seal| {
            let path = self.path(&seal);
            self.disk.rename(&draft, &path).map_err(StoreError::io("write", &path))?;
            Ok(seal)
        });
        if written.is_err() {
            let _ = self.disk.remove(&draft);
        }
        let seal = written?;
        self.log.sync_folder()?;
        Ok(seal)
    }

    fn fill(&self, path: &Utf8PathBuf, lines: impl Iterator<Item = String>) -> io::Result<Seal> {
        drop(self.disk.create_new(path, b"")?);
        let (mut file, _) = self.disk.open_append(path)?;
        let mut digest = Sha256::new();
        let mut chunk = String::new();
        let mut put = |chunk: &mut String| {
            digest.update(&*chunk);
            let written = file.append(chunk.as_bytes())?;
            let whole = written == chunk.len();
            chunk.clear();
            if whole { Ok(()) } else { Err(io::Error::from(io::ErrorKind::StorageFull)) }
        };
        for line in lines {
            chunk.push_str(&line);
            if chunk.len() >= CHUNK_BYTES {
                put(&mut chunk)?;
            }
        }
        put(&mut chunk)?;
        file.sync()?;
        let seal = Seal::parse(&hex(&digest.finalize()));
        seal.ok_or_else(|| io::Error::other("a digest has 64 digits"))
    }

    fn path(&self, seal: &Seal) -> Utf8PathBuf {
        self.log.path().with_file_name(format!("{}.jsonl", seal.as_str()))
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> StoreError {
        StoreError::io(action, self.log.path())
    }
}

impl Names {
    /// The row of a name that a snapshot has.
    pub fn of(&self, name: &str) -> Option<&Row> {
        self.last_of(name).filter(|row| !row.dropped)
    }

    /// The row that says last what became of a name.
    pub fn last_of(&self, name: &str) -> Option<&Row> {
        self.rows.iter().rev().find(|row| row.name == name)
    }

    /// The snapshots that a name uses: the one that has it, and those that had it since it was given
    /// first, or anew after it was dropped.
    fn used(&self) -> BTreeSet<&Seal> {
        let mut used = BTreeMap::<&str, Vec<&Seal>>::new();
        for row in &self.rows {
            if row.dropped {
                used.remove(row.name.as_str());
            } else {
                used.entry(&row.name).or_default().push(&row.seal);
            }
        }
        used.into_values().flatten().collect()
    }

    /// What became last of each name, by the names.
    pub fn current(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().rev().collect();
        // Stable: of equal names the newest stays in front.
        rows.sort_by(|left, right| left.name.cmp(&right.name));
        rows.dedup_by(|later, first| later.name == first.name);
        rows
    }
}

fn row(line: &[u8]) -> Option<Row> {
    let object = object_of(line)?;
    let text = |field: &str| Some(object.get(field)?.as_str()?.to_string());
    let dropped = match object.get("dropped") {
        None => false,
        Some(flag) => flag.as_bool()?,
    };
    let seal = Seal::parse(&text("sha256")?)?;
    Some(Row { name: text("name")?, seal, ts: text("ts")?, dropped })
}
