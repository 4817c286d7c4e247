//! Is a lease's holder provably dead? By the clock, or by the process that the holder named.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::lane::lease::{Lease, ProcessId, WorkTree};
use crate::timestamp::{Timestamp, span};

/// Time to live of a lease that declares none, in milliseconds: fifty minutes.
pub const TTL_MILLIS_DEFAULT: i64 = 50 * 60_000;
/// How long past its time to live a silent lease still counts, in milliseconds: five minutes.
pub const GRACE_MILLIS: i64 = 5 * 60_000;

/// What the process table of this host says of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs, and it is the same process.
    Running,
    /// It has ended; the number is free or belongs to another process.
    Gone,
}

/// What is known from outside at the moment of a decision.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// The name of the host that decides. Processes of other hosts are never judged.
    pub host: String,
    /// What the process table says; a process that is not listed is unknown.
    pub processes: Vec<(ProcessId, ProcessState)>,
    /// Work trees of this host that were removed.
    pub worktrees_gone: Vec<WorkTree>,
}

/// Why a holder is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Death {
    /// No heartbeat within the time to live and the grace.
    Lapsed {
        /// How long it has been silent, in milliseconds.
        silent_millis: i64,
        /// What it declared, in milliseconds.
        ttl_millis: i64,
    },
    /// The work tree that it worked in was removed from this host.
    WorktreeGone {
        /// Its folder.
        path: String,
    },
    /// The process that it named is gone from this host.
    ProcessGone {
        /// The process number.
        pid: u32,
    },
    /// The run that held it has ended, as the process that started it has seen.
    RunEnded {
        /// The run.
        run_id: String,
    },
}

impl Death {
    /// The stable word.
    pub fn token(&self) -> &'static str {
        match self {
            Self::Lapsed { .. } => "LAPSED",
            Self::WorktreeGone { .. } => "WORKTREE_GONE",
            Self::ProcessGone { .. } => "PROCESS_GONE",
            Self::RunEnded { .. } => "RUN_ENDED",
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lapsed { silent_millis, ttl_millis } => write!(
                formatter,
                "no heartbeat for {} (time to live {} and {} of grace)",
                span(*silent_millis),
                span(*ttl_millis),
                span(GRACE_MILLIS)
            ),
            Self::WorktreeGone { path } => write!(formatter, "its work tree {path} was removed"),
            Self::ProcessGone { pid } => {
                write!(formatter, "its process {pid} is gone from this host")
            }
            Self::RunEnded { run_id } => {
                write!(formatter, "its run {run_id} has ended, and nobody else holds for it")
            }
        }
    }
}

/// When the lease would count as dead if it stays silent; `None` when it has no stamp to go by.
pub fn lapses_at(lease: &Lease) -> Option<Timestamp> {
    let ttl = lease.ttl_millis().unwrap_or(TTL_MILLIS_DEFAULT);
    Some(lease.newest_stamp()?.plus_millis(ttl.saturating_add(GRACE_MILLIS)))
}

/// Proof that the holder is dead, or `None` when there is none: then the lease keeps its claim.
///
/// A process proves something only on the host it was named on, and only when the holder named it:
/// the process of a short-lived command line ends long before the hold does.
pub fn proof_of_death(lease: &Lease, moment: &Moment) -> Option<Death> {
    if lease.host() == Some(moment.host.as_str())
        && let Some(process) = lease.named_process()
        && moment.processes.iter().any(|(id, state)| *id == process && *state == ProcessState::Gone)
    {
        return Some(Death::ProcessGone { pid: process.pid });
    }
    if lease.host() == Some(moment.host.as_str())
        && let Some(worktree) = lease.work_tree()
        && moment.worktrees_gone.contains(&worktree)
    {
        return Some(Death::WorktreeGone { path: worktree.path });
    }
    let silent_millis = moment.now.millis_since(lease.newest_stamp()?);
    let ttl_millis = lease.ttl_millis().unwrap_or(TTL_MILLIS_DEFAULT);
    let lapsed = silent_millis > ttl_millis.saturating_add(GRACE_MILLIS);
    lapsed.then_some(Death::Lapsed { silent_millis, ttl_millis })
}
