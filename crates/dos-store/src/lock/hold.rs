//! The mutex, held: the lock file in its place, and how it goes.

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    ADOPTED_MILLIS, CHAIN_MILLIS, Kept, LaneMutex, SETTLE, SURELY_FRESH_MILLIS, SWAP, Seen,
    TTL_MILLIS, Visible, nonce,
};
use crate::clock::Clock;
use crate::disk::{Disk, FileId, LockFile, Stat, read_small};
use crate::error::StoreError;
use crate::lock_body;

/// The mutex, held.
pub struct Held<'a, D: Disk, C> {
    pub(super) taken: Taken<'a, D, C>,
    pub(super) crew: D::Lock,
}

/// The kernel lock and the lock file, of one who has a share in the crew.
pub(super) struct Taken<'a, D: Disk, C> {
    pub(super) mutex: LaneMutex<'a, D, C>,
    /// What lets the next of our processes go on once it is freed.
    pub(super) kernel: Vec<D::Lock>,
    /// The lock file.
    pub(super) installed: Installed<D::File>,
    /// Was it left to us by one of ours?
    pub(super) adopted: bool,
    pub(super) since: Duration,
}

/// Our lock file, kept open: as long as it is, no other file can have its number.
pub(super) struct Installed<F> {
    _file: F,
    pub(super) id: FileId,
    /// When it was written, by the clock that wrote it, in milliseconds since the epoch.
    pub(super) written: i64,
}

impl<F> Installed<F> {
    pub(super) fn of(file: F, stat: Stat, written: i64) -> Self {
        Self { _file: file, id: stat.id, written }
    }
}

/// What became of our draft.
enum Swapped {
    /// It is in place.
    Out,
    /// It is a draft as before.
    Back,
    /// It is neither.
    Lost,
}

impl<D: Disk, C: Clock> Held<'_, D, C> {
    /// Is the visible file still ours? To be asked right before writing: a process that was
    /// stopped for long may wake up without its lock.
    pub fn is_ours(&self) -> Result<bool, StoreError> {
        self.taken.is_ours()
    }

    /// Lets the mutex go, and whatever belongs to it.
    pub fn release(self) -> Result<(), StoreError> {
        let mutex = self.taken.mutex.clone();
        mutex.leave(&mut self.pass_on()?)
    }

    /// Lets the mutex go. Where others of ours are in the crew, the visible file stays for them, and
    /// we stay in the crew until [`LaneMutex::leave`]. One that has been there for long goes in any
    /// case, and one that is no longer ours is left alone.
    pub fn pass_on(self) -> Result<Kept<D>, StoreError> {
        let Self { taken, mut crew } = self;
        if !taken.is_fresh()? {
            return Ok(Kept::default());
        }
        let visible = taken.mutex.visible;
        let lock_failed = || StoreError::io("lock", visible);
        let young = (0..CHAIN_MILLIS).contains(&taken.mutex.age(&taken.installed)?);
        // What was left to us is wanted by others, most likely; if it is not, we take it along as we leave.
        let passed_on = young && taken.adopted;
        let alone = !passed_on && crew.try_alone().map_err(lock_failed())?;
        // Who has the crew alone is leaving, and may not have waited for us.
        let in_crew = passed_on || (young && !alone && crew.try_share().map_err(lock_failed())?);
        if !in_crew {
            taken.withdraw()?;
        }
        let Taken { mut kernel, installed, .. } = taken;
        for lock in kernel.iter_mut().rev().chain(alone.then_some(&mut crew)) {
            lock.free().map_err(StoreError::io("unlock", visible))?;
        }
        let installed = in_crew.then_some(installed);
        Ok(Kept { crew: Some(crew), in_crew, guards: kernel, installed })
    }
}

