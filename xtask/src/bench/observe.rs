//! What it costs to record a verdict, verb by verb, at a short and at a long journal, beside a process
//! that only writes and syncs; and what it costs to count them.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Bench, median, ratio, shown};

const ROUNDS: usize = 151;
const LONG: usize = 1_000_000;
const COUNTED: usize = 100_000;
/// No rotation: it is the long journal that is measured.
const ONE_SEGMENT: &str = "[observe]\nsegment_max_bytes = \"none\"\n";
const WRITE: &str =
    r#"{"session_id":"s","tool_name":"Write","tool_input":{"file_path":"web/x.ts"}}"#;
const VERBS: [(&str, &[&str]); 5] = [
    ("exec-capability", &["exec-capability", "--command", "ls"]),
    ("arbitrate", &["arbitrate", "--lane", "main"]),
    ("liveness", &["liveness", "--run-id", "RID-1M89PYD52D6YY80", "--no-proc"]),
    ("hook pretool", &["hook", "pretool", "--workspace", "."]),
    ("hook posttool", &["hook", "posttool", "--workspace", "."]),
];

impl Bench {
    /// Each verb in turn: not armed, armed, and armed at a long journal.
    pub(super) fn observe(&self) -> anyhow::Result<()> {
        let bare = self.bare_writer("+")?;
        let (short, long) = (self.observed(100)?, self.observed(LONG)?);
        println!("recording a verdict, whole process, warm, median of {ROUNDS}:");
        let mut floors = Vec::new();
        for (name, arguments) in VERBS {
            let (mut off, mut on, mut far) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let file = short.join("bare").display().to_string();
                floors.push(timed(&bare, &[&file], &short, false)?);
                off.push(timed(&self.dos, arguments, &short, false)?);
                on.push(timed(&self.dos, arguments, &short, true)?);
                far.push(timed(&self.dos, arguments, &long, true)?);
            }
            let (off, on, far) = (median(&mut off), median(&mut on), median(&mut far));
            println!(
                "  {name:16} not armed {}, armed {} ({:.2} times), armed at {LONG} rows {} ({:.2} \
                 times the short one, wanted: 1)",
                shown(off),
                shown(on),
                ratio(on, off),
                shown(far),
                ratio(far, on),
            );
        }
        println!("  a process that writes 300 bytes and syncs {}", shown(median(&mut floors)));
        let (mut off, mut on) = (Vec::new(), Vec::new());
        let few = self.observed(10_000)?;
        for _ in 0..5 {
            let arguments = ["exec-capability", "--command", "ls"];
            off.push(timed(&self.original, &arguments, &few, false)?);
            on.push(timed(&self.original, &arguments, &few, true)?);
        }
        let (off, on) = (median(&mut off), median(&mut on));
        println!(
            "  the original's exec-capability at 10,000 rows: not armed {}, armed {} ({:.2} times)",
            shown(off),
            shown(on),
            ratio(on, off)
        );
        let counted = self.observed(COUNTED)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            ours.push(timed(&self.dos, &["observe"], &counted, false)?);
            theirs.push(timed(&self.original, &["observe"], &counted, false)?);
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        println!(
            "  observe over {COUNTED} rows: dos {}, the original {}, {:.1} times faster\n",
            shown(ours),
            shown(theirs),
            ratio(theirs, ours)
        );
        Ok(())
    }

    /// A workspace with so many verdicts.
    pub(super) fn observed(&self, rows: usize) -> anyhow::Result<PathBuf> {
        let workspace = self.scratch.path().join(format!("observe-{rows}"));
        fs::create_dir_all(workspace.join(".dos"))?;
        fs::write(workspace.join("dos.toml"), ONE_SEGMENT)?;
        fs::write(workspace.join("event.json"), WRITE)?;
        let file = File::create(workspace.join(".dos/verdict-journal.jsonl"))?;
        let mut text = BufWriter::new(file);
        for seq in 1..=rows {
            let (syscall, verdict) =
                [("pretool", "ALLOW"), ("liveness", "ADVANCING"), ("arbitrate", "refuse")][seq % 3];
            writeln!(
                text,
                r#"{{"detail": {{"reason_class": "NONE"}}, "lane": "lane{}", "run_id": "RID-1M89PYD52D6YY80", "schema_family": "verdict-journal", "schema_version": 1, "seq": {seq}, "source": "kernel", "subject": "Write", "syscall": "{syscall}", "ts": "2026-01-10T12:00:00Z", "ts_ms": 1768046400000, "verdict": "{verdict}"}}"#,
                seq % 16
            )?;
        }
        text.flush()?;
        Ok(workspace)
    }
}

/// Runs a program in this workspace, as a host runs a hook, and says how long it took.
fn timed(
    program: &Path,
    arguments: &[&str],
    workspace: &Path,
    armed: bool,
) -> anyhow::Result<Duration> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(workspace)
        .env("DISPATCH_HOME", workspace.join("home"))
        .stdin(Stdio::from(File::open(workspace.join("event.json"))?))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if armed {
        command.env("DISPATCH_OBSERVE", "1");
    }
    let started = Instant::now();
    command.status().with_context(|| format!("failed to run {program:?}"))?;
    Ok(started.elapsed())
}
