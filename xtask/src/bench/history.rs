//! What a command costs beside a long history, and what reading all of it costs.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{Bench, median, ratio, shown};
use crate::original;

const LENGTHS: [usize; 4] = [100, 10_000, 1_000_000, 10_000_000];
const ROUNDS: usize = 41;
/// No automatic compaction: it is the long journal that is measured.
const KEEP_ALL: &str = "[retention]\njournal_max_entries = \"none\"\n";

impl Bench {
    /// The same commands on journals of all lengths, in turn, after one writer was there.
    pub(super) fn history(&self) -> anyhow::Result<()> {
        fs::write(self.scratch.path().join("dos.toml"), KEEP_ALL)?;
        let journals: Vec<PathBuf> = LENGTHS
            .iter()
            .map(|length| {
                let journal = self.journal(*length)?;
                // A workspace of its own: the lock is beside the journal.
                let folder = self.scratch.path().join(format!("history-{length}"));
                fs::create_dir(&folder)?;
                let moved = folder.join("lane-journal.jsonl");
                fs::rename(journal, &moved)?;
                self.time(&self.dos, &acquire("first").each_ref().map(String::as_str), &moved)?;
                Ok(moved)
            })
            .collect::<anyhow::Result<_>>()?;
        println!(
            "beside a history of 10^2, 10^4, 10^6 and 10^7 records, whole process, warm, median of {ROUNDS}:"
        );
        let plain = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
        let mut verbs = vec![
            ("journal replay", plain(&["journal", "replay"])),
            ("lease-lane live", plain(&["lease-lane", "live"])),
            ("arbitrate", plain(&["arbitrate", "--lane", "other", "--tree", "other/**"])),
            ("durable acquire", Vec::new()),
        ];
        for (name, arguments) in &mut verbs {
            let mut times = vec![Vec::new(); LENGTHS.len()];
            for round in 0..ROUNDS {
                for (journal, times) in journals.iter().zip(&mut times) {
                    if *name == "durable acquire" {
                        *arguments = acquire(&format!("lane-{round}")).to_vec();
                    }
                    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
                    times.push(self.time(&self.dos, &words, journal)?);
                }
            }
            let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
            let all: Vec<String> = medians.iter().map(|time| shown(*time)).collect();
            let first = medians.first().copied().unwrap_or_default();
            let last = medians.last().copied().unwrap_or_default();
            println!(
                "  {name:16} {}: {:.2} times (wanted: at most 1.5)",
                all.join(", "),
                ratio(last, first)
            );
        }
        println!();
        fs::remove_file(self.scratch.path().join("dos.toml"))?;
        for length in LENGTHS {
            fs::remove_dir_all(self.scratch.path().join(format!("history-{length}")))?;
        }
        Ok(())
    }

    /// A fold of the whole journal, without a snapshot, beside a parse of its lines into a typed
    /// record and nothing else.
    pub(super) fn fold(&self) -> anyhow::Result<()> {
        let parse = original::build_example("dos-core", "typed-parse")?;
        let journal = self.journal(1_000_000)?;
        let (mut ours, mut parsed) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            ours.push(self.time(&self.dos, &["journal", "replay"], &journal)?);
            parsed.push(self.time(&parse, &[&journal.to_string_lossy()], &journal)?);
        }
        fs::remove_file(&journal)?;
        let (ours, parsed) = (median(&mut ours), median(&mut parsed));
        println!("a cold fold of 1,000,000 records, whole process, median of 7:");
        println!("  dos {}, a typed parse by serde_json {}", shown(ours), shown(parsed));
        println!("  {:.0} % of its speed (wanted: at least 60)\n", ratio(parsed, ours) * 100.0);
        Ok(())
    }
}

fn acquire(lane: &str) -> [String; 8] {
    let tree = format!("{lane}/**");
    ["lease-lane", "acquire", "--lane", lane, "--tree", &tree, "--owner", "me"].map(String::from)
}
