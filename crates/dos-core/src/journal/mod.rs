//! What was decided? Records, how bytes become entries, and the fold that makes them a live set.

pub mod decode;
pub mod entry;
pub mod live_set;
mod plain;

pub use live_set::{Fold, LiveSet};
