//! What the simulated processes do, one after the other.

use dos_core::lane::command::{Acquire, Adopt, Claim, Halt, Spawn};
use dos_core::lane::{Command, Lanes, Policy, Request, Tree};
use dos_store::sim::Choose;

use crate::choice::Rng;

/// The lanes and the folders they cover: some share paths, one runs alone.
const LANES: &[(&str, &str)] =
    &[("a", "src/**"), ("b", "src/api/**"), ("c", "docs/**"), ("d", "docs/**"), ("e", "tests/**")];

/// One thing that a process does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Take a lane; an empty name for any that is free.
    Acquire {
        /// The lane.
        lane: &'static str,
        /// Name the process whose end is the end of the hold.
        named: bool,
    },
    /// Give a lane back.
    Release(&'static str),
    /// Show a sign of life.
    Heartbeat(&'static str),
    /// Take over a lane from whoever holds it and is dead.
    Adopt(&'static str),
    /// Take a lane from a dead holder.
    Scavenge(&'static str),
    /// Record that a run is to stop.
    Halt(&'static str),
    /// Record the intent to take a lane.
    Spawn(&'static str),
    /// Put a snapshot in place of the journal.
    Compact {
        /// Drop the history instead of archiving it.
        discard: bool,
    },
    /// Copy a journal whose sync failed to a new file.
    Repair,
    /// Record an override, in a log of its own.
    Override,
    /// Make the home registry anew.
    Reindex {
        /// Drop who is gone.
        prune: bool,
    },
    /// Read the home registry.
    Projects,
    /// Look who is live.
    Read,
}

/// What one process does.
pub type Script = Vec<Action>;

/// The policy of the simulated workspace.
pub fn policy() -> Policy {
    let names = LANES.iter().map(|(lane, _)| (*lane).to_string());
    let mut trees: std::collections::BTreeMap<String, Tree> = LANES
        .iter()
        .map(|(lane, tree)| ((*lane).to_string(), Tree::new([(*tree).to_string()])))
        .collect();
    trees.insert("all".to_string(), Tree::new(["**/*".to_string()]));
    Policy::of_lanes(Lanes {
        concurrent: names.clone().collect(),
        exclusive: vec!["all".to_string()],
        autopick: names.collect(),
        trees,
        aliases: Default::default(),
        shared: Vec::new(),
    })
}

impl Action {
    /// The command of a holder, for what is decided under the lane mutex.
    pub fn command(
        &self,
        holder: &str,
        process: dos_core::lane::lease::ProcessId,
    ) -> Option<Command> {
        let (holder, text) = (holder.to_string(), |lane: &str| lane.to_string());
        let claim =
            |lane: &str| Claim { lane: text(lane), holder: holder.clone(), ..Claim::default() };
        Some(match self {
            Self::Acquire { lane, named } => Command::Acquire(Acquire {
                request: Request { lane: text(lane), ..Request::default() },
                holder,
                process: named.then_some(process),
                ttl_minutes: Some(1),
                record_refusal: true,
                ..Acquire::default()
            }),
            Self::Release(lane) => Command::Release(claim(lane)),
            Self::Heartbeat(lane) => Command::Heartbeat { claim: claim(lane), coalesce_millis: 0 },
            Self::Adopt(lane) => {
                Command::Adopt(Adopt { lane: text(lane), holder, ..Adopt::default() })
            }
            Self::Scavenge(lane) => {
                Command::Scavenge { lane: text(lane), loop_ts: String::new(), ended_run: None }
            }
            Self::Halt(lane) => Command::Halt(Halt {
                handle: text("run"),
                lane: text(lane),
                owner: holder,
                ..Halt::default()
            }),
            Self::Spawn(lane) => {
                Command::Spawn(Spawn { lane: text(lane), holder, ..Spawn::default() })
            }
            Self::Compact { .. }
            | Self::Repair
            | Self::Override
            | Self::Reindex { .. }
            | Self::Projects
            | Self::Read => return None,
        })
    }
}

/// A random script of so many actions.
pub fn random(rng: &mut Rng, actions: usize) -> Script {
    let mut script = Script::new();
    while script.len() < actions {
        let lane = rng.pick(LANES).0;
        script.push(match rng.choose(108) {
            0..30 => Action::Acquire { lane, named: rng.chance(40) },
            30..36 => Action::Acquire { lane: "", named: rng.chance(40) },
            36..39 => Action::Acquire { lane: "all", named: false },
            39..59 => Action::Release(lane),
            59..68 => Action::Heartbeat(lane),
            68..76 => Action::Compact { discard: rng.chance(10) },
            76..78 => Action::Repair,
            78..87 => Action::Read,
            87..90 => Action::Adopt(lane),
            90..93 => Action::Scavenge(lane),
            93..95 => Action::Halt(lane),
            95..97 => Action::Spawn(lane),
            100..106 => Action::Reindex { prune: rng.chance(50) },
            106..108 => Action::Projects,
            _ => Action::Override,
        });
    }
    script
}
