//! `cargo xtask overlap-check`: random pairs of regions against an independent matcher.
//!
//! The check itself is the test `overlap` of dos-core, which `cargo test` runs on fewer pairs.

use std::process::Command;

use anyhow::{Context, bail};

/// How many pairs are compared.
const PAIRS: &str = "1000000";
const USAGE: &str = "usage: cargo xtask overlap-check [--pairs N] [--seed S]";

/// Compares as many pairs as asked for; fails at the first difference.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (mut pairs, mut seed) = (PAIRS, "1");
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        let value = rest.next().context(USAGE)?;
        value.parse::<u64>().with_context(|| format!("{flag} {value}: {USAGE}"))?;
        match flag.as_str() {
            "--pairs" => pairs = value,
            "--seed" => seed = value,
            _ => bail!(USAGE),
        }
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "--release", "--quiet", "-p", "dos-core", "--test", "overlap"])
        .args(["--", "--nocapture"])
        .env("DOS_OVERLAP_PAIRS", pairs)
        .env("DOS_OVERLAP_SEED", seed)
        .status()
        .context("failed to run cargo")?;
    if !status.success() {
        bail!("there is a difference; the same --seed shows it again");
    }
    Ok(())
}
