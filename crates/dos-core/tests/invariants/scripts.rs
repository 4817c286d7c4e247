//! A world in which scripts of commands run, and what must hold after every step.

use std::collections::HashMap;

use dos_core::journal::LiveSet;
use dos_core::journal::decode::{Line, decode_line};
use dos_core::journal::live_set::replay;
use dos_core::lane::command::Acquire;
use dos_core::lane::decide::{DecideError, holds_token, live_leases};
use dos_core::lane::lease::ProcessId;
use dos_core::lane::overlap::{Prefix, RATIO_MAX};
use dos_core::lane::vitality::ProcessState;
use dos_core::lane::{Command, Lanes, Lease, Moment, Outcome, Policy, decide};

use crate::conflicts::{Rule, conflict};
use crate::values::{HOST, noon, tree};

/// One step of a script.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "scripts are short")]
pub enum Move {
    Do(Command),
    Wait(i64),
    Dies(ProcessId),
}

/// The lanes of all scripts: two that overlap, one beside them, one that shares a quarter of its
/// patterns, one that is known by name only, one that runs alone, one that is only read, and an
/// alias.
pub fn all_lanes() -> Lanes {
    Lanes {
        exclusive: vec!["solo".to_string(), "global".to_string()],
        aliases: [("s".to_string(), "src".to_string())].into(),
        trees: [
            ("src", tree(&["src/**"])),
            ("api", tree(&["src/api/**"])),
            ("docs", tree(&["docs/**", "*.md"])),
            ("wide", tree(&["src/web/**", "tools/**", "etc/**", "lib/**"])),
            ("solo", tree(&["**/*"])),
            ("audit", tree(&["src/api/**", "docs/**"])),
        ]
        .map(|(lane, tree)| (lane.to_string(), tree))
        .into(),
        concurrent: ["src", "api", "docs", "wide", "build"].map(str::to_string).into(),
        shared: ["audit".to_string()].into(),
        autopick: ["docs", "api", "src"].map(str::to_string).into(),
    }
}

pub const EXCLUSIVE: [&str; 2] = ["solo", "global"];

/// What stays the same during a script.
pub struct Rules {
    pub rule: Rule,
    pub policy: Policy,
}

impl Rules {
    pub fn new(rule: Rule, cluster_budget: u32) -> Self {
        let mut policy = match rule {
            Rule::Exact => Policy::of_lanes(all_lanes()),
            Rule::Prefix => Policy::new(all_lanes(), Box::new(Prefix { ratio_max: RATIO_MAX })),
        };
        policy.class_budgets = [("cluster".to_string(), cluster_budget)].into();
        Self { rule, policy }
    }
}

/// The state of a script.
#[derive(Clone)]
pub struct World {
    pub live: LiveSet,
    pub journal: Vec<u8>,
    pub moment: Moment,
    /// Which token each lease was last given, by its identity.
    tokens: HashMap<(String, String), u64>,
    /// How many entries of each operation were written.
    pub written: HashMap<String, u64>,
}

impl World {
    pub fn new() -> Self {
        Self {
            live: LiveSet::default(),
            journal: Vec::new(),
            moment: Moment {
                now: noon(),
                host: HOST.to_string(),
                processes: Vec::new(),
                worktrees_gone: Vec::new(),
            },
            tokens: HashMap::new(),
            written: HashMap::new(),
        }
    }

    /// Takes one step and checks everything.
    pub fn step(&mut self, step: &Move, rules: &Rules) {
        match step {
            Move::Wait(millis) => self.moment.now = self.moment.now.plus_millis(*millis),
            Move::Dies(process) => {
                if !self.moment.processes.iter().any(|(id, _)| id == process) {
                    self.moment.processes.push((process.clone(), ProcessState::Gone));
                }
            }
            Move::Do(command) => self.decide(command, rules),
        }
        self.check_leases(rules);
    }

