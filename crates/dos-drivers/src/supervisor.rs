//! The supervisor: keeps as many workers alive as are wanted, one for each lane.
//!
//! What it does is decided by the core; here are the hands. Every worker is on record, durably, before
//! its command runs, so that a supervisor that was killed is followed by one that knows all of them.

mod workers;

use std::io;
use std::time::Duration;

use dos_core::fleet::FleetView;
use dos_core::fleet::run_id::RunId;
use dos_core::fleet::supervise::{Plan, SupervisePolicy};
use dos_core::fleet::supervisor::{Crew, Effect, Event, Input, Rules, Step, Why, Worker};
use dos_core::lane::lease::LeaseKey;
use dos_core::lane::{Cause, Command, Outcome, Request};
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::RealDisk;
use dos_store::lock::{guard_path, kernel_lock};
use dos_store::{StoreError, Workspace};

use crate::fleet;
use crate::referee::{Referee, RefereeError};
use crate::signals::{ENDING, Signals};
use crate::worker_log::{WorkerLog, runs};
use workers::{StartError, Workers, sweep};

/// How long a decision waits for the lock. What failed is tried again with the next look.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// How often the length of logs is looked at, and workers that cannot be watched.
const CHORES: Duration = Duration::from_secs(1);
/// After what was freed there is more to see; so many looks at most come one after the other.
const LOOKS_MAX: usize = 3;
/// How long whoever starts a supervisor waits for one that is about to end.
const TURN: Duration = Duration::from_millis(200);

/// How a supervisor is to work.
#[derive(Clone, Debug)]
pub struct Orders {
    /// How many workers, and the like.
    pub supervise: SupervisePolicy,
    /// The program and arguments of a worker; `{lane}` stands for its lane.
    pub command: Vec<String>,
    /// The time between two looks.
    pub interval: Duration,
    /// After so many looks it ends.
    pub looks_max: Option<u64>,
    /// Are the workers left running at the end?
    pub detach: bool,
    /// The run that this supervisor is.
    pub run: RunId,
}

/// Something to say.
#[derive(Clone, Debug)]
pub enum Talk {
    /// A look was taken, and this is what follows.
    Planned(Plan),
    /// A worker runs: lane, run, process.
    Started(String, String, u32),
    /// A worker that another supervisor had started runs on: lane, run, process.
    Adopted(String, String, u32),
    /// A worker was not started: lane, why.
    NotStarted(String, String),
    /// A worker is asked to end: run, why.
    Asked(String, Why),
    /// A worker was killed: run.
    Killed(String),
    /// A worker has ended: lane, run, how, and how long its lane rests after early deaths.
    Ended(String, String, String, Option<i64>),
    /// A lease was freed: lane and holder.
    Freed(String, String),
    /// Something failed, and is tried again.
    Failed(String),
}

/// Why there is no supervisor.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// There is one.
    #[error("another supervisor works on {root}; stop it first, or leave it to it")]
    Another {
        /// Where.
        root: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The referee failed.
    #[error(transparent)]
    Referee(#[from] RefereeError),
    /// Signals cannot be taken note of.
    #[error("failed to listen for signals: {0}")]
    Signals(io::Error),
}

/// Works until it is told to end.
pub fn run(
    workspace: &Workspace,
    clock: RealClock,
    orders: &Orders,
    say: &mut dyn FnMut(Talk),
) -> Result<(), SuperviseError> {
    let signals = Signals::on(&ENDING).map_err(SuperviseError::Signals)?;
    let mutex = runs(workspace).join("supervisor");
    workspace.prepare_write(&RealDisk, &mutex)?;
    // Held while we live, and free the moment we do not.
    let _only = match kernel_lock(&RealDisk, &clock, &guard_path(&mutex), TURN) {
        Err(error) if error.is_busy() => {
            return Err(SuperviseError::Another { root: workspace.root.to_string() });
        }
        locked => locked?,
    };
    let log = WorkerLog::of(workspace);
    let crew = log.crew(&workspace.config.worker)?;
    let rules = Rules { supervise: &orders.supervise, ..fleet::rules(workspace) };
    let referee = Referee::new(workspace, clock);
    let workers = Workers::new(workspace, clock, orders);
    let mut supervisor = Supervisor {
        workspace,
        clock,
        orders,
        rules,
        referee: &referee,
        log,
        crew,
        workers,
        say,
        looks: 0,
    };
    supervisor.take_over()?;
    supervisor.work(&signals)
}

struct Supervisor<'a> {
    workspace: &'a Workspace,
    clock: RealClock,
    orders: &'a Orders,
    rules: Rules<'a>,
    referee: &'a Referee<'a>,
    log: WorkerLog,
    crew: Crew,
    workers: Workers<'a>,
    say: &'a mut dyn FnMut(Talk),
    looks: u64,
}

