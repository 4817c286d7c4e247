//! A workspace: its folder, its `dos.toml`, the places of its files, its host name.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::config::{Config, Scope};
use dos_core::registry::normalized;

use crate::archive::archive_dir;
use crate::clock::Clock;
use crate::disk::{Disk, DiskFile, read_small, sync_folder_names};
use crate::error::StoreError;
use crate::home::Home;
use crate::ledger::Ledger;
use crate::trust::{self, Distrust};
use crate::verdicts::VerdictJournal;
use crate::worktree::{self, Linked};

/// A `dos.toml` is written by people.
const CONFIG_BYTES_MAX: usize = 4 * 1024 * 1024;
const IGNORE_NOTE: &str = "\
# State of `dos`: what it needs to referee this workspace, nothing for the history of the repository.
# It may be deleted while no agent is at work.
*
";

/// What the environment says. A variable that is empty counts as not set.
pub trait Environment {
    /// The value of a variable; an error when it is no UTF-8, which is not the same as not set.
    fn variable(&self, name: &str) -> Result<Option<String>, StoreError>;
}

/// A workspace that was found.
pub struct Workspace {
    /// The folder, absolute and without symbolic links. What leases name is relative to it.
    pub root: Utf8PathBuf,
    /// The folder that `.dos` is in: the root, or with `scope = "repository"` its like in the main
    /// work tree.
    pub state: Utf8PathBuf,
    /// The linked work tree that shares the state of another one, if this is one.
    pub linked: Option<Linked>,
    /// The registry that is told of this workspace.
    pub home: Option<Home>,
    /// Why the state is not used, if it is not.
    pub distrust: Option<Distrust>,
    /// What `dos.toml` declares.
    pub config: Config,
    /// Where the journal is.
    pub journal: Utf8PathBuf,
    /// Where the verdict journal is, by the name that was chosen.
    pub verdicts: Utf8PathBuf,
    /// Where the visible lock file of the journal is.
    pub lock: Utf8PathBuf,
    /// Where the archive lock is.
    pub archive_lock: Utf8PathBuf,
    /// The name that this host goes by in leases.
    pub host: String,
}

