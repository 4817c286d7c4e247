//! What a hook costs: a whole process, beside one that does nothing and beside the original's native
//! helper, at a short and at a long history.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{Bench, median, ratio, shown};

const LENGTHS: [usize; 4] = [100, 10_000, 1_000_000, 10_000_000];
const ROUNDS: usize = 201;
/// The helper of the original reads its whole journal: of a long one fewer times, of the longest never.
const ROUNDS_SLOW: usize = 7;
const LENGTH_THEIRS_MAX: usize = 1_000_000;
/// No automatic compaction: it is the long journal that is measured.
const KEEP_ALL: &str = "[retention]\njournal_max_entries = \"none\"\n";
const EVENTS: [(&str, &str); 3] = [
    ("pretool", r#"{"session_id":"s","tool_name":"Write","tool_input":{"file_path":"web/x.ts"}}"#),
    ("posttool", r#"{"session_id":"s","tool_name":"Read","tool_input":{},"tool_response":"x"}"#),
    ("marker", r#"{"session_id":"s"}"#),
];

impl Bench {
    /// Each hook in turn with the two it is compared with.
    pub(super) fn hooks(&self) -> anyhow::Result<()> {
        let native = self.native_helper()?;
        let nothing = Path::new("/bin/true");
        println!("hooks, whole process, warm, median of {ROUNDS}:");
        let mut first: Vec<Duration> = Vec::new();
        for length in LENGTHS {
            let workspace = self.hook_workspace(length)?;
            for (place, (hook, event)) in EVENTS.iter().enumerate() {
                let input = workspace.join("event.json");
                fs::write(&input, event)?;
                let arguments = ["hook", hook, "--workspace", "."];
                let (mut ours, mut floor, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
                for round in 0..ROUNDS {
                    floor.push(fed(nothing, &[], &workspace, &input)?);
                    ours.push(fed(&self.dos, &arguments, &workspace, &input)?);
                    // It has no marker that is worth its name, and reads all there is.
                    let rounds = if length <= 1000 { ROUNDS } else { ROUNDS_SLOW };
                    if length <= LENGTH_THEIRS_MAX && round < rounds {
                        let arguments = arguments.get(1..).unwrap_or_default();
                        theirs.push(fed(&native, arguments, &workspace, &input)?);
                    }
                }
                let (ours, floor) = (median(&mut ours), median(&mut floor));
                let theirs = match theirs.is_empty() {
                    true => "was not asked".to_string(),
                    false => shown(median(&mut theirs)),
                };
                println!(
                    "  {hook:8} at {length:>9} records: {}, /bin/true {} ({:.2} times, wanted: under 2), \
                     the original's helper {theirs}",
                    shown(ours),
                    shown(floor),
                    ratio(ours, floor),
                );
                match first.get(place) {
                    None => first.push(ours),
                    Some(short) => {
                        println!(
                            "           {:.2} times the short one (wanted: 1)",
                            ratio(ours, *short)
                        );
                    }
                }
            }
            fs::remove_dir_all(&workspace)?;
        }
        println!();
        Ok(())
    }

    /// A workspace with a journal of that length, in which one writer was.
    fn hook_workspace(&self, length: usize) -> anyhow::Result<PathBuf> {
        let workspace = self.scratch.path().join(format!("hooks-{length}"));
        fs::create_dir_all(workspace.join(".dos"))?;
        fs::write(workspace.join("dos.toml"), KEEP_ALL)?;
        let journal = workspace.join(".dos/lane-journal.jsonl");
        fs::rename(self.journal(length)?, &journal)?;
        let words = ["lease-lane", "acquire", "--lane", "api", "--tree", "api/**", "--owner", "me"];
        self.time(&self.dos, &words, &journal)?;
        Ok(workspace)
    }

    /// The program that the original's Linux package brings for its hooks.
    fn native_helper(&self) -> anyhow::Result<PathBuf> {
        let lib = self.original.parent().and_then(Path::parent).context("the original's folder")?;
        for version in fs::read_dir(lib.join("lib"))? {
            let helper = version?.path().join("site-packages/dos/_bin/dos-hook");
            if helper.is_file() {
                return Ok(helper);
            }
        }
        bail!("the original's package brings no dos-hook for this platform")
    }
}

/// Runs a program on this input and says how long it took.
fn fed(
    program: &Path,
    arguments: &[&str],
    folder: &Path,
    input: &Path,
) -> anyhow::Result<Duration> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::from(File::open(input)?))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().with_context(|| format!("failed to run {program:?}"))?;
    let took = started.elapsed();
    match status.success() {
        true => Ok(took),
        false => bail!("{program:?} {arguments:?} ended with {status}"),
    }
}