impl<D: Disk, C: Clock> Taken<'_, D, C> {
    /// Puts our lock file in place. False when it was lost on the way.
    pub(super) fn install(&self, draft: &Utf8Path, deadline: Duration) -> Result<bool, StoreError> {
        let mutex = &self.mutex;
        if mutex.placed(draft)? {
            return Ok(true);
        }
        loop {
            let (judged, settle) = match mutex.classify()? {
                Visible::Free if mutex.placed(draft)? => return Ok(true),
                Visible::Ours { age, seen } => {
                    // Past that age the original may be stealing the same leftover at this moment.
                    let fresh = age.is_some_and(|age| (0..SURELY_FRESH_MILLIS).contains(&age));
                    (seen, !fresh)
                }
                Visible::Foreign { stale: true, seen } => (seen, true),
                Visible::Free | Visible::Foreign { .. } => {
                    mutex.pause(deadline)?;
                    continue;
                }
            };
            match self.swap_out(draft, &judged)? {
                Swapped::Out => {
                    if settle {
                        mutex.clock.sleep(SETTLE);
                    }
                    return Ok(true);
                }
                Swapped::Back => mutex.pause(deadline)?,
                Swapped::Lost => return Ok(false),
            }
        }
    }

    /// Swaps our draft with the lock judged stale; swaps back when something else came out.
    fn swap_out(&self, draft: &Utf8Path, judged: &Seen<D::File>) -> Result<Swapped, StoreError> {
        let (mutex, swap) = (&self.mutex, &self.swap()?);
        let failed = || StoreError::io("replace", mutex.visible);
        mutex.disk.rename(draft, swap).map_err(failed())?;
        if mutex.exchanged(swap)? {
            let came_out = mutex.stat(swap)?.map(|stat| stat.id);
            let content = read_small(mutex.disk, swap, lock_body::BYTES_MAX).map_err(failed())?;
            if came_out == Some(judged.stat.id) && content.as_ref() == Some(&judged.content) {
                mutex.disk.remove(swap).map_err(failed())?;
                return Ok(Swapped::Out);
            }
            for _ in 0..2 {
                if mutex.exchanged(swap)? {
                    break;
                }
                // Another program took ours away, or removed it taking it for its own.
                if mutex.placed(swap)? {
                    return Ok(Swapped::Lost);
                }
            }
            if !self.is_at(swap)? {
                // Not ours: it stays where it is, and counts until the next of us puts it back.
                return Ok(Swapped::Lost);
            }
        }
        mutex.disk.rename(swap, draft).map_err(failed())?;
        Ok(Swapped::Back)
    }

    pub(super) fn is_ours(&self) -> Result<bool, StoreError> {
        Ok(self.is_fresh()? && self.is_visible()?)
    }

    /// Have we held it for less than half its time to live? Nor may the wall clock, by which the
    /// original judges, have gone on for much longer: a machine that slept shows it there alone.
    fn is_fresh(&self) -> Result<bool, StoreError> {
        let slept = self.mutex.clock.elapsed().saturating_sub(self.since).as_millis();
        let age = self.mutex.age(&self.installed)?;
        Ok(slept < (TTL_MILLIS / 2) as u128 && age < ADOPTED_MILLIS + TTL_MILLIS / 2)
    }

    /// Is the file under the visible name the one that we put there?
    fn is_visible(&self) -> Result<bool, StoreError> {
        self.is_at(self.mutex.visible)
    }

    fn is_at(&self, path: &Utf8Path) -> Result<bool, StoreError> {
        Ok(self.mutex.stat(path)?.is_some_and(|stat| stat.id == self.installed.id))
    }

    /// Takes our lock file away, if it is there. Should another program's have come in its place
    /// since we looked, it goes back.
    pub(super) fn withdraw(&self) -> Result<(), StoreError> {
        let (disk, visible) = (self.mutex.disk, self.mutex.visible);
        if !self.is_visible()? {
            return Ok(());
        }
        let swap = &self.swap()?;
        match disk.rename(visible, swap) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(StoreError::io("remove", visible))?,
        }
        match self.is_at(swap)? {
            true => disk.remove(swap).map_err(StoreError::io("remove", swap)),
            false => self.mutex.placed(swap).map(|_| ()),
        }
    }

    /// A name for our lock file while it is swapped.
    fn swap(&self) -> Result<Utf8PathBuf, StoreError> {
        Ok(self.mutex.beside(SWAP, &nonce()?))
    }
}
