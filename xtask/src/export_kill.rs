//! `cargo xtask export-kill`: exporters of our release build, killed by the hundred, and what arrives.
//!
//! The storm itself is in the tests' package, of which CI runs a few dozen kills.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::original;

/// Runs the command; the arguments are the storm's.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let dos = original::build_dos()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the manifest of xtask lies in no workspace")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(&cargo);
    build.args(["build", "--quiet", "-p", "dos-tests", "--bins", "--manifest-path"]);
    let built = build.arg(root.join("Cargo.toml")).status().context("failed to run cargo")?;
    ensure!(built.success(), "the storm does not compile");
    let mut storm = Command::new(cargo);
    storm.args(["run", "--quiet", "-p", "dos-tests", "--bin", "export-storm", "--manifest-path"]);
    storm.arg(root.join("Cargo.toml")).arg("--").arg(dos).args(arguments);
    let status = storm.status().with_context(|| format!("failed to run {storm:?}"))?;
    ensure!(status.success(), "the storm ended with {status}");
    Ok(())
}
