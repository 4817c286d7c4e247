//! A disk in memory that does everything a bad disk is allowed to do, for the crash simulation.
//!
//! Every operation first asks a [`Conductor`], which decides whose turn it is and what goes wrong.
//! After a power cut there is any state that the syncs so far allow: un-synced writes are lost from
//! any byte on, or read as zeros; name changes are lost one by one until their folder is synced, a
//! rename whole or not at all. Kernel locks end with their process.

mod files;
mod power;
mod step;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::disk::{Disk, DiskFile, FileId, LockFile, Stat};
use files::{Content, Files, NameChange, ROOT, Write};

pub use power::Reach;
pub use rustix::io::Errno;
pub use step::{Call, Choose, Conductor, Fate, Step};

/// The simulated disk as one process sees it.
#[derive(Clone)]
pub struct SimDisk {
    machine: Arc<Machine>,
    process: u32,
}

/// The disk when no process runs: everything on it is durable.
#[derive(Clone, Debug, Default)]
pub struct Image(Files);

struct Machine {
    state: Mutex<State>,
    conductor: Arc<dyn Conductor>,
}

struct State {
    files: Files,
    /// The locked files, and who has locked them.
    locks: BTreeMap<u64, Vec<Holder>>,
    handles: u64,
    dead: BTreeSet<u32>,
    power: bool,
}

/// An open file of the simulated disk.
pub struct SimFile {
    disk: SimDisk,
    number: u64,
    path: Utf8PathBuf,
    /// The failed syncs of the file that this handle has reported.
    reported: Cell<u64>,
}

/// A file of the simulated disk, to be locked.
pub struct SimLock {
    disk: SimDisk,
    path: Utf8PathBuf,
    /// Which file it is, and which of its handles; `None` before it was first tried.
    opened: Option<(u64, u64)>,
}

/// Who has locked a file.
struct Holder {
    handle: u64,
    process: u32,
    shares: bool,
}

impl Image {
    /// The content of a file; `None` when there is none.
    pub fn content(&self, path: &Utf8Path) -> Option<&[u8]> {
        let number = self.0.file(path).ok()?;
        Some(&self.0.contents.get(&number)?.now)
    }

    /// Puts a file there, and the folders above it.
    pub fn put(&mut self, path: &Utf8Path, content: &[u8]) -> io::Result<()> {
        make_folders(&mut self.0, path.parent().unwrap_or(Utf8Path::new("/")))?;
        let place = self.0.place(path)?;
        let number = self.0.create(place, Duration::ZERO);
        if let Some(file) = self.0.contents.get_mut(&number) {
            file.write(Write::Bytes { at: 0, bytes: content.to_vec() }, Duration::ZERO);
        }
        self.0.sync_all();
        Ok(())
    }

    /// Every file with its content, by path.
    pub fn files(&self) -> BTreeMap<Utf8PathBuf, &[u8]> {
        let mut found = BTreeMap::new();
        let mut waiting = vec![(Utf8PathBuf::from("/"), ROOT)];
        while let Some((path, number)) = waiting.pop() {
            if let Some(names) = self.0.folders.get(&number) {
                waiting.extend(names.iter().map(|(name, number)| (path.join(name), *number)));
            } else if let Some(content) = self.0.contents.get(&number) {
                found.insert(path, content.now.as_slice());
            }
        }
        found
    }
}

impl SimDisk {
    /// The disk with this on it, as the first process sees it.
    pub fn new(mut image: Image, conductor: Arc<dyn Conductor>) -> Self {
        image.0.boots += 1;
        let state = State {
            files: image.0,
            locks: BTreeMap::new(),
            handles: 0,
            dead: BTreeSet::new(),
            power: true,
        };
        Self { machine: Arc::new(Machine { state: Mutex::new(state), conductor }), process: 0 }
    }

