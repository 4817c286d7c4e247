//! One command against the live set: what to append, and what to answer.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::journal::LiveSet;
use crate::journal::entry::{self, About, NewHolder, Record};
use crate::lane::admission::Candidate;
use crate::lane::arbiter::{Admission, arbitrate_beside};
use crate::lane::command::{Acquire, Adopt, Claim, Command, Halt, Spawn};
use crate::lane::effort::Effort;
use crate::lane::lease::{Lease, fold};
use crate::lane::live::LiveLeases;
use crate::lane::policy::Policy;
use crate::lane::refusal::Refusal;
use crate::lane::tree::InputError;
use crate::lane::vitality::{Death, Moment, TTL_MILLIS_DEFAULT, proof_of_death};
use crate::limits;
use crate::timestamp::Timestamp;

/// What to append, in order, and what to answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The records, complete with `seq` and `ts`. Empty when nothing changes.
    pub entries: Vec<Record>,
    /// The answer.
    pub outcome: Outcome,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The lane is held from now on.
    Granted(Grant),
    /// The lane is not to be had.
    Refused(Refusal),
    /// The command did what it says to this lease, shown as it stood before.
    Done(Lease),
    /// The lease, shown as it stood before, passed on under this fencing token.
    Adopted(Lease, u64),
    /// The beat is young enough: nothing was written, the lease stands.
    Coalesced(Lease),
    /// No such lease is held by the one who asks.
    NotHeld {
        /// Who holds the lane, if somebody does.
        holders: Vec<Lease>,
    },
    /// The holder is not provably dead, so that its lease stays.
    StillAlive(Lease),
    /// The event is recorded, about this lane and loop stamp.
    Recorded {
        /// The lane; empty when unknown.
        lane: String,
        /// The loop stamp; empty when unknown.
        loop_ts: String,
        /// The holder, handle or launcher that it names.
        who: String,
    },
}

/// A granted lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The lease.
    pub lease: Lease,
    /// The fencing token: the `seq` of the ACQUIRE.
    pub token: u64,
    /// How the lane was chosen.
    pub admission: Admission,
    /// Leases of dead holders that were taken away to make room.
    pub scavenged: Vec<(Lease, Death)>,
}

/// Why a command cannot be decided at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// The command holds text that may not be recorded.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The journal's sequence numbers are used up.
    #[error("the journal has used up its sequence numbers; see `dos journal verify`")]
    SequenceExhausted,
    /// That lane and loop stamp name a live lease already.
    #[error(
        "lane {lane:?} with loop stamp {loop_ts} is a live lease already; use another --loop-ts"
    )]
    SameIdentity {
        /// The lane.
        lane: String,
        /// The loop stamp.
        loop_ts: String,
    },
}

/// Decides one command against the live set. Changes nothing.
pub fn decide(
    live: &LiveSet,
    command: &Command,
    moment: &Moment,
    policy: &Policy,
) -> Result<Decision, DecideError> {
    command.check()?;
    if live.next_seq() + 2 * live.len() as u64 > limits::SEQ_MAX {
        return Err(DecideError::SequenceExhausted);
    }
    match command {
        Command::Acquire(acquire) => decide_acquire(live, acquire, moment, policy),
        Command::Release(claim) => decide_release(live, claim, moment, policy),
        Command::Heartbeat { claim, coalesce_millis } => {
            decide_heartbeat(live, claim, *coalesce_millis, moment, policy)
        }
        Command::Adopt(adopt) => decide_adopt(live, adopt, moment, policy),
        Command::Halt(halt) => decide_halt(live, halt, moment),
        Command::Spawn(spawn) => decide_spawn(live, spawn, moment),
        Command::Scavenge { lane, loop_ts, ended_run } => {
            decide_scavenge(live, (lane, loop_ts), ended_run.as_deref(), moment, policy)
        }
    }
}

