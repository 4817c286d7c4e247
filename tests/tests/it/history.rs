//! The journal over a long time: archive, automatic compaction, the chain, a disk that failed.

use std::fs;

use serde_json::Value;

use crate::{configured, empty, field, live_lanes};

/// The records of all archive segments, the oldest first.
fn archived(env: &dos_tests::TestEnv) -> Vec<Value> {
    let Ok(folder) = fs::read_dir(env.path(".dos/lane-journal.archive")) else {
        return Vec::new();
    };
    let mut segments: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let text: String = segments.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What people read on stdout.
fn prints(output: &dos_tests::Output, text: &str) {
    assert!(output.stdout.contains(text), "{text:?} is not on stdout of {output:?}");
}

#[test]
fn compaction_archives_the_history_or_discards_it() {
    let env = empty();
    env.dos("lease-lane acquire --lane main --kind cluster --owner a").exits(0);
    env.dos("lease-lane heartbeat --lane main --owner a").exits(0);
    let answer = env.dos("journal compact").exits(0).json();
    let segment = answer["archived"].as_str().unwrap();
    assert!(segment.ends_with("00000000000000000002.000000.jsonl"), "{segment}");
    assert_eq!(field(&archived(&env).into(), "op"), ["ACQUIRE", "HEARTBEAT"]);
    assert_eq!(env.operations(), ["CHECKPOINT"]);
    assert_eq!(live_lanes(&env), ["main"]);

    let answer = env.dos("journal compact --discard").exits(0).json();
    assert_eq!(answer["archived"], Value::Null);
    assert_eq!(archived(&env).len(), 2);
}

/// A worker that showed signs of life before a compaction has shown them after it.
#[test]
fn compaction_keeps_the_newest_beat_of_each_lease() {
    let env = empty();
    env.dos("lease-lane acquire --lane main --kind cluster --owner a").exits(0);
    env.dos("lease-lane heartbeat --lane main --owner a").exits(0);
    let before = env.dos("journal replay").exits(0).json();
    assert!(before[0]["heartbeat_at"].is_string());
    env.dos("journal compact").exits(0);
    assert_eq!(env.dos("journal replay").exits(0).json(), before);
}

#[test]
fn a_long_journal_compacts_itself() {
    let env = configured("[retention]\njournal_max_entries = 60\n");
    for round in 0..70 {
        env.run(["halt", "--handle", &format!("run-{round}")]).exits(0);
    }
    let (kept, old) = (env.records().len(), archived(&env).len());
    assert_eq!(kept + old, 70 + 1, "{kept} and {old}: all records, and a CHECKPOINT");
    assert!(kept < 20, "{kept}");
    let seqs: Vec<u64> = env.records()[1..].iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs.last(), Some(&70));
}

#[test]
fn verify_names_the_record_that_breaks_the_chain() {
    let env = configured("[journal]\nchain = true\n");
    for handle in ["one", "two", "three"] {
        env.run(["halt", "--handle", handle]).exits(0);
    }
    let answer = env.dos("journal verify --json").exits(0).json();
    assert_eq!(answer["chain"]["linked"], 3);
    let forged = String::from_utf8(env.journal()).unwrap().replace("\"two\"", "\"ten\"");
    env.write_journal(forged);
    let answer = env.dos("journal verify --json").exits(1).json();
    assert_eq!(answer["chain"]["broken_at_line"], 3);
    prints(env.dos("journal verify").exits(1), "does not follow from the record before it");
}

#[test]
fn verify_follows_the_chain_through_the_archive() {
    let env = configured("[journal]\nchain = true\n");
    for handle in ["one", "two", "three"] {
        env.run(["halt", "--handle", handle]).exits(0);
    }
    let segment = env.dos("journal compact").exits(0).json()["archived"].clone();
    env.dos("halt --handle four").exits(0);
    let answer = env.dos("journal verify --json").exits(0).json();
    assert_eq!(answer["chain"]["linked"], 5);
    let path = segment.as_str().unwrap();
    let forged = fs::read_to_string(path).unwrap().replace("\"two\"", "\"ten\"");
    fs::write(path, forged).unwrap();
    let answer = env.dos("journal verify --json").exits(1).json();
    assert_eq!(answer["chain"]["broken_in"], segment);
    assert_eq!(answer["chain"]["broken_at_line"], 3);
    // An archive that somebody has cleared away is no break.
    fs::remove_file(path).unwrap();
    env.dos("journal verify").exits(0);
}

#[test]
fn without_a_chain_records_have_no_field_for_it() {
    let env = empty();
    env.dos("halt --handle h").exits(0);
    assert!(env.records()[0].get("chain").is_none());
}

#[test]
fn a_marked_journal_is_refused_by_name_and_repaired() {
    let env = empty();
    env.dos("lease-lane acquire --lane main --kind cluster --owner a").exits(0);
    prints(env.dos("journal repair").exits(0), "needs no repair");
    env.write(".dos/lane-journal.jsonl.poisoned", "{}\n");
    let journal = env.journal();
    for verb in [
        "lease-lane live",
        "arbitrate --lane main",
        "halt --handle h",
        "journal compact",
        "journal replay",
    ] {
        env.dos(verb).exits(2).says("dos journal repair");
    }
    prints(env.dos("journal verify").exits(1), "poisoned");
    assert_eq!(env.journal(), journal);
    let answer = env.dos("journal repair --json").exits(0).json();
    assert_eq!(answer["bytes"], journal.len());
    assert_eq!(env.journal(), journal);
    assert_eq!(live_lanes(&env), ["main"]);
    env.dos("journal verify").exits(0);
}
