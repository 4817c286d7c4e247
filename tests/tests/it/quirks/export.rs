//! E1 to E7: exports.

use std::fs;

use dos_tests::TestEnv;

use crate::empty;

/// Five rows, as the list has them.
fn five() -> TestEnv {
    let env = empty();
    let row = |seq: i64| format!("{{\"seq\":{seq},\"syscall\":\"s\",\"verdict\":\"V{seq}\"}}\n");
    env.write(".dos/verdict-journal.jsonl", (1..=5).map(row).collect::<String>());
    env
}

fn lines(env: &TestEnv) -> usize {
    fs::read_to_string(env.path("o.jsonl")).unwrap_or_default().lines().count()
}

const EXPORT: &str = "export --to file --path o.jsonl --since auto";

#[test]
fn e01_a_tail_leaves_nothing_out_for_ever() {
    let env = five();
    env.dos(&format!("{EXPORT} --tail 2")).exits(2).says("--batch");
    env.dos(EXPORT).exits(0);
    assert_eq!(lines(&env), 5);
}

#[test]
fn e02_rows_without_a_number_and_late_ones_are_exported() {
    let env = five();
    env.dos(EXPORT).exits(0);
    let journal = fs::read_to_string(env.path(".dos/verdict-journal.jsonl")).unwrap();
    let late = "{\"syscall\":\"late\"}\n{\"seq\":2,\"syscall\":\"renumbered\"}\n";
    env.write(".dos/verdict-journal.jsonl", journal + late);
    env.dos(EXPORT).exits(0);
    assert_eq!(lines(&env), 7);
    env.dos(EXPORT).exits(0);
    assert_eq!(lines(&env), 7);
}

#[test]
fn e03_a_cursor_file_of_garbage_is_named() {
    for garbage in [&b"\xff"[..], b"zzz\n", b"1.5\n", b"5\n6\n", b"0x5"] {
        let env = five();
        env.write(".dos/export-cursor.file", garbage);
        env.dos(EXPORT).exits(2).says(".dos/export-cursor.file").says("remove");
        assert_eq!(lines(&env), 0, "{garbage:?}");
    }
}

#[test]
fn e04_a_number_beyond_all_bounds_costs_nothing() {
    let env = empty();
    env.write(".dos/verdict-journal.jsonl", "{\"seq\":1e400,\"syscall\":\"a\"}\n");
    let counted = env.dos("export --json").exits(0).json();
    assert_eq!(counted["shipped"], 1);
    env.dos(EXPORT).exits(0);
    assert_eq!(lines(&env), 1);
}

#[test]
fn e05_an_event_without_a_stamp_gets_none() {
    let env = empty();
    env.write(".dos/verdict-journal.jsonl", "{\"seq\":1,\"syscall\":\"a\"}\n");
    env.dos(EXPORT).exits(0);
    let row = fs::read_to_string(env.path("o.jsonl")).unwrap();
    assert!(row.contains("\"ts\": \"\""), "{row}");
}

#[test]
fn e06_no_interval_is_no_pause() {
    let env = five();
    let started = dos_tests::stopwatch();
    let follow = "export --to file --path o.jsonl --follow --follow-max 20 --follow-interval 0";
    env.dos(follow).exits(0);
    // Twenty looks with two seconds between them would take 38.
    assert!(started.elapsed().as_secs() < 30);
}

#[test]
fn e07_a_number_is_written_in_plain_digits() {
    let env = five();
    for (since, count) in [(" 3 ", 2), ("+3", 2), ("-5", 5), ("00", 5), ("", 5)] {
        let counted = env.run(["export", "--since", since, "--json"]).exits(0).json();
        assert_eq!(counted["shipped"], count, "{since:?}");
    }
    for since in ["1_0", "\u{663}", "1.5", "x", "autos"] {
        env.run(["export", "--since", since]).exits(2).says(since);
    }
}
