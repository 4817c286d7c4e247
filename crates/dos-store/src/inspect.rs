//! A look at the lane mutex and at the disk below it, for a report: takes nothing, writes nothing.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::timestamp::Timestamp;
use rustix::fs::{Access, access};

use crate::disk::{Disk, FileId, read_small};
use crate::error::StoreError;
use crate::lock::{TTL_MILLIS, guard_path};
use crate::lock_body;

/// Who has the visible lock file of the lane mutex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// Nobody.
    Free,
    /// One of our processes, which is writing now.
    Held(LockHolder),
    /// One of our processes, which is gone; the next writer replaces it at once.
    Leftover(LockHolder),
    /// Another program, which may be writing.
    Foreign {
        /// Which one.
        holder: LockHolder,
        /// In how many milliseconds a writer takes it away if its file stays as it is.
        stale_in_millis: i64,
    },
    /// Another program, which has been silent for so long that the next writer takes it away.
    Stale(LockHolder),
}

/// What a lock file says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockHolder {
    /// Their name; empty when the file does not say.
    pub owner: String,
    /// The process; `None` when the file does not say.
    pub pid: Option<u32>,
    /// How long they have held it, in milliseconds; less than zero when its stamp is yet to come.
    pub age_millis: i64,
}

impl LockState {
    /// The stable word.
    pub fn token(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Held(_) => "held",
            Self::Leftover(_) => "leftover",
            Self::Foreign { .. } => "foreign",
            Self::Stale(_) => "stale",
        }
    }

    /// Whose file it is.
    pub fn holder(&self) -> Option<&LockHolder> {
        match self {
            Self::Free => None,
            Self::Held(holder) | Self::Leftover(holder) | Self::Stale(holder) => Some(holder),
            Self::Foreign { holder, .. } => Some(holder),
        }
    }
}

/// Looks at the visible lock file `visible`. The kernel lock is not tried, for trying is taking:
/// `runs` says whether a process of this host runs, for a system that does not list its locks.
pub fn inspect_lock<D: Disk>(
    disk: &D,
    visible: &Utf8Path,
    now: Timestamp,
    runs: impl FnOnce(u32) -> bool,
) -> Result<LockState, StoreError> {
    let content = read_small(disk, visible, lock_body::BYTES_MAX);
    let stat = disk.stat(visible).map_err(StoreError::io("look at", visible))?;
    let (Some(stat), Some(content)) = (stat, content.map_err(StoreError::io("read", visible))?)
    else {
        return Ok(LockState::Free);
    };
    let fields = lock_body::parse(&String::from_utf8_lossy(&content));
    let owner = fields.get("owner").cloned().unwrap_or_default();
    let written = i64::try_from(stat.modified.as_millis()).unwrap_or(i64::MAX);
    let age_millis =
        lock_body::age_millis(&fields, now).unwrap_or_else(|| now.millis().saturating_sub(written));
    let is_ours = lock_body::is_ours(&fields);
    let pid = fields.get("pid").and_then(|pid| pid.parse().ok());
    let holder = LockHolder { owner, pid, age_millis };
    Ok(match is_ours {
        true => match is_locked(disk, visible).unwrap_or_else(|| pid.is_some_and(runs)) {
            true => LockState::Held(holder),
            false => LockState::Leftover(holder),
        },
        false if age_millis >= TTL_MILLIS => LockState::Stale(holder),
        false => {
            let stale_in_millis = TTL_MILLIS.saturating_sub(age_millis);
            LockState::Foreign { holder, stale_in_millis }
        }
    })
}

/// Does the kernel list a lock on the guard? `None` when it lists no locks.
fn is_locked<D: Disk>(disk: &D, visible: &Utf8Path) -> Option<bool> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let stat = disk.stat(&guard_path(visible)).ok()?;
    Some(stat.is_some_and(|stat| lists(&locks, stat.id)))
}

/// `1: FLOCK  ADVISORY  WRITE 15067 fe:00:10068044 0 EOF`; waiting ones have `->` before FLOCK.
/// The device is not compared: a layered file system shows another one here than in `stat`.
fn lists(locks: &str, file: FileId) -> bool {
    let ending = format!(":{}", file.1);
    locks.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next() == Some("FLOCK") && fields.nth(3).is_some_and(|id| id.ends_with(&ending))
    })
}

