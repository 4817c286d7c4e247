//! Who does the next operation, what time it is, and what goes wrong: all of it chosen.
//!
//! Every simulated process is a thread, but only the one whose turn it is runs. Before each
//! operation the turn may pass to another.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dos_core::timestamp::{OutOfRange, Timestamp};
use dos_store::clock::Clock;
use dos_store::sim::{Call, Choose, Conductor, Errno, Fate, Step};

use crate::choice::Choices;

/// 2026-01-10T12:00:00Z: when the simulated time begins.
const BEGIN: Duration = Duration::from_secs(1_768_046_400);
/// What one operation takes: no round number, so that waiters do not wait in step.
const STEP: Duration = Duration::from_nanos(10_007);
/// More operations in one run are an endless loop.
const STEPS_MAX: u64 = 200_000;
/// So many operations before a failure are kept to be shown.
const TRACE_MAX: usize = 200;

/// What may go wrong in a run, and when.
#[derive(Clone, Debug, Default)]
pub struct Hazards {
    /// How often, in percent, the turn passes before an operation. Random runs only.
    pub switch_percent: usize,
    /// How often, in 10,000 operations, time jumps as if the machine had been asleep.
    pub jumps: usize,
    /// How often, in 10,000, an operation fails without doing anything.
    pub errors: usize,
    /// How often, in 10,000, a read or a write is short or interrupted.
    pub shorts: usize,
    /// How often, in 10,000 syncs, one fails and the data stays to be written.
    pub failed_syncs: usize,
    /// How often, in 10,000 syncs, one fails and the data counts as written.
    pub forgotten_syncs: usize,
    /// The operations during which the disk is full.
    pub full: std::ops::Range<u64>,
    /// The process that dies, and at which of its operations.
    pub kills: Vec<(u32, u64)>,
    /// The operation at which the power fails.
    pub cut_at: Option<u64>,
    /// May others go on, or the process die, between a sync that loses data and its marker?
    pub marker_window: bool,
    /// In a listed run: how many turns are taken away from a process that could go on.
    pub preemptions: usize,
    /// In a listed run: how many processes die.
    pub deaths: usize,
    /// In a listed run: the power fails at some operation, or at none.
    pub cuts: usize,
}

/// The schedule of one run.
pub struct Schedule {
    state: Mutex<State>,
    turns: Vec<Condvar>,
}

struct State {
    choices: Choices,
    hazards: Hazards,
    now: Duration,
    steps: u64,
    turn: usize,
    runners: Vec<Runner>,
    power: bool,
    /// The process that is about to mark the journal after a sync that lost data.
    marking: Option<usize>,
    trace: VecDeque<String>,
    tracing: bool,
    findings: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Runner {
    sleeping_until: Duration,
    steps: u64,
    ended: bool,
    dead: bool,
    reading: bool,
}

/// What came of a run.
pub struct Outcome {
    /// The choices, as far as they were used.
    pub choices: Choices,
    /// The time at the end.
    pub now: Duration,
    /// How many operations were done.
    pub steps: u64,
    /// Did the power fail?
    pub cut: bool,
    /// What the schedule itself found wrong.
    pub findings: Vec<String>,
    /// The last operations.
    pub trace: Vec<String>,
}

impl Schedule {
    /// A schedule of so many processes. `now` is the simulated time since its beginning.
    pub fn new(
        processes: usize,
        choices: Choices,
        hazards: Hazards,
        now: Duration,
        tracing: bool,
    ) -> Self {
        let mut state = State {
            choices,
            hazards,
            now,
            steps: 0,
            turn: 0,
            runners: vec![Runner::default(); processes],
            power: true,
            marking: None,
            trace: VecDeque::new(),
            tracing,
            findings: Vec::new(),
        };
        state.turn = state.choices.choose(processes);
        Self { state: Mutex::new(state), turns: (0..processes).map(|_| Condvar::new()).collect() }
    }

    /// Waits for the first turn of a process.
    pub fn begin(&self, process: u32) {
        drop(self.my_turn(self.state(), process as usize));
    }

    /// The process has done all it had to do: the turn passes on.
    pub fn end(&self, process: u32) {
        let mut state = self.state();
        if let Some(runner) = state.runners.get_mut(process as usize) {
            runner.ended = true;
        }
        if let Some(next) = state.next() {
            state.turn = next;
            self.turns[next].notify_one();
        }
    }

    /// Is the process dead?
    pub fn is_dead(&self, process: u32) -> bool {
        let state = self.state();
        !state.power || state.runners[process as usize].dead
    }

