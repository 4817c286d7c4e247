//! What it costs to classify a command: in process, and as a whole process beside the original's.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{Bench, median, ratio, shown};

/// One command of the corpus in this many is given to both programs.
const EVERY: usize = 15;

impl Bench {
    /// The benchmark of the core, then both programs in turn.
    pub(super) fn exec(&self) -> anyhow::Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let bench = ["bench", "--quiet", "-p", "dos-core", "--bench", "command"];
        let status = Command::new(cargo).args(bench).status().context("failed to run cargo")?;
        if !status.success() {
            bail!("the benchmark of dos-core failed");
        }
        let corpus =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/vectors/exec_corpus.jsonl");
        let text =
            fs::read_to_string(&corpus).with_context(|| format!("failed to read {corpus:?}"))?;
        let (mut ours, mut theirs, mut floor) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines().step_by(EVERY) {
            let entry: serde_json::Value = serde_json::from_str(line)?;
            let command = entry["command"].as_str().context("an entry without a command")?;
            floor.push(self.asked(Path::new("/bin/true"), command)?);
            ours.push(self.asked(&self.dos, command)?);
            theirs.push(self.asked(&self.original, command)?);
        }
        let count = ours.len();
        let (ours, theirs, floor) = (median(&mut ours), median(&mut theirs), median(&mut floor));
        println!("exec-capability, whole process, median over {count} commands of the corpus:");
        println!(
            "  dos {}, /bin/true {}, the original {}",
            shown(ours),
            shown(floor),
            shown(theirs)
        );
        println!(
            "  {:.0} times faster than the original, {:.2} times /bin/true\n",
            ratio(theirs, ours),
            ratio(ours, floor)
        );
        Ok(())
    }

    /// Asks a program about a command, and says how long it took.
    fn asked(&self, program: &Path, command: &str) -> anyhow::Result<Duration> {
        let option = format!("--command={command}");
        let mut asked = Command::new(program);
        asked
            .args(["exec-capability", &option])
            .current_dir(self.scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = Instant::now();
        let status = asked.status().with_context(|| format!("failed to run {program:?}"))?;
        let took = started.elapsed();
        match status.code() {
            Some(0 | 3) => Ok(took),
            _ => bail!("{program:?} ended with {status} on {command:?}"),
        }
    }
}
