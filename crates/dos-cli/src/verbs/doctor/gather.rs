//! Looking at everything once. What cannot be read becomes a finding, and the rest goes on.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::lane::Lease;
use dos_core::lane::vitality::{Death, proof_of_death};
use dos_core::timestamp::Timestamp;
use dos_drivers::{RefereeError, git, process};
use dos_store::archive_lock::{ArchiveLock, Holder};
use dos_store::clock::Clock;
use dos_store::disk::{Disk, RealDisk};
use dos_store::inspect::{LockState, Obstacle, inspect_lock, nearest_folder, write_obstacle};
use dos_store::{StoreError, Workspace};

use super::findings::{self, Finding, Severity};
use super::hooks::{self, WiredHost};
use super::machine;
use super::root_and_workspace;
use super::text::shell;
use super::verdicts::Verdicts;
use crate::context::Context;
use crate::verbs::journal::Health;

/// How closely a workspace is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The one that was asked about, with its hooks and the home registry.
    Workspace,
    /// Another project of the machine: what is wrong with its `dos.toml`, journal and locks.
    Another,
}

/// What was seen of a workspace.
pub struct Report {
    /// The root of the workspace.
    pub root: Utf8PathBuf,
    /// When it was looked at.
    pub now: Timestamp,
    /// Is the root in a work tree of git?
    pub git: bool,
    /// Is there a `dos.toml`?
    pub has_config: bool,
    /// The workspace and its state; `None` when its `dos.toml` cannot be read at all.
    pub opened: Option<Opened>,
    /// Agent hosts that are wired.
    pub hosts: Vec<WiredHost>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Where the state is, if it is known.
    pub fn state(&self) -> Option<&Utf8Path> {
        self.opened.as_ref().map(|opened| opened.workspace.state.as_path())
    }
}

/// A workspace and its state. What is `None` could not be read.
pub struct Opened {
    /// The workspace.
    pub workspace: Workspace,
    /// What a look at every line of the journal found.
    pub journal: Option<Health>,
    /// Leases that count.
    pub live: Vec<Lease>,
    /// Leases whose holders are provably dead.
    pub dead: Vec<(Lease, Death)>,
    /// The lane lock.
    pub lock: Option<LockState>,
    /// Who has the archive lock, if anybody.
    pub archive_lock: Option<Option<Holder>>,
    /// The network file system that the journal is on, if it is on one.
    pub network: Option<&'static str>,
    /// Can what lanes need be written?
    pub writable: bool,
    /// The verdict journal; `None` where the state is not to be trusted.
    pub verdicts: Option<Verdicts>,
    /// Does git ignore the journal? `None` where nobody asks.
    pub ignored: Option<bool>,
}

impl Report {
    /// Looks at the workspace. Writes nothing, creates nothing, locks nothing.
    pub fn gather(context: &Context, scope: Scope) -> anyhow::Result<Self> {
        let (root, workspace) = root_and_workspace(context)?;
        let config = root.join("dos.toml");
        let mut report = Self {
            now: context.clock.now()?,
            git: git::is_work_tree(&root),
            has_config: config.exists(),
            opened: None,
            hosts: Vec::new(),
            findings: Vec::new(),
            root,
        };
        match workspace {
            Err(error) => report.unreadable_config(&error, &config),
            Ok(workspace) => {
                report.findings = findings::of_config(&workspace.config, &config);
                if !report.has_config && scope == Scope::Workspace {
                    let what =
                        "there is no dos.toml: one lane, main, covers everything".to_string();
                    let fix =
                        format!("derive lanes from the folders: dos init{}", report.here(context));
                    let note = Finding::new(Severity::Note, "NO_CONFIG", what, fix);
                    report.findings.push(note);
                }
                let opened = report.open(context, workspace)?;
                if scope == Scope::Workspace {
                    report.findings.extend(machine::registry(context, &opened, report.now));
                }
                report.findings.extend(machine::store(context, &opened, report.now));
                report.opened = Some(opened);
            }
        }
        if scope == Scope::Workspace {
            report.hosts = hooks::gather(context, &report.root, &mut report.findings);
        }
        report.findings.sort_by_key(|finding| finding.severity);
        Ok(report)
    }

    /// The folder as an argument of the commands that are suggested.
    fn here(&self, context: &Context) -> String {
        match self.root == context.current {
            true => String::new(),
            false => format!(" {}", shell(self.root.as_str())),
        }
    }

    fn unreadable_config(&mut self, error: &StoreError, config: &Utf8Path) {
        let fix = match config.is_dir() {
            true => format!("move it away: mv {0} {0}.folder", shell(config.as_str())),
            false => "make it a UTF-8 file that this user can read, or write a new one: dos init \
                      --force"
                .to_string(),
        };
        let what = format!("{error}; until then no lane can be taken");
        let finding = Finding::new(Severity::Error, "CONFIG_UNREADABLE", what, fix);
        self.findings.push(Finding { file: Some(config.to_owned()), ..finding });
    }

