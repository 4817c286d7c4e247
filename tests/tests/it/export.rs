//! Exports: every row reaches who takes it, in order, whatever he does.

mod broken;
mod cursor;
mod file;
mod kills;
mod notify;
mod program;
mod receivers;

use std::collections::BTreeMap;
use std::fmt::Write;

use dos_tests::TestEnv;

use crate::empty;

/// Says that a receiver is not installed here. Where `CI_RECEIVERS=required` is set, that is a failure.
fn not_installed(what: &str) {
    let said = format!("SKIPPED, nothing was proved: {what} is not installed; run .ci/receivers\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
    let required = std::env::var("CI_RECEIVERS").is_ok_and(|value| value == "required");
    assert!(!required, "CI_RECEIVERS=required, and {what} is not installed");
}

/// The rows of a journal of so many: a few calls and verdicts, numbered from 1.
fn rows(count: i64) -> String {
    let mut rows = String::new();
    for seq in 1..=count {
        let (syscall, verdict) = kind(seq);
        let _ = writeln!(
            rows,
            r#"{{"seq":{seq},"ts":"2026-01-10T12:00:00Z","syscall":"{syscall}","verdict":"{verdict}","run_id":"RID-{}","detail":{{"n":{seq},"ok":true,"f":0.5}}}}"#,
            seq % 7
        );
    }
    rows
}

fn kind(seq: i64) -> (&'static str, &'static str) {
    let index = usize::try_from(seq).unwrap();
    (
        ["verify", "liveness", "pretool"][index % 3],
        ["ADVANCING", "SPINNING", "STALLED"][index % 5 % 3],
    )
}

/// How often each call gave each verdict, as `call verdict`.
fn counts(count: i64) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for seq in 1..=count {
        let (syscall, verdict) = kind(seq);
        *counts.entry(format!("{syscall} {verdict}")).or_insert(0) += 1;
    }
    counts
}

/// A workspace whose journal has so many rows.
fn recorded(count: i64) -> TestEnv {
    let env = empty();
    env.write(".dos/verdict-journal.jsonl", rows(count));
    env
}

/// Records more rows, by appending these lines.
fn append(env: &TestEnv, lines: &str) {
    let mut journal = std::fs::OpenOptions::new();
    let journal = journal.append(true).open(env.path(".dos/verdict-journal.jsonl"));
    std::io::Write::write_all(&mut journal.unwrap(), lines.as_bytes()).unwrap();
}

/// The numbers of the rows in an exported file.
fn exported(env: &TestEnv, name: &str) -> Vec<i64> {
    let text = std::fs::read_to_string(env.path(name)).unwrap_or_default();
    let seq = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_i64();
    text.lines().map(|line| seq(line).unwrap()).collect()
}