    /// Has the process ended, one way or the other?
    pub fn is_gone(&self, process: u32) -> bool {
        let state = self.state();
        state.runners.get(process as usize).is_none_or(|runner| runner.dead || runner.ended)
    }

    /// Says that the process is in a call that must not change anything.
    pub fn set_reading(&self, process: u32, reading: bool) {
        self.state().runners[process as usize].reading = reading;
    }

    /// A choice of the process whose turn it is.
    pub fn chance(&self, percent: usize) -> bool {
        self.state().choices.choose(100) < percent
    }

    /// What came of it.
    pub fn outcome(&self) -> Outcome {
        let state = self.state();
        Outcome {
            choices: state.choices.clone(),
            now: state.now,
            steps: state.steps,
            cut: !state.power,
            findings: state.findings.clone(),
            trace: state.trace.iter().cloned().collect(),
        }
    }

    /// The end of a process's sleep.
    fn sleep(&self, process: usize, span: Duration) {
        let mut state = self.state();
        if !state.power || state.runners[process].dead {
            return;
        }
        state.runners[process].sleeping_until = state.now.saturating_add(span);
        if let Some(next) = state.next() {
            drop(self.pass(state, process, next));
        }
    }

    /// Gives the turn to `next` and waits until it comes back.
    fn pass<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        process: usize,
        next: usize,
    ) -> MutexGuard<'a, State> {
        state.turn = next;
        if next == process {
            return state;
        }
        self.turns[next].notify_one();
        self.my_turn(state, process)
    }

    fn my_turn<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        process: usize,
    ) -> MutexGuard<'a, State> {
        while state.turn != process {
            state = self.turns[process].wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who goes on when the one whose turn it was cannot: one who can, else whoever wakes first.
    fn next(&mut self) -> Option<usize> {
        let ready = self.ready();
        if !ready.is_empty() {
            let choice = self.choices.choose(ready.len());
            return ready.get(choice).copied();
        }
        let runners = self.runners.iter().enumerate().filter(|(_, runner)| !runner.ended);
        let (first, until) =
            runners.map(|(index, runner)| (index, runner.sleeping_until)).min_by_key(|it| it.1)?;
        self.now = self.now.max(until);
        Some(first)
    }

    fn ready(&self) -> Vec<usize> {
        let runners = self.runners.iter().enumerate();
        let ready = runners.filter(|(_, it)| !it.ended && it.sleeping_until <= self.now);
        ready.map(|(index, _)| index).collect()
    }

    /// Who does the next operation, when `process` is about to do one.
    fn who(&mut self, process: usize) -> usize {
        if self.marking == Some(process) {
            return process;
        }
        match &self.choices {
            Choices::Random(_) => {
                if self.choices.choose(100) >= self.hazards.switch_percent {
                    return process;
                }
                // Now and then somebody wakes while the others have not got far: they were slow.
                if self.choices.choose(20) == 0 {
                    let others = self.runners.iter().filter(|it| !it.ended);
                    let wake = others.map(|it| it.sleeping_until).filter(|it| *it > self.now);
                    self.now = wake.min().unwrap_or(self.now);
                }
                let ready = self.ready();
                *ready.get(self.choices.choose(ready.len().max(1))).unwrap_or(&process)
            }
            Choices::Listed(_) => {
                if self.hazards.preemptions == 0 {
                    return process;
                }
                let others = self.ready().into_iter().filter(|other| *other != process);
                let others: Vec<usize> = others.collect();
                match self.choices.choose(1 + others.len()).checked_sub(1) {
                    Some(other) => {
                        self.hazards.preemptions -= 1;
                        others[other]
                    }
                    None => process,
                }
            }
        }
    }

    fn fate(&mut self, process: u32, step: &Step<'_>) -> Fate {
        match &self.choices {
            Choices::Listed(_) => self.listed_fate(),
            Choices::Random(_) => self.random_fate(process, step),
        }
    }

    fn listed_fate(&mut self) -> Fate {
        let (deaths, cuts) = (self.hazards.deaths, self.hazards.cuts);
        match self.choices.choose(1 + deaths.min(1) + cuts.min(1)) {
            0 => Fate::Done,
            1 if deaths > 0 => {
                self.hazards.deaths -= 1;
                Fate::Killed { written: 0 }
            }
            _ => {
                self.hazards.cuts -= 1;
                Fate::PowerCut
            }
        }
    }

    fn random_fate(&mut self, process: u32, step: &Step<'_>) -> Fate {
        if self.hazards.cut_at == Some(self.steps) {
            return Fate::PowerCut;
        }
        let own = self.runners[process as usize].steps;
        if self.hazards.kills.contains(&(process, own)) && self.marking.is_none() {
            return Fate::Killed { written: self.choices.choose(step.bytes + 1) };
        }
        if self.happens(self.hazards.jumps) {
            // Beyond half the lock's time to live; sometimes beyond the leases' as well.
            self.now += Duration::from_secs([160, 310, 500][self.choices.choose(3)]);
        }
        if self.hazards.full.contains(&self.steps) {
            match step.call {
                Call::Write => return Fate::Short(self.choices.choose(step.bytes.max(1))),
                Call::Create | Call::OpenAppend | Call::CreateDir => {
                    return Fate::Fail(Errno::NOSPC);
                }
                _ => {}
            }
        }
        if step.call == Call::Sync {
            if self.happens(self.hazards.forgotten_syncs) {
                return Fate::Forgotten;
            }
            if self.happens(self.hazards.failed_syncs) {
                return Fate::Fail(Errno::IO);
            }
        }
        if matches!(step.call, Call::Read | Call::Write) && self.happens(self.hazards.shorts) {
            return match self.choices.choose(3) {
                0 => Fate::Interrupted,
                _ => Fate::Short(1 + self.choices.choose(step.bytes.min(600))),
            };
        }
        // A failed sync is a hazard of its own.
        let may_fail = !matches!(step.call, Call::Sync);
        if may_fail && self.happens(self.hazards.errors) {
            Fate::Fail(Errno::IO)
        } else {
            Fate::Done
        }
    }

    fn happens(&mut self, in_ten_thousand: usize) -> bool {
        in_ten_thousand > 0 && self.choices.choose(10_000) < in_ten_thousand
    }

    fn note(&mut self, process: u32, step: &Step<'_>, fate: Fate) {
        if self.trace.len() == TRACE_MAX {
            self.trace.pop_front();
        }
        let name = step.path.file_name().unwrap_or("/");
        let bytes =
            if step.call == Call::Write { format!(" {}", step.bytes) } else { String::new() };
        let fate = if fate == Fate::Done { String::new() } else { format!("  <- {fate:?}") };
        self.trace.push_back(format!(
            "{:>5} {:>12.6} p{process} {:?} {name}{bytes}{fate}",
            self.steps,
            self.now.as_secs_f64(),
            step.call
        ));
    }
}

