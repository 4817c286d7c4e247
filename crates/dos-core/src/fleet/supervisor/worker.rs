//! One worker: what is known of it, and when it is to end.

use alloc::string::String;

use super::{Effect, Event, Step};
use crate::fleet::liveness::Liveness;
use crate::fleet::view::{FleetView, Holder};
use crate::lane::lease::{ProcessId, fold};
use crate::lane::vitality::Death;
use crate::timestamp::Timestamp;

/// The `[worker]` table: how workers are started and stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerPolicy {
    /// A worker that ends within this time, in milliseconds, has died early.
    pub early_ms: i64,
    /// How long a lane rests after an early death, in milliseconds; twice as long after each further
    /// one.
    pub backoff_ms: i64,
    /// The longest rest, in milliseconds.
    pub backoff_max_ms: i64,
    /// How long a worker may take until it holds its lane, and how long it may run without one after it
    /// gave it back, in milliseconds.
    pub start_ms: i64,
    /// How long a worker has to end after it was asked to, in milliseconds.
    pub stop_ms: i64,
    /// How much of what a worker prints is kept, in bytes, twice over.
    pub log_bytes_max: u64,
}

impl Default for WorkerPolicy {
    fn default() -> Self {
        Self {
            early_ms: 30_000,
            backoff_ms: 1000,
            backoff_max_ms: 10 * 60_000,
            start_ms: 10 * 60_000,
            stop_ms: 10_000,
            log_bytes_max: 10 * 1024 * 1024,
        }
    }
}

/// A worker that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its run.
    pub run_id: String,
    /// The lane that it was started for.
    pub lane: String,
    /// Its process, the first of a group of its own.
    pub process: ProcessId,
    /// When it was started.
    pub started: Timestamp,
    /// Has it ever held a lane?
    pub has_held: bool,
    /// When it was last seen to hold a lane; when it was started, before that.
    pub last_held: Timestamp,
    /// When it was asked to end.
    pub asked: Option<Timestamp>,
    /// Was it killed after that?
    pub killed: bool,
}

/// Why a worker is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It shows no sign of life.
    Stalled,
    /// It has not taken its lane.
    NeverStarted,
    /// It has given its lane back, and taken none since.
    Idle,
    /// Everything is to end.
    Stop,
}

impl Why {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Stalled => "STALLED",
            Self::NeverStarted => "NEVER_STARTED",
            Self::Idle => "IDLE",
            Self::Stop => "STOP",
        }
    }

    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Stalled => "it shows no sign of life",
            Self::NeverStarted => "it has not taken its lane",
            Self::Idle => "it runs on, and has held no lane for long",
            Self::Stop => "the supervisor stops",
        }
    }
}

impl Worker {
    /// What it holds: by its run or one that this has started, under the name that it was given, or by
    /// its process. Only in the last case do others have to believe that.
    pub(super) fn lease<'a>(&'a self, view: &'a FleetView) -> impl Iterator<Item = &'a Holder> {
        view.living().filter(|holder| self.is_of(holder))
    }

    fn is_of(&self, holder: &Holder) -> bool {
        let (lease, run_id) = (&holder.lease, Some(self.run_id.as_str()));
        [lease.run_id(), lease.parent_id(), lease.holder()].contains(&run_id)
            || lease.named_process().as_ref() == Some(&self.process)
    }

    /// Does it show no sign of life? Also when its lease has lapsed meanwhile. A sign from the future
    /// is that of a clock that was wrong, which nobody is ended for.
    fn is_stalled(&self, view: &FleetView) -> bool {
        let lapsed = |holder: &&Holder| matches!(holder.death, Some(Death::Lapsed { .. }));
        let counts = |holder: &&Holder| holder.death.is_none() || lapsed(holder);
        let mut own = view.holders.iter().filter(|holder| self.is_of(holder)).filter(counts);
        let is_still = |holder: &Holder| {
            let ahead = holder.lease.newest_stamp().is_some_and(|stamp| stamp > view.now);
            holder.liveness() == Liveness::Stalled && !ahead
        };
        own.next().is_some_and(is_still) && own.all(is_still)
    }

    /// Nothing happened later than now: what says so is of a clock that was wrong.
    pub(super) fn is_at(&mut self, now: Timestamp) {
        self.last_held = self.last_held.min(now);
        self.asked = self.asked.map(|at| at.min(now));
    }

    pub(super) fn has_held(&mut self, at: Timestamp) {
        self.has_held = true;
        self.last_held = at;
    }

    /// Is it to end?
    pub(super) fn look(
        &mut self,
        view: &FleetView,
        stopping: bool,
        reaps: bool,
        policy: &WorkerPolicy,
        step: &mut Step,
    ) {
        let own = self.run_id.clone();
        let run_id = || own.clone();
        // It may have taken a lane and given it back between two looks.
        let holds = self.lease(view).next().map(|_| view.now);
        let taken = view.taken.get(&self.run_id);
        let taken = taken.map(|at| self.last_held.max((*at).min(view.now)));
        if let Some(at) = holds.or(taken) {
            if !self.has_held {
                step.effects.push(Effect::Record(Event::Held { run_id: run_id(), at }));
            }
            self.has_held(at);
        }
        if let Some(asked) = self.asked {
            let end = asked.plus_millis(policy.stop_ms);
            if self.killed {
                return;
            }
            if view.now < end {
                step.wake_at = Some(step.wake_at.map_or(end, |wake| wake.min(end)));
                return;
            }
            step.effects.push(Effect::Kill { run_id: run_id() });
            self.killed = true;
            return;
        }
        // Under a name of its own it may hold the lane without our seeing that it is the one.
        let lane = fold(&self.lane);
        let held = view.living().any(|held| fold(&held.lease.lane()) == lane).then_some(view.now);
        let last = view.given_back.get(&lane).copied().max(held);
        self.last_held = last.map_or(self.last_held, |last| self.last_held.max(last.min(view.now)));
        let late = self.last_held.plus_millis(policy.start_ms);
        let why = if stopping {
            Why::Stop
        } else if reaps && self.is_stalled(view) {
            Why::Stalled
        } else if view.now >= late {
            if self.has_held { Why::Idle } else { Why::NeverStarted }
        } else {
            return;
        };
        step.effects.push(Effect::Ask { run_id: run_id(), why });
        self.asked = Some(view.now);
        let end = view.now.plus_millis(policy.stop_ms);
        step.wake_at = Some(step.wake_at.map_or(end, |wake| wake.min(end)));
    }
}
