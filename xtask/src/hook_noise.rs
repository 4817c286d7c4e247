//! `cargo xtask hook-noise`: random and mutated events through each hook.
//!
//! The checks themselves are tests, which `cargo test` runs on fewer events.

use std::process::Command;

use anyhow::{Context, bail};

/// How many events go through each hook in this process.
const EVENTS: &str = "100000";
/// How many rounds of some fifty events go through the real binary.
const ROUNDS: &str = "20";
const USAGE: &str = "usage: cargo xtask hook-noise [--events N] [--rounds N] [--seed S]";

/// Sends as many events as asked for; fails at the first that breaks a hook.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (mut events, mut rounds, mut seed) = (EVENTS, ROUNDS, "1");
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        let value = rest.next().context(USAGE)?;
        value.parse::<u64>().with_context(|| format!("{flag} {value}: {USAGE}"))?;
        match flag.as_str() {
            "--events" => events = value,
            "--rounds" => rounds = value,
            "--seed" => seed = value,
            _ => bail!(USAGE),
        }
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for test in [["dos-drivers", "hooks", "no_event"], ["dos-tests", "it", "hooks::noise"]] {
        let [package, name, filter] = test;
        let status = Command::new(&cargo)
            .args(["test", "--quiet", "-p", package, "--test", name, filter])
            .args(["--", "--nocapture"])
            .env("DOS_HOOK_EVENTS", events)
            .env("DOS_HOOK_PROCESSES", rounds)
            .env("DOS_HOOK_SEED", seed)
            .status()
            .context("failed to run cargo")?;
        if !status.success() {
            bail!("an event broke a hook; the same --seed shows it again");
        }
    }
    Ok(())
}
