//! Durable state on one machine: an append-only log, the lane mutex, the ledger, the workspace.
//!
//! Nothing here decides: [`Ledger::transact`] runs the caller's decision between reading the
//! journal and appending to it, and makes the result atomic and durable. Every file operation goes
//! through [`disk::Disk`], every look at the time through [`clock::Clock`].

#![forbid(unsafe_code)]

pub mod archive;
pub mod archive_lock;
pub mod chain;
pub mod clock;
pub mod decisions;
pub mod disk;
pub mod error;
pub mod export_cursor;
pub mod home;
pub mod inspect;
pub mod intents;
pub mod journal;
pub mod ledger;
pub mod lock;
pub mod lock_body;
pub mod log;
pub mod poison;
pub mod registry;
pub mod scratch;
pub mod sessions;
pub mod side_log;
#[cfg(feature = "sim")]
pub mod sim;
pub mod snapshot;
pub mod taken;
pub mod trust;
pub mod verdicts;
pub mod workspace;
pub mod worktree;

pub use error::StoreError;
pub use ledger::Ledger;
pub use workspace::Workspace;
