//! How many workers are there, how many should there be, and what has to change?
//!
//! A plan is a function of what was seen. It starts and stops nothing: whoever asked does that.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::fleet::liveness::Liveness;
use crate::lane::Tree;
use crate::lane::overlap::{OverlapPolicy, prefix_text};
use crate::lane::region::Region;
use crate::lane::texts::TextMap;
use crate::timestamp::span;

/// The `[supervise]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisePolicy {
    /// How many workers are wanted.
    pub target: u64,
    /// Does a spinning worker count as one of them?
    pub count_spinning_as_alive: bool,
    /// Is the lane of a stalled worker to be freed?
    pub reap_stalled: bool,
    /// From when on a spinning worker is proposed to be halted, in milliseconds.
    pub spin_halt_after_ms: Option<i64>,
    /// How a worker is started; `{lane}` stands for its lane.
    pub worker_launch_template: String,
    /// How many workers may share the lanes that are picked automatically.
    pub max_concurrency: Option<u64>,
}

/// What the original prints where no command is declared. It is nothing that could be run.
pub const LAUNCH_TEMPLATE_DEFAULT: &str = "/dos-dispatch-loop --lane {lane}";

impl Default for SupervisePolicy {
    fn default() -> Self {
        Self {
            target: 1,
            count_spinning_as_alive: true,
            reap_stalled: true,
            spin_halt_after_ms: None,
            worker_launch_template: LAUNCH_TEMPLATE_DEFAULT.to_string(),
            max_concurrency: None,
        }
    }
}

impl SupervisePolicy {
    /// How a worker of that lane is started. Other braces stay as they are.
    pub fn launch_command(&self, lane: &str) -> String {
        self.worker_launch_template.replace("{lane}", lane)
    }
}

/// One lane of the roster, as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneState {
    /// Its name.
    pub lane: String,
    /// What its holder does; `None` when nobody holds it.
    pub liveness: Option<Liveness>,
    /// What it covers.
    pub tree: Tree,
    /// Does it run alone?
    pub is_exclusive: bool,
    /// Has a worker been started that does not hold it yet?
    pub pending: bool,
    /// For how long its holder has been spinning, in milliseconds.
    pub spinning_age_ms: Option<i64>,
    /// May several workers hold it, each with a part that the arbiter gives it?
    pub repeatable: bool,
    /// Neither reaped nor filled for now: its holder is not provably dead, or it is cooling down.
    pub barred: bool,
}

/// What was seen of the whole roster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// The lanes, in the order in which they are filled.
    pub lanes: Vec<LaneState>,
    /// What is held beside them: no worker is started where it would meet one of these.
    pub held_elsewhere: Vec<Tree>,
}

/// What is to be done about one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Start a worker.
    Spawn,
    /// Free it.
    Reap,
    /// Nothing: a person should look at it.
    Flag,
    /// A person should stop its holder.
    ProposeHalt,
}

impl Disposition {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Spawn => "SPAWN",
            Self::Reap => "REAP",
            Self::Flag => "FLAG",
            Self::ProposeHalt => "PROPOSE_HALT",
        }
    }
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanePlan {
    /// The lane.
    pub lane: String,
    /// What to do.
    pub disposition: Disposition,
    /// Why.
    pub reason: String,
}

/// The verdict on the whole roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    /// As many as wanted.
    AtTarget,
    /// Too few, and the plan starts some.
    Filling,
    /// More are wanted than the lanes can hold.
    TargetUnreachable,
    /// Too many. Nobody healthy is stopped for that.
    OverTarget,
}

impl Population {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::AtTarget => "AT_TARGET",
            Self::Filling => "FILLING",
            Self::TargetUnreachable => "TARGET_UNREACHABLE",
            Self::OverTarget => "OVER_TARGET",
        }
    }
}

