//! Invariant 4 on every script of seven commands out of twelve: 36 million scripts for each set of
//! commands, which reach a few thousand states.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use dos_core::json::canonical;
use dos_core::lane::command::{Acquire, Halt, Spawn};
use dos_core::lane::{Command, Request};

use crate::conflicts::Rule;
use crate::scripts::{Move, Rules, World};
use crate::values::{MINUTE, acquire, adopt, claim, heartbeat, process, scavenge, tree};

const LENGTH: u32 = 7;
/// How long scripts are where none is left out.
const LENGTH_UNMERGED: u32 = 4;
/// Every command takes that long, so that some loop stamps fall into one second.
const TICK_MILLIS: i64 = 400;

/// A walk over all scripts of one length. A state that was reached before, with as much of the
/// script still to come, is not walked again: what follows depends on the state alone. Sequence
/// numbers and tokens are no part of it, for no decision depends on them.
struct Walk {
    rules: Rules,
    alphabet: Vec<Move>,
    /// Walk on from states that were reached before?
    merge: bool,
    /// The states that were reached, with the longest rest of a script that began there.
    visited: HashMap<(u64, u64), u32>,
    /// How many scripts end in what was walked or found again.
    scripts: u64,
    steps: u64,
    written: BTreeMap<String, u64>,
}

impl Walk {
    fn run(rule: Rule, cluster_budget: u32, alphabet: &[Move]) -> Self {
        let merged = Self::of(rule, cluster_budget, alphabet, true, LENGTH_UNMERGED);
        let unmerged = Self::of(rule, cluster_budget, alphabet, false, LENGTH_UNMERGED);
        assert!(merged.steps < unmerged.steps);
        assert_eq!(merged.visited, unmerged.visited, "merging states leaves none out");
        Self::of(rule, cluster_budget, alphabet, true, LENGTH)
    }

    fn of(rule: Rule, cluster_budget: u32, alphabet: &[Move], merge: bool, length: u32) -> Self {
        let mut walk = Walk {
            rules: Rules::new(rule, cluster_budget),
            alphabet: alphabet.to_vec(),
            merge,
            visited: HashMap::new(),
            scripts: 0,
            steps: 0,
            written: BTreeMap::new(),
        };
        walk.from(&World::new(), length);
        let letters = alphabet.len() as u64;
        assert_eq!(walk.scripts, letters.pow(length), "every script was walked");
        println!(
            "{rule:?}: {} scripts of {length} out of {letters} commands, {} steps, {} states, \
             entries {:?}",
            walk.scripts,
            walk.steps,
            walk.visited.len(),
            walk.written
        );
        walk
    }

    fn from(&mut self, world: &World, left: u32) {
        let known = self.visited.entry(fingerprint(world)).or_default();
        if left == 0 {
            self.scripts += 1;
            return;
        }
        if self.merge && *known >= left {
            self.scripts += (self.alphabet.len() as u64).pow(left);
            return;
        }
        *known = left.max(*known);
        for index in 0..self.alphabet.len() {
            let mut next = world.clone();
            next.written.clear();
            next.step(&self.alphabet[index], &self.rules);
            next.moment.now = next.moment.now.plus_millis(TICK_MILLIS);
            self.steps += 1;
            for (op, count) in next.written.drain() {
                *self.written.entry(op).or_default() += count;
            }
            self.from(&next, left - 1);
        }
    }
}

/// The time, the dead processes and the leases without their tokens.
fn fingerprint(world: &World) -> (u64, u64) {
    let mut hashers = (DefaultHasher::new(), DefaultHasher::new());
    1.hash(&mut hashers.1);
    let mut note = |text: &str| {
        text.hash(&mut hashers.0);
        text.hash(&mut hashers.1);
    };
    note(&world.moment.now.millis().to_string());
    for (process, _) in &world.moment.processes {
        note(&process.pid.to_string());
    }
    for lease in world.live.leases() {
        note("lease");
        for (field, value) in lease.object().iter().filter(|(field, _)| *field != "token") {
            note(field);
            note(&canonical(value));
        }
    }
    (hashers.0.finish(), hashers.1.finish())
}

