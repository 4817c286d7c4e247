//! May I write here? Leases, overlap, admission and the decision that ties them together.

pub mod admission;
pub mod arbiter;
pub mod command;
pub mod decide;
pub mod effort;
pub mod index;
pub mod intersect;
pub mod lease;
pub mod lint;
pub mod live;
pub mod map;
pub mod overlap;
pub mod pattern;
pub mod policy;
pub mod refusal;
pub mod region;
pub mod texts;
pub mod tree;
pub mod vitality;

pub use arbiter::{Admission, Request, arbitrate};
pub use command::Command;
pub use decide::{Decision, Outcome, decide};
pub use lease::{Lease, Tree, WorkTree};
pub use pattern::Case;
pub use policy::{Lanes, Policy};
pub use refusal::{Cause, Refusal};
pub use region::Region;
pub use vitality::Moment;
