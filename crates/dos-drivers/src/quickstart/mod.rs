//! Real workers race for a throwaway repository; then the journal and git say whether any two of
//! them collided.
//!
//! One worker is killed while it holds a lane, and another takes that lane over. Nothing that a
//! worker says of itself is part of the result.

mod audit;
mod crew;
mod repository;
mod scene;
mod worker;

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_store::StoreError;
use dos_store::clock::{Clock, RealClock};

use crate::referee::{Referee, RefereeError};

pub use audit::{Audit, Collision, Takeover};
pub use worker::{Orders, Role, run as work};

/// How long past its time the race may go on until the last worker is through.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder of the repository: empty, absolute.
    pub folder: Utf8PathBuf,
    /// The program that turns into a worker when it is called with a worker's arguments.
    pub program: Utf8PathBuf,
    /// How many workers, at least two.
    pub workers: u32,
    /// How long they ask for lanes, in seconds.
    pub seconds: u64,
    /// What all random choices follow from.
    pub seed: u64,
    /// Workers that find themselves orphaned remove the folder.
    pub throwaway: bool,
}

/// How far the race is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// For how many seconds it has been going on.
    pub seconds: u64,
    /// How many grants the journal holds.
    pub grants: u64,
    /// How many leases are held right now.
    pub held: usize,
    /// Has the worker that is to die been killed?
    pub killed: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum QuickstartError {
    /// There is no `git`.
    #[error(
        "git cannot be run ({0}); install it (for example `apt install git` or `brew install \
         git`) and run this again"
    )]
    NoGit(std::io::Error),
    /// Git complained.
    #[error("git {command} failed: {complaint}")]
    Git {
        /// What was asked.
        command: String,
        /// What it said.
        complaint: String,
    },
    /// A file or process operation failed.
    #[error("failed to {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: Utf8PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The referee failed.
    #[error(transparent)]
    Referee(#[from] RefereeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This host does not say which process is which.
    #[error(
        "this host's process table cannot be read (is /proc mounted?), so that no death could be \
         proven"
    )]
    NoProcessTable,
    /// A worker failed.
    #[error("worker {name} failed: {said}")]
    Worker {
        /// Which.
        name: String,
        /// What it said.
        said: String,
    },
    /// Workers did not come to an end.
    #[error("still at work long after their time: {names}; run this on a machine with less load")]
    Stuck {
        /// Which.
        names: String,
    },
    /// The journal does not tell what happened.
    #[error("line {line} of the journal {problem}, so that nothing can be concluded from it")]
    Journal {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl QuickstartError {
    fn io(action: &'static str, path: &Utf8Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Runs the race and audits it.
pub fn run(
    plan: &Plan,
    clock: RealClock,
    progress: &mut dyn FnMut(Progress),
) -> Result<Audit, QuickstartError> {
    let repository = scene::create(&plan.folder)?;
    let workspace = scene::open(&plan.folder)?;
    let referee = Referee::new(&workspace, clock);
    let mut race = Race { plan, clock, referee: &referee, crew: crew::Crew::default() };
    let ended = race.start().and_then(|()| race.watch(progress)).and_then(|()| race.crew.verdict());
    drop(race);
    // The index that people and tools see is still that of the first commit.
    repository.refresh()?;
    let audit = audit::audit(&referee, &repository)?;
    // A collision is the answer, whatever else went wrong.
    match ended {
        Err(error) if audit.collisions.is_empty() => Err(error),
        _ => Ok(audit),
    }
}

struct Race<'a> {
    plan: &'a Plan,
    clock: RealClock,
    referee: &'a Referee<'a>,
    crew: crew::Crew,
}

impl Race<'_> {
    fn start(&mut self) -> Result<(), QuickstartError> {
        for number in 1..=self.plan.workers {
            let role = match number {
                1 => Role::Victim,
                2 => Role::Successor,
                _ => Role::Ordinary,
            };
            let orders = Orders {
                name: format!("w{number}"),
                role,
                seed: worker::Random::new(self.plan.seed ^ u64::from(number) << 32).number(),
                seconds: self.plan.seconds,
                parent: std::process::id(),
                throwaway: self.plan.throwaway,
            };
            self.crew.start(self.plan, &orders)?;
        }
        Ok(())
    }

    /// Until every worker has ended: kills the one that is to die, and tells how far things are.
    fn watch(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), QuickstartError> {
        let started = self.clock.elapsed();
        let whole = Duration::from_secs(self.plan.seconds);
        let signals = scene::Signals::of(&self.plan.folder);
        let (mut killed, mut told) = (false, 0);
        while self.crew.at_work()? {
            let elapsed = self.clock.elapsed().saturating_sub(started);
            if !killed && elapsed >= whole * 2 / 5 && signals.victim_holds() {
                self.crew.kill(Role::Victim)?;
                signals.say_killed()?;
                killed = true;
            }
            if elapsed > whole + PATIENCE * 2 {
                return Err(QuickstartError::Stuck { names: self.crew.names_at_work() });
            }
            if elapsed.as_secs() > told {
                told = elapsed.as_secs();
                let (grants, held) = audit::so_far(self.referee)?;
                progress(Progress { seconds: told, grants, held, killed });
            }
            self.clock.sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}
