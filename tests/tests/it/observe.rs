//! The verdict journal through the real binary: what is recorded, what is shown, and by whom at once.

mod recording;
mod showing;
mod writers;

use std::fs;

use dos_tests::TestEnv;
use serde_json::Value;

use crate::{API_WEB, configured};

/// A workspace in which verdicts are recorded.
fn armed() -> TestEnv {
    let mut env = configured(API_WEB);
    env.set("DISPATCH_OBSERVE", "1");
    env
}

const JOURNAL: &str = ".dos/verdict-journal.jsonl";

/// The rows of the verdict journal, every line of which must be JSON; archived ones first.
#[track_caller]
fn rows(env: &TestEnv) -> Vec<Value> {
    let archive = fs::read_dir(env.path(".dos/verdict-journal.archive"));
    let mut files: Vec<_> =
        archive.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.push(env.path(JOURNAL));
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap_or_default());
    let text: String = texts.collect();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The numbers of the rows, which count from one without a gap.
#[track_caller]
fn counts_from_one(rows: &[Value]) {
    let seqs: Vec<u64> = rows.iter().map(|row| row["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=rows.len() as u64).collect::<Vec<_>>());
}
