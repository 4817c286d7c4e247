//! The lane mutex: a kernel lock among our own processes, and the original's lock file for its.
//!
//! 1. An flock on a guard file that is never removed. The kernel frees it when its holder dies, so
//!    that a crashed writer costs nothing. From here on exactly one of our processes goes on.
//! 2. The visible lock file, put in place whole and only where the name is free. A leftover of ours
//!    is proven dead by step 1 and swapped out; one of another program is waited for, and swapped
//!    out past its time to live. The name is never free meanwhile. What comes out is compared with
//!    what was judged: anything else is swapped back.
//! 3. Right before writing, the visible file must still be ours: if another program took it away,
//!    nothing is written.
//!
//! `tests/lock_model` runs this code through every interleaving with the original's protocol.

mod hold;
mod kernel;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

pub use hold::Held;
pub use kernel::{guard_path, journal_guard_path, kernel_lock};

use self::hold::{Installed, Taken};
use self::kernel::{POLL_MAX, crew_path, locked, tried, uneven_pause};
use crate::clock::Clock;
use crate::disk::{Disk, DiskFile, LockFile, Stat, folder_of, read_open, read_small};
use crate::error::StoreError;
use crate::lock_body;

/// After this long the visible lock of a program that died counts as stale, in milliseconds.
pub const TTL_MILLIS: i64 = 300_000;
/// Before a lock is this old, no clock of this machine can have judged it stale.
const SURELY_FRESH_MILLIS: i64 = TTL_MILLIS - 60_000;
/// So old a lock file of ours may be that the next of us goes on with. It lasts for as long as we may
/// hold it, and a minute.
const ADOPTED_MILLIS: i64 = 60_000;
/// After this long one of us takes the lock file away although others of us wait, so that those of
/// the original have a chance.
const CHAIN_MILLIS: i64 = 1_000;
/// After this long a lock file without any text counts as stale, in milliseconds. It is what a
/// power cut leaves of one of ours, whose name survived and whose text did not; the original writes
/// its text in the next step after creating the file, and so has its lock for longer than that
/// only when it is stopped between the two.
const EMPTY_TTL_MILLIS: i64 = 5_000;
/// After swapping out a stale lock: time for a slow stealer to show itself.
const SETTLE: Duration = Duration::from_millis(100);
/// What a lock file is called before it has the visible name, after that name ...
const DRAFT: &str = ".t.";
/// ... and while it is swapped. Only under this one can it be what another program has written.
const SWAP: &str = ".swap.";
/// For so long one who leaves waits for the kernel lock of one who has left before.
const QUIT_WAIT: Duration = Duration::from_millis(100);

/// What a process keeps open from one hold of the mutex to the next.
pub struct Kept<D: Disk> {
    crew: Option<D::Lock>,
    /// Are we still in the crew?
    in_crew: bool,
    guards: Vec<D::Lock>,
    installed: Option<Installed<D::File>>,
}

impl<D: Disk> Default for Kept<D> {
    fn default() -> Self {
        Self { crew: None, in_crew: false, guards: Vec::new(), installed: None }
    }
}

/// The lane mutex of one journal.
pub struct LaneMutex<'a, D, C> {
    disk: &'a D,
    clock: &'a C,
    visible: &'a Utf8Path,
    /// In the order in which they are taken: the journal's, which binds whoever writes to it, and
    /// that of the visible lock file, where it stands elsewhere.
    guards: Arc<[Utf8PathBuf]>,
    host: &'a str,
}

impl<D, C> Clone for LaneMutex<'_, D, C> {
    fn clone(&self) -> Self {
        Self { guards: self.guards.clone(), ..*self }
    }
}

/// The guards of a journal and its visible lock file, in the order in which they are taken.
pub fn guard_paths(journal: &Utf8Path, visible: &Utf8Path) -> Arc<[Utf8PathBuf]> {
    let mut guards = Vec::from([journal_guard_path(journal), guard_path(visible)]);
    guards.dedup();
    guards.into()
}