fn take(lane: &str, holder: &str, ttl_minutes: Option<u32>) -> Move {
    Move::Do(Command::Acquire(Acquire { ttl_minutes, ..acquire(lane, holder) }))
}

fn take_tree(lane: &str, patterns: &[&str], holder: &str) -> Move {
    let request = Request { lane: lane.to_string(), tree: tree(patterns), ..Request::default() };
    Move::Do(Command::Acquire(Acquire { request, ttl_minutes: Some(1), ..acquire("", holder) }))
}

fn take_with_process(lane: &str, holder: &str, pid: u32) -> Move {
    Move::Do(Command::Acquire(Acquire { process: Some(process(pid)), ..acquire(lane, holder) }))
}

/// Lanes that overlap, the exclusive one, an alias, another case and an ad hoc keyword lane.
fn overlapping() -> Vec<Move> {
    vec![
        take_with_process("src", "p", 1),
        take("api", "q", Some(1)),
        take("solo", "r", Some(1)),
        take("SRC", "r", Some(1)),
        take("s", "q", None),
        take_tree("hot", &["src/api/x.rs"], "r"),
        Move::Do(Command::Release(claim("src", "p"))),
        Move::Do(heartbeat("api", "q")),
        Move::Do(adopt("api", "r", Some("q"))),
        Move::Do(adopt("src", "q", None)),
        Move::Wait(4 * MINUTE),
        Move::Dies(process(1)),
    ]
}

/// Lanes that are picked, under a budget, a lane without a tree, and a tree without a lane.
fn picked() -> Vec<Move> {
    vec![
        take_with_process("", "p", 1),
        take("", "q", Some(1)),
        take("wide", "r", Some(1)),
        take("build", "r", Some(1)),
        take_tree("", &["docs/api/x.md"], "q"),
        take("solo", "p", Some(1)),
        Move::Do(Command::Release(claim("docs", "q"))),
        Move::Do(heartbeat("docs", "q")),
        Move::Do(adopt("docs", "r", None)),
        Move::Do(scavenge("wide")),
        Move::Wait(4 * MINUTE),
        Move::Dies(process(1)),
    ]
}

/// Events that change no lease among those that do, and holders that come back from the dead.
fn interrupted() -> Vec<Move> {
    let spawn = Spawn { lane: "src".to_string(), holder: "p".to_string(), ..Spawn::default() };
    let halt = Halt { handle: "1".to_string(), lane: "src".to_string(), ..Halt::default() };
    vec![
        take("src", "p", Some(1)),
        take("api", "q", Some(1)),
        take_with_process("SOLO", "r", 1),
        Move::Do(Command::Spawn(spawn)),
        Move::Do(Command::Halt(halt)),
        Move::Do(heartbeat("src", "p")),
        Move::Do(heartbeat("solo", "r")),
        Move::Do(Command::Release(claim("Api", "q"))),
        Move::Do(adopt("solo", "q", None)),
        Move::Do(scavenge("src")),
        Move::Wait(6 * MINUTE + 1),
        Move::Dies(process(1)),
    ]
}

fn has_written(walk: &Walk, ops: &[&str]) {
    for op in ops {
        assert!(walk.written.contains_key(*op), "no script wrote {op}");
    }
}

#[test]
fn invariant_4_no_double_grant_in_any_script_over_overlapping_lanes() {
    for rule in [Rule::Exact, Rule::Prefix] {
        let walk = Walk::run(rule, 0, &overlapping());
        has_written(&walk, &["ACQUIRE", "RELEASE", "HEARTBEAT", "ADOPT", "SCAVENGE"]);
    }
}

#[test]
fn invariant_4_no_double_grant_in_any_script_over_picked_lanes() {
    for (rule, budget) in [(Rule::Exact, 2), (Rule::Prefix, 1)] {
        let walk = Walk::run(rule, budget, &picked());
        has_written(&walk, &["ACQUIRE", "RELEASE", "HEARTBEAT", "ADOPT", "SCAVENGE"]);
    }
}

#[test]
fn invariant_4_no_double_grant_in_any_interrupted_script() {
    let walk = Walk::run(Rule::Exact, 0, &interrupted());
    has_written(&walk, &["ACQUIRE", "RELEASE", "HEARTBEAT", "ADOPT", "SCAVENGE", "SPAWN", "HALT"]);
}