    fn decide(&mut self, command: &Command, rules: &Rules) {
        let decision = match decide(&self.live, command, &self.moment, &rules.policy) {
            Ok(decision) => decision,
            // The script itself named a loop stamp that is taken.
            Err(DecideError::SameIdentity { lane, loop_ts }) => {
                assert!(self.live.get(&lane, &loop_ts).is_some());
                return;
            }
            Err(error) => panic!("{command:?}: {error}"),
        };
        for record in &decision.entries {
            let line = record.line();
            let before = self.live.last_seq();
            match decode_line(line.trim_end_matches('\n').as_bytes(), true) {
                Line::Entry(entry) => {
                    assert_eq!(entry.seq, before + 1, "seq goes up by one: {line}");
                    assert_eq!(entry.op, record.op());
                    self.live.apply(entry);
                }
                other => panic!("{line} reads as {other:?}"),
            }
            self.journal.extend(line.bytes());
            *self.written.entry(record.op().to_string()).or_default() += 1;
        }
        let again = replay(&self.journal);
        assert_eq!(again, self.live, "the journal says what the fold says");
        assert_eq!(again.last_seq(), self.live.last_seq());
        let seq = self.live.last_seq();
        match &decision.outcome {
            Outcome::Granted(grant) => {
                assert_eq!(grant.token, seq);
                assert_eq!(decision.entries.len(), grant.scavenged.len() + 1);
                self.note_token(&grant.lease, seq);
                if let Command::Acquire(acquire) = command {
                    self.check_budget(acquire, grant.lease.kind(), rules);
                }
            }
            Outcome::Adopted(lease, token) => {
                assert_eq!(*token, seq);
                self.note_token(lease, seq);
            }
            Outcome::Refused(refusal) => {
                let live = live_leases(&self.live, &self.moment);
                for blocker in &refusal.blockers {
                    assert!(live.contains(&&blocker.lease), "the dead stand in nobody's way");
                }
            }
            _ => {}
        }
    }

    fn note_token(&mut self, lease: &Lease, token: u64) {
        let key = lease.key();
        self.tokens.insert((key.lane, key.loop_ts), token);
    }

    /// A lane that was picked for somebody never exceeds the budget of its class, and not even when
    /// all that counted as dead come back.
    fn check_budget(&self, acquire: &Acquire, kind: &str, rules: &Rules) {
        let most = rules.policy.class_budgets.get(kind).copied().unwrap_or(0) as usize;
        let picked = acquire.request.lane.is_empty() && acquire.request.tree.is_empty();
        if picked && most > 0 {
            let count = self.live.leases().filter(|lease| lease.kind() == kind).count();
            assert!(count <= most, "{count} leases of kind {kind}, at most {most}");
        }
    }

    /// No two leases collide. That holds for those of dead holders too: whatever is in the way of a
    /// grant is taken away by it, so that a holder who comes back is in nobody's way.
    fn check_leases(&self, rules: &Rules) {
        let leases: Vec<&Lease> = self.live.leases().collect();
        for (index, newer) in leases.iter().enumerate() {
            for older in &leases[..index] {
                if let Some(why) = conflict(rules.rule, &EXCLUSIVE, newer, older) {
                    panic!("{why}: {newer:?} and {older:?} after\n{}", self.story());
                }
                assert_ne!(newer.token(), older.token(), "tokens are unique");
            }
            let key = newer.key();
            let token = self.tokens[&(key.lane, key.loop_ts)];
            assert_eq!(newer.token(), Some(token), "the token of its last grant");
        }
        for lease in live_leases(&self.live, &self.moment) {
            let token = lease.token().unwrap();
            assert_eq!(holds_token(&self.live, &lease.lane(), token, &self.moment), Some(lease));
            assert_eq!(holds_token(&self.live, "nowhere", token, &self.moment), None);
        }
    }

    pub fn story(&self) -> String {
        String::from_utf8_lossy(&self.journal).into_owned()
    }
}
