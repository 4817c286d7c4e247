//! The supervisor: which workers there are, and what each event does to them.
//!
//! One pure step decides; whoever runs it records events, looks, and carries out the effects.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::fleet::liveness::{Liveness, LivenessPolicy};
use crate::fleet::supervise::{LanePlan, LaneState, Plan, Roster, SupervisePolicy, supervise};
use crate::fleet::view::{FleetView, Holder, own_tree, roster_lanes};
use crate::lane::Policy;
use crate::lane::lease::{LeaseKey, ProcessId, fold};
use crate::timestamp::Timestamp;

#[cfg(test)]
mod tests;
mod worker;

pub use worker::{Why, Worker, WorkerPolicy};

/// Who is told nothing for so long, in milliseconds, was asleep.
const NAP_MS: i64 = 30_000;

/// A lane after early deaths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// How many, one after the other.
    pub deaths: u32,
    /// Until when nobody is started on it.
    pub until: Timestamp,
}

/// Something that happened to a worker. These are recorded before anything else is done about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was started.
    Started {
        /// Its run.
        run_id: String,
        /// The lane that it was started for.
        lane: String,
        /// Its process.
        process: ProcessId,
        /// When.
        at: Timestamp,
    },
    /// It holds a lane.
    Held {
        /// Its run.
        run_id: String,
        /// When that was seen.
        at: Timestamp,
    },
    /// It ended.
    Ended {
        /// Its run.
        run_id: String,
        /// When that was seen.
        at: Timestamp,
        /// Had the supervisor asked it to?
        asked: bool,
        /// Was that seen, here and in this boot? Else it is only out of sight.
        proven: bool,
    },
    /// A lane rests, or does no longer.
    Rests {
        /// The lane.
        lane: String,
        /// For how long, after how many deaths; no death: it does no longer.
        rest: Rest,
    },
}

/// What the supervisor is told.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Something happened to a worker.
    Event(&'a Event),
    /// This is the time. Once told it wants to know every few seconds, or takes the machine for one that
    /// slept.
    Tick(Timestamp),
    /// It is time to look.
    Look(&'a FleetView),
    /// Everything is to end.
    Stop,
    /// Everything is to end at once.
    Abort,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Record what a look has shown, so that the next supervisor knows it too.
    Record(Event),
    /// Start a worker for this lane.
    Start {
        /// The lane.
        lane: String,
    },
    /// Ask the processes of this run to end.
    Ask {
        /// The run.
        run_id: String,
        /// Why.
        why: Why,
    },
    /// Kill the processes of this run.
    Kill {
        /// The run.
        run_id: String,
    },
    /// Free this lease.
    Free {
        /// Which.
        key: LeaseKey,
        /// The run of ours that held it and has ended, where that is the proof.
        ended_run: Option<String>,
    },
}

/// What follows from an input.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
    /// The plan, after a look, and what it was made from.
    pub plan: Option<(Plan, Roster)>,
    /// When to look again, if nothing happens before.
    pub wake_at: Option<Timestamp>,
}

/// What the supervisor goes by.
pub struct Rules<'a> {
    /// How lanes are declared and compared.
    pub policy: &'a Policy,
    /// How many workers are wanted.
    pub supervise: &'a SupervisePolicy,
    /// When a run moves.
    pub liveness: &'a LivenessPolicy,
    /// How workers are started and stopped.
    pub worker: &'a WorkerPolicy,
}

/// The workers of one supervisor. Folding what was recorded gives the same crew again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Crew {
    workers: BTreeMap<String, Worker>,
    /// By the folded names of the lanes.
    rests: BTreeMap<String, Rest>,
    /// Runs that have ended and may still hold a lease.
    ended: BTreeSet<String>,
    stopping: bool,
    awake: Awake,
}