impl Workspace {
    /// Finds the workspace: `given`, else `DISPATCH_WORKSPACE`, else the current folder. Reads its
    /// `dos.toml`. Writes nothing.
    pub fn open<D: Disk>(
        disk: &D,
        environment: &impl Environment,
        given: Option<&Utf8Path>,
        current: &Utf8Path,
    ) -> Result<Self, StoreError> {
        let from_environment = set(environment, &["DISPATCH_WORKSPACE"])?.map(Utf8PathBuf::from);
        let named = given.map(Utf8Path::to_owned).or(from_environment);
        let path = current.join(named.unwrap_or_default());
        let root = path.canonicalize_utf8().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => StoreError::NoWorkspace { path: path.clone() },
            std::io::ErrorKind::InvalidData => StoreError::NotUtf8 { shown: path.to_string() },
            _ => StoreError::io("open", &path)(error),
        })?;
        if !root.is_dir() {
            return Err(StoreError::WrongKind { path: root, wanted: "folder" });
        }
        let config = read_config(disk, &root.join("dos.toml"))?;
        let linked = match config.scope {
            Scope::Repository => worktree::linked(disk, &root),
            Scope::Worktree => None,
        };
        let claim = linked.as_ref().filter(|linked| !linked.is_known).map(|linked| {
            let (path, target) = (linked.top.join(".git"), linked.common.clone());
            match linked.own {
                Some(_) => Distrust::Moved { path, target },
                None => Distrust::Claimed { path, target },
            }
        });
        let state = match &linked {
            Some(linked) if linked.top == root => linked.main.clone(),
            Some(linked) => linked.main.join(root.strip_prefix(&linked.top).unwrap_or(&root)),
            None => root.clone(),
        };
        // In the other work tree this folder may be a link.
        let led_away = linked.as_ref().and_then(|_| state.canonicalize_utf8().ok());
        let led_away = led_away.filter(|target| *target != state);
        let led_away = led_away.map(|target| Distrust::Outside { path: state.clone(), target });
        let layout = |name: &str, usual: &str| match config.paths.get(name) {
            Some(path) => state.join(path),
            None => state.join(usual),
        };
        let journal_variables = ["DISPATCH_LANE_JOURNAL_PATH", "JOB_LANE_JOURNAL_PATH"];
        // Who sets a variable has chosen the place; who clones a repository has not.
        let (journal, by_repository) = match set(environment, &journal_variables)? {
            Some(path) => (current.join(path), None),
            None => {
                let journal = layout("lane_journal", ".dos/lane-journal.jsonl");
                (journal.clone(), Some(journal))
            }
        };
        let (verdicts, verdicts_by_repository) =
            match set(environment, &["DISPATCH_VERDICT_JOURNAL_PATH"])? {
                Some(path) => (current.join(path), None),
                None => {
                    let verdicts = layout("verdict_journal", ".dos/verdict-journal.jsonl");
                    let declared = config.paths.contains_key("verdict_journal");
                    (verdicts.clone(), declared.then_some(verdicts))
                }
            };
        // Without a home nothing is registered, and nothing else depends on it.
        let home = Home::find(environment, None, current).unwrap_or(None);
        let journal = resolved(journal);
        let lock = match set(environment, &["DISPATCH_LANE_LEASE_LOCK_PATH"])? {
            Some(path) => current.join(path),
            None => journal.with_file_name(".lane-lease.lock"),
        };
        let archive_lock = match set(environment, &["DISPATCH_ARCHIVE_LOCK_PATH"])? {
            Some(path) => current.join(path),
            None => layout("archive_lock", ".dos/leases/.archive.lock"),
        };
        let is_inside =
            |journal: &&Utf8PathBuf| normalized(journal.as_str()).starts_with(state.as_str());
        let archived = by_repository.as_ref().filter(is_inside).map(|journal| archive_dir(journal));
        let locks = config.paths.contains_key("archive_lock").then_some(&archive_lock);
        let chosen =
            [by_repository.as_ref(), archived.as_ref(), verdicts_by_repository.as_ref(), locks];
        let chosen = chosen.into_iter().flatten().map(Utf8PathBuf::as_path);
        let doubts = [claim, led_away].into_iter().flatten();
        let found = doubts.chain(trust::look(&state)).chain(trust::links(&state, chosen));
        let distrust = trust::first_untrusted(disk, &state, found, home.as_ref());
        let host = set(environment, &["DISPATCH_HOST_ID"])?.unwrap_or_else(host_name);
        Ok(Self {
            root,
            state,
            linked,
            home,
            distrust,
            config,
            journal,
            verdicts,
            lock,
            archive_lock,
            host,
        })
    }

    /// The folder of everything that `dos` writes by default.
    pub fn dot_dos(&self) -> Utf8PathBuf {
        self.state.join(".dos")
    }

    /// Refuses a state that cannot be trusted.
    pub fn trusted(&self) -> Result<(), StoreError> {
        self.distrust.as_ref().map_or(Ok(()), |distrust| Err(distrust.error()))
    }

    /// Refuses a path below the state's folder that leads out of it, unless that is trusted.
    pub fn stays_inside<D: Disk>(&self, disk: &D, path: &Utf8Path) -> Result<(), StoreError> {
        let found = trust::leads_out(path, &self.state);
        let distrust = trust::first_untrusted(disk, &self.state, found, self.home.as_ref());
        distrust.map_or(Ok(()), |distrust| Err(distrust.error()))
    }

    /// The first thing that would have to be trusted before all of the state could be used. Looks
    /// at every name in `.dos`, for a report.
    pub fn first_doubt<D: Disk>(&self, disk: &D) -> Option<Distrust> {
        let below = || {
            let dot_dos = self.dot_dos();
            let mut names = disk.names(&dot_dos).unwrap_or_default();
            names.sort();
            let paths: Vec<Utf8PathBuf> = names.iter().map(|name| dot_dos.join(name)).collect();
            let found = trust::links(&self.state, paths.iter().map(Utf8PathBuf::as_path));
            trust::first_untrusted(disk, &self.state, found, self.home.as_ref())
        };
        self.distrust.clone().or_else(below)
    }

    /// Which of the work trees that share this state this one is; `None` where none share it.
    pub fn worktree_id(&self) -> Option<&str> {
        let id = self.linked.as_ref().and_then(|linked| linked.id.as_deref());
        (self.config.scope == Scope::Repository).then(|| id.unwrap_or(worktree::MAIN))
    }

    /// The ledger over this workspace's journal.
    pub fn ledger<D: Disk + Clone, C: Clock>(&self, disk: D, clock: C) -> Ledger<D, C> {
        Ledger::new(disk, clock, &self.journal, &self.lock, &self.host).kept_by(self.config.journal)
    }

    /// The verdict journal of this workspace.
    pub fn verdict_journal<D: Disk + Clone>(&self, disk: D) -> VerdictJournal<D> {
        VerdictJournal::new(disk, &self.verdicts, self.config.observe)
    }

    /// Makes the folder that a verdict is recorded in. Neither it nor the archive beside it may lead out
    /// of a workspace that has chosen it.
    pub fn prepare_verdict<D: Disk>(&self, disk: &D) -> Result<(), StoreError> {
        let archive = archive_dir(&self.verdicts);
        if archive.starts_with(&self.state) {
            self.stays_inside(disk, &archive)?;
        }
        self.prepare_write(disk, &self.verdicts).map(drop)
    }

    /// Makes the folders that a write needs. Returns whether `.dos` was created by this call, so
    /// that one of any number of processes can say so.
    pub fn prepare_write<D: Disk>(&self, disk: &D, file: &Utf8Path) -> Result<bool, StoreError> {
        self.trusted()?;
        let dot_dos = self.dot_dos();
        let folder = file.parent().unwrap_or(&self.root);
        let mut created = false;
        if folder.starts_with(&dot_dos) {
            let ignore = disk.stat(&dot_dos.join(".gitignore")).unwrap_or_default();
            if ignore.is_none_or(|stat| stat.len == 0) {
                make_folder(disk, &dot_dos)?;
                created = put_ignore_file(disk, &dot_dos)?;
            }
        }
        if folder.starts_with(&dot_dos) && folder != dot_dos {
            self.stays_inside(disk, folder)?;
        }
        if disk.stat(folder).ok().flatten().is_none_or(|stat| !stat.is_dir) {
            make_folder(disk, folder)?;
        }
        Ok(created)
    }
}

