//! One worker: asks for lanes, writes only under a grant, commits, gives the lane back.

use std::fs;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::lane::command::{Acquire, Claim, Spawn};
use dos_core::lane::decide::{Grant, holds_token};
use dos_core::lane::lease::ProcessId;
use dos_core::lane::{Case, Command, Outcome, Request, Tree};
use dos_store::clock::{Clock, RealClock};
use dos_store::ledger::WAIT_DEFAULT;

use super::repository::Repository;
use super::scene::{self, EXCLUSIVE_LANE, FILES, LANES, OVERLAPPING_LANE, PATTERNS, Signals};
use super::scene::{VICTIM_LANE, write};
use super::{PATIENCE, QuickstartError};
use crate::process;
use crate::referee::{Referee, RefereeError};

/// What a worker is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Asks for lanes until its time is over.
    Ordinary,
    /// Takes one lane, blocks, and is killed.
    Victim,
    /// Takes that lane over.
    Successor,
}

/// What one worker is told.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The name under which it holds lanes and commits.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// What its choices follow from.
    pub seed: u64,
    /// How long it asks for lanes, in seconds.
    pub seconds: u64,
    /// The process that started it; when that is gone the worker stops.
    pub parent: u32,
    /// A worker whose parent is gone removes the folder.
    pub throwaway: bool,
}

impl Role {
    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Ordinary, Self::Victim, Self::Successor].into_iter().find(|role| role.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Victim => "victim",
            Self::Successor => "successor",
        }
    }
}

impl Orders {
    /// The arguments that turn `dos` into this worker.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["quickstart".to_string()];
        for (option, value) in [
            ("--worker", self.name.clone()),
            ("--role", self.role.name().to_string()),
            ("--seed", self.seed.to_string()),
            ("--seconds", self.seconds.to_string()),
            ("--parent", self.parent.to_string()),
        ] {
            arguments.extend([option.to_string(), value]);
        }
        if self.throwaway {
            arguments.push("--throwaway".to_string());
        }
        arguments
    }
}

/// Runs one worker in the folder of the repository.
pub fn run(root: &Utf8Path, orders: &Orders, clock: RealClock) -> Result<(), QuickstartError> {
    let workspace = scene::open(root)?;
    let referee = Referee::new(&workspace, clock);
    let signals = Signals::of(root);
    let index = signals.index(&orders.name);
    let mut worker = Worker {
        root: root.to_owned(),
        orders,
        clock,
        started: clock.elapsed(),
        referee: &referee,
        repository: Repository::new(root, &orders.name).with_index(index),
        signals,
        process: process::identify(std::process::id()).ok_or(QuickstartError::NoProcessTable)?,
        random: Random::new(orders.seed),
        round: 0,
    };
    let worked = match orders.role {
        Role::Ordinary => worker.race(|_| false),
        Role::Victim => worker.hold_until_killed(),
        Role::Successor => worker.succeed(),
    };
    if worker.is_orphan() {
        worker.clean_up();
        return Ok(());
    }
    worked
}

struct Worker<'a> {
    root: Utf8PathBuf,
    orders: &'a Orders,
    clock: RealClock,
    started: Duration,
    referee: &'a Referee<'a>,
    repository: Repository,
    signals: Signals,
    process: ProcessId,
    random: Random,
    round: u64,
}

