//! Is it moving? The identity of one run, whether it moves, and what a whole fleet needs.

pub mod commit_id;
pub mod liveness;
pub mod past;
pub mod run_id;
pub mod supervise;
pub mod supervisor;
pub mod view;
pub mod watchdog;

pub use commit_id::CommitId;
pub use liveness::{Liveness, LivenessPolicy};
pub use supervise::SupervisePolicy;
pub use supervisor::WorkerPolicy;
pub use view::FleetView;