/// The leases that count: those whose holder is not provably dead. Every view of who is live is
/// this one.
pub fn live_leases<'a>(live: &'a LiveSet, moment: &Moment) -> Vec<&'a Lease> {
    live.leases().filter(|lease| proof_of_death(lease, moment).is_none()).collect()
}

/// Is this hold still the live one?
pub fn holds_token<'a>(
    live: &'a LiveSet,
    lane: &str,
    token: u64,
    moment: &Moment,
) -> Option<&'a Lease> {
    let wanted = fold(lane);
    live_leases(live, moment)
        .into_iter()
        .find(|lease| fold(&lease.lane()) == wanted && lease.token() == Some(token))
}

fn decide_acquire(
    live: &LiveSet,
    acquire: &Acquire,
    moment: &Moment,
    policy: &Policy,
) -> Result<Decision, DecideError> {
    let beside = LiveLeases::judged(live.leases(), moment, &acquire.elsewhere, policy);
    match arbitrate_beside(&acquire.request, &beside, None) {
        Ok(admission) => grant(live, &beside, acquire, admission, moment),
        Err(refusal) => Ok(refuse(live, acquire, refusal, moment)),
    }
}

fn grant(
    live: &LiveSet,
    beside: &LiveLeases<'_>,
    acquire: &Acquire,
    admission: Admission,
    moment: &Moment,
) -> Result<Decision, DecideError> {
    let policy = beside.policy();
    let Admission { lane, kind, tree, shared, auto_picked, .. } = &admission;
    // A class that is full only by its dead has room for a lane that was picked for the caller.
    let of_class = || live.leases().filter(|lease| lease.kind() == kind).count();
    let most = policy.class_budgets.get(kind).copied().unwrap_or(0) as usize;
    let class_is_full = *auto_picked && most > 0 && of_class() >= most;
    let candidate = Candidate { lane, kind, tree, shared: *shared };
    let effort = Effort::new(limits::EFFORT_MAX);
    let scavenged: Vec<(Lease, Death)> = beside
        .dead_in_the_way(&candidate, class_is_full, &effort)
        .into_iter()
        .map(|(lease, death)| (lease.clone(), death))
        .collect();
    let mut entries = Vec::new();
    let mut next_seq = live.next_seq();
    for (lease, death) in &scavenged {
        let record = entry::scavenge(lease, &death.to_string(), lease.holder());
        entries.push(record.stamped(next_seq, moment.now));
        next_seq += 1;
    }
    let loop_ts = match acquire.loop_ts.is_empty() {
        true => free_loop_stamp(live, &admission.lane, moment.now),
        false => acquire.loop_ts.clone(),
    };
    let replaced = |lease: &Lease| scavenged.iter().any(|(gone, _)| gone.key() == lease.key());
    if live.get(&admission.lane, &loop_ts).is_some_and(|lease| !replaced(lease)) {
        return Err(DecideError::SameIdentity { lane: admission.lane, loop_ts });
    }
    let mut lease = new_lease(acquire, &admission, &loop_ts, next_seq, moment);
    if admission.tree.is_empty() {
        // A lane without a tree that was taken instead of another: what was asked for is covered.
        let lanes = &policy.lanes;
        let declared = lanes.tree(lanes.resolve(&acquire.request.lane));
        let asked = &acquire.request.tree;
        lease.set("tree", if asked.is_empty() { declared.to_json() } else { asked.to_json() });
    }
    let prev_holder = scavenged.first().and_then(|(gone, _)| gone.holder());
    let record = entry::acquire(&lease, &format!("lane-lease:{}", acquire.holder), prev_holder);
    entries.push(record.stamped(next_seq, moment.now));
    let outcome = Outcome::Granted(Grant { lease, token: next_seq, admission, scavenged });
    Ok(Decision { entries, outcome })
}

