//! One simulated process: does its actions with the real store, and tells the model. The only place
//! that uses the ledger.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::config::Config;
use dos_core::journal::JournalPolicy;
use dos_core::lane::decide::DecideError;
use dos_core::lane::lease::ProcessId;
use dos_core::lane::vitality::ProcessState;
use dos_core::lane::{Command, Moment, Policy, decide};
use dos_core::timestamp::OutOfRange;
use dos_store::clock::Clock;
use dos_store::decisions::Override;
use dos_store::home::Home;
use dos_store::journal::History;
use dos_store::poison::marker_path;
use dos_store::registry::{Registry, Told};
use dos_store::{Ledger, StoreError, Workspace};

use crate::model::Model;
use crate::plant::PlantedDisk;
use crate::schedule::{Schedule, SimClock};
use crate::script::Action;

const ROOT: &str = "/w";
const HOST: &str = "sim";

/// Where the journal is.
pub fn journal() -> &'static Utf8Path {
    Utf8Path::new("/w/.dos/lane-journal.jsonl")
}

/// Where the history goes that a compaction takes out of the journal.
pub fn archive() -> &'static Utf8Path {
    Utf8Path::new("/w/.dos/lane-journal.archive")
}

/// Where the log of overrides is.
pub fn overrides() -> &'static Utf8Path {
    Utf8Path::new("/w/.dos/decisions/resolved.jsonl")
}

/// Where the home registry is.
pub fn home() -> Home {
    Home::at("/h")
}

/// Where the project's card is.
pub fn card() -> &'static Utf8Path {
    Utf8Path::new("/w/.dos/project.json")
}

/// A failure of one action. Nothing was acknowledged.
#[derive(Debug)]
pub enum Failure {
    Store(StoreError),
    Decide(DecideError),
    Clock,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<DecideError> for Failure {
    fn from(error: DecideError) -> Self {
        Self::Decide(error)
    }
}

impl From<OutOfRange> for Failure {
    fn from(_: OutOfRange) -> Self {
        Self::Clock
    }
}

/// One simulated process.
pub struct Desk {
    disk: PlantedDisk,
    clock: SimClock,
    schedule: Arc<Schedule>,
    model: Arc<Mutex<Model>>,
    workspace: Workspace,
    ledger: Ledger<PlantedDisk, SimClock>,
    policy: Policy,
    process: u32,
    /// Which start of the machine this is: processes of an earlier one are gone.
    boot: String,
    wait: Duration,
    /// Must what is told of the registry succeed?
    strict: bool,
}

impl Desk {
    #[expect(clippy::too_many_arguments, reason = "one caller, which has them all at hand")]
    /// A process of this machine. It waits at most `wait` for the mutex.
    pub fn new(
        disk: PlantedDisk,
        schedule: Arc<Schedule>,
        model: Arc<Mutex<Model>>,
        process: u32,
        boot: usize,
        wait: Duration,
        keeping: JournalPolicy,
        strict: bool,
    ) -> Self {
        let clock = SimClock::new(schedule.clone(), process);
        let dot_dos = Utf8PathBuf::from(ROOT).join(".dos");
        let workspace = Workspace {
            root: ROOT.into(),
            state: ROOT.into(),
            linked: None,
            home: Some(home()),
            distrust: None,
            config: Config::undeclared(),
            journal: journal().to_owned(),
            verdicts: dot_dos.join("verdict-journal.jsonl"),
            lock: dot_dos.join(".lane-lease.lock"),
            archive_lock: dot_dos.join("leases/.archive.lock"),
            host: HOST.to_string(),
        };
        let ledger = workspace.ledger(disk.clone(), clock.clone()).kept_by(keeping);
        let policy = crate::script::policy();
        let boot = format!("boot{boot}");
        Self {
            disk,
            clock,
            schedule,
            model,
            workspace,
            ledger,
            policy,
            process,
            boot,
            wait,
            strict,
        }
    }

