//! The invariants of the design, as properties of the pure core; a test is named after what it keeps.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod compaction;
mod config;
mod conflicts;
mod fold;
mod grants;
mod healing;
mod journals;
mod json;
mod noise;
mod purity;
mod refusals;
mod scripts;
mod traits;
mod values;
mod walk;
mod witness;
