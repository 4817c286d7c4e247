//! W1 to W15: the lane journal.

use std::fs;

use serde_json::{Value, json};

use crate::{HELD, configured, empty, field, live_lanes};

/// How many lines of the journal are shown as corrupt.
fn corrupt_lines(env: &dos_tests::TestEnv) -> usize {
    let shown = env.dos("journal tail 0").exits(0).json_lines();
    shown.iter().filter(|record| record["op"] == "_CORRUPT").count()
}

#[test]
fn w01_append_after_a_torn_tail_is_seen() {
    let env = empty();
    env.write_journal(r#"{"op":"ACQ"#);
    env.dos("lease-lane acquire --lane main --kind cluster --owner a").exits(0);
    let live = env.dos("lease-lane live").exits(0).json();
    assert_eq!(field(&live, "holder"), ["a"]);
    let second = env.dos("lease-lane acquire --lane main --kind cluster --owner b");
    second.exits(1);
    assert!(second.json()["reason"].as_str().unwrap().contains("a holds main"), "{second:?}");
    assert!(env.journal().starts_with(b"{\"op\":\"ACQ\n{"), "the fragment stays, on its own line");
    assert_eq!(corrupt_lines(&env), 1);
}

#[test]
fn w02_append_after_a_record_without_its_newline_keeps_both() {
    let env = empty();
    env.write_journal(HELD);
    assert_eq!(field(&env.dos("journal replay").exits(0).json(), "lane"), ["main"]);
    env.dos("lease-lane acquire --lane web --kind keyword --tree web/x --owner b").exits(1);
    env.dos("halt --handle h").exits(0);
    assert_eq!(live_lanes(&env), ["main"]);
    assert_eq!(env.operations(), ["ACQUIRE", "REFUSE", "HALT"]);
}

#[test]
fn w03_records_are_split_at_newlines_alone() {
    let env = empty();
    // A control character has no place in a name: refused before anything is locked or written.
    env.dos("lease-lane acquire --lane main --kind cluster --owner a\u{1}b").exits(2);
    let refused = env.run(
        ["lease-lane", "acquire", "--lane", "main", "--kind", "cluster", "--owner"]
            .into_iter()
            .chain(["a\u{85}b"]),
    );
    refused.exits(2).says("owner").says("control character");
    assert_eq!(env.journal(), b"");
    assert!(!env.lock_path().exists());
    // Other characters that some readers take for line ends are fine in a name.
    let owner = "a\u{2028}b\u{2029}c";
    env.run(["lease-lane", "acquire", "--lane", "main", "--kind", "cluster", "--owner", owner])
        .exits(0);
    assert_eq!(field(&env.dos("lease-lane live").exits(0).json(), "holder"), [owner]);
    env.dos("lease-lane acquire --lane main --kind cluster --owner c").exits(1);
    let written = String::from_utf8(env.journal()).unwrap();
    assert!(!written.contains(['\u{85}', '\u{2028}', '\u{2029}']), "escaped for other readers");
    // And records that others wrote with them raw are one record each; a lone return is a blank.
    for raw in ["\u{85}", "\u{2028}", "\u{2029}"] {
        let record = format!("{{\"op\":\"ACQUIRE\",\r\"lane\":\"x\",\"loop_ts\":\"a{raw}b\"}}\n");
        env.write_journal(record);
        assert_eq!(live_lanes(&env), ["x"], "{raw:?}");
        assert_eq!(corrupt_lines(&env), 0, "{raw:?}");
    }
}

#[test]
fn w04_compaction_escapes_line_separators() {
    let env = empty();
    let record = r#"{"op":"ACQUIRE","lane":"a","loop_ts":"t","holder":"x\u2028y"}"#;
    env.write_journal(format!("{record}\n"));
    let before = env.dos("journal replay").exits(0).json();
    assert_eq!(before[0]["holder"], "x\u{2028}y");
    env.dos("journal compact").exits(0);
    assert_eq!(env.dos("journal replay").exits(0).json(), before);
    let written = String::from_utf8(env.journal()).unwrap();
    assert!(!written.contains('\u{2028}'), "{written}");
}

#[test]
fn w05_compaction_keeps_leases_that_name_another_lane_inside() {
    let env = empty();
    env.write_journal(
        [
            r#"{"op":"ACQUIRE","lane":"a","loop_ts":"1","lease":{"lane":"x","loop_ts":"9"}}"#,
            r#"{"op":"ACQUIRE","lane":"b","loop_ts":"1","lease":{"lane":"x","loop_ts":"9"}}"#,
            r#"{"op":"ACQUIRE","lane":"c","loop_ts":"1","lease":{}}"#,
            "",
        ]
        .join("\n"),
    );
    let before = env.dos("journal replay").exits(0).json();
    assert_eq!(field(&before, "lane"), ["a", "b", "c"]);
    env.dos("journal compact").exits(0);
    assert_eq!(env.dos("journal replay").exits(0).json(), before);
}

#[test]
fn w06_a_seq_beyond_all_numbers_stops_nobody() {
    for seq in ["1e400", "Infinity", "-1", "99999999999999999999", "9223372036854775808"] {
        let env = empty();
        env.write_journal(format!("{{\"op\":\"REFUSE\",\"seq\":{seq}}}\n{{}}\n"));
        assert_eq!(env.dos("journal seq").exits(0).stdout, "0\n", "{seq}");
        let grant = env.dos("lease-lane acquire --lane main --kind cluster --owner a");
        assert_eq!(grant.exits(0).json()["token"], 1, "{seq}");
        env.dos("lease-lane release --lane main --owner a").exits(0);
        env.dos("journal compact").exits(0);
        assert_eq!(env.dos("journal seq").exits(0).stdout, "2\n", "{seq}");
    }
}

#[test]
fn w07_a_number_of_thousands_of_digits_is_one_bad_line() {
    let env = empty();
    let digits = "9".repeat(4301);
    env.write_journal(format!("{{\"op\":\"REFUSE\",\"pid\":{digits}}}\n{{}}\n{HELD}\n"));
    assert_eq!(field(&env.dos("journal replay").exits(0).json(), "lane"), ["main"]);
    env.dos("lease-lane acquire --lane main --kind cluster --owner b").exits(1);
    env.dos("journal tail 0").exits(0);
    env.dos("journal compact").exits(0);
    assert_eq!(live_lanes(&env), ["main"]);
}

#[test]
fn w08_a_deeply_nested_line_is_one_bad_line() {
    let env = empty();
    let (open, close) = ("[".repeat(3000), "]".repeat(3000));
    env.write_journal(format!("{{\"a\":{open}{close}}}\n{{}}\n{HELD}\n"));
    assert_eq!(field(&env.dos("journal replay").exits(0).json(), "lane"), ["main"]);
    assert_eq!(corrupt_lines(&env), 1);
    env.dos("journal compact").exits(0);
    assert_eq!(live_lanes(&env), ["main"]);
    assert_eq!(corrupt_lines(&env), 1, "it stays as evidence");
}

#[test]
fn w09_a_lone_surrogate_is_a_bad_line_that_compaction_survives() {
    let env = empty();
    env.write_journal("{\"op\":\"ACQUIRE\",\"lane\":\"a\",\"loop_ts\":\"t\\ud800\"}\n");
    assert_eq!(env.dos("journal replay").exits(0).json(), json!([]));
    env.dos("journal compact").exits(0);
    assert_eq!(env.leftovers(), [""; 0]);
    assert_eq!(corrupt_lines(&env), 1);
    assert_eq!(env.operations(), ["CHECKPOINT", "_CORRUPT"]);
}

#[test]
fn w10_changed_not_a_number_is_a_bad_line() {
    for number in ["NaN", "Infinity", "-Infinity"] {
        let env = empty();
        env.write_journal(format!(
            "{{\"op\":\"ACQUIRE\",\"lane\":\"a\",\"loop_ts\":\"t\",\"pid\":{number}}}\n"
        ));
        assert_eq!(env.dos("journal replay").exits(0).json(), json!([]), "{number}");
        assert_eq!(corrupt_lines(&env), 1, "{number}");
        let health = env.dos("journal verify --json");
        assert_eq!(health.exits(1).json()["corrupt_lines"], json!([1]), "{number}");
    }
}

#[test]
fn w11_changed_a_last_line_is_torn_only_without_its_newline() {
    for (end, corrupt) in [("\n", 1), ("\n\n", 1), ("", 0)] {
        let env = empty();
        env.write_journal(format!("{{\"op\":\"x\"}}\n{{\"op\":\"ACQ{end}"));
        assert_eq!(corrupt_lines(&env), corrupt, "{end:?}");
        let health = env.dos("journal verify --json");
        let health = health.exits(i32::from(corrupt > 0)).json();
        assert_eq!(health["torn_tail"], corrupt == 0, "{end:?}");
        assert_eq!(health["corrupt"], corrupt, "{end:?}");
        assert_eq!(health["records"], 1, "{end:?}");
    }
}

#[test]
fn w12_changed_a_byte_order_mark_is_no_part_of_the_first_record() {
    let env = empty();
    env.write_journal("\u{feff}{\"op\":\"ACQUIRE\",\"lane\":\"a\",\"loop_ts\":\"t\"}\n{}\n");
    assert_eq!(field(&env.dos("journal replay").exits(0).json(), "lane"), ["a"]);
    assert_eq!(corrupt_lines(&env), 0);
    env.dos("journal verify").exits(0);
}

#[test]
fn w13_kept_tail_of_none_is_all_and_corrupt_lines_count_from_zero() {
    let env = empty();
    env.write_journal("\n{\"op\":\"A\"}\nbad\n{\"op\":\"B\"}\n");
    for arguments in ["journal tail 0", "journal tail -- -2", "journal tail -2", "journal tail"] {
        let shown = env.dos(arguments).exits(0).json_lines();
        let operations: Vec<&Value> = shown.iter().map(|record| &record["op"]).collect();
        assert_eq!(operations, ["A", "_CORRUPT", "B"], "{arguments}");
        assert_eq!(shown[1]["_line"], 2, "{arguments}");
        assert_eq!(shown[1]["_raw"], "bad", "{arguments}");
    }
    assert_eq!(env.dos("journal tail 1").exits(0).json_lines(), [json!({"op": "B"})]);
}

#[test]
fn w14_kept_a_number_and_its_text_are_one_name() {
    let env = empty();
    env.write_journal(
        "{\"op\":\"ACQUIRE\",\"lane\":\"a\",\"loop_ts\":5}\n\
         {\"op\":\"RELEASE\",\"lane\":\"a\",\"loop_ts\":\"5\"}\n",
    );
    assert_eq!(env.dos("journal replay").exits(0).json(), json!([]));
    for no_lane in ["0", "false", "[]", "null", "\"\""] {
        env.write_journal(format!("{{\"op\":\"ACQUIRE\",\"lane\":{no_lane}}}\n"));
        assert_eq!(env.dos("journal replay").exits(0).json(), json!([]), "{no_lane}");
    }
}

#[test]
fn w15_every_verb_honours_the_journal_path_of_the_environment() {
    for variable in ["DISPATCH_LANE_JOURNAL_PATH", "JOB_LANE_JOURNAL_PATH"] {
        let mut env = configured(crate::API_WEB);
        let elsewhere = env.outer().join("env.jsonl");
        env.set(variable, &elsewhere);
        env.dos("lease-lane spawn --lane api --owner a").exits(0);
        let token =
            env.dos("lease-lane acquire --lane api --owner a").exits(0).json()["token"].to_string();
        env.dos(&format!("lease-lane check --lane api --token {token}")).exits(0);
        env.dos("lease-lane heartbeat --lane api --owner a").exits(0);
        env.dos("arbitrate --lane api").exits(1);
        assert_eq!(live_lanes(&env), ["api"]);
        env.dos("lease-lane adopt --lane api --owner b --from a").exits(0);
        env.dos("halt --handle h").exits(0);
        assert_eq!(env.dos("journal seq").exits(0).stdout, "5\n");
        assert_eq!(env.dos("journal tail 0").exits(0).json_lines().len(), 5);
        assert_eq!(field(&env.dos("journal replay").exits(0).json(), "holder"), ["b"]);
        let health = env.dos("journal verify --json").exits(0).json();
        assert_eq!(health["records"], 5);
        env.dos("journal compact").exits(0);
        env.dos("lease-lane release --lane api --owner b").exits(0);
        let written = fs::read_to_string(&elsewhere).unwrap();
        assert_eq!(written.lines().count(), 2, "a checkpoint and a release: {written}");
        assert!(!env.journal_path().exists(), "nothing in the default place");
    }
}