/// The folder that is there and in which, or somewhere below which, this file is or would be.
pub fn nearest_folder(file: &Utf8Path) -> Utf8PathBuf {
    let there = file.ancestors().skip(1).find(|above| above.is_dir());
    match there {
        Some(above) if !above.as_str().is_empty() => above.to_owned(),
        _ => Utf8PathBuf::from("."),
    }
}

/// What keeps this user from writing a file.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// The system says no: missing rights, or a file system without writing.
    #[error("{path}: {source}")]
    Denied {
        /// On which file or folder.
        path: Utf8PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Something else is there.
    #[error("{path} should be a {wanted}, but something else is there")]
    InTheWay {
        /// Where.
        path: Utf8PathBuf,
        /// `folder` or `file`.
        wanted: &'static str,
    },
}

/// What keeps this user from writing the file, or from creating it; `None` when nothing does.
pub fn write_obstacle(file: &Utf8Path) -> Option<Obstacle> {
    let denied = |path: &Utf8Path, wanted: Access| {
        let source = io::Error::from(access(path.as_std_path(), wanted).err()?);
        let is_there = source.kind() != io::ErrorKind::NotFound;
        is_there.then(|| Obstacle::Denied { path: path.to_owned(), source })
    };
    let folder = nearest_folder(file);
    let mut between = file.ancestors().skip(1).take_while(|above| **above != folder);
    if let Some(path) = between.find(|path| path.exists()) {
        return Some(Obstacle::InTheWay { path: path.to_owned(), wanted: "folder" });
    }
    if file.is_dir() {
        return Some(Obstacle::InTheWay { path: file.to_owned(), wanted: "file" });
    }
    denied(&folder, Access::WRITE_OK | Access::EXEC_OK)
        .or_else(|| denied(file, Access::READ_OK | Access::WRITE_OK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, RealClock};
    use crate::disk::RealDisk;
    use crate::lock::LaneMutex;

    fn seen(path: &Utf8Path, now: Timestamp) -> LockState {
        inspect_lock(&RealDisk, path, now, |_| true).unwrap()
    }

    #[test]
    fn each_state_is_told_from_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("lock");
        let clock = RealClock::start();
        let now = clock.now().unwrap();
        assert_eq!(seen(&path, now), LockState::Free);
        assert!(!guard_path(&path).exists());

        let mutex =
            LaneMutex::new(&RealDisk, &clock, &path.with_file_name("journal.jsonl"), &path, "here");
        let held = mutex.acquire(std::time::Duration::ZERO).unwrap();
        let LockState::Held(holder) = seen(&path, now) else { unreachable!() };
        assert_eq!(holder.pid, Some(std::process::id()));
        let body = fs::read(&path).unwrap();
        held.release().unwrap();
        fs::write(&path, body).unwrap();
        let listed = fs::read_to_string("/proc/locks").is_ok();
        assert_eq!(matches!(seen(&path, now), LockState::Leftover(_)), listed);

        fs::write(&path, format!("owner: other\nacquired_at: {now}\npid: 7\n")).unwrap();
        let LockState::Foreign { holder, stale_in_millis } = seen(&path, now) else {
            unreachable!()
        };
        assert_eq!((holder.owner.as_str(), holder.pid), ("other", Some(7)));
        assert!(stale_in_millis > 0 && stale_in_millis <= TTL_MILLIS);
        let later = now.plus_millis(TTL_MILLIS);
        assert!(matches!(seen(&path, later), LockState::Stale(_)));
    }

    #[test]
    fn locks_are_found_by_their_inode() {
        let locks = "1: FLOCK  ADVISORY  WRITE 15 fe:00:100 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 16 fe:00:300 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 15 fe:00:200 0 EOF\n";
        assert!(lists(locks, FileId(0, 100)));
        for inode in [0, 10, 200, 300] {
            assert!(!lists(locks, FileId(0, inode)), "{inode}");
        }
    }

    #[test]
    fn what_is_in_the_way_of_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        assert!(write_obstacle(&root.join("a/b/c")).is_none());
        assert_eq!(nearest_folder(&root.join("a/b/c")), root);
        fs::write(root.join("a"), "").unwrap();
        assert!(write_obstacle(&root.join("a")).is_none());
        let obstacle = write_obstacle(&root.join("a/b/c")).unwrap();
        assert!(obstacle.to_string().contains("/a should be a folder"));
        let obstacle = write_obstacle(root).unwrap();
        assert!(matches!(obstacle, Obstacle::InTheWay { wanted: "file", .. }));
    }
}
