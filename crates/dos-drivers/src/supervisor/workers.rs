//! The processes of the workers: prepared, let through, watched, asked to end, collected.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Child;
use std::time::Duration;

use camino::Utf8Path;
use dos_core::fleet::run_id::{MintError, RunId, millis_of, mint};
use dos_core::fleet::supervisor::{Crew, Worker};
use dos_core::json;
use dos_core::lane::command::Spawn;
use dos_core::lane::lease::ProcessId;
use dos_core::lane::vitality::ProcessState;
use dos_core::timestamp::OutOfRange;
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::RealDisk;
use dos_store::{StoreError, Workspace};
use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

use super::Orders;
use crate::launch::{Gated, Launch};
use crate::process;
use crate::signals::Signals;
use crate::worker_log::runs;

/// The name of the process that every worker is a run of.
const PROCESS: &str = "dos-worker";

/// Why a worker was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It could not be put on record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its run has no id.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The clock cannot be written down.
    #[error(transparent)]
    Clock(#[from] OutOfRange),
    /// A file or process operation failed.
    #[error("failed to {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl StartError {
    fn io(action: &'static str, path: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// The workers, as processes.
pub struct Workers<'a> {
    workspace: &'a Workspace,
    clock: RealClock,
    orders: &'a Orders,
    members: BTreeMap<String, Member>,
}

struct Member {
    /// `None` for one that another supervisor had started.
    child: Option<Child>,
    /// Tells when it ends; `None` where the system does not give one.
    end: Option<OwnedFd>,
}

/// A worker that waits at its gate.
pub struct Waiting {
    /// Its run.
    pub run: RunId,
    /// Its process.
    pub gated: Gated,
    variables: Vec<(String, String)>,
}

impl Waiting {
    /// What is recorded before it takes its lane.
    pub fn intent(&self, lane: &str) -> Spawn {
        Spawn {
            lane: lane.to_string(),
            holder: self.run.run_id.clone(),
            run_id: Some(self.run.run_id.clone()),
            process: Some(self.gated.process.clone()),
            reason: "supervise".to_string(),
            ..Spawn::default()
        }
    }
}

impl<'a> Workers<'a> {
    pub fn new(workspace: &'a Workspace, clock: RealClock, orders: &'a Orders) -> Self {
        Self { workspace, clock, orders, members: BTreeMap::new() }
    }

    /// Starts the process of a worker, which runs nothing yet.
    pub fn prepare(&self, lane: &str) -> Result<Waiting, StartError> {
        let entropy = getrandom::u64().map_err(io::Error::other);
        let entropy = entropy.map_err(StartError::io("ask for", "random bytes"))?;
        let ours = &self.orders.run;
        let (parent, root) = (Some(ours.run_id.as_str()), Some(ours.root_id.as_str()));
        let run = mint(PROCESS, parent, root, self.clock.now()?, entropy)?;
        let folder = runs(self.workspace).join(&run.run_id);
        self.workspace.stays_inside(&RealDisk, &folder)?;
        fs::create_dir_all(&folder).map_err(StartError::io("create", folder.as_str()))?;
        let card = folder.join("run.json");
        let text = json::pretty(&run.to_json());
        fs::write(&card, text + "\n").map_err(StartError::io("write", card.as_str()))?;
        let path = folder.join(LOG);
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.map_err(StartError::io("create", path.as_str()))?;
        let words = self.orders.command.iter().map(|word| word.replace("{lane}", lane));
        let command: Vec<String> = words.collect();
        let launch = Launch {
            folder: &self.workspace.root,
            command: &command,
            output: Some(log),
            ends_with_us: false,
        };
        let program = command.first().cloned().unwrap_or_default();
        let gated = launch.start().map_err(StartError::io("start", program))?;
        let mut variables = run.lineage();
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        variables.extend([
            pair("DISPATCH_LANE", lane),
            pair("DISPATCH_OWNER", &run.run_id),
            pair("DISPATCH_WORKSPACE", self.workspace.root.as_str()),
        ]);
        Ok(Waiting { run, gated, variables })
    }

    /// Lets it become its command.
    pub fn let_through(&mut self, waiting: Waiting) -> Result<(), StartError> {
        let Waiting { run, gated, variables } = waiting;
        let end = end_of(&gated.process);
        let opened = gated.open(&variables);
        let child = opened.map_err(StartError::io("let through", run.run_id.as_str()))?;
        self.members.insert(run.run_id, Member { child: Some(child), end });
        Ok(())
    }

    /// Watches a worker that another supervisor has started.
    pub fn adopt(&mut self, worker: &Worker) {
        let end = end_of(&worker.process);
        self.members.insert(worker.run_id.clone(), Member { child: None, end });
    }

    /// The workers that have ended, each with how. What is left of their groups is killed.
    pub fn ended(&mut self, crew: &Crew) -> Vec<(String, String)> {
        let mut ended = Vec::new();
        for worker in crew.workers() {
            let child = self.members.get_mut(&worker.run_id).and_then(|m| m.child.as_mut());
            let how = match child {
                Some(child) => match child.try_wait() {
                    Ok(None) => continue,
                    Ok(Some(status)) => status.to_string(),
                    Err(error) => format!("it cannot be waited for: {error}"),
                },
                None if runs_still(&worker.process) => continue,
                None => "it is gone".to_string(),
            };
            sweep(worker);
            self.members.remove(&worker.run_id);
            ended.push((worker.run_id.clone(), how));
        }
        ended
    }

    /// Asks all processes of a worker to end.
    pub fn ask(&self, crew: &Crew, run_id: &str) {
        self.signal(crew, run_id, Signal::TERM);
    }

    /// Kills all processes of a worker.
    pub fn kill(&self, crew: &Crew, run_id: &str) {
        self.signal(crew, run_id, Signal::KILL);
    }

    fn signal(&self, crew: &Crew, run_id: &str, signal: Signal) {
        let worker = crew.workers().find(|worker| worker.run_id == run_id);
        if let Some(worker) = worker.filter(|worker| runs_still(&worker.process)) {
            signal_group(&worker.process, signal);
        }
    }

    /// Cuts logs that have grown too long; their last part stays, under another name.
    pub fn trim_logs(&self, crew: &Crew) {
        let most = self.workspace.config.worker.log_bytes_max;
        for worker in crew.workers().filter(|worker| millis_of(&worker.run_id).is_some()) {
            let path = runs(self.workspace).join(&worker.run_id).join(LOG);
            if fs::metadata(&path).is_ok_and(|log| log.len() > most) {
                // Without room for the copy the log is more than there is room for.
                let _ = copy_end(&path, &format!("{path}.1"), most);
                let _ = truncate(&path);
            }
        }
    }

    /// Returns when a signal has come, when a worker has ended, or after `span`.
    pub fn wait(&self, signals: &Signals, span: Duration) {
        let ends: Vec<BorrowedFd<'_>> =
            self.members.values().filter_map(|member| Some(member.end.as_ref()?.as_fd())).collect();
        signals.wait(&ends, span);
    }
}

/// What a worker prints, in the folder of its run.
const LOG: &str = "worker.log";

/// Copies the last part of a file, of so many bytes.
fn copy_end(from: &Utf8Path, to: &str, bytes: u64) -> io::Result<u64> {
    let mut file = File::open(from)?;
    let start = file.metadata()?.len().saturating_sub(bytes);
    file.seek(io::SeekFrom::Start(start))?;
    // What is there goes, also if it is a link.
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => io::copy(&mut file.take(bytes), &mut File::create_new(to)?),
    }
}

