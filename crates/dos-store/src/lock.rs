//! The lane mutex: a kernel lock among our own processes, and the original's lock file for its.
//!
//! 1. An flock on a guard file that is never removed. The kernel frees it when its holder dies, so
//!    that a crashed writer costs nothing. From here on exactly one of our processes goes on.
//! 2. The visible lock file, put in place whole and only where the name is free. A leftover of ours
//!    is proven dead by step 1 and replaced without the name ever being free. One of another
//!    program is waited for; past its time to live it is swapped out, and what comes out is
//!    compared with what was judged stale: anything else is swapped back.
//! 3. Right before writing, the visible file must still be ours: if another program took it away,
//!    nothing is written.

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::clock::Clock;
use crate::disk::{Disk, DiskFile, FileId, Stat, folder_of, read_small};
use crate::error::StoreError;
use crate::lock_body;

/// After this long the visible lock of a program that died counts as stale, in milliseconds.
pub const TTL_MILLIS: i64 = 300_000;
/// Before a lock is this old, no clock of this machine can have judged it stale.
const SURELY_FRESH_MILLIS: i64 = TTL_MILLIS - 60_000;
/// After this long a lock file without any text counts as stale, in milliseconds. It is what a
/// power cut leaves of one of ours, whose name survived and whose text did not; the original writes
/// its text in the next step after creating the file, and so has its lock for longer than that
/// only when it is stopped between the two.
const EMPTY_TTL_MILLIS: i64 = 5_000;
/// After swapping out a stale lock: time for a slow stealer to show itself.
const SETTLE: Duration = Duration::from_millis(100);
const POLL_MIN: Duration = Duration::from_micros(50);
const POLL_MAX: Duration = Duration::from_millis(3);

/// Takes the kernel lock on a guard file, waiting at most `wait`. It orders our own processes
/// alone; dropping it, or dying, frees it.
pub fn kernel_lock<D: Disk, C: Clock>(
    disk: &D,
    clock: &C,
    guard: &Utf8Path,
    wait: Duration,
) -> Result<D::Lock, StoreError> {
    let started = clock.elapsed();
    let deadline = started.saturating_add(wait);
    loop {
        match disk.try_lock(guard).map_err(StoreError::io("lock", guard))? {
            Some(lock) => return Ok(lock),
            None if clock.elapsed() >= deadline => {
                let holder = "another process is writing".to_string();
                return Err(StoreError::Busy { path: guard.to_owned(), holder });
            }
            None => clock.sleep(uneven_pause(clock, clock.elapsed().saturating_sub(started) / 4)),
        }
    }
}

/// The guard file of a locked file.
pub fn guard_path(file: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{file}.guard"))
}

/// The guard file of a journal, wherever its visible lock file is.
pub fn journal_guard_path(journal: &Utf8Path) -> Utf8PathBuf {
    journal.with_file_name(".lane-lease.lock.guard")
}

/// A short while, at most about `most`, that differs from one waiter to the next. Most writers are
/// done in a fraction of a millisecond; who waits for longer is in less of a hurry.
fn uneven_pause<C: Clock>(clock: &C, most: Duration) -> Duration {
    let most = most.clamp(POLL_MIN, POLL_MAX);
    let quarters = clock.elapsed().subsec_nanos() % 4 + 1;
    most * quarters / 4
}

/// The lane mutex of one journal.
pub struct LaneMutex<'a, D, C> {
    disk: &'a D,
    clock: &'a C,
    visible: &'a Utf8Path,
    /// In the order in which they are taken: the journal's, which binds whoever writes to it, and
    /// that of the visible lock file, where it stands elsewhere.
    guards: Vec<Utf8PathBuf>,
    host: &'a str,
}

impl<D, C> Clone for LaneMutex<'_, D, C> {
    fn clone(&self) -> Self {
        Self { guards: self.guards.clone(), ..*self }
    }
}

/// The mutex, held.
pub struct Held<'a, D: Disk, C> {
    mutex: LaneMutex<'a, D, C>,
    /// Dropping it is what lets the next of our processes go on.
    #[expect(dead_code, reason = "held for what happens when it is dropped")]
    kernel: Vec<D::Lock>,
    /// Our lock file, kept open: as long as it is, no other file can have its number.
    installed: D::File,
    since: Duration,
    recovered: bool,
}