fn new_lease(
    acquire: &Acquire,
    admission: &Admission,
    loop_ts: &str,
    token: u64,
    moment: &Moment,
) -> Lease {
    let process = acquire.process.as_ref();
    let mut lease = Lease::default();
    lease.set("lane", admission.lane.as_str().into());
    lease.set("lane_kind", admission.kind.as_str().into());
    lease.set("tree", admission.tree.to_json());
    lease.set("loop_ts", loop_ts.into());
    lease.set("host_id", moment.host.as_str().into());
    lease.set("pid", process.map_or(Value::Null, |process| process.pid.into()));
    lease.set("holder", acquire.holder.as_str().into());
    lease.set("acquired_at", moment.now.to_string().into());
    lease.set("token", token.into());
    if let Some(process) = process {
        lease.set("pid_start", process.start.into());
        lease.set("pid_boot", process.boot.as_str().into());
    }
    if let Some(run_id) = acquire.run_id.as_deref().filter(|run_id| !run_id.is_empty()) {
        lease.set("run_id", run_id.into());
    }
    if let Some(parent_id) = acquire.parent_id.as_deref() {
        lease.set("parent_id", parent_id.into());
    }
    if let Some(minutes) = acquire.ttl_minutes {
        lease.set("ttl_minutes", minutes.into());
    }
    if let Some(worktree) = &acquire.worktree {
        lease.set("worktree", worktree.path.as_str().into());
        if let Some(id) = &worktree.id {
            lease.set("worktree_id", id.as_str().into());
        }
    }
    if admission.shared {
        lease.set("mode", "shared".into());
    }
    lease
}

/// The time as a loop stamp, moved on by seconds until no live lease of the lane has it.
fn free_loop_stamp(live: &LiveSet, lane: &str, now: Timestamp) -> String {
    let mut stamp = now;
    while live.get(lane, &stamp.to_string()).is_some() && stamp < stamp.plus_millis(1000) {
        stamp = stamp.plus_millis(1000);
    }
    stamp.to_string()
}

fn refuse(live: &LiveSet, acquire: &Acquire, refusal: Refusal, moment: &Moment) -> Decision {
    let mut entries = Vec::new();
    if acquire.record_refusal {
        let about = About {
            lane: &acquire.request.lane,
            loop_ts: &loop_stamp(&acquire.loop_ts, moment),
            host: Some(&moment.host),
            run_id: acquire.run_id.as_deref(),
        };
        let mut reason = refusal.explain(moment.now);
        while reason.len() > limits::TEXT_BYTES_MAX {
            reason.pop();
        }
        let record = entry::refuse(&about, &acquire.holder, &reason, refusal.cause.token());
        entries.push(record.stamped(live.next_seq(), moment.now));
    }
    Decision { entries, outcome: Outcome::Refused(refusal) }
}

fn decide_release(
    live: &LiveSet,
    claim: &Claim,
    moment: &Moment,
    policy: &Policy,
) -> Result<Decision, DecideError> {
    Ok(match claimed(live, claim, policy) {
        Some(lease) => {
            let record = entry::release(lease, &format!("lane-lease:{}", claim.holder));
            done(live, lease, record, moment)
        }
        None => not_held(live, &claim.lane, moment, policy),
    })
}

fn decide_heartbeat(
    live: &LiveSet,
    claim: &Claim,
    coalesce_millis: i64,
    moment: &Moment,
    policy: &Policy,
) -> Result<Decision, DecideError> {
    // A lease without a holder is beaten by nobody: that would bring back an orphan.
    // Nor does a beat speak for a process or a work tree that is gone: nobody else counts that lease
    // any more.
    let theirs = |lease: &Lease| {
        lease.holder() == Some(claim.holder.as_str())
            && !matches!(
                proof_of_death(lease, moment),
                Some(Death::ProcessGone { .. } | Death::WorktreeGone { .. })
            )
    };
    let Some(lease) = newest_of(live, &claim.lane, &claim.loop_ts, policy, theirs) else {
        return Ok(not_held(live, &claim.lane, moment, policy));
    };
    // Never for so long that the lease would be near its end.
    let coalesce_millis = coalesce_millis.min(lease.ttl_millis().unwrap_or(TTL_MILLIS_DEFAULT) / 2);
    let age = lease.newest_stamp().map(|stamp| moment.now.millis_since(stamp));
    if age.is_some_and(|age| (0..coalesce_millis).contains(&age)) {
        return Ok(Decision { entries: Vec::new(), outcome: Outcome::Coalesced(lease.clone()) });
    }
    let record = entry::heartbeat(lease, Some(&moment.now.to_string()));
    Ok(done(live, lease, record, moment))
}