impl Supervisor<'_> {
    /// Goes on with what an earlier supervisor left.
    fn take_over(&mut self) -> Result<(), SuperviseError> {
        for (run_id, proven) in fleet::out_of_sight(&self.crew) {
            self.crew.workers().filter(|worker| worker.run_id == run_id).for_each(sweep);
            let how = if proven { "it ended while nobody looked" } else { "it is out of sight" };
            self.ended(&run_id, how, proven)?;
        }
        let now = self.clock.now().map_err(RefereeError::from)?;
        let adopted: Vec<Worker> = self.crew.workers().cloned().collect();
        for worker in adopted {
            self.workers.adopt(&worker);
            if worker.has_held {
                // Nobody has looked meanwhile.
                let held = Event::Held { run_id: worker.run_id.clone(), at: now };
                self.crew.step(Input::Event(&held), &self.rules);
            }
            (self.say)(Talk::Adopted(worker.lane, worker.run_id, worker.process.pid));
        }
        self.log.shorten(&self.clock, &self.crew)?;
        Ok(())
    }

    fn work(&mut self, signals: &Signals) -> Result<(), SuperviseError> {
        let mut next_look = Duration::ZERO;
        let mut stopping = false;
        loop {
            self.tick();
            if !signals.taken().is_empty() {
                if self.orders.detach {
                    return Ok(());
                }
                let input = if stopping { Input::Abort } else { Input::Stop };
                stopping = true;
                let step = self.crew.step(input, &self.rules);
                self.carry_out(step.effects);
                next_look = Duration::ZERO;
            }
            let mut somebody_ended = false;
            for (run_id, how) in self.workers.ended(&self.crew) {
                self.ended(&run_id, &how, true)?;
                somebody_ended = true;
            }
            self.workers.trim_logs(&self.crew);
            if somebody_ended || self.clock.elapsed() >= next_look {
                let timed = self.clock.elapsed() >= next_look;
                let wake_at = self.look_until_settled();
                let until_wake =
                    wake_at.map_or(self.orders.interval, |span| span.min(self.orders.interval));
                next_look = self.clock.elapsed() + until_wake;
                self.looks += u64::from(timed && !stopping);
                if !stopping && self.orders.looks_max.is_some_and(|most| self.looks >= most) {
                    if self.orders.detach {
                        return Ok(());
                    }
                    stopping = true;
                    self.crew.step(Input::Stop, &self.rules);
                    next_look = Duration::ZERO;
                }
            }
            if stopping && self.crew.workers().next().is_none() {
                self.look_until_settled();
                return Ok(());
            }
            let span = next_look.saturating_sub(self.clock.elapsed()).min(CHORES);
            self.workers.wait(signals, span);
        }
    }

    /// Tells the time, so that no work of our own is taken for a sleep of the machine.
    fn tick(&mut self) {
        if let Ok(now) = self.clock.now() {
            self.crew.step(Input::Tick(now), &self.rules);
        }
    }

    /// Looks, acts, and looks again where acting has freed something. Returns how long nothing is to
    /// be expected.
    fn look_until_settled(&mut self) -> Option<Duration> {
        let mut wake_at = None;
        for _ in 0..LOOKS_MAX {
            let view = match fleet::look(self.workspace, self.referee, None) {
                Ok(view) => view,
                Err(error) => {
                    (self.say)(Talk::Failed(error.to_string()));
                    return None;
                }
            };
            let step = self.crew.step(Input::Look(&view), &self.rules);
            wake_at = until(&step, &view);
            let Step { effects, plan, .. } = step;
            if let Some((plan, _)) = plan
                && !self.crew.is_stopping()
            {
                (self.say)(Talk::Planned(plan));
            }
            if !self.carry_out(effects) {
                break;
            }
        }
        wake_at
    }

    /// Carries out what was decided. Says whether something was freed that a plan did not know of.
    fn carry_out(&mut self, effects: Vec<Effect>) -> bool {
        let mut freed = false;
        for effect in effects {
            self.tick();
            match effect {
                Effect::Record(event) => self.record(&event),
                Effect::Start { lane } => self.start(&lane),
                Effect::Ask { run_id, why } => {
                    self.workers.ask(&self.crew, &run_id);
                    (self.say)(Talk::Asked(run_id, why));
                }
                Effect::Kill { run_id } => {
                    self.workers.kill(&self.crew, &run_id);
                    (self.say)(Talk::Killed(run_id));
                }
                Effect::Free { key, ended_run } => {
                    freed |= self.free(&key, ended_run.clone()) && ended_run.is_some();
                }
            }
        }
        freed
    }

    /// Records what has happened; says so where it cannot.
    fn record(&mut self, event: &Event) {
        if let Err(error) =
            self.log.append(self.workspace, &self.clock, std::slice::from_ref(event))
        {
            (self.say)(Talk::Failed(error.to_string()));
        }
    }

    fn free(&mut self, key: &LeaseKey, ended_run: Option<String>) -> bool {
        let LeaseKey { lane, loop_ts } = key.clone();
        let command = Command::Scavenge { lane, loop_ts, ended_run };
        match self.referee.act(&command, LOCK_WAIT) {
            Ok(Outcome::Done(lease)) => {
                let holder = lease.holder().unwrap_or("(nobody named)").to_string();
                (self.say)(Talk::Freed(key.lane.clone(), holder));
                true
            }
            Ok(_) => false,
            Err(error) => {
                (self.say)(Talk::Failed(format!("lane {}: {error}", key.lane)));
                false
            }
        }
    }

    /// Starts a worker, if its lane would be granted now. One that picks what it takes may find what no
    /// lane declares, unless nothing at all may start.
    fn start(&mut self, lane: &str) {
        let policy = self.rules.policy;
        let declared = policy.lanes.knows(lane);
        let wanted = if declared { lane } else { "" };
        let request = Request {
            lane: wanted.to_string(),
            tree: policy.lanes.tree(wanted),
            ..Request::default()
        };
        let refused = match self.referee.arbitrate(&request, None, policy) {
            Ok((Ok(_), _)) => None,
            Ok((Err(refusal), _)) if !declared && refusal.cause != Cause::ExclusiveLive => None,
            Ok((Err(refusal), moment)) => Some(refusal.explain(moment.now)),
            Err(error) => Some(error.to_string()),
        };
        let started = match refused {
            Some(why) => Err(why),
            None => self.start_on(lane, wanted).map_err(|error| error.to_string()),
        };
        if let Err(why) = started {
            (self.say)(Talk::NotStarted(lane.to_string(), why));
        }
    }

    /// First the record, then the command: a worker that nobody knows of is never let through.
    fn start_on(&mut self, lane: &str, wanted: &str) -> Result<(), StartError> {
        let waiting = self.workers.prepare(wanted)?;
        let started = Event::Started {
            run_id: waiting.run.run_id.clone(),
            lane: lane.to_string(),
            process: waiting.gated.process.clone(),
            at: self.clock.now()?,
        };
        self.log.append(self.workspace, &self.clock, std::slice::from_ref(&started))?;
        self.crew.step(Input::Event(&started), &self.rules);
        let spawn = Command::Spawn(waiting.intent(lane));
        if let Err(error) = self.referee.act(&spawn, LOCK_WAIT) {
            // Others see it a little later, when it takes its lane.
            (self.say)(Talk::Failed(format!("the intent to take lane {lane}: {error}")));
        }
        let (run_id, pid) = (waiting.run.run_id.clone(), waiting.gated.process.pid);
        self.workers.let_through(waiting)?;
        (self.say)(Talk::Started(lane.to_string(), run_id, pid));
        Ok(())
    }

    /// Records that a worker has ended.
    fn ended(&mut self, run_id: &str, how: &str, proven: bool) -> Result<(), SuperviseError> {
        let worker = self.crew.workers().find(|worker| worker.run_id == run_id);
        let (lane, asked) = worker
            .map_or((String::new(), false), |worker| (worker.lane.clone(), worker.asked.is_some()));
        let at = self.clock.now().map_err(RefereeError::from)?;
        let event = Event::Ended { run_id: run_id.to_string(), at, asked, proven };
        // Where that fails, the process table tells the next supervisor the same.
        self.record(&event);
        self.crew.step(Input::Event(&event), &self.rules);
        let rests = self.crew.rests();
        let rest = rests.into_iter().find(|(name, _)| *name == dos_core::lane::lease::fold(&lane));
        let rest = rest.map(|(_, rest)| rest.until.millis_since(at)).filter(|_| !asked);
        (self.say)(Talk::Ended(lane, run_id.to_string(), how.to_string(), rest));
        Ok(())
    }
}

/// How long until the step wants to be looked after.
fn until(step: &Step, view: &FleetView) -> Option<Duration> {
    let millis = step.wake_at?.millis_since(view.now).max(0);
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}
