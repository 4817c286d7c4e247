//! One file for each verb: its arguments, and `run`.

pub mod arbitrate;
pub mod completions;
pub mod doctor;
pub mod exit_codes;
pub mod forget;
pub mod halt;
pub mod hook;
pub mod init;
pub mod journal;
pub mod lanes;
pub mod learn;
pub mod lease;
pub mod lease_lane;
pub mod lint;
pub mod man;
pub mod overlap;
pub mod projects;
pub mod quickstart;
pub mod reap;
pub mod reindex;
pub mod run_id;
pub mod shared;
pub mod snapshot;
pub mod state_diff;
