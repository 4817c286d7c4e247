//! Planted bugs: a disk that breaks one promise to its caller, or a caller that ignores it. The
//! simulation must find each.

use std::io;

use camino::Utf8Path;
use dos_store::disk::{Disk, DiskFile, LockFile, Stat};
use dos_store::sim::{SimDisk, SimFile, SimLock};

/// One planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A last line without its newline is not noticed.
    TornTail,
    /// The names in a folder are never made durable.
    NoDirsync,
    /// Nothing is ever made durable.
    NoFsync,
    /// A failed sync counts as a success.
    IgnoreFsyncError,
    /// A short write counts as a whole one.
    ShortWriteAck,
    /// What takes a file's place is not made durable before.
    ReplaceWithoutSync,
    /// The kernel lock is given to everybody.
    StealRace,
    /// A file is replaced by removing the old one first.
    RemoveThenRename,
    /// A file that takes another's place has lost its content.
    CompactLosesLeases,
    /// Opening a file for reading creates it.
    ReadCreates,
    /// What is written is written twice.
    WriteTwice,
    /// Nothing in the home registry is ever made durable, and cards say that it was.
    RegistryUnsynced,
    /// A card that takes another's place is not made durable before.
    CardUnsynced,
    /// A folder that cannot be looked at counts as gone.
    UnseenIsGone,
}

/// A bug, its name, and what the simulation says when it has found it: one of these words.
type Row = (Plant, &'static str, &'static [&'static str]);

const LOST: &[&str] = &["lost acknowledgement", "went back"];

impl Plant {
    /// All of them.
    pub const ALL: &[Row] = &[
        (Self::TornTail, "torn-tail", LOST),
        (Self::NoDirsync, "no-dirsync", LOST),
        (Self::NoFsync, "no-fsync", LOST),
        (Self::IgnoreFsyncError, "ignore-fsync-error", LOST),
        (Self::ShortWriteAck, "short-write-ack", LOST),
        (Self::ReplaceWithoutSync, "replace-without-sync", LOST),
        (
            Self::StealRace,
            "steal-race",
            &["double grant", "lost acknowledgement", "sequence number"],
        ),
        (Self::RemoveThenRename, "remove-then-rename", LOST),
        (Self::CompactLosesLeases, "compact-loses-leases", LOST),
        (Self::ReadCreates, "read-creates", &["a call that only reads did"]),
        (Self::WriteTwice, "write-twice", &["sequence number"]),
        (Self::RegistryUnsynced, "registry-unsynced", &["the registry lost"]),
        (Self::CardUnsynced, "card-unsynced", &["a torn card"]),
        (Self::UnseenIsGone, "unseen-is-gone", &["the registry lost", "another project's"]),
    ];

    /// The bug of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(plant, ..)| *plant)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(plant, ..)| *plant == self).map_or("", |(_, name, _)| name)
    }

    /// Does the finding show this bug?
    pub fn shows_in(self, finding: &str) -> bool {
        let row = Self::ALL.iter().find(|(plant, ..)| *plant == self);
        row.is_some_and(|(.., words)| words.iter().any(|word| finding.contains(word)))
    }
}

/// The simulated disk, with a bug or without.
#[derive(Clone)]
pub struct PlantedDisk {
    disk: SimDisk,
    plant: Option<Plant>,
}

/// An open file of it.
pub struct PlantedFile {
    file: SimFile,
    plant: Option<Plant>,
    /// Was it created to take another file's place?
    replacing: bool,
    kind: Kind,
}

/// What a file is to the home registry.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// One of its files.
    Central,
    /// The draft of a card.
    Card,
    /// Nothing.
    Other,
}

fn kind(path: &Utf8Path) -> Kind {
    match path.as_str() {
        central if central.starts_with("/h/") => Kind::Central,
        card if card.ends_with("project.json.t") => Kind::Card,
        _ => Kind::Other,
    }
}

/// A file for the kernel to lock.
pub struct PlantedLock {
    lock: SimLock,
    /// Does everybody get it?
    for_all: bool,
}

impl PlantedDisk {
    /// This disk with that bug.
    pub fn new(disk: SimDisk, plant: Option<Plant>) -> Self {
        Self { disk, plant }
    }

    /// The disk below.
    pub fn inner(&self) -> &SimDisk {
        &self.disk
    }