fn decide_adopt(
    live: &LiveSet,
    adopt: &Adopt,
    moment: &Moment,
    policy: &Policy,
) -> Result<Decision, DecideError> {
    let allowed = |lease: &Lease| match &adopt.from {
        Some(from) => lease.holder().unwrap_or_default() == from,
        None => proof_of_death(lease, moment).is_some(),
    };
    let newest = |wanted: &dyn Fn(&Lease) -> bool| {
        newest_of(live, &adopt.lane, &adopt.loop_ts, policy, wanted)
    };
    let Some(lease) = newest(&allowed) else {
        return Ok(match newest(&|_| true) {
            Some(lease) => still_alive(lease),
            None => not_held(live, &adopt.lane, moment, policy),
        });
    };
    let to = NewHolder {
        holder: &adopt.holder,
        process: adopt.process.clone(),
        host: &moment.host,
        token: Some(live.next_seq()),
        worktree: adopt.worktree.as_ref(),
    };
    let reason = format!("adopt:{}", adopt.holder);
    let record = entry::adopt(lease, &to, &moment.now.to_string(), &reason);
    let outcome = Outcome::Adopted(lease.clone(), live.next_seq());
    Ok(Decision { outcome, ..done(live, lease, record, moment) })
}

fn decide_halt(live: &LiveSet, halt: &Halt, moment: &Moment) -> Result<Decision, DecideError> {
    let about_pid = |lease: &&Lease| {
        let pid = lease.object().get("pid").and_then(Value::as_u64);
        pid.is_some_and(|pid| pid.to_string() == halt.handle)
    };
    let meant = match halt.lane.is_empty() && halt.loop_ts.is_empty() {
        true => live.leases().find(about_pid),
        false => live.leases().find(|lease| {
            (halt.lane.is_empty() || fold(&lease.lane()) == fold(&halt.lane))
                && (halt.loop_ts.is_empty() || lease.loop_ts() == halt.loop_ts)
        }),
    };
    let lane = meant.map_or(halt.lane.clone(), |lease| lease.lane().into_owned());
    let loop_ts = meant.map_or(halt.loop_ts.clone(), |lease| lease.loop_ts().into_owned());
    let reason = match (halt.reason.is_empty(), halt.owner.is_empty()) {
        (false, _) => halt.reason.clone(),
        (true, false) => format!("halt:{}", halt.owner),
        (true, true) => "halt".to_string(),
    };
    let about = About {
        lane: &lane,
        loop_ts: &loop_ts,
        host: meant.and_then(Lease::host),
        run_id: halt.run_id.as_deref(),
    };
    let record = entry::halt(&about, &halt.handle, &reason, halt.command.as_deref());
    let entries = Vec::from([record.stamped(live.next_seq(), moment.now)]);
    let who = halt.handle.clone();
    Ok(Decision { entries, outcome: Outcome::Recorded { lane, loop_ts, who } })
}

