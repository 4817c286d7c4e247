//! Who holds what, and does it move? The one view that the plan, the supervisor and people look at.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::iter;

use serde_json::{Value, json};

use crate::fleet::liveness::{Liveness, LivenessPolicy, Progress, Verdict, classify};
use crate::journal::LiveSet;
use crate::journal::decode::object_of;
use crate::journal::entry::op;
use crate::journal::freshness::FUTURE_SLACK_MILLIS;
use crate::lane::lease::{ProcessId, fold};
use crate::lane::pattern::RepoPath;
use crate::lane::region::Region;
use crate::lane::texts::TextMap;
use crate::lane::vitality::{Death, ProcessState, lapses_at, proof_of_death};
use crate::lane::{Case, Lanes, Lease, Moment, Policy, Tree};
use crate::timestamp::Timestamp;

/// How long a recorded intent counts as a worker that is on its way, in milliseconds.
pub const INTENT_MILLIS: i64 = 120_000;

/// A commit, as far as it is evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: String,
    /// When it was committed, by the clock of whoever did.
    pub at: Timestamp,
    /// Its first line.
    pub subject: String,
    /// The files that it changed.
    pub paths: Vec<String>,
}

/// One lease, and what is known of its holder.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The lease.
    pub lease: Lease,
    /// The work tree that it works in, where several share a state.
    pub worktree: Option<String>,
    /// Does the holder move? One that is provably dead is stalled, whatever it did before.
    pub verdict: Verdict,
    /// The proof, when it is dead.
    pub death: Option<Death>,
    /// Its newest commit that was looked at.
    pub last_commit: Option<Timestamp>,
}

impl Holder {
    /// What counts.
    pub fn liveness(&self) -> Liveness {
        if self.death.is_some() { Liveness::Stalled } else { self.verdict.liveness }
    }

    /// How long it has been spinning: since its last progress and the time that anybody is given.
    pub fn spinning_age_ms(&self, now: Timestamp, policy: &LivenessPolicy) -> Option<i64> {
        let moved = self.lease.acquired_at().max(self.last_commit)?;
        let age = now.millis_since(moved).saturating_sub(policy.grace_ms).max(0);
        (self.liveness() == Liveness::Spinning).then_some(age)
    }
}

/// Somebody is about to take a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The lane.
    pub lane: String,
    /// Who.
    pub holder: String,
    /// The run.
    pub run_id: Option<String>,
    /// The process, where all of its identity was recorded.
    pub process: Option<ProcessId>,
    /// When that was recorded.
    pub at: Timestamp,
}

/// Something that was refused, stopped or denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// REFUSE, HALT or ENFORCE.
    pub op: String,
    /// The lane.
    pub lane: String,
    /// Who.
    pub holder: String,
    /// The run.
    pub run_id: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// Why, as a stable word.
    pub reason_class: String,
    /// When.
    pub at: Option<Timestamp>,
}

/// What the end of the journal tells besides who is live.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// The newest intent of each lane, by its folded name.
    pub intents: BTreeMap<String, Intent>,
    /// When each lane was last given back, by its folded name.
    pub given_back: BTreeMap<String, Timestamp>,
    /// When each run last took a lane: by its id, that of the run that started it, and its name.
    pub taken: BTreeMap<String, Timestamp>,
    /// Refusals and the like, oldest first.
    pub notices: Vec<Notice>,
}

/// Most notices that are kept.
const NOTICES_MAX: usize = 200;

impl Recent {
    /// Folds one line of the journal. Lines that cannot matter are not read.
    pub fn line(&mut self, line: &[u8]) {
        let names = |op: &str| memchr::memmem::find(line, op.as_bytes()).is_some();
        let counts = [op::ACQUIRE, op::SPAWN, op::RELEASE, op::REFUSE, op::HALT, op::ENFORCE];
        if !counts.into_iter().any(names) {
            return;
        }
        let Some(record) = object_of(line) else { return };
        let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
        let at = Timestamp::parse(text("ts"));
        let run_id = Some(text("run_id").to_string()).filter(|run_id| !run_id.is_empty());
        match text("op") {
            op::SPAWN => {
                let lane = text("lane").to_string();
                let process = Lease::from_object(record.clone()).named_process();
                let holder = text("holder").to_string();
                if let Some(at) = at {
                    let key = fold(&lane);
                    self.intents.insert(key, Intent { lane, holder, run_id, process, at });
                }
            }
            op::ACQUIRE => {
                let inner = record.get("lease").and_then(Value::as_object);
                let lease = Lease::from_object(inner.cloned().unwrap_or_default());
                let names = [lease.run_id(), lease.parent_id(), lease.holder()];
                let taken = names.into_iter().flatten().map(str::to_string).zip(iter::repeat(at));
                self.taken.extend(taken.filter_map(|(name, at)| Some((name, at?))));
            }
            op::RELEASE => {
                let given_back = at.map(|at| (fold(text("lane")), at));
                self.given_back.extend(given_back);
            }
            op @ (op::REFUSE | op::HALT | op::ENFORCE) => {
                if self.notices.len() == NOTICES_MAX {
                    self.notices.remove(0);
                }
                self.notices.push(Notice {
                    op: op.to_string(),
                    lane: text("lane").to_string(),
                    holder: text(if op == op::HALT { "handle" } else { "holder" }).to_string(),
                    run_id,
                    reason: text("reason").to_string(),
                    reason_class: text("reason_class").to_string(),
                    at,
                });
            }
            _ => {}
        }
    }
}

