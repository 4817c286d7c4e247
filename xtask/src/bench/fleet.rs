//! What a look at a fleet costs: a plan, one tick of `loop`, beats.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{Bench, median, shown};

const ROUNDS: usize = 21;
const BEATERS: usize = 4;
const BEATS: usize = 200;

impl Bench {
    pub(super) fn fleet(&self) -> anyhow::Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let bench = ["bench", "--quiet", "-p", "dos-core", "--bench", "fleet"];
        let status = Command::new(cargo).args(bench).status().context("failed to run cargo")?;
        if !status.success() {
            bail!("the benchmark of dos-core failed");
        }
        println!("\none tick of `dos loop`, whole process, median of {ROUNDS}:");
        for (leases, records, most) in [(213, 57_853, 50), (1000, 1_000_000, 100)] {
            self.tick(leases, records, most)?;
        }
        self.beats()
    }

    /// Every lease is an hour old and beats: all of them spin, and git has to be asked.
    fn tick(&self, leases: usize, records: usize, most: u64) -> anyhow::Result<()> {
        let folder = self.scratch.path().join(format!("fleet-{leases}"));
        fs::create_dir_all(&folder)?;
        let mut config =
            String::from("[retention]\njournal_max_entries = \"none\"\n[lanes]\nconcurrent = [");
        (0..leases).try_for_each(|lane| write!(config, "\"lane{lane}\","))?;
        config.push_str("]\n[lanes.trees]\n");
        (0..leases).try_for_each(|lane| writeln!(config, "lane{lane} = [\"lane{lane}/**\"]"))?;
        // The workspace of all measurements is the scratch folder.
        fs::write(self.scratch.path().join("dos.toml"), config)?;
        let journal = folder.join("lane-journal.jsonl");
        fs::write(&journal, history(leases, records)?)?;
        let mut cold = Vec::new();
        for _ in 0..3 {
            cold.push(self.time(&self.dos, &["loop", "--json"], &journal)?);
        }
        // A writer leaves a snapshot, as there is one beside every journal that is in use.
        let beat = ["lease-lane", "spawn", "--lane", "lane0", "--owner", "bench"];
        self.time(&self.dos, &beat, &journal)?;
        let mut warm = Vec::new();
        for _ in 0..ROUNDS {
            warm.push(self.time(&self.dos, &["loop", "--json"], &journal)?);
        }
        println!(
            "  {leases} leases, {records} records: {} (wanted: under {most} ms); without a snapshot {}",
            shown(median(&mut warm)),
            shown(median(&mut cold))
        );
        fs::remove_file(self.scratch.path().join("dos.toml"))?;
        Ok(())
    }

    /// Processes that beat for 200 leases as fast as they can.
    fn beats(&self) -> anyhow::Result<()> {
        let folder = self.scratch.path().join("beats");
        fs::create_dir_all(&folder)?;
        let journal = folder.join("lane-journal.jsonl");
        fs::write(&journal, history(200, 200)?)?;
        let started = Instant::now();
        std::thread::scope(|scope| {
            let beater = |number: usize| {
                let journal = &journal;
                move || -> anyhow::Result<()> {
                    for round in 0..BEATS {
                        let number = (number + round * BEATERS) % 200;
                        let (lane, owner) = (format!("lane{number}"), format!("agent-{number}"));
                        let words = ["lease-lane", "heartbeat", "--lane", &lane, "--owner", &owner];
                        self.time(&self.dos, &words, journal)?;
                    }
                    Ok(())
                }
            };
            let beaters: Vec<_> = (0..BEATERS).map(|number| scope.spawn(beater(number))).collect();
            for beater in beaters {
                beater.join().map_err(|_| anyhow::anyhow!("a beater died"))??;
            }
            anyhow::Ok(())
        })?;
        let per_second = (BEATERS * BEATS) as f64
            / started.elapsed().max(Duration::from_millis(1)).as_secs_f64();
        println!(
            "\nbeats of 200 leases by {BEATERS} processes at a time, each durable, a process for each: \
             {per_second:.0} a second (wanted: 200)\n"
        );
        Ok(())
    }
}

/// So many live leases, taken an hour ago, and beats of all of them up to now.
fn history(leases: usize, records: usize) -> anyhow::Result<String> {
    let stamp = |ago: &str| -> anyhow::Result<String> {
        let date = Command::new("date").args(["-u", "-d", ago, "+%Y-%m-%dT%H:%M:%SZ"]).output()?;
        Ok(String::from_utf8_lossy(&date.stdout).trim().to_string())
    };
    let (taken, beat) = (stamp("1 hour ago")?, stamp("1 second ago")?);
    let mut text = String::new();
    for seq in 1..=records {
        let lane = (seq - 1) % leases;
        match seq <= leases {
            true => writeln!(
                text,
                r#"{{"host_id": "vm1", "lane": "lane{lane}", "lane_kind": "cluster", "lease": {{"acquired_at": "{taken}", "holder": "agent-{lane}", "host_id": "vm1", "lane": "lane{lane}", "lane_kind": "cluster", "loop_ts": "L{lane}", "pid": null, "tree": ["lane{lane}/**"]}}, "loop_ts": "L{lane}", "op": "ACQUIRE", "pid": null, "prev_holder": null, "reason": "lane-lease:agent-{lane}", "seq": {seq}, "tree": ["lane{lane}/**"], "ts": "{taken}", "ttl_minutes": null}}"#
            )?,
            false => writeln!(
                text,
                r#"{{"heartbeat_at": "{beat}", "host_id": "vm1", "lane": "lane{lane}", "loop_ts": "L{lane}", "op": "HEARTBEAT", "seq": {seq}, "ts": "{beat}"}}"#
            )?,
        }
    }
    Ok(text)
}
