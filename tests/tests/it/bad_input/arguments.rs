//! Arguments and variables that cannot be meant.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use serde_json::json;

use super::{fails, fails_with_a_hint, nothing_half_written};
use crate::{API_WEB, configured, empty};

/// Arguments separated by blanks, then one that holds anything.
fn with(arguments: &str, last: impl AsRef<OsStr>) -> Vec<OsString> {
    let arguments = arguments.split_whitespace().map(OsString::from);
    arguments.chain([last.as_ref().to_owned()]).collect()
}

#[test]
fn leases_that_are_no_list_of_objects_are_refused_before_anything_is_written() {
    let env = configured(API_WEB);
    for text in ["{", "x", "[1,]", "{}", "1", "null", "\"a\"", "[null]", "[[]]", "[{},1]"] {
        for verb in ["arbitrate --leases", "lease-lane acquire --owner a --leases"] {
            fails(&env.run(with(verb, text)), &["--leases", "expected a JSON list"]);
        }
    }
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    fails(&env.run(with("arbitrate --leases", deep)), &["--leases"]);
    assert_eq!(env.tree(), ["dos.toml"]);
}

#[test]
fn an_unknown_lane_is_refused_and_the_refusal_recorded() {
    let env = configured(API_WEB);
    let output = env.dos("lease-lane acquire --lane nosuch --owner a");
    let answer = output.exits(1).json();
    assert_eq!(answer["reason_class"], "UNKNOWN_LANE");
    assert!(answer["next_step"].as_str().unwrap().contains("dos.toml"), "{answer}");
    let records = env.records();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!((&records[0]["op"], &records[0]["holder"]), (&json!("REFUSE"), &json!("a")));
}

#[test]
fn patterns_that_cannot_be_read_are_refused_before_anything_is_written() {
    let env = configured(API_WEB);
    for (pattern, what) in [
        ("", "names nothing"),
        ("  ", "names nothing"),
        ("/etc/**", "absolute"),
        ("\\etc", "absolute"),
        ("..", "`..`"),
        ("api/../../x", "`..`"),
        ("a\\..\\b", "`..`"),
        ("a[", "never closed"),
        ("{a,b", "never closed"),
        ("[z-a]", "reversed"),
        ("a\u{7}b", "control character"),
        ("a\nb", "control character"),
    ] {
        for verb in ["arbitrate --lane k --tree", "lease-lane acquire --owner a --lane k --tree"] {
            fails(&env.run(with(verb, pattern)), &["bad pattern", what]);
        }
    }
    let long = "x".repeat(5000);
    fails(&env.run(with("arbitrate --lane k --tree", long)), &["bad pattern", "4096"]);
    let many = format!("{{{}}}", ["a"; 300].join(","));
    fails(&env.run(with("arbitrate --lane k --tree", many)), &["bad pattern", "256"]);
    let too_many = "arbitrate --lane k --tree ".to_string() + &"x ".repeat(1025);
    fails(&env.dos(&too_many), &["1025 patterns", "1024"]);
    assert_eq!(env.tree(), ["dos.toml"]);
}