    /// An error of the store as a finding.
    fn unreadable(&mut self, code: &'static str, error: &StoreError, file: &Utf8Path) {
        let finding = Finding::new(Severity::Error, code, error.to_string(), error.hint());
        self.findings.push(Finding { file: Some(file.to_owned()), ..finding });
    }

    /// An error that is not the consequence of an obstacle that is told already.
    fn unreadable_file(&mut self, code: &'static str, error: &StoreError, file: &Utf8Path) {
        if write_obstacle(file).is_none() {
            self.unreadable(code, error, file);
        }
    }

    fn open(&mut self, context: &Context, workspace: Workspace) -> anyhow::Result<Opened> {
        let mut opened = Opened {
            journal: None,
            live: Vec::new(),
            dead: Vec::new(),
            lock: None,
            archive_lock: None,
            network: None,
            writable: true,
            verdicts: None,
            ignored: None,
            workspace,
        };
        if let Some(distrust) = opened.workspace.first_doubt(&RealDisk) {
            let folder = opened.workspace.dot_dos();
            self.unreadable("STATE_UNTRUSTED", &distrust.error(), &folder);
            if opened.workspace.distrust.is_some() {
                return Ok(opened);
            }
        }
        self.disk(&mut opened);
        self.journal(context, &mut opened)?;
        self.locks(context, &mut opened);
        let verdicts = Verdicts::gather(context, &opened.workspace);
        if opened.writable {
            self.findings.extend(verdicts.finding(&opened.workspace));
        }
        opened.verdicts = Some(verdicts);
        self.ignore_rules(&mut opened);
        Ok(opened)
    }

    /// What keeps lanes from being taken, each cause once.
    fn disk(&mut self, opened: &mut Opened) {
        let Opened { workspace, .. } = opened;
        let folder = nearest_folder(&workspace.lock);
        if let Ok(Some(kind)) = RealDisk.network_file_system(&folder) {
            opened.network = Some(kind);
            let error = StoreError::NetworkFileSystem { path: folder.clone(), kind };
            self.unreadable("NETWORK_FILE_SYSTEM", &error, &folder);
        }
        let files = [&workspace.journal, &workspace.lock, &workspace.archive_lock];
        let mut told = Vec::new();
        for obstacle in files.into_iter().filter_map(|file| write_obstacle(file)) {
            opened.writable = false;
            let (path, fix) = match &obstacle {
                Obstacle::Denied { path, .. } => {
                    let fix = "let this user read and write it, or put the journal elsewhere with \
                               DISPATCH_LANE_JOURNAL_PATH";
                    (path, fix.to_string())
                }
                Obstacle::InTheWay { path, .. } => {
                    (path, format!("move it away: mv {0} {0}.old", shell(path.as_str())))
                }
            };
            if !told.contains(path) {
                told.push(path.clone());
                let what = format!("nothing can be recorded: {obstacle}");
                let finding = Finding::new(Severity::Error, "NOT_WRITABLE", what, fix);
                self.findings.push(Finding { file: Some(path.clone()), ..finding });
            }
        }
    }