/// The whole fleet at one moment.
#[derive(Clone, Debug)]
pub struct FleetView {
    /// The moment.
    pub now: Timestamp,
    /// The host that looks.
    pub host: String,
    /// Every lease of the journal, in the order in which they were taken.
    pub holders: Vec<Holder>,
    /// Workers on their way: intents that are young, whose process is not gone, and whose lane nobody
    /// holds.
    pub intents: Vec<Intent>,
    /// When each lane was last given back, by its folded name, as far as the end of the journal tells.
    pub given_back: BTreeMap<String, Timestamp>,
    /// When each run last took a lane, as far as that tells: by its id, that of the run that started it,
    /// and its name.
    pub taken: BTreeMap<String, Timestamp>,
    /// Refusals and the like, oldest first.
    pub notices: Vec<Notice>,
    /// Commits that were looked at, newest first.
    pub commits: Vec<Commit>,
}

/// What a view is made of.
pub struct Seen<'a> {
    /// The fold of the journal.
    pub live: &'a LiveSet,
    /// Time, host and process table.
    pub moment: &'a Moment,
    /// The end of the journal.
    pub recent: Recent,
    /// Commits of the last while, newest first.
    pub commits: Vec<Commit>,
}

/// From when on commits are evidence: no run is judged by older ones.
pub fn commits_since(moment: &Moment, policy: &LivenessPolicy, halt_after_ms: i64) -> Timestamp {
    moment.now.plus_millis(-policy.grace_ms.saturating_add(halt_after_ms.max(0)))
}

/// Could commits change the verdict on any of these leases? Without them one is left to its beats.
pub fn needs_commits(live: &LiveSet, moment: &Moment, policy: &LivenessPolicy) -> bool {
    live.leases().any(|lease| {
        let verdict = classify(&progress(lease, 0, moment, None), policy);
        verdict.liveness != Liveness::Advancing && proof_of_death(lease, moment).is_none()
    })
}

impl FleetView {
    /// Puts together what was seen.
    pub fn of(seen: Seen<'_>, liveness: &LivenessPolicy, policy: &Policy) -> Self {
        let Seen { live, moment, recent, commits } = seen;
        let case = policy.conditions.overlap.region_case().unwrap_or_default();
        let moves = Moves::of(live, &commits, moment, liveness, &policy.lanes, case);
        let holders: Vec<Holder> = live
            .leases()
            .zip(moves.by_lease)
            .map(|(lease, moved)| {
                let death = proof_of_death(lease, moment);
                let alive = matches!(death, Some(Death::ProcessGone { .. })).then_some(false);
                let verdict = classify(&progress(lease, moved.count, moment, alive), liveness);
                let worktree = lease.worktree().map(ToString::to_string);
                let (lease, last_commit) = (lease.clone(), moved.newest);
                Holder { lease, worktree, verdict, death, last_commit }
            })
            .collect();
        let held = |lane: &str| {
            let alive = holders.iter().filter(|holder| holder.death.is_none());
            alive.into_iter().any(|holder| fold(&holder.lease.lane()) == lane)
        };
        let gone = |process: &ProcessId| {
            let states = moment.processes.iter();
            states.into_iter().any(|(id, state)| id == process && *state == ProcessState::Gone)
        };
        let coming = |intent: &Intent| {
            let age = moment.now.millis_since(intent.at);
            (-FUTURE_SLACK_MILLIS..INTENT_MILLIS).contains(&age)
                && !intent.process.as_ref().is_some_and(gone)
        };
        let intents = recent
            .intents
            .into_iter()
            .filter(|(lane, intent)| coming(intent) && !held(lane))
            .map(|(_, intent)| intent)
            .collect();
        let (now, host) = (moment.now, moment.host.clone());
        let Recent { given_back, taken, notices, .. } = recent;
        Self { now, host, holders, intents, given_back, taken, notices, commits }
    }