    fn is(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    fn file(&self, file: SimFile, path: &Utf8Path, replacing: bool) -> PlantedFile {
        PlantedFile { file, plant: self.plant, replacing, kind: kind(path) }
    }
}

impl LockFile for PlantedLock {
    fn try_alone(&mut self) -> io::Result<bool> {
        Ok(self.lock.try_alone()? || self.for_all)
    }

    fn try_share(&mut self) -> io::Result<bool> {
        self.lock.try_share()
    }

    fn free(&mut self) -> io::Result<()> {
        self.lock.free()
    }
}

fn replaces(path: &Utf8Path) -> bool {
    path.as_str().ends_with(".tmp")
}

impl Disk for PlantedDisk {
    type File = PlantedFile;
    type Lock = PlantedLock;

    fn open_read(&self, path: &Utf8Path) -> io::Result<PlantedFile> {
        let file = match self.is(Plant::ReadCreates) {
            true => self.disk.open_append(path)?.0,
            false => self.disk.open_read(path).map_err(|error| {
                let is_card = path.as_str().ends_with("project.json");
                match self.is(Plant::UnseenIsGone) && is_card {
                    true => io::ErrorKind::NotFound.into(),
                    false => error,
                }
            })?,
        };
        Ok(self.file(file, path, false))
    }

    fn open_append(&self, path: &Utf8Path) -> io::Result<(PlantedFile, bool)> {
        let (file, created) = self.disk.open_append(path)?;
        Ok((self.file(file, path, false), created))
    }

    fn create_new(&self, path: &Utf8Path, content: &[u8]) -> io::Result<PlantedFile> {
        let emptied = self.is(Plant::CompactLosesLeases) && replaces(path);
        let content = if emptied { b"" } else { content };
        Ok(self.file(self.disk.create_new(path, content)?, path, replaces(path)))
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        if self.is(Plant::RemoveThenRename) && replaces(from) {
            let _ = self.disk.remove(to);
        }
        self.disk.rename(from, to)
    }

    fn rename_new(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        self.disk.rename_new(from, to)
    }

    fn exchange(&self, one: &Utf8Path, other: &Utf8Path) -> io::Result<()> {
        self.disk.exchange(one, other)
    }

    fn link(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        self.disk.link(from, to)
    }

    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn create_dir(&self, path: &Utf8Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn sync_dir(&self, path: &Utf8Path) -> io::Result<()> {
        if self.is(Plant::NoDirsync) { Ok(()) } else { self.disk.sync_dir(path) }
    }

    fn stat(&self, path: &Utf8Path) -> io::Result<Option<Stat>> {
        self.disk.stat(path)
    }

    fn names(&self, dir: &Utf8Path) -> io::Result<Vec<String>> {
        self.disk.names(dir)
    }

    fn open_lock(&self, path: &Utf8Path) -> io::Result<PlantedLock> {
        let for_all = self.is(Plant::StealRace) && path.as_str().ends_with(".guard");
        Ok(PlantedLock { lock: self.disk.open_lock(path)?, for_all })
    }

    fn boot(&self) -> String {
        self.disk.boot()
    }

    fn network_file_system(&self, dir: &Utf8Path) -> io::Result<Option<&'static str>> {
        self.disk.network_file_system(dir)
    }
}

impl DiskFile for PlantedFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(offset, buffer)?;
        if let (Some(Plant::TornTail), [last]) = (self.plant, &mut *buffer) {
            *last = b'\n';
        }
        Ok(count)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.append(bytes)?;
        match self.plant {
            Some(Plant::ShortWriteAck) => Ok(bytes.len()),
            Some(Plant::WriteTwice) => {
                self.file.append(bytes)?;
                Ok(count)
            }
            _ => Ok(count),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }

    fn sync(&self) -> io::Result<()> {
        match self.plant {
            Some(Plant::NoFsync) => Ok(()),
            Some(Plant::ReplaceWithoutSync) if self.replacing => Ok(()),
            Some(Plant::RegistryUnsynced) if self.kind == Kind::Central => Ok(()),
            Some(Plant::CardUnsynced) if self.kind == Kind::Card => Ok(()),
            Some(Plant::IgnoreFsyncError) => {
                let _ = self.file.sync();
                Ok(())
            }
            _ => self.file.sync(),
        }
    }

    fn stat(&self) -> io::Result<Stat> {
        self.file.stat()
    }
}
