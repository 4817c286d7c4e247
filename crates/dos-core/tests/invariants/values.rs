//! Short spellings of the values that tests are made of.

use dos_core::journal::LiveSet;
use dos_core::journal::entry::Record;
use dos_core::lane::command::{Acquire, Adopt, Claim};
use dos_core::lane::decide::Grant;
use dos_core::lane::lease::ProcessId;
use dos_core::lane::{
    Command, Decision, Lanes, Lease, Moment, Outcome, Policy, Refusal, Request, Tree, decide,
};
use dos_core::timestamp::Timestamp;
use proptest::prelude::ProptestConfig;
use serde_json::Value;

pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOST: &str = "h1";

/// So many random cases, leaving no files behind.
pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

/// Noon of the day on which everything happens.
pub fn noon() -> Timestamp {
    Timestamp::parse("2026-01-10T12:00:00Z").unwrap()
}

pub fn moment_at(now: Timestamp) -> Moment {
    Moment { now, host: HOST.to_string(), processes: Vec::new(), worktrees_gone: Vec::new() }
}

/// So many milliseconds after noon.
pub fn after(millis: i64) -> Moment {
    moment_at(noon().plus_millis(millis))
}

pub fn tree(patterns: &[&str]) -> Tree {
    patterns.iter().map(ToString::to_string).collect()
}

pub fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

/// A lease of these fields.
pub fn lease(fields: Value) -> Lease {
    match fields {
        Value::Object(object) => Lease::from_object(object),
        other => panic!("{other} is no lease"),
    }
}

/// The live set that holds these leases.
pub fn live_set(leases: &[Value]) -> LiveSet {
    let leases: Vec<Lease> = leases.iter().cloned().map(lease).collect();
    let mut live = LiveSet::default();
    live.apply_record(&dos_core::journal::entry::checkpoint(leases.iter(), 100));
    live
}

/// A lane with these patterns for each entry; they run side by side and are picked in this order.
pub fn lanes(declared: &[(&str, &[&str])]) -> Lanes {
    let names: Vec<String> = declared.iter().map(|(name, _)| (*name).to_string()).collect();
    let trees = declared.iter().map(|(name, patterns)| ((*name).to_string(), tree(patterns)));
    Lanes { concurrent: names.clone(), autopick: names, trees: trees.collect(), ..Lanes::default() }
}

pub fn policy(declared: &[(&str, &[&str])]) -> Policy {
    Policy::of_lanes(lanes(declared))
}

pub fn acquire(lane: &str, holder: &str) -> Acquire {
    Acquire {
        request: Request { lane: lane.to_string(), ..Request::default() },
        holder: holder.to_string(),
        ..Acquire::default()
    }
}

pub fn claim(lane: &str, holder: &str) -> Claim {
    Claim { lane: lane.to_string(), holder: holder.to_string(), ..Claim::default() }
}

pub fn heartbeat(lane: &str, holder: &str) -> Command {
    Command::Heartbeat { claim: claim(lane, holder), coalesce_millis: 0 }
}

pub fn adopt(lane: &str, holder: &str, from: Option<&str>) -> Command {
    Command::Adopt(Adopt {
        lane: lane.to_string(),
        holder: holder.to_string(),
        from: from.map(str::to_string),
        ..Adopt::default()
    })
}

pub fn scavenge(lane: &str) -> Command {
    Command::Scavenge { lane: lane.to_string(), loop_ts: String::new(), ended_run: None }
}

pub fn process(pid: u32) -> ProcessId {
    ProcessId { pid, start: 7000 + u64::from(pid), boot: "boot-1".to_string() }
}

/// Decides, and folds what was decided.
pub fn run(live: &mut LiveSet, command: &Command, moment: &Moment, policy: &Policy) -> Decision {
    let decision = decide(live, command, moment, policy).unwrap();
    for record in &decision.entries {
        live.apply_record(record);
    }
    decision
}

#[track_caller]
pub fn granted(decision: Decision) -> Grant {
    match decision.outcome {
        Outcome::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

#[track_caller]
pub fn refused(decision: Decision) -> Refusal {
    match decision.outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The lines of these records, newlines included.
pub fn bytes_of(records: &[Record]) -> Vec<u8> {
    records.iter().map(Record::line).collect::<String>().into_bytes()
}

/// The operations of the decision's entries, in order.
pub fn ops(decision: &Decision) -> Vec<&str> {
    decision.entries.iter().map(Record::op).collect()
}