/// What has to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The verdict.
    pub verdict: Population,
    /// Why.
    pub reason: String,
    /// Workers that count.
    pub alive: u64,
    /// Workers that the lanes can hold.
    pub admissible: u64,
    /// Workers that are wanted.
    pub target: u64,
    /// Workers to start.
    pub spawn: Vec<LanePlan>,
    /// Lanes to free.
    pub reap: Vec<LanePlan>,
    /// Lanes to look at.
    pub flag: Vec<LanePlan>,
    /// Holders that a person should stop.
    pub proposed_halt: Vec<LanePlan>,
}

/// Plans how to get from what was seen to the target.
pub fn supervise(
    roster: &Roster,
    target: u64,
    policy: &SupervisePolicy,
    overlap: &dyn OverlapPolicy,
) -> Plan {
    let mut survey = Survey::default();
    for (place, lane) in roster.lanes.iter().enumerate() {
        survey.look_at(place, lane, policy);
    }
    let contacts = Contacts::of(roster, overlap);
    let admissible = admissible(roster, policy, &contacts);
    let alive = survey.alive;
    let wanted = target.min(admissible).saturating_sub(alive);
    let spawn = fill(roster, &survey, wanted, &contacts);
    if (spawn.len() as u64) < wanted
        && let Some(resting) = resting(roster)
    {
        survey.flag_waiting(roster, resting);
    }
    let (verdict, reason) = if target > admissible {
        (
            Population::TargetUnreachable,
            format!(
                "target {target} is more than the {admissible} workers that these lanes can hold \
                 at once; declare more lanes that do not meet, or lower the target"
            ),
        )
    } else if alive > target {
        survey.flag_excess(roster, alive - target, target);
        let reason = format!("{alive} workers where {target} are wanted; none is stopped for that");
        (Population::OverTarget, reason)
    } else if !spawn.is_empty() {
        let count = spawn.len();
        (Population::Filling, format!("{alive} of {target} workers; starting {count}"))
    } else {
        (Population::AtTarget, format!("{alive} of {target} workers; nothing to start"))
    };
    let Survey { reap, flag, proposed_halt, .. } = survey;
    Plan { verdict, reason, alive, admissible, target, spawn, reap, flag, proposed_halt }
}

/// The roster, lane by lane.
#[derive(Default)]
struct Survey {
    alive: u64,
    /// Lanes on which a worker could be started.
    candidates: Vec<usize>,
    /// Lanes whose region is taken.
    held: Vec<usize>,
    reap: Vec<LanePlan>,
    flag: Vec<LanePlan>,
    proposed_halt: Vec<LanePlan>,
}

impl Survey {
    fn look_at(&mut self, place: usize, lane: &LaneState, policy: &SupervisePolicy) {
        let plan =
            |disposition, reason: String| LanePlan { lane: lane.lane.clone(), disposition, reason };
        if lane.pending {
            self.alive += 1;
            if !lane.repeatable {
                self.held.push(place);
            }
            return;
        }
        match lane.liveness {
            None if lane.barred => {}
            None => self.candidates.push(place),
            Some(Liveness::Advancing) => {
                self.alive += 1;
                match lane.repeatable {
                    true => self.candidates.push(place),
                    false => self.held.push(place),
                }
            }
            Some(Liveness::Spinning) => {
                let reason = "its holder beats and nothing moves; it keeps its lane".to_string();
                self.flag.push(plan(Disposition::Flag, reason));
                let limit = policy.spin_halt_after_ms;
                if let Some((age, limit)) = lane.spinning_age_ms.zip(limit)
                    && age >= limit
                {
                    let reason = format!(
                        "its holder has been spinning for {} (limit {}); nobody is stopped before \
                         somebody decides so",
                        span(age),
                        span(limit)
                    );
                    self.proposed_halt.push(plan(Disposition::ProposeHalt, reason));
                }
                if policy.count_spinning_as_alive {
                    self.alive += 1;
                    self.held.push(place);
                }
            }
            Some(Liveness::Stalled) if lane.barred => {
                let reason = "its holder is silent, and not provably dead".to_string();
                self.flag.push(plan(Disposition::Flag, reason));
                self.held.push(place);
            }
            Some(Liveness::Stalled) if policy.reap_stalled => {
                let reason = "its holder shows no sign of life".to_string();
                self.reap.push(plan(Disposition::Reap, reason));
                self.candidates.push(place);
            }
            Some(Liveness::Stalled) => {}
        }
    }

