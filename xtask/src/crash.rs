//! `cargo xtask crash`: the crash simulation, in a build that is fast and has every check on.
//!
//! It is a program of its own, so that these tools need none of the product to be built.

use std::process::Command;

use anyhow::{Context as _, bail};

/// Builds the simulation and runs it with these arguments.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--profile", "crash", "--package", "dos-crash", "--"])
        .args(arguments)
        .status()
        .context("cannot start `cargo`")?;
    if !status.success() {
        bail!("the crash simulation ended with {status}");
    }
    Ok(())
}