    fn journal(&mut self, context: &Context, opened: &mut Opened) -> anyhow::Result<()> {
        let workspace = &opened.workspace;
        let referee = context.referee(workspace);
        let looked = Health::of(&referee, &[]).and_then(|health| Ok((health, referee.view()?)));
        let (health, view) = match looked {
            Ok(looked) => looked,
            Err(RefereeError::Store(error)) => {
                self.unreadable_file("JOURNAL_UNREADABLE", &error, &workspace.journal);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.findings.extend(findings::of_journal(&health, &workspace.journal));
        for lease in view.live.leases() {
            match proof_of_death(lease, &view.moment) {
                Some(death) => opened.dead.push((lease.clone(), death)),
                None => opened.live.push(lease.clone()),
            }
        }
        opened.journal = Some(health);
        Ok(())
    }

    fn locks(&mut self, context: &Context, opened: &mut Opened) {
        let workspace = &opened.workspace;
        let runs = |pid| process::identify(pid).is_some();
        match inspect_lock(&RealDisk, &workspace.lock, self.now, runs) {
            Ok(state) => {
                self.findings.extend(findings::of_lock(&state, &workspace.lock));
                opened.lock = Some(state);
            }
            Err(error) => self.unreadable_file("LOCK_UNREADABLE", &error, &workspace.lock),
        }
        let archive = ArchiveLock::new(&RealDisk, &context.clock, &workspace.archive_lock);
        match archive.holder() {
            Ok(holder) => opened.archive_lock = Some(holder),
            Err(error) => self.unreadable_file("LOCK_UNREADABLE", &error, &workspace.archive_lock),
        }
    }

    /// Would git show, or commit, the journal?
    fn ignore_rules(&mut self, opened: &mut Opened) {
        let journal = &opened.workspace.journal;
        let Ok(inside) = journal.strip_prefix(&self.root) else { return };
        // Its folder is created with an ignore file in it.
        if !self.git || !journal.exists() {
            return;
        }
        let path = format!("./{inside}");
        let ignored = git::run(&self.root, &["check-ignore", "-q", "--", &path]).is_ok();
        opened.ignored = Some(ignored);
        if !ignored {
            let what = format!("git does not ignore {inside}: it would get into commits");
            let folder = inside.parent().filter(|folder| !folder.as_str().is_empty());
            let rule = folder.map_or(inside.to_string(), |folder| format!("{folder}/"));
            let fix = format!(
                "add {rule} to .gitignore; if it is in a commit already: git rm -r --cached {}",
                shell(&rule)
            );
            let finding = Finding::new(Severity::Warning, "JOURNAL_NOT_IGNORED", what, fix);
            self.findings.push(Finding { file: Some(journal.clone()), ..finding });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    /// A folder below the system's, removed in the end.
    struct Folder(Utf8PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("dos-doctor-{}-{name}", std::process::id());
            let path = Utf8PathBuf::from_path_buf(std::env::temp_dir().join(name)).unwrap();
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn report(&self) -> Report {
            let cli = Cli::parse_from(["dos", "--workspace", self.0.as_str(), "doctor"]);
            Report::gather(&Context::gather(&cli).unwrap(), Scope::Workspace).unwrap()
        }

        fn codes(&self) -> Vec<&'static str> {
            let report = self.report();
            // Both forms can be printed of anything.
            assert!(!report.json().is_empty() && !report.lines(true).is_empty());
            report.findings.iter().map(|finding| finding.code).collect()
        }

        fn put(&self, path: &str, content: &[u8]) {
            let path = self.0.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }

        /// Every path below, with its time and length.
        fn listing(&self) -> Vec<(std::path::PathBuf, u64, std::time::SystemTime)> {
            let mut found = Vec::new();
            let mut pending = vec![self.0.clone().into_std_path_buf()];
            while let Some(path) = pending.pop() {
                let about = path.symlink_metadata().unwrap();
                if about.is_dir() {
                    let entries = std::fs::read_dir(&path).unwrap();
                    pending.extend(entries.map(|entry| entry.unwrap().path()));
                }
                found.push((path, about.len(), about.modified().unwrap()));
            }
            found.sort();
            found
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_empty_folder_is_in_order_and_stays_empty() {
        let folder = Folder::new("empty");
        assert_eq!(folder.codes(), ["NO_CONFIG"]);
        assert_eq!(folder.listing().len(), 1);
    }

    #[test]
    fn a_workspace_in_use_is_left_as_it_is() {
        let folder = Folder::new("used");
        folder.put("dos.toml", b"[lanes]\nconcurrent = [\"a\"]\ntrees = {a = [\"a/**\"]}\n");
        let lease =
            br#"{"lane":"a","loop_ts":"t","holder":"me","acquired_at":"2020-01-01T00:00:00Z"}"#;
        let lines = [
            br#"{"schema":1,"op":"ACQUIRE","seq":1,"lane":"a","loop_ts":"t","lease":"#.as_slice(),
            lease,
            b"}\nbroken\n{\"torn",
        ];
        folder.put(".dos/lane-journal.jsonl", &lines.concat());
        folder.put(".dos/.lane-lease.lock", b"owner: other\n");
        let before = folder.listing();
        let report = folder.report();
        assert_eq!(folder.listing(), before);
        let opened = report.opened.unwrap();
        assert_eq!((opened.live.len(), opened.dead.len()), (0, 1));
        let health = opened.journal.unwrap();
        assert_eq!((health.records, health.corrupt, health.torn_tail), (1, 1, true));
        assert!(matches!(opened.lock, Some(LockState::Foreign { .. })));
        assert_eq!(folder.codes(), ["JOURNAL_CORRUPT", "LEASES_LAPSED"]);
    }

    #[test]
    fn what_cannot_be_read_is_a_finding() {
        let folder = Folder::new("config-folder");
        folder.put("dos.toml/x", b"");
        assert_eq!(folder.codes(), ["CONFIG_UNREADABLE"]);
        let folder = Folder::new("config-bytes");
        folder.put("dos.toml", b"[lanes]\n# \xff\n");
        assert_eq!(folder.codes(), ["CONFIG_UNREADABLE"]);
        let folder = Folder::new("journal-folder");
        folder.put("dos.toml", b"");
        folder.put(".dos/lane-journal.jsonl/x", b"");
        assert_eq!(folder.codes(), ["NOT_WRITABLE"]);
        let folder = Folder::new("lock-folder");
        folder.put("dos.toml", b"");
        folder.put(".dos/.lane-lease.lock/x", b"");
        assert_eq!(folder.codes(), ["NOT_WRITABLE"]);
    }

    #[test]
    fn a_file_in_place_of_the_state_folder_is_told_once() {
        let folder = Folder::new("dot-dos-file");
        folder.put("dos.toml", b"");
        folder.put(".dos", b"");
        assert_eq!(folder.codes(), ["NOT_WRITABLE"]);
    }
}