/// Who has the visible lock file.
enum Visible<F> {
    Free,
    /// One of our processes, which is dead: we have the kernel lock.
    Ours {
        age: Option<i64>,
        seen: Seen<F>,
    },
    /// Another program, or nobody who says so.
    Foreign {
        stale: bool,
        seen: Seen<F>,
    },
}

/// A lock file as it was when we looked. It stays open: no other file gets its number meanwhile.
struct Seen<F> {
    file: F,
    stat: Stat,
    content: Vec<u8>,
}

impl<'a, D: Disk, C: Clock> LaneMutex<'a, D, C> {
    /// The mutex of `journal`, whose visible lock file is `visible`.
    pub fn new(
        disk: &'a D,
        clock: &'a C,
        journal: &Utf8Path,
        visible: &'a Utf8Path,
        host: &'a str,
    ) -> Self {
        Self::with_guards(disk, clock, visible, &guard_paths(journal, visible), host)
    }

    /// The same, with the [`guard_paths`] of these two.
    pub fn with_guards(
        disk: &'a D,
        clock: &'a C,
        visible: &'a Utf8Path,
        guards: &Arc<[Utf8PathBuf]>,
        host: &'a str,
    ) -> Self {
        Self { disk, clock, visible, guards: Arc::clone(guards), host }
    }

    /// The same protocol for a lock file that guards more than one log.
    pub fn of_file(disk: &'a D, clock: &'a C, visible: &'a Utf8Path, host: &'a str) -> Self {
        Self { disk, clock, visible, guards: Arc::new([guard_path(visible)]), host }
    }

