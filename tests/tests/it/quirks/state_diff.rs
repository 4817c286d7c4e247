//! Quirks of comparing two states.

use serde_json::{Value, json};

use crate::empty;

/// The exit code and the answer for a claim about `key` between two files.
#[track_caller]
fn ask(key: &str, before: &str, after: &str) -> (Option<i32>, Value) {
    let env = empty();
    env.write("b", before);
    env.write("a", after);
    let output = env.run(["state-diff", key, "--before", "b", "--after", "a", "--json"]);
    output.no_panic();
    assert_eq!(env.tree(), ["a", "b"]);
    (output.code, output.json())
}

#[test]
fn s01_true_is_not_one() {
    for (before, after) in [("0", "false"), ("1", "true"), ("[1]", "[true]"), ("1.0", "true")] {
        let state = |value: &str| format!("{{\"k\":{value}}}");
        let (code, answer) = ask("k", &state(before), &state(after));
        assert_eq!((code, &answer["verdict"]), (Some(0), &json!("CONFIRMED")), "{before} {after}");
    }
    let (code, answer) = ask("k", r#"{"k":1}"#, r#"{"k":1.0}"#);
    assert_eq!((code, &answer["verdict"]), (Some(1), &json!("REFUTED")));
}

#[test]
fn s02_what_is_no_number_confirms_nothing() {
    for value in ["NaN", "Infinity", "-Infinity"] {
        let state = format!("{{\"k\":{value}}}");
        let (code, answer) = ask("k", &state, &state);
        assert_eq!((code, &answer["verdict"]), (Some(3), &json!("UNWITNESSED")), "{value}");
    }
}

#[test]
fn s03_a_deletion_confirms_only_where_one_is_expected() {
    let (code, answer) = ask("k", r#"{"k":1}"#, "{}");
    assert_eq!((code, &answer["verdict"]), (Some(1), &json!("REFUTED")));
    assert_eq!(answer["delta"]["deleted"], json!(["k"]));
    let env = empty();
    env.write("b", r#"{"k":1}"#);
    env.write("a", "{}");
    let answer = env.dos("state-diff k --before b --after a --expect deleted --json");
    assert_eq!(answer.exits(0).json()["verdict"], "CONFIRMED");
}

#[test]
fn s04_a_key_is_looked_up_as_it_is_and_then_without_blanks() {
    let (code, answer) = ask(" k ", "{}", r#"{" k ":1}"#);
    assert_eq!((code, &answer["claim_key"]), (Some(0), &json!(" k ")));
    let (code, answer) = ask(" k ", "{}", r#"{"k":1}"#);
    assert_eq!((code, &answer["claim_key"]), (Some(0), &json!(" k ")));
}

#[test]
fn s05_a_deeply_nested_state_cannot_be_read_and_says_so() {
    let open = format!("{{\"k\":{}", "[".repeat(100_000));
    let closed = format!("{open}1{}}}", "]".repeat(100_000));
    for state in [open, closed] {
        let (code, answer) = ask("k", &state, &state);
        assert_eq!((code, &answer["verdict"]), (Some(3), &json!("UNWITNESSED")));
        assert!(answer["reason"].as_str().unwrap().contains("cannot read b"), "{answer}");
    }
}

#[test]
fn s06_an_unreadable_state_has_no_delta_and_an_empty_key_claims_nothing() {
    let env = empty();
    env.write("a", "{}");
    let answer = |key: &str| {
        let arguments = ["state-diff", key, "--before", "nofile", "--after", "a", "--json"];
        env.run(arguments).exits(3).json()
    };
    assert_eq!(answer("")["verdict"], "NO_CLAIM");
    let unread = answer("k");
    assert_eq!((&unread["verdict"], unread.get("delta")), (&json!("UNWITNESSED"), None));
}