/// Since when somebody has looked at the workers without a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Awake {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Crew {
    /// The workers that run.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values()
    }

    /// Is everything to end?
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// The lanes that rest, by their folded names.
    pub fn rests(&self) -> impl Iterator<Item = (&str, &Rest)> {
        self.rests.iter().map(|(lane, rest)| (lane.as_str(), rest))
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &Event, policy: &WorkerPolicy) {
        match event {
            Event::Started { run_id, lane, process, at } => {
                let worker = Worker {
                    run_id: run_id.clone(),
                    lane: lane.clone(),
                    process: process.clone(),
                    started: *at,
                    has_held: false,
                    last_held: *at,
                    asked: None,
                    killed: false,
                };
                self.workers.insert(run_id.clone(), worker);
            }
            Event::Held { run_id, at } => {
                if let Some(worker) = self.workers.get_mut(run_id) {
                    worker.has_held(*at);
                }
            }
            Event::Ended { run_id, at, asked, proven } => {
                if *proven {
                    self.ended.insert(run_id.clone());
                }
                if let Some(worker) = self.workers.remove(run_id)
                    && !asked
                {
                    self.lay_to_rest(&worker, *at, policy);
                }
            }
            Event::Rests { lane, rest } => match rest.deaths {
                0 => drop(self.rests.remove(&fold(lane))),
                _ => drop(self.rests.insert(fold(lane), *rest)),
            },
        }
    }

    /// A lane whose worker died early rests, the longer the more often that happens.
    fn lay_to_rest(&mut self, worker: &Worker, at: Timestamp, policy: &WorkerPolicy) {
        let lane = fold(&worker.lane);
        if at.millis_since(worker.started) >= policy.early_ms {
            self.rests.remove(&lane);
            return;
        }
        let deaths = self.rests.get(&lane).map_or(0, |rest| rest.deaths).saturating_add(1);
        let doubled = policy.backoff_ms.saturating_mul(1 << (deaths - 1).min(40));
        let until = at.plus_millis(doubled.min(policy.backoff_max_ms));
        self.rests.insert(lane, Rest { deaths, until });
    }

    /// The events that stand for this crew.
    pub fn standing_for(&self) -> Vec<Event> {
        let started = self.workers.values().map(|worker| Event::Started {
            run_id: worker.run_id.clone(),
            lane: worker.lane.clone(),
            process: worker.process.clone(),
            at: worker.started,
        });
        let held = self.workers.values().filter(|worker| worker.has_held);
        let held =
            held.map(|worker| Event::Held { run_id: worker.run_id.clone(), at: worker.last_held });
        let rests = self.rests.iter();
        let rests = rests.map(|(lane, rest)| Event::Rests { lane: lane.clone(), rest: *rest });
        started.chain(held).chain(rests).collect()
    }

    /// Decides what follows from an input.
    pub fn step(&mut self, input: Input<'_>, rules: &Rules<'_>) -> Step {
        match input {
            Input::Event(event) => {
                self.apply(event, rules.worker);
                Step::default()
            }
            Input::Stop => {
                self.stopping = true;
                Step::default()
            }
            Input::Abort => {
                self.stopping = true;
                let runs = self.workers.values_mut().map(|worker| {
                    worker.killed = true;
                    Effect::Kill { run_id: worker.run_id.clone() }
                });
                Step { effects: runs.collect(), ..Step::default() }
            }
            Input::Tick(now) => {
                self.tick(now);
                Step::default()
            }
            Input::Look(view) => self.look(view, rules),
        }
    }

    /// Nobody is ended for his silence while the machine slept, or because its clock went forward.
    fn tick(&mut self, now: Timestamp) {
        if self.awake.until.is_some_and(|until| now.millis_since(until) > NAP_MS) {
            self.awake.since = Some(now);
            for worker in self.workers.values_mut() {
                worker.last_held = now;
                worker.asked = worker.asked.map(|_| now);
            }
        }
        self.awake.since = self.awake.since.map(|since| since.min(now));
        self.awake.until = Some(now);
        self.workers.values_mut().for_each(|worker| worker.is_at(now));
    }

    fn look(&mut self, view: &FleetView, rules: &Rules<'_>) -> Step {
        match self.awake.until {
            Some(_) => self.tick(view.now),
            None => self.workers.values_mut().for_each(|worker| worker.is_at(view.now)),
        }
        let mut step = Step::default();
        let silence = self.awake.since.map(|since| view.now.millis_since(since));
        let judges = silence.is_none_or(|span| span >= rules.liveness.spin_ms);
        let reaps = rules.supervise.reap_stalled && judges;
        for worker in self.workers.values_mut() {
            worker.look(view, self.stopping, reaps, rules.worker, &mut step);
        }
        // A lease that names a process is freed when that is gone, whoever has ended.
        self.ended.retain(|run_id| {
            let theirs = view
                .living()
                .map(|holder| &holder.lease)
                .filter(|lease| lease.run_id() == Some(run_id) && lease.named_process().is_none());
            let frees: Vec<Effect> = theirs
                .map(|lease| Effect::Free { key: lease.key(), ended_run: Some(run_id.clone()) })
                .collect();
            let any = !frees.is_empty();
            step.effects.extend(frees);
            any
        });
        let (plan, roster) = self.plan(view, rules);
        let reaped: BTreeSet<String> = plan.reap.iter().map(|plan| fold(&plan.lane)).collect();
        for holder in view.holders.iter().filter(|holder| holder.death.is_some()) {
            if reaped.contains(&fold(&holder.lease.lane())) {
                step.effects.push(Effect::Free { key: holder.lease.key(), ended_run: None });
            }
        }
        if !self.stopping {
            let start = |plan: &LanePlan| Effect::Start { lane: plan.lane.clone() };
            step.effects.extend(plan.spawn.iter().map(start));
            let rests =
                self.rests.values().map(|rest| rest.until).filter(|until| *until > view.now);
            step.wake_at = step.wake_at.into_iter().chain(rests).min();
        }
        step.plan = Some((plan, roster));
        step
    }

    /// The plan, and what it is made from.
    pub fn plan(&self, view: &FleetView, rules: &Rules<'_>) -> (Plan, Roster) {
        let roster = self.roster(view, rules);
        let overlap = rules.policy.conditions.overlap.as_ref();
        let plan = supervise(&roster, rules.supervise.target, rules.supervise, overlap);
        (plan, roster)
    }

    /// The roster as the plan needs it.
    fn roster(&self, view: &FleetView, rules: &Rules<'_>) -> Roster {
        let lanes = &rules.policy.lanes;
        let mut by_lane: BTreeMap<String, Vec<&Holder>> = BTreeMap::new();
        for holder in &view.holders {
            by_lane.entry(fold(&holder.lease.lane())).or_default().push(holder);
        }
        let mut coming: BTreeMap<String, u64> = BTreeMap::new();
        for worker in self.workers.values().filter(|worker| worker.lease(view).next().is_none()) {
            *coming.entry(fold(&worker.lane)).or_default() += 1;
        }
        for intent in &view.intents {
            let ours =
                |run_id: &String| self.workers.contains_key(run_id) || self.ended.contains(run_id);
            if !intent.run_id.as_ref().is_some_and(ours) {
                coming.entry(fold(&intent.lane)).or_insert(1);
            }
        }
        let mut roster = Roster::default();
        let mut listed = BTreeSet::new();
        for name in roster_lanes(lanes) {
            let key = fold(name);
            let declared = lanes.tree(name);
            let is_exclusive = lanes.is_exclusive(name);
            let holders = by_lane.get(&key).map(Vec::as_slice).unwrap_or_default();
            let living = holders.iter().filter(|holder| holder.death.is_none());
            roster
                .held_elsewhere
                .extend(living.filter_map(|holder| own_tree(&holder.lease, &declared)));
            let pending = coming.remove(&key).is_some();
            let mut state = self.lane(view, rules, holders, pending);
            state.lane = name.clone();
            state.tree = declared;
            state.is_exclusive = is_exclusive;
            state.barred |= self.rests.get(&key).is_some_and(|rest| rest.until > view.now);
            roster.lanes.push(state);
            listed.insert(key);
        }
        self.beyond(view, rules, &by_lane, coming, listed, &mut roster);
        roster
    }

    /// What is held, or about to be, on lanes that are not listed. With a budget for lanes that are
    /// picked these count, and there is a lane that stands for picking one.
    fn beyond(
        &self,
        view: &FleetView,
        rules: &Rules<'_>,
        by_lane: &BTreeMap<String, Vec<&Holder>>,
        coming: BTreeMap<String, u64>,
        mut listed: BTreeSet<String>,
        roster: &mut Roster,
    ) {
        let budget = rules.supervise.max_concurrency.is_some();
        for (key, holders) in by_lane.iter().filter(|(key, _)| !listed.contains(*key)) {
            let living = || holders.iter().filter(|holder| holder.death.is_none());
            if !budget || rules.policy.lanes.is_exclusive(key) {
                roster.held_elsewhere.extend(living().map(|holder| holder.lease.tree()));
                continue;
            }
            for holder in living() {
                let lane = holder.lease.lane().into_owned();
                let state = self.lane(view, rules, &[holder], false);
                let tree = holder.lease.tree();
                // What it holds is in the way of others; the lane itself is one of those picked.
                roster.held_elsewhere.push(tree.clone());
                roster.lanes.push(LaneState { lane, tree, repeatable: true, ..state });
            }
        }
        roster.held_elsewhere.retain(|tree| !tree.is_empty());
        if !budget {
            return;
        }
        listed.extend(by_lane.keys().cloned());
        let mut handle = AUTO_LANE.to_string();
        while listed.contains(&handle) {
            handle.push('*');
        }
        for (key, count) in coming {
            let state =
                LaneState { lane: key, pending: true, repeatable: true, ..LaneState::default() };
            roster.lanes.extend(core::iter::repeat_n(state, count as usize));
        }
        let barred = self.rests.get(&handle).is_some_and(|rest| rest.until > view.now);
        let state = LaneState { lane: handle, repeatable: true, barred, ..LaneState::default() };
        roster.lanes.push(state);
    }

    /// What its holders do. The liveliest counts: a lane with one that moves is not to be freed.
    fn lane(
        &self,
        view: &FleetView,
        rules: &Rules<'_>,
        holders: &[&Holder],
        pending: bool,
    ) -> LaneState {
        let best = holders.iter().min_by_key(|holder| holder.liveness());
        let living = holders.iter().any(|holder| holder.death.is_none());
        let liveness = best.map(|holder| holder.liveness());
        LaneState {
            liveness: liveness.filter(|_| living || !pending),
            pending: pending && !living,
            spinning_age_ms: best
                .and_then(|holder| holder.spinning_age_ms(view.now, rules.liveness)),
            barred: living && liveness == Some(Liveness::Stalled),
            ..LaneState::default()
        }
    }
}

/// The lane that stands for picking any free one.
pub const AUTO_LANE: &str = "auto";
