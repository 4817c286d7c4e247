//! The commands: what a holder, an operator or a launcher may ask for.

use alloc::string::String;
use alloc::vec::Vec;

use crate::lane::arbiter::Request;
use crate::lane::lease::{Lease, ProcessId, WorkTree};
use crate::lane::tree::{InputError, checked_name, checked_text, checked_tree, required_name};
use crate::limits;

/// What somebody wants done.
#[derive(Clone, Debug)]
pub enum Command {
    /// Take a lane.
    Acquire(Acquire),
    /// Give a lease back.
    Release(Claim),
    /// Show a sign of life.
    Heartbeat {
        /// Whose lease.
        claim: Claim,
        /// Write nothing when the last beat is younger than this, in milliseconds.
        coalesce_millis: i64,
    },
    /// Take over a lease.
    Adopt(Adopt),
    /// Record that a run is to stop.
    Halt(Halt),
    /// Record the intent to take a lane.
    Spawn(Spawn),
    /// Take a lease from a holder that is provably dead.
    Scavenge {
        /// The lane.
        lane: String,
        /// The loop stamp; empty for the newest lease of the lane.
        loop_ts: String,
        /// A run that has ended, as the process that started it has seen. That is the proof for a lease
        /// of this run that names no process.
        ended_run: Option<String>,
    },
}

/// A request for a lane, and who asks.
#[derive(Clone, Debug, Default)]
pub struct Acquire {
    /// What is asked for.
    pub request: Request,
    /// Who will hold it.
    pub holder: String,
    /// The loop stamp; empty for the time of the decision.
    pub loop_ts: String,
    /// The run that asks.
    pub run_id: Option<String>,
    /// The run that started it.
    pub parent_id: Option<String>,
    /// The process whose end is the end of the hold.
    pub process: Option<ProcessId>,
    /// How long the lease lasts without a heartbeat, in minutes.
    pub ttl_minutes: Option<u32>,
    /// The work tree that the holder works in, where several share this state; its end is the end
    /// of the hold.
    pub worktree: Option<WorkTree>,
    /// Live leases that are recorded elsewhere.
    pub elsewhere: Vec<Lease>,
    /// Append a REFUSE when the answer is no.
    pub record_refusal: bool,
}

/// A lease as its holder knows it.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The lane.
    pub lane: String,
    /// The loop stamp; empty for the newest lease of the lane.
    pub loop_ts: String,
    /// Who claims to hold it.
    pub holder: String,
}

/// A take-over.
#[derive(Clone, Debug, Default)]
pub struct Adopt {
    /// The lane.
    pub lane: String,
    /// The loop stamp; empty for the newest lease of the lane.
    pub loop_ts: String,
    /// The new holder.
    pub holder: String,
    /// Who must hold it now; `None` adopts only from a holder that is provably dead.
    pub from: Option<String>,
    /// The process whose end is the end of the hold.
    pub process: Option<ProcessId>,
    /// The work tree that the new holder works in, where several share this state.
    pub worktree: Option<WorkTree>,
}

/// A stop decision. It changes no lease.
#[derive(Clone, Debug, Default)]
pub struct Halt {
    /// What is to stop, in words of whoever stops it.
    pub handle: String,
    /// The lane, when known.
    pub lane: String,
    /// The loop stamp, when known.
    pub loop_ts: String,
    /// Who decided.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The run.
    pub run_id: Option<String>,
    /// How to stop it.
    pub command: Option<String>,
}

/// The intent to take a lane.
#[derive(Clone, Debug, Default)]
pub struct Spawn {
    /// The lane.
    pub lane: String,
    /// The loop stamp of the lease to come; empty for the time of the decision.
    pub loop_ts: String,
    /// Who will hold it.
    pub holder: String,
    /// The run.
    pub run_id: Option<String>,
    /// The launcher's process.
    pub pid: Option<u32>,
    /// The worker's process, where it has started and waits; then its number is recorded instead.
    pub process: Option<ProcessId>,
    /// Why.
    pub reason: String,
}

impl Command {
    /// Does the command hold only text that may be recorded? `decide` asks this first; whoever has
    /// to wait before deciding can ask it before.
    pub fn check(&self) -> Result<(), InputError> {
        match self {
            Self::Acquire(acquire) => acquire.check(),
            Self::Release(claim) | Self::Heartbeat { claim, .. } => {
                required_name("owner", &claim.holder)
            }
            Self::Adopt(adopt) => required_name("owner", &adopt.holder),
            Self::Halt(halt) => halt.check(),
            Self::Spawn(spawn) => spawn.check(),
            Self::Scavenge { .. } => Ok(()),
        }
    }
}

impl WorkTree {
    fn check(&self) -> Result<(), InputError> {
        checked_text("work tree", &self.path)?;
        checked_text("work tree", self.id.as_deref().unwrap_or_default())
    }
}

impl Acquire {
    /// Does the request hold only text that may be recorded?
    pub fn check(&self) -> Result<(), InputError> {
        required_name("owner", &self.holder)?;
        checked_name("lane", &self.request.lane)?;
        checked_name("loop stamp", &self.loop_ts)?;
        checked_name("run id", self.run_id.as_deref().unwrap_or_default())?;
        self.worktree.as_ref().map_or(Ok(()), WorkTree::check)?;
        checked_tree(self.request.tree.patterns())?;
        let allowed = 1..=limits::TTL_MINUTES_MAX;
        match self.ttl_minutes.filter(|minutes| !allowed.contains(minutes)) {
            Some(minutes) => Err(InputError::BadTtl(minutes)),
            None => Ok(()),
        }
    }
}

impl Halt {
    fn check(&self) -> Result<(), InputError> {
        required_name("handle", &self.handle)?;
        checked_name("lane", &self.lane)?;
        checked_name("loop stamp", &self.loop_ts)?;
        checked_name("owner", &self.owner)?;
        checked_name("run id", self.run_id.as_deref().unwrap_or_default())?;
        checked_text("reason", &self.reason)?;
        checked_text("command", self.command.as_deref().unwrap_or_default())
    }
}

impl Spawn {
    fn check(&self) -> Result<(), InputError> {
        required_name("lane", &self.lane)?;
        required_name("owner", &self.holder)?;
        checked_name("loop stamp", &self.loop_ts)?;
        checked_name("run id", self.run_id.as_deref().unwrap_or_default())?;
        checked_text("reason", &self.reason)
    }
}