    /// The holders that count: those that are not provably dead.
    pub fn living(&self) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(|holder| holder.death.is_none())
    }

    /// The object for programs.
    pub fn to_json(&self) -> Value {
        let holder = |holder: &Holder| {
            json!({
                "lane": holder.lease.lane(),
                "loop_ts": holder.lease.loop_ts(),
                "holder": holder.lease.holder(),
                "run_id": holder.lease.run_id(),
                "worktree": holder.worktree,
                "liveness": holder.liveness().token(),
                "reason": holder.verdict.to_string(),
                "evidence": holder.verdict.progress.to_json(),
                "proof_of_death": holder.death.as_ref().map(ToString::to_string),
                "lapses_at": lapses_at(&holder.lease).map(|at| at.to_string()),
            })
        };
        let intent = |intent: &Intent| {
            json!({
                "lane": intent.lane,
                "holder": intent.holder,
                "run_id": intent.run_id,
                "age_ms": self.now.millis_since(intent.at),
            })
        };
        let notice = |notice: &Notice| {
            json!({
                "op": notice.op,
                "lane": notice.lane,
                "holder": notice.holder,
                "run_id": notice.run_id,
                "reason": notice.reason,
                "reason_class": notice.reason_class,
                "at": notice.at.map(|at| at.to_string()),
            })
        };
        json!({
            "now_ms": self.now.millis(),
            "host": self.host,
            "holders": self.holders.iter().map(holder).collect::<Value>(),
            "spawning": self.intents.iter().map(intent).collect::<Value>(),
            "notices": self.notices.iter().map(notice).collect::<Value>(),
        })
    }
}

/// What the journal and the process table say of a lease's run. It began when the lease was taken; a
/// lease without a stamp began now. A beat from the future proves nothing.
fn progress(lease: &Lease, commits: u64, moment: &Moment, alive: Option<bool>) -> Progress {
    let now_ms = moment.now.millis();
    let age = lease.newest_stamp().map(|beat| moment.now.millis_since(beat));
    Progress {
        run_started_ms: lease.acquired_at().map_or(now_ms, Timestamp::millis),
        now_ms,
        commits_since_start: commits,
        journal_events_since: 0,
        last_heartbeat_age_ms: age.filter(|age| *age >= -FUTURE_SLACK_MILLIS).map(|age| age.max(0)),
        process_alive: alive,
    }
}

/// The commits of one lease.
#[derive(Clone, Copy, Default)]
struct Moved {
    count: u64,
    newest: Option<Timestamp>,
}

/// Which commits are progress of which lease: those that changed a file of its tree, since it was
/// taken. They count for as long as anybody is given without progress.
struct Moves {
    by_lease: Vec<Moved>,
}

impl Moves {
    fn of(
        live: &LiveSet,
        commits: &[Commit],
        moment: &Moment,
        policy: &LivenessPolicy,
        lanes: &Lanes,
        case: Case,
    ) -> Self {
        let mut by_lease = alloc::vec![Moved::default(); live.len()];
        if commits.is_empty() {
            return Self { by_lease };
        }
        let mut map = TextMap::default();
        let regions: Vec<(Option<Timestamp>, Region)> = live
            .leases()
            .map(|lease| {
                let tree = Some(lease.tree()).filter(|tree| !tree.is_empty());
                let declared = || lanes.tree(lanes.resolve(&lease.lane()));
                (lease.acquired_at(), tree.unwrap_or_else(declared).region(case))
            })
            .collect();
        for (place, (_, region)) in regions.iter().enumerate() {
            region.prefixes().iter().for_each(|text| map.insert(text, place));
        }
        let counts_from = moment.now.plus_millis(-policy.grace_ms);
        for commit in commits {
            let mut of: Vec<usize> = Vec::new();
            for path in commit.paths.iter().filter_map(|path| RepoPath::new(path, case)) {
                of.extend(map.shorter(path.folded()).filter(|place| {
                    regions.get(*place).is_some_and(|(_, region)| region.owns(&path))
                }));
            }
            of.sort_unstable();
            of.dedup();
            for place in of {
                let since = regions.get(place).and_then(|(since, _)| *since);
                let credible = commit.at <= moment.now.plus_millis(FUTURE_SLACK_MILLIS);
                if let Some(moved) = by_lease.get_mut(place)
                    && credible
                    && since.is_some_and(|since| commit.at >= since)
                {
                    moved.newest = moved.newest.max(Some(commit.at));
                    moved.count += u64::from(commit.at >= counts_from);
                }
            }
        }
        Self { by_lease }
    }
}

/// The names of the roster: the lanes that run side by side, then those that run alone.
pub fn roster_lanes(lanes: &Lanes) -> Vec<&String> {
    let mut seen = alloc::collections::BTreeSet::new();
    let named = lanes.concurrent.iter().chain(&lanes.exclusive).filter(|lane| !lane.is_empty());
    named.filter(|lane| seen.insert(fold(lane))).collect()
}

/// The tree of a lease where it is not what its lane declares.
pub fn own_tree(lease: &Lease, declared: &Tree) -> Option<Tree> {
    let tree = lease.tree();
    (!tree.is_empty() && tree != *declared).then_some(tree)
}
