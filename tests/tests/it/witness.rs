//! Did it happen? Real states, read before and after: files, databases, folders, repositories.

mod command;
mod git;
mod json;
mod receipts;
mod sqlite;
mod taken;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use dos_tests::{Output, TestEnv, poll_until};
use serde_json::Value;

/// Asks about one key between two sources.
fn ask(env: &TestEnv, key: &str, before: &str, after: &str) -> Output {
    env.run(["state-diff", key, "--before", before, "--after", after, "--json"])
}

/// The state that a source is, by its keys.
#[track_caller]
fn read(env: &TestEnv, source: &str) -> BTreeMap<String, Value> {
    let output = env.run(["snapshot", "show", source]);
    let lines = output.exits(0).is_quiet().stdout.lines();
    lines.map(|line| serde_json::from_str::<(String, Value)>(line).unwrap()).collect()
}

/// The key of a line of a state.
fn key_of(line: &str) -> String {
    serde_json::from_str::<(String, Value)>(line).unwrap().0
}

/// Waits until a process that was left running is gone.
fn is_ended(pid: &str) {
    poll_until("the process that was left is gone", Duration::from_secs(10), || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        let gone = stat.map_or(true, |stat| stat.contains(") Z "));
        gone.then_some(())
    });
}

fn make_pipe(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}
