//! Eight writers at once, beside eight that do nothing but write and sync.

use std::fs;
use std::process::Command;

use anyhow::Context;

use super::Bench;
use crate::original;

const SECONDS: &str = "3";

impl Bench {
    pub(super) fn writers(&self) -> anyhow::Result<()> {
        let program = original::build_example("dos-store", "writers")?;
        println!("durable appends a second, {SECONDS} s each, best of 3:");
        for processes in ["1", "8"] {
            let (mut ledger, mut bare) = (0.0, 0.0);
            for round in 0..3 {
                for (mode, best) in [("ledger", &mut ledger), ("bare", &mut bare)] {
                    let folder = self.scratch.path().join(format!("{mode}-{processes}-{round}"));
                    fs::create_dir(&folder)?;
                    let run = Command::new(&program)
                        .arg(mode)
                        .arg(&folder)
                        .args([processes, SECONDS])
                        .output()?;
                    let text = String::from_utf8_lossy(&run.stdout).trim().to_string();
                    let count: f64 =
                        text.parse().with_context(|| format!("no count in {text:?}"))?;
                    *best = f64::max(*best, count / SECONDS.parse::<f64>()?);
                    fs::remove_dir_all(&folder)?;
                }
            }
            println!(
                "  {processes} processes: ledger {ledger:.0}, bare write and fdatasync without a lock {bare:.0}: \
                 {:.0} % (wanted with 8: at least 80)",
                ledger / bare * 100.0
            );
        }
        println!();
        Ok(())
    }
}
