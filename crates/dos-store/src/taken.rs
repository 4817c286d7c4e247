//! Snapshots of states that were taken, in `.dos/snapshots`.
//!
//! A snapshot is a file whose name is the SHA-256 of its content. An append-only log says which name
//! was given to which file, and each of its records names the hash of the one before it. Whoever
//! reads a snapshot hashes it first: what was changed afterwards is no snapshot any more.

use std::collections::BTreeSet;
use std::io;

use camino::Utf8PathBuf;
use dos_core::journal::decode::object_of;
use dos_core::journal::entry::Record;
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
}

/// What a keeping came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept, durably, under this SHA-256.
    New(Seal),
    /// The name is another snapshot's.
    NameTaken(Row),
}

/// Every name that was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// In the order in which they were given; of equal names the last one counts.
    pub rows: Vec<Row>,
    /// The first line, from 1, that does not follow from the one before it, or cannot be read.
    pub broken_at: Option<u64>,
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
        side_log::append(&self.disk, clock, &self.log, || {
            let held = self.names()?.of(name.as_str()).cloned();
            if let Some(row) = held.filter(|_| !replace) {
                kept = Some(Kept::NameTaken(row));
                return Ok(String::new());
            }
            let seal = self.write(lines)?;
            let row = json!({
                "name": name.as_str(),
                "sha256": seal.as_str(),
                "ts": now.to_string(),
            });
            kept = Some(Kept::New(seal));
            let Value::Object(row) = row else { return Ok(String::new()) };
            let last = match self.log.open()? {
                Some(file) => self.log.last_line(&file, |line| object_of(line).is_some())?,
                None => None,
            };
            let row = vec![Record::from_object(row)];
            let linked = chain::linked(row, last.as_deref().unwrap_or_default());
            Ok(linked.iter().map(Record::line).collect())
        })?;
        kept.ok_or_else(|| self.failed("read")(io::Error::other("it says nothing")))
    }

    /// Every name that was given.
    pub fn names(&self) -> Result<Names, StoreError> {
        let mut names = Names::default();
        let mut check = ChainCheck::default();
        let mut unread = None;
        self.log.scan(|line| {
            check.look(line);
            match row(line.bytes) {
                Some(row) => names.rows.push(row),
                None => unread = unread.or(Some(line.number)),
            }
        })?;
        let broken = check.broken_at(true).map(|place| place.line);
        names.broken_at = broken.into_iter().chain(unread).min().map(|line| line + 1);
        Ok(names)
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
    /// The row of a name.
    pub fn of(&self, name: &str) -> Option<&Row> {
        self.rows.iter().rev().find(|row| row.name == name)
    }

    /// The rows that count, by their names.
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
    Some(Row { name: text("name")?, seal: Seal::parse(&text("sha256")?)?, ts: text("ts")? })
}