/// The writer appends, so that it goes on at the new end.
fn truncate(path: &Utf8Path) -> io::Result<()> {
    let no_link = OFlags::NOFOLLOW.bits().cast_signed();
    File::options().write(true).custom_flags(no_link).open(path)?.set_len(0)
}

fn runs_still(process: &ProcessId) -> bool {
    let states = process::states(vec![(process.clone(), None)]);
    states.first().is_some_and(|(_, state)| *state == ProcessState::Running)
}

fn number(process: &ProcessId) -> Option<Pid> {
    Pid::from_raw(i32::try_from(process.pid).ok()?)
}

fn end_of(process: &ProcessId) -> Option<OwnedFd> {
    pidfd_open(number(process)?, PidfdFlags::empty()).ok()
}

/// Kills what a worker that has ended left running in its group. The number of a group may be in use
/// again: those who are meant say in their environment which run they are of, or which one has started it.
pub fn sweep(worker: &Worker) {
    let marks = ["CID_RUN_ID", "CID_PARENT_ID", "DISPATCH_OWNER"]
        .map(|name| format!("{name}={}", worker.run_id));
    for pid in process::group(worker.process.pid) {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let is_theirs = environment
            .split(|byte| *byte == 0)
            .any(|text| marks.iter().any(|mark| mark.as_bytes() == text));
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw).filter(|_| is_theirs) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn signal_group(process: &ProcessId, signal: Signal) {
    if let Some(group) = number(process) {
        // There may be nobody left.
        let _ = kill_process_group(group, signal);
    }
}
