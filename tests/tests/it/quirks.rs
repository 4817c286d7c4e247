//! What the original gets wrong or does oddly, by the ids of the list in `docs/COMPAT.md`.
//!
//! One test for each id: a bug must not be here, an odd habit is kept or changed on purpose. The
//! inputs are those that show it in the original.

mod arbiter;
mod commands;
mod configuration;
mod export;
mod fleet;
mod hooks;
mod journal;
mod leases;
mod observe;
mod registry;
mod state_diff;
