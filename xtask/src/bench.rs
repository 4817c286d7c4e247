//! `cargo xtask bench`: measured against the original, or against a physical limit, in one run.
//!
//! Every figure is a ratio of two things measured in turn, so that the load of the machine falls
//! on both. docs/PERFORMANCE.md holds the figures.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::original;

mod exec;
mod export;
mod fleet;
mod history;
mod hooks;
mod observe;
mod overlap;
mod registry;
mod state_diff;
mod writers;

/// A program that opens a file, appends 300 bytes and makes them durable: nothing can be cheaper.
const BARE: &str = r#"
use std::io::Write;
fn main() {
    let path = std::env::args_os().nth(1).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(&[b'x'; 300]).unwrap();
    file.sync_data().unwrap();
}
"#;

/// Runs a command under this, and prints its peak memory in KiB.
const PEAK: &str = "import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";

struct Bench {
    dos: PathBuf,
    original: PathBuf,
    scratch: tempfile::TempDir,
}

/// A benchmark and its name.
type Named = (&'static str, fn(&Bench) -> anyhow::Result<()>);

/// All that need the programs; `overlap` needs none.
const BENCHMARKS: [Named; 13] = [
    ("replay", Bench::replay),
    ("acquire", Bench::acquire),
    ("history", Bench::history),
    ("hooks", Bench::hooks),
    ("observe", Bench::observe),
    ("exec", Bench::exec),
    ("export", Bench::export),
    ("fold", Bench::fold),
    ("writers", Bench::writers),
    ("registry", Bench::registry),
    ("fleet", Bench::fleet),
    ("memory", Bench::memory),
    ("state-diff", Bench::state_diff),
];

/// Measures everything, or what `--only` names.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let names = || ["overlap"].into_iter().chain(BENCHMARKS.map(|(name, _)| name));
    let only = match arguments {
        [] => None,
        [flag, name] if flag == "--only" && names().any(|known| known == name) => Some(name),
        _ => {
            let names: Vec<_> = names().collect();
            bail!("usage: cargo xtask bench [--only {}]", names.join("|"))
        }
    };
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    if wanted("overlap") {
        overlap::run()?;
    }
    if only.is_some_and(|only| only == "overlap") {
        return Ok(());
    }
    let bench = Bench {
        dos: original::build_dos()?,
        original: original::install()?.join("bin/dos"),
        scratch: tempfile::tempdir()?,
    };
    let mut chosen = BENCHMARKS.into_iter().filter(|(name, _)| wanted(name));
    chosen.try_for_each(|(_, measure)| measure(&bench))
}

impl Bench {
    /// A whole process that folds a journal of 100,000 entries: ours and the original's.
    fn replay(&self) -> anyhow::Result<()> {
        let journal = self.journal(100_000)?;
        let size = fs::metadata(&journal)?.len();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            ours.push(self.time(&self.dos, &["journal", "replay"], &journal)?);
            theirs.push(self.time(&self.original, &["journal", "replay"], &journal)?);
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        println!(
            "replay of 100,000 entries ({:.1} MB), whole process, median of 7:",
            size as f64 / 1e6
        );
        println!("  dos {}, the original {}", shown(ours), shown(theirs));
        println!("  {:.1} times faster (wanted: 25)\n", ratio(theirs, ours));
        Ok(())
    }

