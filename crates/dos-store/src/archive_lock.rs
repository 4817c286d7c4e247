//! The archive lock: a lock file that outlives the command that takes it, for a holder by name.
//!
//! The file is the original's. Changes to it are ordered by a kernel lock on a guard beside it.

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::timestamp::Timestamp;

use crate::clock::Clock;
use crate::disk::{Disk, read_small};
use crate::error::StoreError;
use crate::lock::{guard_path, kernel_lock};
use crate::lock_body;

const GUARD_WAIT: Duration = Duration::from_secs(10);

/// The lock file of a workspace.
pub struct ArchiveLock<'a, D, C> {
    disk: &'a D,
    clock: &'a C,
    path: &'a Utf8Path,
}

/// Who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Their name; empty when the file does not say.
    pub owner: String,
    /// How long they have held it, in milliseconds.
    pub age_millis: i64,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was free.
    Acquired,
    /// It was this owner's already; its time starts anew.
    Again,
    /// Its holder was silent for longer than the time to live.
    FromStale(Holder),
    /// Somebody else has it.
    Busy(Holder),
}

impl<'a, D: Disk, C: Clock> ArchiveLock<'a, D, C> {
    /// The lock whose file is `path`. Its folder must be there for anything but `holder`.
    pub fn new(disk: &'a D, clock: &'a C, path: &'a Utf8Path) -> Self {
        Self { disk, clock, path }
    }

    /// Who holds it now; `None` when it is free. Writes nothing.
    pub fn holder(&self) -> Result<Option<Holder>, StoreError> {
        let failed = || StoreError::io("read", self.path);
        let Some(content) =
            read_small(self.disk, self.path, lock_body::BYTES_MAX).map_err(failed())?
        else {
            return Ok(None);
        };
        let fields = lock_body::parse(&String::from_utf8_lossy(&content));
        let now = self.clock.now()?;
        let age_millis = match lock_body::age_millis(&fields, now) {
            Some(age) => age,
            None => self.file_age(now)?,
        };
        let owner = fields.get("owner").cloned().unwrap_or_default();
        Ok(Some(Holder { owner, age_millis }))
    }

    /// Takes it for `owner`, from a holder that is older than `ttl` if need be. Does not wait.
    pub fn take(&self, owner: &str, ttl: Duration) -> Result<Taken, StoreError> {
        self.guarded(|| {
            let body = lock_body::render(owner, self.clock.now()?, &[]);
            let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
            match self.holder()? {
                None => self.put(&body, Disk::rename_new).map(|()| Taken::Acquired),
                Some(holder) if holder.owner == owner => {
                    self.put(&body, Disk::rename).map(|()| Taken::Again)
                }
                Some(holder) if holder.age_millis >= ttl => {
                    self.put(&body, Disk::rename).map(|()| Taken::FromStale(holder))
                }
                Some(holder) => Ok(Taken::Busy(holder)),
            }
        })
    }

    /// Gives it back if `owner` has it, or whoever has it with `force`. Returns who had it, and
    /// whether it is free now.
    pub fn release(&self, owner: &str, force: bool) -> Result<(Option<Holder>, bool), StoreError> {
        if self.holder()?.is_none() {
            return Ok((None, true));
        }
        self.guarded(|| {
            let holder = self.holder()?;
            let mine = holder.as_ref().is_some_and(|holder| holder.owner == owner);
            if holder.is_some() && (mine || force) {
                self.disk.remove(self.path).map_err(StoreError::io("remove", self.path))?;
            }
            Ok((holder.clone(), holder.is_none() || mine || force))
        })
    }

    fn guarded<T>(&self, act: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _held = kernel_lock(self.disk, self.clock, &guard_path(self.path), GUARD_WAIT)?;
        act()
    }

    /// Writes the file whole before it gets its name.
    fn put(
        &self,
        body: &str,
        place: impl FnOnce(&D, &Utf8Path, &Utf8Path) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let draft = Utf8PathBuf::from(format!("{}.t.{}", self.path, std::process::id()));
        let _ = self.disk.remove(&draft);
        let placed = self
            .disk
            .create_new(&draft, body.as_bytes())
            .and_then(|_| place(self.disk, &draft, self.path));
        if placed.is_err() {
            let _ = self.disk.remove(&draft);
        }
        placed.map_err(StoreError::io("write", self.path))
    }

    fn file_age(&self, now: Timestamp) -> Result<i64, StoreError> {
        let stat = self.disk.stat(self.path).map_err(StoreError::io("look at", self.path))?;
        let written = stat.map_or(0, |stat| stat.modified.as_millis());
        Ok(now.millis().saturating_sub(i64::try_from(written).unwrap_or(i64::MAX)))
    }
}