impl Conductor for Schedule {
    fn before(&self, process: u32, step: &Step<'_>) -> Fate {
        let index = process as usize;
        let mut state = self.state();
        if !state.power || state.runners[index].dead {
            // Nothing that a dead process does has an effect.
            return Fate::Done;
        }
        let next = state.who(index);
        let mut state = self.pass(state, index, next);
        if !state.power {
            return Fate::Done;
        }
        state.steps += 1;
        state.now += STEP;
        state.runners[index].steps += 1;
        if state.runners[index].reading && step.call.changes() {
            let finding = format!("a call that only reads did {:?} on {}", step.call, step.path);
            state.findings.push(finding);
        }
        let mut fate = state.fate(process, step);
        if state.steps > STEPS_MAX {
            state.findings.push("the run does not end".to_string());
            fate = Fate::PowerCut;
        }
        let is = |ending: &str| step.path.as_str().ends_with(ending);
        if step.call == Call::Create && is(".poisoned") {
            state.marking = None;
        }
        match fate {
            Fate::Forgotten if is(".jsonl") && !state.hazards.marker_window => {
                state.marking = Some(index);
            }
            Fate::Killed { .. } => state.runners[index].dead = true,
            Fate::PowerCut => state.power = false,
            _ => {}
        }
        if state.tracing {
            state.note(process, step, fate);
        }
        fate
    }

    fn now(&self) -> Duration {
        BEGIN + self.state().now
    }
}

/// The simulated time, as one process sees it.
#[derive(Clone)]
pub struct SimClock {
    schedule: std::sync::Arc<Schedule>,
    process: u32,
}

impl SimClock {
    /// The clock of a process.
    pub fn new(schedule: std::sync::Arc<Schedule>, process: u32) -> Self {
        Self { schedule, process }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Result<Timestamp, OutOfRange> {
        let millis = i64::try_from(Conductor::now(&*self.schedule).as_millis());
        Timestamp::from_millis(millis.map_err(|_| OutOfRange)?)
    }

    fn elapsed(&self) -> Duration {
        self.schedule.state().now
    }

    fn sleep(&self, span: Duration) {
        self.schedule.sleep(self.process as usize, span);
    }
}
