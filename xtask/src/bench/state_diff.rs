//! What comparing states costs: two of a million keys, and a folder of 200,000 files.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Bench, PEAK, median, ratio, shown};

const KEYS: usize = 1_000_000;
const FILES: usize = 200_000;
const ROUNDS: usize = 3;

/// Lines of an object, sorted as `comm` wants them.
const BY_HAND: &str = "
jq -rc 'to_entries[] | \"\\(.key)\\t\\(.value)\"' \"$1\" | LC_ALL=C sort > before.lines &
jq -rc 'to_entries[] | \"\\(.key)\\t\\(.value)\"' \"$2\" | LC_ALL=C sort > after.lines
wait
LC_ALL=C comm -3 before.lines after.lines > difference";

/// The same without reading JSON: the lines are there.
const LINES_ONLY: &str = "
LC_ALL=C sort before.lines > before.sorted & LC_ALL=C sort after.lines > after.sorted
wait
LC_ALL=C comm -3 before.sorted after.sorted > difference";

impl Bench {
    pub(super) fn state_diff(&self) -> anyhow::Result<()> {
        self.million_keys()?;
        self.folder()
    }

    fn million_keys(&self) -> anyhow::Result<()> {
        let folder = self.scratch.path().join("states");
        fs::create_dir(&folder)?;
        let (before, after) = (folder.join("before.json"), folder.join("after.json"));
        state(&before, |key| Some(key % 97))?;
        // One key in a thousand is another one afterwards, one in a thousand is gone.
        state(&after, |key| match key % 1000 {
            7 => None,
            13 => Some(key % 97 + 1),
            _ => Some(key % 97),
        })?;
        let sides = ["--before", "before.json", "--after", "after.json"];
        let ours = |key: &str| {
            let mut command = Command::new(&self.dos);
            command.args(["state-diff", key]).args(sides);
            command
        };
        let theirs = |key: &str| {
            let mut command = Command::new(self.original.with_file_name("python"));
            command.args(["-m", "dos.drivers.state_diff", key]).args(sides);
            command
        };
        let by_hand = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script, "sh", "before.json", "after.json"]);
            command
        };
        let changed = format!("order:{:07}", 13);
        let mut times = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            let commands =
                [ours(&changed), by_hand(BY_HAND), by_hand(LINES_ONLY), theirs(&changed)];
            for (command, times) in commands.into_iter().zip(&mut times) {
                times.push(timed(command, &folder)?);
            }
        }
        let [ours, by_hand, lines_only, theirs] = times.each_mut().map(|times| median(times));
        let size = fs::metadata(&before)?.len() + fs::metadata(&after)?.len();
        println!(
            "two states of {KEYS} keys ({:.0} MB), one claim, whole process, median of {ROUNDS}:",
            size as f64 / 1e6
        );
        println!("  dos state-diff {}", shown(ours));
        println!("  jq, sort and comm {}: {:.1} times that", shown(by_hand), ratio(by_hand, ours));
        println!(
            "  sort and comm on lines without JSON {}: {:.2} times that",
            shown(lines_only),
            ratio(lines_only, ours)
        );
        println!("  the original {}: {:.1} times that", shown(theirs), ratio(theirs, ours));
        for (name, program) in [("dos", &self.dos), ("the original", &self.original)] {
            let python = self.original.with_file_name("python");
            let mut command = Command::new(&python);
            command.args(["-c", PEAK]);
            match name {
                "dos" => command.arg(program).args(["state-diff", &changed]).args(sides),
                _ => command
                    .arg(&python)
                    .args(["-m", "dos.drivers.state_diff", &changed])
                    .args(sides),
            };
            let peak = command.current_dir(&folder).output()?;
            let text = String::from_utf8_lossy(&peak.stdout).trim().to_string();
            let kib: f64 = text.parse().with_context(|| format!("no peak in {text:?}"))?;
            println!("  peak memory of {name} {:.0} MB", kib / 1024.0);
        }
        println!();
        Ok(fs::remove_dir_all(folder)?)
    }

    fn folder(&self) -> anyhow::Result<()> {
        let folder = self.scratch.path().join("tree");
        for file in 0..FILES {
            let above = folder.join(format!("pkg{:03}/mod{:02}", file / 1000, file / 50 % 20));
            if file % 50 == 0 {
                fs::create_dir_all(&above)?;
            }
            let content = format!("file {file}\n").repeat(1 + file % 60);
            fs::write(above.join(format!("f{file}.rs")), content)?;
        }
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.args(arguments);
            command
        };
        timed(git(&["init", "--quiet"]), &folder)?;
        timed(git(&["add", "--all"]), &folder)?;
        timed(git(&["-c", "user.name=b", "-c", "user.email=b@b", "commit", "-qm", "b"]), &folder)?;
        let dos = |source: &str| {
            let mut command = Command::new(&self.dos);
            command.args(["snapshot", "show", source]);
            command
        };
        let hashes = || {
            let mut command = Command::new("sh");
            let script = "find . -name .git -prune -o -type f -print0 | xargs -0 -P \"$(nproc)\" -n 2000 sha256sum";
            command.args(["-c", script]);
            command
        };
        let mut times = [const { Vec::new() }; 5];
        for _ in 0..ROUNDS {
            let commands = [
                dos("tree:."),
                git(&["status", "--porcelain"]),
                hashes(),
                dos("git:"),
                dos("git:HEAD"),
            ];
            for (command, times) in commands.into_iter().zip(&mut times) {
                times.push(timed(command, &folder)?);
            }
        }
        let [tree, status, hashes, work_tree, revision] =
            times.each_mut().map(|times| median(times));
        println!("a folder of {FILES} files, all in git, whole process, median of {ROUNDS}:");
        println!("  dos snapshot show tree: {}", shown(tree));
        println!(
            "  git status, which reads no unchanged file {}: {:.2} times that",
            shown(status),
            ratio(status, tree)
        );
        println!("  find and sha256sum {}: {:.2} times that", shown(hashes), ratio(hashes, tree));
        println!(
            "  dos snapshot show git: {}, {:.2} times git status",
            shown(work_tree),
            ratio(work_tree, status)
        );
        println!("  dos snapshot show git:HEAD {}\n", shown(revision));
        self.changes_of(&folder)
    }

    /// In that folder three files are changed, and nothing else is seen to be, each way it is read.
    fn changes_of(&self, folder: &Path) -> anyhow::Result<()> {
        let asked = |arguments: &[&str]| -> anyhow::Result<Value> {
            let output = Command::new(&self.dos).args(arguments).current_dir(folder).output()?;
            ensure!(output.status.success(), "dos {arguments:?} ended with {}", output.status);
            Ok(serde_json::from_slice::<Value>(&output.stdout)?)
        };
        fs::write(folder.join(".gitignore"), ".dos/\n")?;
        for (name, source) in [("tree", "tree:."), ("git", "git:")] {
            let taken = asked(&["snapshot", "take", name, "--from", source, "--json"])?;
            ensure!(taken["keys"].as_u64() >= Some(FILES as u64), "{source}: {taken}");
        }
        fs::write(folder.join("pkg000/mod00/f0.rs"), "changed\n")?;
        fs::write(folder.join("pkg199/mod19/new.rs"), "new\n")?;
        fs::remove_file(folder.join("pkg100/mod10/f100500.rs"))?;
        for (name, source) in [("tree", "tree:."), ("git", "git:")] {
            let delta = asked(&["state-diff", "--before", name, "--after", source, "--json"])?;
            let wanted = json!({
                "inserted": ["pkg199/mod19/new.rs"],
                "deleted": ["pkg100/mod10/f100500.rs"],
                "updated": ["pkg000/mod00/f0.rs"],
            });
            ensure!(delta["delta"] == wanted, "{source}: {}", delta["delta"]);
        }
        println!("  three files changed, and nothing else was seen to: tree:, git:\n");
        Ok(())
    }
}

fn state(path: &Path, value: impl Fn(usize) -> Option<usize>) -> anyhow::Result<()> {
    let mut text = BufWriter::new(fs::File::create(path)?);
    let mut before = '{';
    for key in 0..KEYS {
        let Some(value) = value(key) else { continue };
        write!(
            text,
            r#"{before}"order:{key:07}": {{"status": "paid", "total": {value}.5, "lines": [{key}]}}"#
        )?;
        before = ',';
    }
    Ok(writeln!(text, "}}")?)
}

fn timed(mut command: Command, folder: &Path) -> anyhow::Result<Duration> {
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().with_context(|| format!("failed to run {command:?}"))?;
    let took = started.elapsed();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took)
}