/// The first of these variables that is set and not empty.
pub(crate) fn set(
    environment: &impl Environment,
    names: &[&str],
) -> Result<Option<String>, StoreError> {
    for name in names {
        if let Some(value) = environment.variable(name)?.filter(|value| !value.is_empty()) {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The journal under its own name, so that all who reach it by another one share its guard, and a
/// compaction does not replace a link. A journal that is not there yet goes by its folder's name.
fn resolved(journal: Utf8PathBuf) -> Utf8PathBuf {
    if let Ok(file) = journal.canonicalize_utf8() {
        return file;
    }
    match (journal.parent().map(Utf8Path::canonicalize_utf8), journal.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => journal,
    }
}

fn read_config<D: Disk>(disk: &D, path: &Utf8Path) -> Result<Config, StoreError> {
    match read_small(disk, path, CONFIG_BYTES_MAX) {
        Ok(None) => Ok(Config::undeclared()),
        Ok(Some(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Config::parse(&text)),
            Err(_) => Err(StoreError::io("read", path)(std::io::Error::other("it is not UTF-8"))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => {
            Err(StoreError::WrongKind { path: path.to_owned(), wanted: "file" })
        }
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}

fn make_folder<D: Disk>(disk: &D, folder: &Utf8Path) -> Result<(), StoreError> {
    disk.create_dir(folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotADirectory => {
            StoreError::WrongKind { path: folder.to_owned(), wanted: "folder" }
        }
        _ => StoreError::io("create", folder)(error),
    })?;
    sync_folder_names(disk, folder)
}

/// Writes the ignore file unless it is there. Says whether this call created it.
fn put_ignore_file<D: Disk>(disk: &D, folder: &Utf8Path) -> Result<bool, StoreError> {
    let path = folder.join(".gitignore");
    let failed = || StoreError::io("write into", folder);
    match disk.create_new(&path, IGNORE_NOTE.as_bytes()) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            // Empty: its writer died, or is writing now. The same lines twice do no harm.
            let empty = disk.stat(&path).map_err(failed())?.is_some_and(|stat| stat.len == 0);
            if empty {
                let (mut file, _) = disk.open_append(&path).map_err(failed())?;
                file.append(IGNORE_NOTE.as_bytes()).map_err(failed())?;
            }
            Ok(false)
        }
        Err(error) => {
            let _ = disk.remove(&path);
            Err(failed()(error))
        }
    }
}

/// The name of this host, unless a variable gives it another one.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
