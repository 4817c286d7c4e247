//! Hands and eyes of the referee: the process table, git, journal watching, and the lane desk that
//! brings evidence, decision and journal together.

#![forbid(unsafe_code)]

pub mod acceptance;
pub mod bounded;
pub mod export;
pub mod fleet;
pub mod git;
pub mod hook;
pub mod host;
pub mod init;
pub mod launch;
pub mod process;
pub mod quickstart;
pub mod receipt;
pub mod referee;
pub mod runner;
pub mod signals;
pub mod snapshot;
pub mod spawn;
pub mod supervisor;
pub mod terminal;
pub mod watch;
pub mod watchdog;
pub mod worker_log;
pub mod worktrees;

pub use referee::{Referee, RefereeError, View};