fn decide_spawn(live: &LiveSet, spawn: &Spawn, moment: &Moment) -> Result<Decision, DecideError> {
    let loop_ts = loop_stamp(&spawn.loop_ts, moment);
    let reason = match spawn.reason.is_empty() {
        true => format!("spawn:{}", spawn.holder),
        false => spawn.reason.clone(),
    };
    let about = About {
        lane: &spawn.lane,
        loop_ts: &loop_ts,
        host: Some(&moment.host),
        run_id: spawn.run_id.as_deref(),
    };
    let process = spawn.process.as_ref();
    let pid = process.map(|process| process.pid).or(spawn.pid);
    let record = entry::spawn(&about, &spawn.holder, pid, &reason)
        .with("pid_start", process.map(|process| process.start.into()))
        .with("pid_boot", process.map(|process| process.boot.as_str().into()));
    let entries = Vec::from([record.stamped(live.next_seq(), moment.now)]);
    let (lane, who) = (spawn.lane.clone(), spawn.holder.clone());
    Ok(Decision { entries, outcome: Outcome::Recorded { lane, loop_ts, who } })
}

fn decide_scavenge(
    live: &LiveSet,
    (lane, loop_ts): (&str, &str),
    ended_run: Option<&str>,
    moment: &Moment,
    policy: &Policy,
) -> Result<Decision, DecideError> {
    let proof = |lease: &Lease| {
        let ended =
            ended_run.filter(|run| lease.run_id() == Some(run) && lease.named_process().is_none());
        let ended = || Some(Death::RunEnded { run_id: ended?.to_string() });
        proof_of_death(lease, moment).or_else(ended)
    };
    let dead = |lease: &Lease| proof(lease).is_some();
    let found = newest_of(live, lane, loop_ts, policy, dead)
        .or_else(|| newest_of(live, lane, loop_ts, policy, |_| true));
    let Some(lease) = found else {
        return Ok(not_held(live, lane, moment, policy));
    };
    let Some(death) = proof(lease) else {
        return Ok(still_alive(lease));
    };
    let record = entry::scavenge(lease, &death.to_string(), lease.holder());
    Ok(done(live, lease, record, moment))
}

fn loop_stamp(given: &str, moment: &Moment) -> String {
    if given.is_empty() { moment.now.to_string() } else { given.to_string() }
}

/// The newest lease of the lane that the claimant holds. A lease that names no holder is anybody's
/// to give back.
fn claimed<'a>(live: &'a LiveSet, claim: &Claim, policy: &Policy) -> Option<&'a Lease> {
    newest_of(live, &claim.lane, &claim.loop_ts, policy, |lease| {
        lease.holder().is_none_or(|holder| holder == claim.holder)
    })
}

/// The newest wanted lease of the lane; of the lane that the name is an alias of, if there is none.
fn newest_of<'a>(
    live: &'a LiveSet,
    lane: &str,
    loop_ts: &str,
    policy: &Policy,
    wanted: impl Fn(&Lease) -> bool,
) -> Option<&'a Lease> {
    let newest = |lane: &str| {
        let lane = fold(lane);
        let matches = |lease: &&Lease| {
            fold(&lease.lane()) == lane
                && (loop_ts.is_empty() || lease.loop_ts() == loop_ts)
                && wanted(lease)
        };
        live.leases().filter(matches).last()
    };
    newest(lane).or_else(|| newest(policy.lanes.resolve(lane)))
}

fn done(live: &LiveSet, lease: &Lease, record: Record, moment: &Moment) -> Decision {
    let entries = Vec::from([record.stamped(live.next_seq(), moment.now)]);
    Decision { entries, outcome: Outcome::Done(lease.clone()) }
}

fn still_alive(lease: &Lease) -> Decision {
    Decision { entries: Vec::new(), outcome: Outcome::StillAlive(lease.clone()) }
}

fn not_held(live: &LiveSet, lane: &str, moment: &Moment, policy: &Policy) -> Decision {
    let lane = fold(policy.lanes.resolve(lane));
    let alive = live_leases(live, moment).into_iter();
    let holders = alive.filter(|lease| fold(&lease.lane()) == lane).cloned().collect();
    Decision { entries: Vec::new(), outcome: Outcome::NotHeld { holders } }
}
