//! Did it happen? Only what somebody else than the agent saw can make us believe it.
//!
//! An effect that an agent claims ([`EffectClaim`]) is joined to what witnesses saw ([`Facts`]).
//! One witness is the difference between two states ([`StateDiff`]), each of which was read by
//! us ([`Snapshot`]).

pub mod claim;
pub mod effect;
pub mod evidence;
pub mod receipt;
pub mod rules;
pub mod snapshot;
pub mod state;
pub mod state_diff;
pub mod taken;
pub mod value;

pub use claim::{Claim, Expectation};
pub use effect::{EffectClaim, EffectVerdict, Outcome, witness_effect};
pub use evidence::{Accountability, Belief, EvidenceSource, Facts, Sight, Stance, WitnessRung};
pub use receipt::Receipt;
pub use rules::Rules;
pub use snapshot::{Snapshot, StateReader, Unreadable};
pub use state::{State, StateBuilder, StateError};
pub use state_diff::{Change, Delta, Kind, StateDiff, Unlike, diff_state};