    /// A whole process that takes a lane durably, beside one that only writes and syncs.
    fn acquire(&self) -> anyhow::Result<()> {
        let (bare, usual) = (self.bare_writer("+")?, self.bare_writer("-")?);
        let (mut ours, mut floor, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        let mut usual_floor = Vec::new();
        for round in 0..300 {
            let workspace = self.scratch.path().join(format!("acquire-{}", round / 50));
            fs::create_dir_all(&workspace)?;
            let journal = workspace.join("journal.jsonl");
            let lane = format!("lane{round}");
            let tree = format!("{lane}/**");
            let take = ["lease-lane", "acquire", "--lane", &lane, "--tree", &tree, "--owner", "me"];
            let file = workspace.join("bare");
            ours.push(self.time(&self.dos, &take, &journal)?);
            floor.push(self.time(&bare, &[&file.to_string_lossy()], &journal)?);
            usual_floor.push(self.time(&usual, &[&file.to_string_lossy()], &journal)?);
            if round % 50 == 0 {
                let keyword = [&take[..], &["--kind", "keyword"]].concat();
                theirs.push(self.time(
                    &self.original,
                    &keyword,
                    &workspace.join("theirs.jsonl"),
                )?);
            }
        }
        let (ours, floor, theirs) = (median(&mut ours), median(&mut floor), median(&mut theirs));
        let usual_floor = median(&mut usual_floor);
        println!("a durable acquire beside up to 50 live leases, whole process, median of 300:");
        println!(
            "  dos {}, a process that writes 300 bytes and syncs {} ({} linked statically)",
            shown(ours),
            shown(usual_floor),
            shown(floor)
        );
        println!(
            "  {:.2} times that (wanted: at most 2), {:.2} times the static one",
            ratio(ours, usual_floor),
            ratio(ours, floor)
        );
        println!("  the original {}: {:.0} times slower\n", shown(theirs), ratio(theirs, ours));
        Ok(())
    }

    /// Peak memory of a replay, for a journal and one a hundred times as long.
    fn memory(&self) -> anyhow::Result<()> {
        let mut peaks = Vec::new();
        for entries in [100_000, 10_000_000] {
            let journal = self.journal(entries)?;
            let peak = Command::new("python3")
                .args(["-c", PEAK])
                .arg(&self.dos)
                .args(["journal", "replay"])
                .env("DISPATCH_LANE_JOURNAL_PATH", &journal)
                .current_dir(self.scratch.path())
                .output()
                .context("python3 is needed to measure memory")?;
            let text = String::from_utf8_lossy(&peak.stdout).trim().to_string();
            let kib: f64 = text.parse().with_context(|| format!("no peak in {text:?}"))?;
            let size = fs::metadata(&journal)?.len();
            println!(
                "peak memory of a replay of {:.0} MB: {:.1} MB",
                size as f64 / 1e6,
                kib / 1024.0
            );
            fs::remove_file(&journal)?;
            peaks.push(kib);
        }
        if let [short, long] = peaks.as_slice() {
            println!(
                "  a hundred times the journal, {:.2} times the memory (wanted: 1)\n",
                long / short
            );
        }
        Ok(())
    }

    fn time(&self, program: &Path, arguments: &[&str], journal: &Path) -> anyhow::Result<Duration> {
        let folder = self.scratch.path();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(folder)
            .env("DISPATCH_LANE_JOURNAL_PATH", journal)
            .env("DISPATCH_HOME", folder.join("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = Instant::now();
        let status = command.status().with_context(|| format!("failed to run {program:?}"))?;
        let took = started.elapsed();
        if !status.success() {
            bail!("{program:?} {arguments:?} ended with {status}");
        }
        Ok(took)
    }

    /// A journal as a fleet of sixteen lanes writes it: grants, beats, refusals, releases.
    fn journal(&self, entries: usize) -> anyhow::Result<PathBuf> {
        let path = self.scratch.path().join(format!("journal-{entries}.jsonl"));
        let mut text = BufWriter::new(fs::File::create(&path)?);
        let mut held: [Option<usize>; 16] = [None; 16];
        for seq in 1..=entries {
            let lane = seq * 7 % 16;
            let ts =
                format!("2026-01-10T{:02}:{:02}:{:02}Z", seq / 3600 % 24, seq / 60 % 60, seq % 60);
            match (held.get(lane).copied().flatten(), seq % 9) {
                (None, _) => {
                    write!(
                        text,
                        r#"{{"host_id": "vm1", "lane": "lane{lane}", "lane_kind": "cluster", "lease": {{"acquired_at": "{ts}", "holder": "agent-{seq}", "host_id": "vm1", "lane": "lane{lane}", "lane_kind": "cluster", "loop_ts": "L{seq}", "pid": 4242, "tree": ["lane{lane}/**"]}}, "loop_ts": "L{seq}", "op": "ACQUIRE", "pid": 4242, "prev_holder": null, "reason": "lane-lease:agent-{seq}", "seq": {seq}, "tree": ["lane{lane}/**"], "ts": "{ts}", "ttl_minutes": null}}"#
                    )?;
                    held[lane] = Some(seq);
                }
                (Some(since), 0) => {
                    write!(
                        text,
                        r#"{{"host_id": "vm1", "lane": "lane{lane}", "loop_ts": "L{since}", "op": "RELEASE", "reason": "lane-lease:agent-{since}", "seq": {seq}, "ts": "{ts}"}}"#
                    )?;
                    held[lane] = None;
                }
                (Some(_), 1) => {
                    write!(
                        text,
                        r#"{{"holder": "agent-{seq}", "host_id": "vm1", "lane": "lane{lane}", "loop_ts": "{ts}", "op": "REFUSE", "reason": "lane{lane} is held", "reason_class": "", "run_id": null, "seq": {seq}, "ts": "{ts}"}}"#
                    )?;
                }
                (Some(since), _) => {
                    write!(
                        text,
                        r#"{{"heartbeat_at": "{ts}", "host_id": "vm1", "lane": "lane{lane}", "loop_ts": "L{since}", "op": "HEARTBEAT", "seq": {seq}, "ts": "{ts}"}}"#
                    )?;
                }
            }
            writeln!(text)?;
        }
        text.flush()?;
        Ok(path)
    }

    /// Linked statically, as `dos` is, or as it is usual.
    fn bare_writer(&self, linking: &str) -> anyhow::Result<PathBuf> {
        let source = self.scratch.path().join("bare.rs");
        let program = self.scratch.path().join(format!("bare{linking}"));
        fs::write(&source, BARE)?;
        let status = Command::new("rustc")
            .args(["-O", "-C", "panic=abort", "-C", "strip=symbols", "--edition", "2024"])
            .args(["-C", &format!("target-feature={linking}crt-static"), "-o"])
            .args([&program, &source])
            .status()
            .context("failed to run rustc")?;
        if !status.success() {
            bail!("the bare writer does not compile");
        }
        Ok(program)
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ratio(above: Duration, below: Duration) -> f64 {
    above.as_secs_f64() / below.as_secs_f64()
}

fn shown(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