    fn flag_waiting(&mut self, roster: &Roster, resting: &str) {
        let candidates = self.candidates.iter().filter_map(|place| roster.lanes.get(*place));
        self.flag.extend(candidates.filter(|lane| lane.is_exclusive).map(|lane| LanePlan {
            lane: lane.lane.clone(),
            disposition: Disposition::Flag,
            reason: format!("it runs alone, and waits for {resting}, which rests"),
        }));
    }

    /// The last ones of the roster that advance are beyond the target.
    fn flag_excess(&mut self, roster: &Roster, excess: u64, target: u64) {
        let advancing =
            |lane: &&LaneState| !lane.pending && lane.liveness == Some(Liveness::Advancing);
        let beyond = roster.lanes.iter().rev().filter(advancing).take(excess as usize);
        self.flag.extend(beyond.map(|lane| LanePlan {
            lane: lane.lane.clone(),
            disposition: Disposition::Flag,
            reason: format!("a healthy worker beyond the target of {target}"),
        }));
    }
}

/// A lane that only rests. One that runs alone would keep it from its next worker, and waits.
fn resting(roster: &Roster) -> Option<&str> {
    let rests = |lane: &&LaneState| lane.barred && lane.liveness.is_none() && !lane.is_exclusive;
    roster.lanes.iter().find(rests).map(|lane| lane.lane.as_str())
}

/// How many workers the lanes can hold at once: lanes in order, each that meets none before it.
fn admissible(roster: &Roster, policy: &SupervisePolicy, contacts: &Contacts) -> u64 {
    let mut taken = Taken::default();
    let mut count = 0;
    for (place, lane) in roster.lanes.iter().enumerate() {
        if !lane.is_exclusive && taken.may_take(place, contacts) {
            taken.take(place, contacts);
            count += 1;
        }
    }
    if count == 0 {
        return u64::from(roster.lanes.iter().any(|lane| lane.is_exclusive));
    }
    match policy.max_concurrency {
        Some(most) if roster.lanes.iter().any(|lane| lane.repeatable) => count.max(most),
        _ => count,
    }
}

/// The workers to start: lanes of their own first, then those that several share, then those that
/// run alone. Each meets nothing that is held and none that was chosen before it.
fn fill(roster: &Roster, survey: &Survey, wanted: u64, contacts: &Contacts) -> Vec<LanePlan> {
    let mut taken = Taken::default();
    let elsewhere = roster.lanes.len()..roster.lanes.len() + roster.held_elsewhere.len();
    survey.held.iter().copied().chain(elsewhere).for_each(|place| taken.take(place, contacts));
    let mut order: Vec<(u8, usize)> = Vec::with_capacity(survey.candidates.len());
    for place in &survey.candidates {
        if let Some(lane) = roster.lanes.get(*place) {
            let turn = if lane.is_exclusive { 2 } else { u8::from(lane.repeatable) };
            order.push((turn, *place));
        }
    }
    if resting(roster).is_some() {
        order.retain(|(turn, _)| *turn < 2);
    }
    order.sort_unstable();
    let mut spawn: Vec<LanePlan> = Vec::new();
    for (_, place) in order {
        let left = (wanted as usize).saturating_sub(spawn.len());
        let Some(lane) = roster.lanes.get(place).filter(|_| left > 0) else {
            break;
        };
        let plan = |reason: &str| LanePlan {
            lane: lane.lane.clone(),
            disposition: Disposition::Spawn,
            reason: reason.to_string(),
        };
        if lane.repeatable {
            let shared = plan("the workers are too few, and several may share this lane");
            spawn.extend(core::iter::repeat_n(shared, left));
        } else if taken.may_take(place, contacts) {
            taken.take(place, contacts);
            spawn.push(plan("the workers are too few, and the lane is free"));
        }
    }
    spawn
}