    /// Takes the mutex, waiting at most `wait`. Its folder must be there.
    pub fn acquire(self, wait: Duration) -> Result<Held<'a, D, C>, StoreError> {
        self.acquire_again(Kept::default(), wait)
    }

    /// The same, for one who has kept something from his last hold.
    pub fn acquire_again(
        self,
        kept: Kept<D>,
        wait: Duration,
    ) -> Result<Held<'a, D, C>, StoreError> {
        if kept.guards.is_empty() {
            self.refuse_network_file_systems()?;
        }
        let Kept { crew, guards, installed, .. } = kept;
        let deadline = self.clock.elapsed().saturating_add(wait);
        let mut crew = self.join(crew, deadline)?;
        match self.taken(guards, installed, deadline) {
            Ok(taken) => Ok(Held { taken, crew }),
            Err(error) => {
                // What failed is told, not what came of it.
                let _ = self.quit(&mut crew);
                Err(error)
            }
        }
    }

    fn refuse_network_file_systems(&self) -> Result<(), StoreError> {
        for guard in self.guards.iter() {
            let folder = folder_of(guard);
            let network = self.disk.network_file_system(folder);
            if let Some(kind) = network.map_err(StoreError::io("look at", folder))? {
                return Err(StoreError::NetworkFileSystem { path: folder.to_owned(), kind });
            }
        }
        Ok(())
    }

    /// A share in the crew. Nobody has it alone for longer than it takes to remove a file.
    fn join(&self, mut open: Option<D::Lock>, deadline: Duration) -> Result<D::Lock, StoreError> {
        let crew = crew_path(self.visible);
        loop {
            let tried = tried(self.disk, &crew, &mut open, D::Lock::try_share);
            if let Some(share) = tried.map_err(StoreError::io("lock", &crew))? {
                return Ok(share);
            }
            self.pause(deadline)?;
        }
    }

    /// Leaves the crew, if we are in it.
    pub fn leave(&self, kept: &mut Kept<D>) -> Result<(), StoreError> {
        match (std::mem::take(&mut kept.in_crew), &mut kept.crew) {
            (true, Some(crew)) => self.quit(crew),
            _ => Ok(()),
        }
    }

    /// Whoever leaves the crew last takes along what was left to the others.
    fn quit(&self, crew: &mut D::Lock) -> Result<(), StoreError> {
        if !crew.try_alone().map_err(StoreError::io("lock", self.visible))? {
            return Ok(());
        }
        let taken_along = self.take_along();
        crew.free().map_err(StoreError::io("unlock", self.visible))?;
        taken_along
    }

    /// Takes away a lock file of ours. Nobody can join; who still has the kernel lock has left and is
    /// about to let it go.
    fn take_along(&self) -> Result<(), StoreError> {
        let deadline = self.clock.elapsed().saturating_add(QUIT_WAIT);
        let kernel = self.kernel_locks(Vec::new(), deadline)?;
        let Visible::Ours { seen, .. } = self.classify()? else {
            return Ok(());
        };
        let now = self.clock.now()?.millis();
        self.holding(kernel, Installed::of(seen.file, seen.stat, now)).withdraw()
    }

    /// The kernel locks, or who is in the way at the deadline.
    fn kernel_locks(
        &self,
        open: Vec<D::Lock>,
        deadline: Duration,
    ) -> Result<Vec<D::Lock>, StoreError> {
        let mut open = open.into_iter();
        let mut kernel = Vec::new();
        for guard in self.guards.iter() {
            let wait = deadline.saturating_sub(self.clock.elapsed());
            match locked(self.disk, self.clock, guard, open.next(), wait) {
                Ok(lock) => kernel.push(lock),
                Err(StoreError::Busy { .. }) => {
                    let path = self.visible.to_owned();
                    return Err(StoreError::Busy { path, holder: self.who() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(kernel)
    }

    /// Tries until the deadline. `installed` is the lock file that we last had.
    fn taken(
        &self,
        mut guards: Vec<D::Lock>,
        mut installed: Option<Installed<D::File>>,
        deadline: Duration,
    ) -> Result<Taken<'a, D, C>, StoreError> {
        loop {
            let kernel = self.kernel_locks(std::mem::take(&mut guards), deadline)?;
            if let Some(taken) = self.attempt(kernel, &mut installed, deadline)? {
                return Ok(taken);
            }
            self.pause(deadline)?;
        }
    }

    /// `None` when another program's live lock turned up behind the name that we had taken.
    fn attempt(
        &self,
        mut kernel: Vec<D::Lock>,
        last: &mut Option<Installed<D::File>>,
        deadline: Duration,
    ) -> Result<Option<Taken<'a, D, C>>, StoreError> {
        if let Some(installed) = last.take_if(|installed| self.is_young(installed)) {
            let taken = self.holding(kernel, installed);
            if taken.is_ours()? {
                // Nobody of ours has put another one in its place: there is nothing to clear up.
                return Ok(Some(taken));
            }
            kernel = taken.kernel;
            *last = Some(taken.installed);
        }
        if let Some(installed) = self.handed_over()? {
            let taken = self.holding(kernel, installed);
            return Ok(taken.is_ours()?.then_some(taken));
        }
        self.sweep()?;
        let nonce = nonce()?;
        let draft = self.beside(DRAFT, &nonce);
        // Before the lock file is written: it shows its age from then on.
        let since = self.clock.elapsed();
        let installed = self.write_draft(&nonce, &draft)?;
        let taken = Taken { mutex: self.clone(), kernel, installed, adopted: false, since };
        match taken.install(&draft, deadline) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                let _ = self.disk.remove(&draft);
                return Err(error);
            }
        }
        // In this order: a lock that is put back between the two is seen by the second.
        if !self.set_aside()? && taken.is_ours()? {
            return Ok(Some(taken));
        }
        taken.withdraw()?;
        Ok(None)
    }

    /// The mutex with a lock file that is there already.
    fn holding(&self, kernel: Vec<D::Lock>, installed: Installed<D::File>) -> Taken<'a, D, C> {
        let (mutex, since) = (self.clone(), self.clock.elapsed());
        Taken { mutex, kernel, installed, adopted: true, since }
    }

    /// May we go on with this lock file?
    fn is_young(&self, installed: &Installed<D::File>) -> bool {
        self.age(installed).is_ok_and(|age| (0..ADOPTED_MILLIS).contains(&age))
    }

    fn age(&self, installed: &Installed<D::File>) -> Result<i64, StoreError> {
        Ok(self.clock.now()?.millis().saturating_sub(installed.written))
    }

    /// The visible lock file, if it is one that the process of ours before us has left to us, or has
    /// died with. Not when there is anything else to clear up or to look at.
    fn handed_over(&self) -> Result<Option<Installed<D::File>>, StoreError> {
        let Visible::Ours { age, seen } = self.classify()? else {
            return Ok(None);
        };
        let beside = [self.prefix(DRAFT), self.prefix(SWAP), self.steals()];
        let Some(age) = age.filter(|age| (0..ADOPTED_MILLIS).contains(age)) else {
            return Ok(None);
        };
        let written = self.clock.now()?.millis().saturating_sub(age);
        let alone = self.siblings(&beside)?.is_empty();
        Ok(alone.then(|| Installed::of(seen.file, seen.stat, written)))
    }

    /// Waits a short, uneven while, or says who is in the way once the deadline has passed.
    fn pause(&self, deadline: Duration) -> Result<(), StoreError> {
        if self.clock.elapsed() >= deadline {
            return Err(StoreError::Busy { path: self.visible.to_owned(), holder: self.who() });
        }
        self.clock.sleep(uneven_pause(self.clock, POLL_MAX));
        Ok(())
    }

    fn who(&self) -> String {
        match read_small(self.disk, self.visible, lock_body::BYTES_MAX) {
            Ok(Some(content)) => {
                let fields = lock_body::parse(&String::from_utf8_lossy(&content));
                match fields.get("owner").filter(|owner| !owner.is_empty()) {
                    Some(owner) => format!("held by {owner}"),
                    None => "held by a program that does not name itself".to_string(),
                }
            }
            _ => "held by another process".to_string(),
        }
    }

    /// Gives the draft its name where that is free.
    fn placed(&self, draft: &Utf8Path) -> Result<bool, StoreError> {
        match self.disk.rename_new(draft, self.visible) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::io("create", self.visible)(error)),
        }
    }

    fn write_draft(&self, nonce: &str, draft: &Utf8Path) -> Result<Installed<D::File>, StoreError> {
        let owner = format!("dos/{}/{}/{nonce}", one_line(self.host), std::process::id());
        let more = [("guard", "1"), ("nonce", nonce)];
        let now = self.clock.now()?;
        let body = lock_body::render(&owner, now, &more);
        let created = self.disk.create_new(draft, body.as_bytes());
        let created = created.and_then(|file| Ok((file.stat()?, file)));
        let (stat, file) = created.map_err(|error| {
            // Created, perhaps, and then the disk was full.
            let _ = self.disk.remove(draft);
            StoreError::io("create", draft)(error)
        })?;
        Ok(Installed::of(file, stat, now.millis()))
    }

    fn classify(&self) -> Result<Visible<D::File>, StoreError> {
        let failed = || StoreError::io("read", self.visible);
        let file = match self.disk.open_read(self.visible) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Visible::Free),
            Err(error) => return Err(failed()(error)),
        };
        let stat = file.stat().map_err(failed())?;
        let content = read_open(&file, lock_body::BYTES_MAX).map_err(failed())?;
        let fields = lock_body::parse(&String::from_utf8_lossy(&content));
        let now = self.clock.now()?;
        let age = lock_body::age_millis(&fields, now);
        if lock_body::is_ours(&fields) {
            return Ok(Visible::Ours { age, seen: Seen { file, stat, content } });
        }
        // A file that does not say since when, or says a time to come: its own time has to do.
        let written = i64::try_from(stat.modified.as_millis()).unwrap_or(i64::MAX);
        let stated = age.filter(|age| *age >= 0);
        let age = stated.unwrap_or_else(|| now.millis().saturating_sub(written));
        let empty = content.iter().all(|byte| *byte == 0);
        let stale = age >= if empty { EMPTY_TTL_MILLIS } else { TTL_MILLIS };
        Ok(Visible::Foreign { stale, seen: Seen { file, stat, content } })
    }

    /// Swaps what is under this name with the visible file; false when there is none.
    fn exchanged(&self, swap: &Utf8Path) -> Result<bool, StoreError> {
        match self.disk.exchange(swap, self.visible) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("replace", self.visible)(error)),
        }
    }

    /// The original moves a lock aside before it looks at it. A live lock that is aside at this
    /// moment has a holder, although its name was free.
    fn set_aside(&self) -> Result<bool, StoreError> {
        for path in self.siblings(&[self.steals(), self.prefix(SWAP)])? {
            if self.counts(&path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Is there another program's live lock under this name?
    fn counts(&self, path: &Utf8Path) -> Result<bool, StoreError> {
        let other = LaneMutex { visible: path, ..self.clone() };
        Ok(matches!(other.classify()?, Visible::Foreign { stale: false, .. }))
    }

    /// What processes that died have left: we have the kernel lock, so that nobody else has a draft
    /// in use, or swaps.
    fn sweep(&self) -> Result<(), StoreError> {
        for left in self.siblings(&[self.prefix(DRAFT), self.prefix(SWAP)])? {
            match left.file_name().is_some_and(|name| name.starts_with(&self.prefix(DRAFT))) {
                true => {
                    let _ = self.disk.remove(&left);
                }
                false => self.undo_swap(&left)?,
            }
        }
        Ok(())
    }

    /// If what was swapped out is another program's live lock, it goes back. Where that cannot be
    /// it stays, and counts.
    fn undo_swap(&self, swap: &Utf8Path) -> Result<(), StoreError> {
        for _ in 0..2 {
            if !self.counts(swap)? {
                return self.disk.remove(swap).map_err(StoreError::io("remove", swap));
            }
            if self.placed(swap)? || !matches!(self.classify()?, Visible::Ours { .. }) {
                return Ok(());
            }
            self.exchanged(swap)?;
        }
        Ok(())
    }

    /// What is beside the visible file under a name that begins in one of these ways.
    fn siblings(&self, prefixes: &[String]) -> Result<Vec<Utf8PathBuf>, StoreError> {
        let folder = self.folder();
        let names = self.disk.names(folder).map_err(StoreError::io("read", folder))?;
        let wanted = |name: &String| prefixes.iter().any(|prefix| name.starts_with(prefix));
        Ok(names.into_iter().filter(wanted).map(|name| folder.join(name)).collect())
    }

    /// How the names begin to which the original moves locks.
    fn steals(&self) -> String {
        format!(".{}.steal.", self.visible.file_name().unwrap_or_default())
    }

    fn prefix(&self, kind: &str) -> String {
        format!("{}{kind}", self.visible.file_name().unwrap_or_default())
    }

    fn beside(&self, kind: &str, nonce: &str) -> Utf8PathBuf {
        Utf8PathBuf::from(format!("{}{kind}{nonce}", self.visible))
    }

    fn folder(&self) -> &'a Utf8Path {
        match self.visible.parent() {
            Some(folder) if !folder.as_str().is_empty() => folder,
            _ => Utf8Path::new("."),
        }
    }

    fn stat(&self, path: &Utf8Path) -> Result<Option<Stat>, StoreError> {
        self.disk.stat(path).map_err(StoreError::io("look at", path))
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '/' { '_' } else { c }).collect()
}

/// Sixteen hex digits that no other lock has.
fn nonce() -> Result<String, StoreError> {
    let bits = getrandom::u64().map_err(|_| StoreError::NoEntropy)?;
    Ok(format!("{bits:016x}"))
}
