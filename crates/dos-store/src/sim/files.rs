//! The files of the simulated disk: what is readable now, what is durable, and what lies between.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::{Utf8Component, Utf8Path};
use rustix::io::Errno;

/// The number of the topmost folder.
pub(super) const ROOT: u64 = 1;

/// Names to file numbers, in the order in which they were given, so that nothing depends on how a
/// name is spelled.
type Names = Vec<(String, u64)>;

/// A name in a folder.
pub(super) type Place = (u64, String);

/// One change of names that no folder sync has made durable yet. Atomic.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Set(Place, u64),
    Unset(Place),
    Move(Place, Place, u64),
    Swap(Place, Place, u64, u64),
}

/// One change of content that no sync has made durable yet.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Bytes { at: usize, bytes: Vec<u8> },
    Cut(usize),
}

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// What a read sees.
    pub(super) now: Vec<u8>,
    /// What the last sync has left on the disk.
    pub(super) durable: Vec<u8>,
    /// What came after that, in order.
    pub(super) unsynced: Vec<Write>,
    pub(super) modified: Duration,
    /// How many syncs of this file have failed for good. Each handle reports each once.
    pub(super) failures: u64,
}

/// All files and folders.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) contents: BTreeMap<u64, Content>,
    /// The names as every process sees them.
    pub(super) folders: BTreeMap<u64, Names>,
    /// The names as they were when last made durable.
    pub(super) durable: BTreeMap<u64, Names>,
    pub(super) changes: Vec<NameChange>,
    pub(super) next: u64,
    /// How often a machine was started with them.
    pub(super) boots: u64,
}

impl NameChange {
    /// Makes the change, or remakes it among names that have missed some of those before it.
    pub(super) fn apply(&self, folders: &mut BTreeMap<u64, Names>) {
        match self {
            Self::Set(place, number) => set(folders, place, Some(*number)),
            Self::Unset(place) => set(folders, place, None),
            Self::Move(from, to, number) => {
                set(folders, from, None);
                set(folders, to, Some(*number));
            }
            Self::Swap(one, other, was_one, was_other) => {
                set(folders, one, Some(*was_other));
                set(folders, other, Some(*was_one));
            }
        }
    }

    fn touches(&self, folder: u64) -> bool {
        match self {
            Self::Set(place, _) | Self::Unset(place) => place.0 == folder,
            Self::Move(one, other, _) | Self::Swap(one, other, ..) => {
                one.0 == folder || other.0 == folder
            }
        }
    }
}

fn set(folders: &mut BTreeMap<u64, Names>, (folder, name): &Place, number: Option<u64>) {
    let names = folders.entry(*folder).or_default();
    match (names.iter().position(|(known, _)| known == name), number) {
        (Some(at), Some(number)) => {
            if let Some(entry) = names.get_mut(at) {
                entry.1 = number;
            }
        }
        (Some(at), None) => {
            names.remove(at);
        }
        (None, Some(number)) => names.push((name.clone(), number)),
        (None, None) => {}
    }
}

impl Write {
    /// Makes the change to bytes that may have missed some of those before it.
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Bytes { at, bytes } => {
                let end = at + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                if let Some(room) = content.get_mut(*at..end) {
                    room.copy_from_slice(bytes);
                }
            }
            Self::Cut(len) => content.resize(*len, 0),
        }
    }
}

impl Content {
    /// Makes a change that is readable at once and durable later.
    pub(super) fn write(&mut self, write: Write, now: Duration) {
        write.apply(&mut self.now);
        self.unsynced.push(write);
        self.modified = now;
    }

    /// Makes everything durable that is not counted as clean.
    pub(super) fn sync(&mut self) {
        for write in self.unsynced.drain(..) {
            write.apply(&mut self.durable);
        }
    }

    /// The sync failed: what was to be written counts as clean and is not on the disk.
    pub(super) fn forget(&mut self) {
        self.unsynced.clear();
        self.failures += 1;
    }

    /// Drops what is cached: what counts as clean is read from the disk again.
    pub(super) fn evict(&mut self) {
        self.now = self.durable.clone();
        for write in &self.unsynced {
            write.apply(&mut self.now);
        }
    }
}

impl Default for Files {
    fn default() -> Self {
        let folders: BTreeMap<u64, Names> = [(ROOT, Names::new())].into();
        let durable = folders.clone();
        Self {
            contents: BTreeMap::new(),
            folders,
            durable,
            changes: Vec::new(),
            next: ROOT + 1,
            boots: 0,
        }
    }
}

impl Files {
    /// The folder that a path is in, and its name there.
    pub(super) fn place(&self, path: &Utf8Path) -> Result<Place, Errno> {
        let folder = match path.parent() {
            Some(parent) => self.find(parent)?.ok_or(Errno::NOENT)?,
            None => return Err(Errno::ISDIR),
        };
        if !self.folders.contains_key(&folder) {
            return Err(Errno::NOTDIR);
        }
        Ok((folder, path.file_name().ok_or(Errno::INVAL)?.to_string()))
    }

    /// The file or folder of that path.
    pub(super) fn find(&self, path: &Utf8Path) -> Result<Option<u64>, Errno> {
        let mut at = ROOT;
        for component in path.components() {
            if let Utf8Component::Normal(name) = component {
                let names = self.folders.get(&at).ok_or(Errno::NOTDIR)?;
                match names.iter().find(|(known, _)| known == name) {
                    Some((_, number)) => at = *number,
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(at))
    }

    /// The folder of that path.
    pub(super) fn folder(&self, path: &Utf8Path) -> Result<u64, Errno> {
        let number = self.find(path)?.ok_or(Errno::NOENT)?;
        if self.folders.contains_key(&number) { Ok(number) } else { Err(Errno::NOTDIR) }
    }

    /// The file of that path.
    pub(super) fn file(&self, path: &Utf8Path) -> Result<u64, Errno> {
        let number = self.find(path)?.ok_or(Errno::NOENT)?;
        if self.contents.contains_key(&number) { Ok(number) } else { Err(Errno::ISDIR) }
    }

    /// Changes names.
    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.folders);
        self.changes.push(change);
    }

    /// A new, empty file of that name.
    pub(super) fn create(&mut self, place: Place, now: Duration) -> u64 {
        let number = self.next;
        self.next += 1;
        self.contents.insert(number, Content { modified: now, ..Content::default() });
        self.change(NameChange::Set(place, number));
        number
    }

    /// A new, empty folder of that name.
    pub(super) fn create_folder(&mut self, place: Place) -> u64 {
        let number = self.next;
        self.next += 1;
        self.folders.insert(number, Names::new());
        self.durable.insert(number, Names::new());
        self.change(NameChange::Set(place, number));
        number
    }

    /// Makes the names of a folder durable. A rename between two folders is atomic, so that it
    /// becomes durable in both.
    pub(super) fn sync_folder(&mut self, folder: u64) {
        for change in std::mem::take(&mut self.changes) {
            match change.touches(folder) {
                true => change.apply(&mut self.durable),
                false => self.changes.push(change),
            }
        }
    }

    /// Makes everything durable.
    pub(super) fn sync_all(&mut self) {
        self.durable.clone_from(&self.folders);
        self.changes.clear();
        self.contents.values_mut().for_each(Content::sync);
    }
}