#[test]
fn a_nul_in_a_tree_counts_as_the_whole_repository() {
    let env = configured(API_WEB);
    let leases = r#"[{"lane":"q","holder":"h\u0000","tree":["zz\u0000/x"]}]"#;
    for verb in
        ["arbitrate --lane api --leases", "lease-lane acquire --lane api --owner a --leases"]
    {
        let answer = env.run(with(verb, leases));
        assert_eq!(answer.exits(1).json()["reason_class"], "TREE_OVERLAP");
        assert!(!answer.stdout.contains('\0'), "{answer:?}");
    }
    let env = configured("[lanes]\nautopick = [\"x\"]\n[lanes.trees]\nx = [\"zz\\u0000\"]\n");
    let answer =
        env.run(["arbitrate", "--lane", "x", "--leases", r#"[{"lane":"q","tree":["a"]}]"#]);
    answer.exits(1).says("dos.toml:4:").says("control character");
    // A raw one is no TOML: said, and the defaults apply.
    let env = configured("[lanes]\0\n");
    let answer = env.dos("arbitrate --lane main");
    answer.exits(0).says("dos.toml:1:").says("no valid TOML");
}

#[test]
fn an_argument_that_is_no_utf8_changes_nothing() {
    let env = configured(API_WEB);
    let odd = OsStr::from_bytes(b"a\xff");
    for arguments in [
        "lease-lane acquire --lane api --owner",
        "lease-lane acquire --owner a --lane",
        "lease-lane acquire --owner a --lane k --tree",
        "lease-lane acquire --owner a --leases",
        "lease-lane acquire --owner a --loop-ts",
        "lease-lane release --lane api --owner",
        "lease-lane spawn --lane",
        "halt --handle",
        "lease acquire",
        "lease-lane live --workspace",
        "run-id mint",
    ] {
        fails(&env.run(with(arguments, odd)), &["UTF-8"]);
    }
    assert_eq!(env.tree(), ["dos.toml"]);
}

#[test]
fn an_argument_that_is_no_utf8_is_named() {
    let env = configured(API_WEB);
    let odd = OsStr::from_bytes(b"a\xff");
    for (arguments, flag) in [
        ("lease-lane acquire --owner a --lane", "--lane"),
        ("lease-lane acquire --owner a --lane k --tree", "--tree"),
        ("lease-lane live --workspace", "--workspace"),
    ] {
        let output = env.run(with(arguments, odd));
        let errors: Vec<&str> =
            output.stderr.lines().filter(|line| line.starts_with("error")).collect();
        assert!(errors.iter().any(|line| line.contains(flag)), "{flag} is not named: {output:#?}");
    }
}

#[test]
fn a_variable_that_is_no_utf8_is_not_taken_for_unset() {
    for variable in
        ["DISPATCH_LANE_JOURNAL_PATH", "DISPATCH_WORKSPACE", "DISPATCH_LANE_LEASE_LOCK_PATH"]
    {
        let mut env = configured(API_WEB);
        env.set(variable, OsStr::from_bytes(b"/nowhere/\xff"));
        // Going on with the default place would referee another journal than the one that is meant.
        fails(&env.dos("lease-lane acquire --lane api --owner a"), &[variable]);
        assert_eq!(env.tree(), ["dos.toml"], "{variable}");
    }
}

#[test]
fn a_workspace_that_is_not_there_is_named() {
    let mut env = empty();
    for verb in ["lease-lane acquire --lane main --owner a", "lease-lane live", "journal seq"] {
        let output = env.dos(&format!("{verb} --workspace no/such/place"));
        fails_with_a_hint(&output, &["no/such/place", "--workspace"]);
    }
    env.write("file", "x");
    fails_with_a_hint(&env.dos("lease-lane live --workspace file"), &["file", "folder"]);
    env.set("DISPATCH_WORKSPACE", "/no/such/place");
    fails_with_a_hint(&env.dos("lease-lane live"), &["/no/such/place", "DISPATCH_WORKSPACE"]);
    assert_eq!(env.tree(), ["file"]);
}

#[test]
fn names_that_cannot_be_told_apart_are_refused() {
    let env = empty();
    let long = "x".repeat(300);
    let bad = ["a\nb", "a\tb", "a ", " a", "a\u{a0}", "a\u{85}", "\u{1b}[31m", long.as_str()];
    for (arguments, what) in [
        ("lease-lane acquire --lane main --owner", "owner"),
        ("lease-lane adopt --lane main --owner", "owner"),
        ("lease-lane spawn --lane main --owner", "owner"),
        ("lease-lane acquire --owner a --lane", "lane"),
        ("lease-lane spawn --owner a --lane", "lane"),
        ("lease-lane acquire --lane main --owner a --loop-ts", "loop stamp"),
        ("halt --handle", "handle"),
    ] {
        for name in bad {
            fails(&env.run(with(arguments, name)), &[what]);
        }
    }
    for (arguments, what) in [
        ("lease-lane acquire --lane main --owner", "owner"),
        ("lease-lane release --lane main --owner", "owner"),
        ("lease-lane heartbeat --lane main --owner", "owner"),
        ("lease-lane adopt --lane main --owner", "owner"),
        ("lease-lane spawn --owner a --lane", "lane"),
        ("halt --handle", "handle"),
        ("lease acquire", "owner"),
        ("lease release", "owner"),
    ] {
        fails(&env.run(with(arguments, "")), &[what, "empty"]);
    }
    nothing_half_written(&env);
}

#[test]
fn every_name_that_is_recorded_is_bounded() {
    let env = empty();
    let long = "x".repeat(300);
    let mut accepted = Vec::new();
    for arguments in [
        "lease-lane acquire --lane main --owner a --run-id",
        "lease-lane spawn --lane main --owner a --run-id",
        "lease-lane spawn --lane main --owner a --loop-ts",
        "halt --handle h --lane",
        "halt --handle h --loop-ts",
        "halt --handle h --owner",
        "halt --handle h --run-id",
    ] {
        let output = env.run(with(arguments, &long));
        if output.no_panic().code != Some(2) {
            accepted.push(arguments);
        }
    }
    assert_eq!(accepted, [""; 0], "these took a name of 300 bytes");
}

#[test]
fn free_text_is_bounded() {
    let env = empty();
    let text = "x".repeat(9000);
    for (arguments, what) in [
        ("halt --handle h --reason", "reason"),
        ("halt --handle h --command", "command"),
        ("lease-lane spawn --lane main --owner a --reason", "reason"),
    ] {
        fails(&env.run(with(arguments, &text)), &[what, "8192"]);
    }
    nothing_half_written(&env);
}

#[test]
fn numbers_out_of_range_are_refused() {
    let env = empty();
    let acquire = "lease-lane acquire --lane main --owner a";
    for (flags, names) in [
        ("--ttl-minutes 0", "time to live"),
        ("--ttl-minutes 99999999", "time to live"),
        ("--ttl-minutes=-1", "--ttl-minutes"),
        ("--ttl-minutes 1.5", "--ttl-minutes"),
        ("--ttl-minutes 99999999999", "--ttl-minutes"),
        ("--wait abc", "--wait"),
        ("--wait 5x", "--wait"),
        ("--wait=-1s", "--wait"),
        ("--wait 400d", "--wait"),
        ("--wait .", "--wait"),
        ("--wait 99999999999999999999999999d", "--wait"),
        ("--retries x", "--retries"),
        ("--retries 5 --retry-interval inf", "--retry-interval"),
        ("--retries 0 --retry-interval inf", "--retry-interval"),
        ("--retry-interval 1e300", "--retry-interval"),
        ("--pid 0", "--pid 0"),
        ("--pid 99999999", "--pid 99999999"),
        ("--pid=-1", "--pid"),
    ] {
        fails(&env.dos(&format!("{acquire} {flags}")), &[names]);
    }
    for (command, names) in [
        ("lease-lane heartbeat --lane main --owner a --coalesce-within-s nan", "--coalesce"),
        ("lease-lane heartbeat --lane main --owner a --coalesce-within-s inf", "--coalesce"),
        ("lease-lane check --lane main --token x", "--token"),
        ("lease-lane check --lane main --token=-1", "--token"),
        ("journal tail 99999999999999999999", "99999999999999999999"),
        ("arbitrate --class-budget x", "--class-budget"),
        ("arbitrate --class-budget =1", "--class-budget"),
        ("arbitrate --class-budget a=-1", "--class-budget"),
        ("lease acquire a --ttl-seconds=-1", "--ttl-seconds"),
        ("arbitrate --output xml", "--output"),
    ] {
        fails(&env.dos(command), &[names]);
    }
    nothing_half_written(&env);
}

#[test]
fn a_wrong_question_about_the_archive_lock_creates_nothing() {
    let env = empty();
    fails(&env.dos("lease acquire a --retry-interval 1e300"), &["--retry-interval"]);
    fails(&env.run(["lease", "acquire", "a "]), &["owner"]);
    assert_eq!(env.tree(), [""; 0]);
}

#[test]
fn numbers_at_the_ends_of_their_range_are_fine() {
    let env = empty();
    let acquire = "lease-lane acquire --lane main --owner a";
    env.dos(&format!("{acquire} --retries 9223372036854775807 --retry-interval 1.5")).exits(0);
    env.dos("lease-lane release --lane main --owner a").exits(0);
    env.dos(&format!("{acquire} --ttl-minutes 5270400")).exits(0);
    env.dos("lease-lane release --lane main --owner a").exits(0);
    env.dos(&format!("{acquire} --ttl-minutes 1 --wait 366d --retries -9223372036854775808"))
        .exits(0);
    let beat = "lease-lane heartbeat --lane main --owner a --coalesce-within-s";
    env.dos(&format!("{beat} 1e300")).exits(0);
    env.dos(&format!("{beat} -1e300")).exits(0);
    env.dos("lease acquire a --ttl-seconds 18446744073709551615").exits(0);
    env.dos("lease status --ttl-seconds 18446744073709551615").exits(0);
    env.dos("journal tail -- -9223372036854775808").exits(0);
    env.dos("journal tail 9223372036854775807").exits(0);
}

#[test]
fn run_ids_need_a_process_and_a_folder() {
    let env = empty();
    fails(&env.run(["run-id", "mint", ""]), &["dos run-id mint"]);
    env.dos("run-id show nosuch").exits(1).says("nosuch/run.json");
    env.write("run/run.json", "{");
    fails(&env.dos("run-id show run"), &["run/run.json"]);
}