    /// Does one action. What it finds wrong it tells the model.
    pub fn act(&self, action: &Action) -> Result<(), Failure> {
        match action {
            Action::Compact { discard } => {
                let history =
                    if *discard { History::Discard } else { History::Archive { may_copy: true } };
                self.model().note_compaction(*discard);
                self.prepare()?;
                self.ledger.compact(self.wait, history)?;
                Ok(())
            }
            Action::Repair => {
                self.prepare()?;
                self.ledger.repair(self.wait, false)?;
                Ok(())
            }
            Action::Override => self.record_override(),
            Action::Reindex { prune } => {
                let home = home();
                let registry = Registry::new(&self.disk, &self.clock, &home, HOST);
                registry.reindex(*prune, &[])?;
                Ok(())
            }
            Action::Projects => self.list_projects(),
            Action::Read => self.read(),
            _ => {
                let holder = format!("h{}", self.process);
                let named = ProcessId {
                    pid: 100 + self.process,
                    start: u64::from(self.process),
                    boot: self.boot.clone(),
                };
                match action.command(&holder, named) {
                    Some(command) => self.transact(&command),
                    None => Ok(()),
                }
            }
        }
    }

    fn transact(&self, command: &Command) -> Result<(), Failure> {
        self.prepare()?;
        let mut decided = None;
        self.ledger.transact(self.wait, |live| -> Result<_, Failure> {
            let decision = decide(live, command, &self.moment(live)?, &self.policy)?;
            let content = self.disk.inner().content(journal()).unwrap_or_default();
            let marked = self.disk.inner().content(&marker_path(journal())).is_some();
            let number = self.model().decide(live, &decision.entries, &content, marked);
            decided = (!decision.entries.is_empty()).then_some(number);
            Ok((decision.entries, decision.outcome))
        })?;
        if let Some(number) = decided
            && !self.schedule.is_dead(self.process)
        {
            self.model().acknowledge(number);
        }
        match self.workspace.tell(&self.disk, &self.clock) {
            // Nothing of the command depends on it; where nothing goes wrong it succeeds.
            Told::Later(error) if self.strict => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads the registry: a call that changes nothing.
    fn list_projects(&self) -> Result<(), Failure> {
        let home = home();
        let registry = Registry::new(&self.disk, &self.clock, &home, HOST);
        self.schedule.set_reading(self.process, true);
        let read = registry.projects().and_then(|_| registry.decisions());
        self.schedule.set_reading(self.process, false);
        read?;
        Ok(())
    }

    fn read(&self) -> Result<(), Failure> {
        let floor = self.model().floor();
        self.schedule.set_reading(self.process, true);
        let seen = self.ledger.read();
        self.schedule.set_reading(self.process, false);
        let seen = seen?;
        if !self.schedule.is_dead(self.process) {
            let mut model = self.model();
            if let Some(wrong) = model.judge(&seen, floor) {
                model.find(format!("a reader sees what cannot be: {wrong}"));
            }
        }
        Ok(())
    }

    fn record_override(&self) -> Result<(), Failure> {
        let now = self.clock.now()?;
        // A lane of its own, so that each one is told from the others.
        let lane = format!("{}-{}-{}", self.boot, self.process, self.clock.elapsed().as_micros());
        self.model().note_override(&lane, false);
        Override { lane: &lane, now }.record(&self.workspace, &self.disk, &self.clock)?;
        if !self.schedule.is_dead(self.process) {
            self.model().note_override(&lane, true);
        }
        Ok(())
    }

    /// As the product does before it writes.
    fn prepare(&self) -> Result<(), StoreError> {
        for file in [&self.workspace.lock, &self.workspace.journal] {
            self.workspace.prepare_write(&self.disk, file)?;
        }
        Ok(())
    }

    fn moment(&self, live: &dos_core::journal::LiveSet) -> Result<Moment, OutOfRange> {
        let named = live.leases().filter_map(|lease| lease.named_process());
        let processes = named.map(|named| {
            let here = named.boot == self.boot && !self.schedule.is_gone(named.pid - 100);
            let state = if here { ProcessState::Running } else { ProcessState::Gone };
            (named, state)
        });
        let processes = processes.collect();
        let host = HOST.to_string();
        Ok(Moment { now: self.clock.now()?, host, processes, worktrees_gone: Vec::new() })
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
