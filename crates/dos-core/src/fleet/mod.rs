//! Is it moving? The identity of one run.

pub mod run_id;