    /// The disk as another process sees it.
    pub fn of_process(&self, process: u32) -> Self {
        Self { machine: self.machine.clone(), process }
    }

    /// What is on the disk after a power cut at this moment: one of the legal states.
    pub fn power_cut(&self, reach: Reach, choose: &mut dyn Choose) -> Image {
        Image(power::cut(&self.state().files, reach, choose))
    }

    /// What is on the disk when the machine is shut down in order: everything.
    pub fn shut_down(&self) -> Image {
        let mut files = self.state().files.clone();
        files.sync_all();
        files.contents.values_mut().for_each(Content::evict);
        Image(files)
    }

    /// The content of a file as every process reads it now. No operation: for whoever checks.
    pub fn content(&self, path: &Utf8Path) -> Option<Vec<u8>> {
        let state = self.state();
        let number = state.files.file(path).ok()?;
        Some(state.files.contents.get(&number)?.now.clone())
    }

    /// Drops the kernel's cache: what it wrongly counts as clean is read from the disk again.
    pub fn drop_cache(&self) {
        self.state().files.contents.values_mut().for_each(Content::evict);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.machine.state()
    }

    fn now(&self) -> Duration {
        self.machine.conductor.now()
    }

    /// Does one operation, once it is this process's turn. `effect` is told how many bytes it may
    /// move, or `None` when a sync has lost its data.
    fn act<T>(
        &self,
        call: Call,
        path: &Utf8Path,
        bytes: usize,
        effect: impl FnOnce(&mut State, Option<usize>) -> Result<T, Errno>,
    ) -> io::Result<T> {
        let step = Step { call, path, bytes };
        let fate = loop {
            match self.machine.conductor.before(self.process, &step) {
                Fate::Interrupted => {}
                fate => break fate,
            }
        };
        let mut state = self.state();
        if !state.power || state.dead.contains(&self.process) {
            return Err(dead());
        }
        match fate {
            Fate::Done | Fate::Interrupted => effect(&mut state, Some(bytes)),
            Fate::Short(most) => effect(&mut state, Some(most.min(bytes))),
            Fate::Forgotten => effect(&mut state, None),
            Fate::Fail(errno) => Err(errno),
            Fate::Killed { written } => {
                if call == Call::Write && written > 0 {
                    let _ = effect(&mut state, Some(written.min(bytes)));
                }
                state.kill(self.process);
                return Err(dead());
            }
            Fate::PowerCut => {
                state.power = false;
                return Err(dead());
            }
        }
        .map_err(io::Error::from)
    }

    fn handle(&self, number: u64, path: &Utf8Path, failures: u64) -> SimFile {
        let reported = Cell::new(failures);
        SimFile { disk: self.clone(), number, path: path.to_owned(), reported }
    }
}

/// What a process that is dead would be told, if it were there to hear it.
fn dead() -> io::Error {
    io::Error::other("this process is dead")
}

fn make_folders(files: &mut Files, path: &Utf8Path) -> Result<(), Errno> {
    let mut above: Vec<&Utf8Path> = path.ancestors().collect();
    above.reverse();
    for folder in above {
        match files.find(folder)? {
            Some(number) if files.folders.contains_key(&number) => {}
            Some(_) => return Err(Errno::NOTDIR),
            None => {
                let place = files.place(folder)?;
                files.create_folder(place);
            }
        }
    }
    Ok(())
}