impl Worker<'_> {
    /// Asks for lanes until the time is over, or `enough` says so.
    fn race(&mut self, enough: impl Fn(&Signals) -> bool) -> Result<(), QuickstartError> {
        while self.has_time(Duration::ZERO) && !enough(&self.signals) {
            let (request, wait) = self.choose();
            self.turn(request, wait)?;
            let pause = self.random.below(30);
            self.clock.sleep(Duration::from_millis(pause));
        }
        Ok(())
    }

    /// Takes the lane, leaves work half done, and blocks.
    fn hold_until_killed(&mut self) -> Result<(), QuickstartError> {
        let Some(grant) = self.ask(named(VICTIM_LANE), Some(PATIENCE / 2))? else {
            return Err(self.failed("it never got its lane"));
        };
        self.commit_work(&grant)?;
        let half = self.root.join(format!("{VICTIM_LANE}/{}.unfinished", self.orders.name));
        write(&half, "half a line")?;
        self.signals.say_victim_holds()?;
        while self.has_time(PATIENCE) {
            self.clock.sleep(Duration::from_millis(20));
        }
        Err(self.failed("it was never killed"))
    }

    /// Races, and as soon as the holder of that lane is killed asks for it.
    fn succeed(&mut self) -> Result<(), QuickstartError> {
        self.race(Signals::killed)?;
        while self.has_time(PATIENCE) && !self.signals.killed() {
            self.clock.sleep(Duration::from_millis(20));
        }
        match self.turn(named(VICTIM_LANE), Some(PATIENCE / 2))? {
            true => self.race(|_| false),
            false => Err(self.failed("it never got the lane of the one that was killed")),
        }
    }

    /// One request, and if it is granted the work. Says whether it was.
    fn turn(&mut self, request: Request, wait: Option<Duration>) -> Result<bool, QuickstartError> {
        let Some(grant) = self.ask(request, wait)? else {
            return Ok(false);
        };
        self.commit_work(&grant)?;
        let claim = Claim {
            lane: grant.lease.lane().into_owned(),
            loop_ts: grant.lease.loop_ts().into_owned(),
            holder: self.orders.name.clone(),
        };
        match patiently(|| self.referee.act(&Command::Release(claim.clone()), WAIT_DEFAULT))? {
            Some(Outcome::Done(_)) => Ok(true),
            other => Err(self.failed(&format!("giving {} back came to {other:?}", claim.lane))),
        }
    }

    /// A request; one that is ready to wait says so first, by a SPAWN.
    fn ask(
        &mut self,
        request: Request,
        wait: Option<Duration>,
    ) -> Result<Option<Grant>, QuickstartError> {
        self.round += 1;
        let loop_ts = format!("{}.{}", self.orders.name, self.round);
        if wait.is_some() {
            let spawn = Command::Spawn(Spawn {
                lane: request.lane.clone(),
                loop_ts: loop_ts.clone(),
                holder: self.orders.name.clone(),
                pid: Some(self.process.pid),
                ..Spawn::default()
            });
            patiently(|| self.referee.act(&spawn, WAIT_DEFAULT))?;
        }
        let acquire = Acquire {
            request,
            holder: self.orders.name.clone(),
            loop_ts,
            process: Some(self.process.clone()),
            record_refusal: true,
            ..Acquire::default()
        };
        match patiently(|| self.referee.acquire(&acquire, wait, WAIT_DEFAULT))? {
            Some(Outcome::Granted(grant)) => Ok(Some(grant)),
            Some(Outcome::Refused(_)) | None => Ok(None),
            Some(other) => Err(self.failed(&format!("a request was answered by {other:?}"))),
        }
    }

    /// Adds a line to some files of the lane and commits them. Each file is read, held for a
    /// moment, and written as a whole: two who do so at once lose a line.
    fn commit_work(&mut self, grant: &Grant) -> Result<(), QuickstartError> {
        let region = grant.admission.tree.region(Case::default());
        let owned = |file: &&str| region.matches(file);
        let mut files: Vec<&str> = FILES.into_iter().filter(owned).collect();
        let count = 1 + self.random.below(3) as usize;
        while files.len() > count {
            files.swap_remove(self.random.below(files.len() as u64) as usize);
        }
        for file in &files {
            let path = self.root.join(file);
            let before = match fs::read_to_string(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                read => read.map_err(QuickstartError::io("read", &path))?,
            };
            let work = 5 + self.random.below(15);
            self.clock.sleep(Duration::from_millis(work));
            write(&path, &format!("{before}{} {}.\n", self.orders.name, self.round))?;
        }
        let (lane, token) = (grant.lease.lane(), grant.token);
        let message = format!(
            "Work on {lane}\n\nDos-Lane: {lane}\nDos-Token: {token}\nDos-Holder: {}",
            self.orders.name
        );
        let still_mine = || {
            let view = self.referee.view()?;
            Ok(holds_token(&view.live, &lane, token, &view.moment).is_some())
        };
        match self.repository.commit(&files, &message, &still_mine)? {
            true => Ok(()),
            false => Err(self.failed(&format!("lane {lane} (token {token}) was taken from it"))),
        }
    }

    fn choose(&mut self) -> (Request, Option<Duration>) {
        let wait = Some(Duration::from_millis(300 + self.random.below(500)));
        let maybe = if self.random.below(2) == 0 { wait } else { None };
        match self.random.below(100) {
            0..40 => (named(self.random.pick(&LANES)), maybe),
            40..55 => (named(OVERLAPPING_LANE), maybe),
            55..75 => {
                let tree = Tree::new([self.random.pick(&PATTERNS).to_string()]);
                (Request { tree, ..named(&format!("{}-patch", self.orders.name)) }, maybe)
            }
            75..95 => (Request::default(), None),
            _ => (named(EXCLUSIVE_LANE), wait),
        }
    }

    fn has_time(&self, more: Duration) -> bool {
        let end = self.started + Duration::from_secs(self.orders.seconds) + more;
        self.clock.elapsed() < end && !self.is_orphan()
    }

    fn is_orphan(&self) -> bool {
        let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
        parent.and_then(|pid| u32::try_from(pid).ok()) != Some(self.orders.parent)
    }

    /// The parent would have removed the folder. By now every other orphan has noticed as well.
    fn clean_up(&self) {
        if self.orders.throwaway {
            self.clock.sleep(Duration::from_secs(1));
            let _ = fs::remove_dir_all(&self.root);
        }
    }

    fn failed(&self, said: &str) -> QuickstartError {
        QuickstartError::Worker { name: self.orders.name.clone(), said: said.to_string() }
    }
}

/// That lane and no other.
fn named(lane: &str) -> Request {
    Request { lane: lane.to_string(), ..Request::default() }
}

/// Asks again while the lock stays busy; `None` when it stayed so.
fn patiently(
    ask: impl Fn() -> Result<Outcome, RefereeError>,
) -> Result<Option<Outcome>, QuickstartError> {
    for _ in 0..3 {
        match ask() {
            Err(RefereeError::Store(error)) if error.is_busy() => {}
            answered => return Ok(answered.map(Some)?),
        }
    }
    Ok(None)
}

/// Choices that follow from a seed: splitmix64.
pub struct Random(u64);

impl Random {
    /// Choices that follow from this.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number from 0 to below that bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    fn pick(&mut self, texts: &[&'static str]) -> &'static str {
        let place = self.below(texts.len() as u64) as usize;
        texts.get(place).copied().unwrap_or_default()
    }
}
