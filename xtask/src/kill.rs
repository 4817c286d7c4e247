//! The storms of the tests' package over our release build: writers, exporters and supervisors that
//! are killed by the hundred, and what they leave. CI runs a few of each.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::original;

/// Runs one of its programs; the arguments are those of the storm.
pub fn run(program: &str, arguments: &[String]) -> anyhow::Result<()> {
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
    storm.args(["run", "--quiet", "-p", "dos-tests", "--bin", program, "--manifest-path"]);
    storm.arg(root.join("Cargo.toml")).arg("--").arg(dos).args(arguments);
    let status = storm.status().with_context(|| format!("failed to run {storm:?}"))?;
    ensure!(status.success(), "the storm ended with {status}");
    Ok(())
}