/// Who has the visible lock file.
enum Visible {
    Free,
    /// One of our processes, which is dead: we have the kernel lock.
    Ours {
        nonce: String,
        age: Option<i64>,
        stat: Stat,
        content: Vec<u8>,
    },
    /// Another program, or nobody who says so.
    Foreign {
        stale: bool,
        stat: Stat,
        content: Vec<u8>,
    },
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
        let mut guards = Vec::from([journal_guard_path(journal), guard_path(visible)]);
        guards.dedup();
        Self { disk, clock, visible, guards, host }
    }

    /// Takes the mutex, waiting at most `wait`. Its folder must be there.
    pub fn acquire(self, wait: Duration) -> Result<Held<'a, D, C>, StoreError> {
        for guard in &self.guards {
            let folder = folder_of(guard);
            let network = self.disk.network_file_system(folder);
            if let Some(kind) = network.map_err(StoreError::io("look at", folder))? {
                return Err(StoreError::NetworkFileSystem { path: folder.to_owned(), kind });
            }
        }
        let deadline = self.clock.elapsed().saturating_add(wait);
        loop {
            if let Some(held) = self.attempt(deadline)? {
                return Ok(held);
            }
            self.pause(deadline)?;
        }
    }

    /// `None` when another program's live lock turned up behind the name that we had taken.
    fn attempt(&self, deadline: Duration) -> Result<Option<Held<'a, D, C>>, StoreError> {
        let mut kernel = Vec::new();
        for guard in &self.guards {
            let wait = deadline.saturating_sub(self.clock.elapsed());
            match kernel_lock(self.disk, self.clock, guard, wait) {
                Ok(lock) => kernel.push(lock),
                Err(StoreError::Busy { .. }) => {
                    let path = self.visible.to_owned();
                    return Err(StoreError::Busy { path, holder: self.who() });
                }
                Err(error) => return Err(error),
            }
        }
        self.sweep_drafts(self.folder())?;
        let nonce = nonce()?;
        let draft = self.draft_path(&nonce);
        // Before the lock file is written: it shows its age from then on.
        let since = self.clock.elapsed();
        let (installed, recovered) = self.install(&nonce, &draft, deadline).inspect_err(|_| {
            let _ = self.disk.remove(&draft);
        })?;
        let held = Held { mutex: self.clone(), kernel, installed, since, recovered };
        if held.is_ours()? && !self.steal_in_flight()? {
            return Ok(Some(held));
        }
        if held.is_visible()? {
            let _ = self.disk.remove(self.visible);
        }
        Ok(None)
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

    /// Puts our lock file in place; returns it open, and whether a process of ours died holding it.
    fn install(
        &self,
        nonce: &str,
        draft: &Utf8Path,
        deadline: Duration,
    ) -> Result<(D::File, bool), StoreError> {
        let mine = self.write_draft(nonce, draft)?;
        if self.placed(draft)? {
            return Ok((mine, false));
        }
        loop {
            match self.classify()? {
                Visible::Free => {
                    if self.placed(draft)? {
                        return Ok((mine, false));
                    }
                }
                Visible::Ours { nonce, age, stat, content } => {
                    if self.swapped_back(&nonce)? {
                        continue;
                    }
                    if age.is_some_and(|age| (0..SURELY_FRESH_MILLIS).contains(&age)) {
                        let replaced = self.disk.rename(draft, self.visible);
                        replaced.map_err(StoreError::io("replace", self.visible))?;
                        return Ok((mine, true));
                    }
                    // The original may be stealing the same leftover at this moment.
                    if self.swap_out(draft, stat.id, &content)? {
                        self.clock.sleep(SETTLE);
                        return Ok((mine, true));
                    }
                }
                Visible::Foreign { stale: false, .. } => {}
                Visible::Foreign { stale: true, stat, content } => {
                    if self.swap_out(draft, stat.id, &content)? {
                        self.clock.sleep(SETTLE);
                        return Ok((mine, false));
                    }
                }
            }
            self.pause(deadline)?;
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

    fn write_draft(&self, nonce: &str, draft: &Utf8Path) -> Result<D::File, StoreError> {
        let owner = format!("dos/{}/{}/{nonce}", one_line(self.host), std::process::id());
        let more = [("guard", "1"), ("nonce", nonce)];
        let body = lock_body::render(&owner, self.clock.now()?, &more);
        self.disk.create_new(draft, body.as_bytes()).map_err(StoreError::io("create", draft))
    }

    fn classify(&self) -> Result<Visible, StoreError> {
        let failed = || StoreError::io("read", self.visible);
        let Some(stat) = self.stat(self.visible)? else {
            return Ok(Visible::Free);
        };
        let Some(content) =
            read_small(self.disk, self.visible, lock_body::BYTES_MAX).map_err(failed())?
        else {
            return Ok(Visible::Free);
        };
        let fields = lock_body::parse(&String::from_utf8_lossy(&content));
        let now = self.clock.now()?;
        let age = lock_body::age_millis(&fields, now);
        if lock_body::is_ours(&fields) {
            let nonce = fields.get("nonce").cloned().unwrap_or_default();
            return Ok(Visible::Ours { nonce, age, stat, content });
        }
        // A file that does not say since when, or says a time to come: its own time has to do.
        let written = i64::try_from(stat.modified.as_millis()).unwrap_or(i64::MAX);
        let stated = age.filter(|age| *age >= 0);
        let age = stated.unwrap_or_else(|| now.millis().saturating_sub(written));
        let empty = content.iter().all(|byte| *byte == 0);
        let stale = age >= if empty { EMPTY_TTL_MILLIS } else { TTL_MILLIS };
        Ok(Visible::Foreign { stale, stat, content })
    }

    /// One of ours that died while swapping left behind, under its draft's name, what it took out.
    /// If that is another program's live lock, it goes back.
    fn swapped_back(&self, nonce: &str) -> Result<bool, StoreError> {
        let taken_out = self.draft_path(nonce);
        let clean = !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !clean || self.stat(&taken_out)?.is_none() {
            return Ok(false);
        }
        let other = LaneMutex { visible: &taken_out, ..self.clone() };
        let live = matches!(other.classify()?, Visible::Foreign { stale: false, .. });
        if live {
            self.disk
                .exchange(&taken_out, self.visible)
                .map_err(StoreError::io("restore", self.visible))?;
        }
        self.disk.remove(&taken_out).map_err(StoreError::io("remove", &taken_out))?;
        Ok(live)
    }

    /// Swaps our draft with the lock judged stale; swaps back when something else came out.
    fn swap_out(
        &self,
        draft: &Utf8Path,
        judged: FileId,
        content: &[u8],
    ) -> Result<bool, StoreError> {
        let failed = || StoreError::io("replace", self.visible);
        match self.disk.exchange(draft, self.visible) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed()(error)),
        }
        let came_out = self.stat(draft)?.map(|stat| stat.id);
        let same = came_out == Some(judged)
            && read_small(self.disk, draft, lock_body::BYTES_MAX).map_err(failed())?.as_deref()
                == Some(content);
        match same {
            true => self.disk.remove(draft).map_err(failed())?,
            false => self.disk.exchange(draft, self.visible).map_err(failed())?,
        }
        Ok(same)
    }

    /// The original moves a lock aside before it looks at it. A live lock that is aside at this
    /// moment has a holder, although its name was free.
    fn steal_in_flight(&self) -> Result<bool, StoreError> {
        let prefix = format!(".{}.steal.", self.visible.file_name().unwrap_or_default());
        let folder = self.folder();
        for name in self.disk.names(folder).map_err(StoreError::io("read", folder))? {
            if !name.starts_with(&prefix) {
                continue;
            }
            let aside = folder.join(&name);
            let other = LaneMutex { visible: &aside, ..self.clone() };
            if matches!(other.classify()?, Visible::Foreign { stale: false, .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drafts of processes that died: we have the kernel lock, so that nobody else has one in use.
    /// The one that a visible leftover of ours names is looked at before it goes.
    fn sweep_drafts(&self, folder: &Utf8Path) -> Result<(), StoreError> {
        let prefix = format!("{}.t.", self.visible.file_name().unwrap_or_default());
        let names = self.disk.names(folder).map_err(StoreError::io("read", folder))?;
        let drafts: Vec<String> =
            names.into_iter().filter(|name| name.starts_with(&prefix)).collect();
        if drafts.is_empty() {
            return Ok(());
        }
        if let Visible::Ours { nonce, .. } = self.classify()? {
            self.swapped_back(&nonce)?;
        }
        for name in drafts {
            let _ = self.disk.remove(&folder.join(name));
        }
        Ok(())
    }

    fn draft_path(&self, nonce: &str) -> Utf8PathBuf {
        Utf8PathBuf::from(format!("{}.t.{nonce}", self.visible))
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

impl<D: Disk, C: Clock> Held<'_, D, C> {
    /// Is the visible file still ours? To be asked right before writing: a process that was
    /// stopped for long may wake up without its lock.
    pub fn is_ours(&self) -> Result<bool, StoreError> {
        let slept = self.mutex.clock.elapsed().saturating_sub(self.since).as_millis();
        let fresh = slept < (TTL_MILLIS / 2) as u128;
        Ok(fresh && self.is_visible()?)
    }

    /// Is the file under the visible name the one that we put there?
    fn is_visible(&self) -> Result<bool, StoreError> {
        let visible = self.mutex.visible;
        let ours = self.installed.stat().map_err(StoreError::io("look at", visible))?.id;
        Ok(self.mutex.stat(visible)?.is_some_and(|stat| stat.id == ours))
    }

    /// Did a process of ours die holding the mutex? Then it may have died between giving a file its
    /// name and making that name durable.
    pub fn recovered(&self) -> bool {
        self.recovered
    }

    /// Lets the mutex go. A visible file that is no longer ours is left alone.
    pub fn release(self) -> Result<(), StoreError> {
        if self.is_ours()? {
            let visible = self.mutex.visible;
            self.mutex.disk.remove(visible).map_err(StoreError::io("remove", visible))?;
        }
        Ok(())
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
