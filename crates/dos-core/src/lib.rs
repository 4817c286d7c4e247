//! The decisions of `dos`, as functions over values.
//!
//! Nothing here reads a clock, a file, the environment or a process table, and nothing here is
//! random: the crate has no `std`. Whoever embeds it brings the journal's bytes, the time and what
//! the process table says, and gets back what to append and what to answer.
//!
//! Start with [`lane::decide()`], which decides one command, and [`journal::LiveSet`], which folds
//! one entry. Replaying a journal *is* the state: there is no second store.

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]

extern crate alloc;

pub mod command;
pub mod config;
pub mod data_class;
pub mod export;
pub mod fleet;
pub mod hook;
pub mod journal;
pub mod json;
pub mod lane;
pub mod limits;
pub mod registry;
pub mod retention;
pub mod schema;
pub mod timestamp;
pub mod verdict;
pub mod witness;
