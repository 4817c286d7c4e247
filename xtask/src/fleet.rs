//! `cargo xtask fleet`: a supervised fleet of our release build, for minutes, and supervisors that are
//! killed by the hundred. CI runs a few seconds and a handful.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::original;

/// Runs the command.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [mut seconds, mut kills, mut seed] = ["180", "200", "1"].map(str::to_string);
    for pair in arguments.chunks(2) {
        match pair {
            [flag, value] if flag == "--seconds" => seconds.clone_from(value),
            [flag, value] if flag == "--kills" => kills.clone_from(value),
            [flag, value] if flag == "--seed" => seed.clone_from(value),
            _ => bail!("usage: cargo xtask fleet [--seconds N] [--kills N] [--seed S]"),
        }
    }
    let dos = original::build_dos()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the manifest of xtask lies in no workspace")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut fleet = Command::new(cargo);
    fleet.args(["run", "--quiet", "-p", "dos-tests", "--bin", "fleet", "--manifest-path"]);
    fleet.arg(root.join("Cargo.toml")).arg("--").arg(dos).args([seconds, kills, seed]);
    let status = fleet.status().with_context(|| format!("failed to run {fleet:?}"))?;
    ensure!(status.success(), "the fleet ended with {status}");
    Ok(())
}