impl Machine {
    fn state(&self) -> MutexGuard<'_, State> {
        // A checker that panicked has left the state whole: every change is a single call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn kill(&mut self, process: u32) {
        self.dead.insert(process);
        for holders in self.locks.values_mut() {
            holders.retain(|holder| holder.process != process);
        }
    }

    /// Where that name is, which must be free.
    fn free_place(&self, path: &Utf8Path) -> Result<files::Place, Errno> {
        match self.files.find(path)? {
            Some(_) => Err(Errno::EXIST),
            None => self.files.place(path),
        }
    }

    fn content(&mut self, number: u64) -> Result<&mut Content, Errno> {
        self.files.contents.get_mut(&number).ok_or(Errno::IO)
    }

    fn stat(&self, number: u64) -> Stat {
        let content = self.files.contents.get(&number);
        Stat {
            id: FileId(1, number),
            len: content.map_or(0, |content| content.now.len() as u64),
            modified: content.map(|content| content.modified).unwrap_or_default(),
            is_dir: content.is_none(),
        }
    }
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = SimLock;

    fn open_read(&self, path: &Utf8Path) -> io::Result<SimFile> {
        self.act(Call::OpenRead, path, 0, |state, _| {
            let number = state.files.file(path)?;
            Ok(self.handle(number, path, state.content(number)?.failures))
        })
    }

    fn open_append(&self, path: &Utf8Path) -> io::Result<(SimFile, bool)> {
        self.act(Call::OpenAppend, path, 0, |state, _| {
            let created = state.files.find(path)?.is_none();
            let number = match created {
                true => {
                    let place = state.files.place(path)?;
                    state.files.create(place, self.now())
                }
                false => state.files.file(path)?,
            };
            Ok((self.handle(number, path, state.content(number)?.failures), created))
        })
    }

    fn create_new(&self, path: &Utf8Path, content: &[u8]) -> io::Result<SimFile> {
        let mut file = self.act(Call::Create, path, 0, |state, _| {
            let place = state.free_place(path)?;
            Ok(self.handle(state.files.create(place, self.now()), path, 0))
        })?;
        let mut left = content;
        while !left.is_empty() {
            let written = file.append(left)?;
            left = left.get(written..).unwrap_or_default();
        }
        Ok(file)
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        self.act(Call::Rename, to, 0, |state, _| {
            let number = state.files.file(from)?;
            let (old, new) = (state.files.place(from)?, state.files.place(to)?);
            state.files.change(NameChange::Move(old, new, number));
            Ok(())
        })
    }

    fn rename_new(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        self.act(Call::RenameNew, to, 0, |state, _| {
            let number = state.files.file(from)?;
            let (old, new) = (state.files.place(from)?, state.free_place(to)?);
            state.files.change(NameChange::Move(old, new, number));
            Ok(())
        })
    }

    fn exchange(&self, one: &Utf8Path, other: &Utf8Path) -> io::Result<()> {
        self.act(Call::Exchange, other, 0, |state, _| {
            let numbers = (state.files.file(one)?, state.files.file(other)?);
            let (one, other) = (state.files.place(one)?, state.files.place(other)?);
            state.files.change(NameChange::Swap(one, other, numbers.0, numbers.1));
            Ok(())
        })
    }

    fn link(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        self.act(Call::Link, to, 0, |state, _| {
            let number = state.files.file(from)?;
            let place = state.free_place(to)?;
            state.files.change(NameChange::Set(place, number));
            Ok(())
        })
    }

    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        self.act(Call::Remove, path, 0, |state, _| {
            state.files.file(path)?;
            let place = state.files.place(path)?;
            state.files.change(NameChange::Unset(place));
            Ok(())
        })
    }

    fn create_dir(&self, path: &Utf8Path) -> io::Result<()> {
        self.act(Call::CreateDir, path, 0, |state, _| make_folders(&mut state.files, path))
    }

    fn sync_dir(&self, path: &Utf8Path) -> io::Result<()> {
        self.act(Call::SyncDir, path, 0, |state, _| {
            let folder = state.files.folder(path)?;
            state.files.sync_folder(folder);
            Ok(())
        })
    }

    fn stat(&self, path: &Utf8Path) -> io::Result<Option<Stat>> {
        self.act(Call::Stat, path, 0, |state, _| {
            Ok(state.files.find(path)?.map(|number| state.stat(number)))
        })
    }

    fn names(&self, dir: &Utf8Path) -> io::Result<Vec<String>> {
        self.act(Call::Names, dir, 0, |state, _| {
            let folder = state.files.folder(dir)?;
            let names = state.files.folders.get(&folder).into_iter().flatten();
            Ok(names.map(|(name, _)| name.clone()).collect())
        })
    }

    fn open_lock(&self, path: &Utf8Path) -> io::Result<SimLock> {
        Ok(SimLock { disk: self.clone(), path: path.to_owned(), opened: None })
    }

    fn boot(&self) -> String {
        format!("boot-{}", self.state().files.boots)
    }

    fn network_file_system(&self, _: &Utf8Path) -> io::Result<Option<&'static str>> {
        Ok(None)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.act(Call::Read, &self.path, buffer.len(), |state, most| {
            let content = &state.content(self.number)?.now;
            let rest = content.get(usize::try_from(offset).unwrap_or(usize::MAX)..);
            let rest = rest.unwrap_or_default();
            let count = rest.len().min(buffer.len()).min(most.unwrap_or_default());
            if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
                to.copy_from_slice(from);
            }
            Ok(count)
        })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.act(Call::Write, &self.path, bytes.len(), |state, most| {
            let count = most.unwrap_or_default();
            if count == 0 && !bytes.is_empty() {
                return Err(Errno::NOSPC);
            }
            let content = state.content(self.number)?;
            let bytes = bytes.get(..count).unwrap_or_default().to_vec();
            content.write(Write::Bytes { at: content.now.len(), bytes }, self.disk.now());
            Ok(count)
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.disk.act(Call::Truncate, &self.path, 0, |state, _| {
            let len = usize::try_from(len).map_err(|_| Errno::FBIG)?;
            state.content(self.number)?.write(Write::Cut(len), self.disk.now());
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.act(Call::Sync, &self.path, 0, |state, kept| {
            let content = state.content(self.number)?;
            if kept.is_none() {
                content.forget();
            }
            // A failure is told once to every handle that was open at that time.
            if self.reported.replace(content.failures) != content.failures {
                return Err(Errno::IO);
            }
            content.sync();
            Ok(())
        })
    }

    fn stat(&self) -> io::Result<Stat> {
        self.disk.act(Call::Stat, &self.path, 0, |state, _| Ok(state.stat(self.number)))
    }
}

impl LockFile for SimLock {
    fn try_alone(&mut self) -> io::Result<bool> {
        self.attempt(false)
    }

    fn try_share(&mut self) -> io::Result<bool> {
        self.attempt(true)
    }

    fn free(&mut self) -> io::Result<()> {
        self.disk.clone().act(Call::TryLock, &self.path, 0, |state, _| {
            self.give_up(state);
            Ok(())
        })
    }
}

impl SimLock {
    fn attempt(&mut self, shares: bool) -> io::Result<bool> {
        let disk = self.disk.clone();
        disk.act(Call::TryLock, &self.path.clone(), 0, |state, _| {
            let (number, handle) = match self.opened {
                Some(opened) => opened,
                None => {
                    let number = match state.files.find(&self.path)? {
                        Some(_) => state.files.file(&self.path)?,
                        None => {
                            let place = state.files.place(&self.path)?;
                            state.files.create(place, disk.now())
                        }
                    };
                    state.handles += 1;
                    *self.opened.insert((number, state.handles))
                }
            };
            self.give_up(state);
            let holders = state.locks.entry(number).or_default();
            let free = holders.iter().all(|holder| shares && holder.shares);
            if free {
                holders.push(Holder { handle, process: disk.process, shares });
            }
            Ok(free)
        })
    }

    fn give_up(&self, state: &mut State) {
        if let Some((number, handle)) = self.opened
            && let Some(holders) = state.locks.get_mut(&number)
        {
            holders.retain(|holder| holder.handle != handle);
        }
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.give_up(&mut self.disk.machine.state());
    }
}
