//! Shell commands: what is read, what would run, what would be written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod bash;
mod bounds;
mod corpus;
mod footprint;