/// The trees of a roster as they are compared: lanes first, then what is held elsewhere.
struct Contacts {
    /// For each tree the texts that its paths start with. Two trees can only meet where one of these
    /// texts starts with the other. A tree without any may cover anything.
    keys: Vec<Vec<String>>,
    /// Under a policy that compares regions, what decides in the end.
    regions: Vec<Region>,
}

impl Contacts {
    fn of(roster: &Roster, overlap: &dyn OverlapPolicy) -> Self {
        let lanes = roster.lanes.iter().map(|lane| &lane.tree);
        let trees: Vec<&Tree> = lanes.chain(&roster.held_elsewhere).collect();
        match overlap.region_case() {
            Some(case) => {
                let regions: Vec<Region> = trees.iter().map(|tree| tree.region(case)).collect();
                Self { keys: regions.iter().map(Region::prefixes).collect(), regions }
            }
            None => Self { keys: trees.into_iter().map(texts).collect(), regions: Vec::new() },
        }
    }

    fn meet(&self, left: usize, right: usize) -> bool {
        match (self.regions.get(left), self.regions.get(right)) {
            (Some(left), Some(right)) => left.meets(right).is_some(),
            // The texts have been compared, and nothing else counts.
            _ => true,
        }
    }
}

/// The texts that a tree is compared by under the rule of the original.
fn texts(tree: &Tree) -> Vec<String> {
    let named = tree.patterns().iter().filter(|pattern| !pattern.is_empty());
    named.map(|pattern| prefix_text(pattern).into_owned()).collect()
}

/// Trees that are taken, by the texts that their paths start with.
#[derive(Default)]
struct Taken {
    by_text: TextMap,
    /// Is a tree among them that may cover anything?
    anything: bool,
}

impl Taken {
    fn take(&mut self, place: usize, contacts: &Contacts) {
        let keys = contacts.keys.get(place).map(Vec::as_slice).unwrap_or_default();
        self.anything |= keys.is_empty();
        keys.iter().for_each(|key| self.by_text.insert(key, place));
    }

    /// Does the tree meet none of those that are taken?
    fn may_take(&self, place: usize, contacts: &Contacts) -> bool {
        let keys = contacts.keys.get(place).map(Vec::as_slice).unwrap_or_default();
        if self.anything || keys.is_empty() {
            return !self.anything && self.by_text.is_empty();
        }
        keys.iter().all(|key| {
            let mut near = self.by_text.shorter(key).chain(self.by_text.longer(key));
            !near.any(|other| contacts.meet(place, other))
        })
    }
}

impl LanePlan {
    fn to_json(&self) -> Value {
        json!({
            "lane": self.lane,
            "disposition": self.disposition.token(),
            "reason": self.reason,
        })
    }
}

impl Plan {
    /// The object for programs.
    pub fn to_json(&self, roster: &Roster) -> Value {
        let plans = |plans: &[LanePlan]| plans.iter().map(LanePlan::to_json).collect::<Value>();
        let lane = |lane: &LaneState| {
            json!({
                "lane": lane.lane,
                "liveness": lane.liveness.map(Liveness::token),
                "tree": lane.tree.patterns(),
                "is_exclusive": lane.is_exclusive,
                "pending": lane.pending,
                "spinning_age_ms": lane.spinning_age_ms,
                "repeatable": lane.repeatable,
                "barred": lane.barred,
            })
        };
        json!({
            "verdict": self.verdict.token(),
            "reason": self.reason,
            "alive": self.alive,
            "admissible": self.admissible,
            "target": self.target,
            "spawn": plans(&self.spawn),
            "reap": plans(&self.reap),
            "flag": plans(&self.flag),
            "proposed_halt": plans(&self.proposed_halt),
            "evidence": {
                "target": self.target,
                "lanes": roster.lanes.iter().map(lane).collect::<Value>(),
            },
        })
    }
}
