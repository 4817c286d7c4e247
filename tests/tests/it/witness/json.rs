//! States in JSON files: claims of every kind, rules, and what cannot be read.

use std::fs;

use serde_json::json;

use super::ask;
use crate::{configured, empty};

const BEFORE: &str = r#"{"orders:1": {"status": "new", "total": 10}, "orders:2": 1, "gone": null}"#;
const AFTER: &str =
    r#"{"orders:3": [], "orders:1": {"total": 10.0, "status": "paid"}, "orders:2": 1.0}"#;

#[test]
fn a_claim_is_confirmed_or_refuted_with_the_keys_of_the_original() {
    let env = empty();
    env.write("b.json", BEFORE);
    env.write("a.json", AFTER);
    let answer = ask(&env, "orders:1", "b.json", "a.json").exits(0).is_quiet().json();
    for (key, value) in [
        ("verdict", json!("CONFIRMED")),
        ("believe", json!(true)),
        ("refuted", json!(false)),
        ("claim_key", json!("orders:1")),
        ("narrated", json!("")),
        ("witness", json!("state_diff")),
        ("accountability", json!("OS_RECORDED")),
        ("silent_witnesses", json!([])),
        ("delta", json!({"inserted": ["orders:3"], "deleted": ["gone"], "updated": ["orders:1"]})),
    ] {
        assert_eq!(answer[key], value, "{key}");
    }
    let refuted = ask(&env, "orders:2", "b.json", "a.json").exits(1).json();
    assert_eq!((&refuted["verdict"], &refuted["refuted"]), (&json!("REFUTED"), &json!(true)));
    let text = env.run([
        "state-diff",
        "orders:9",
        "--before",
        "b.json",
        "--after",
        "a.json",
        "--narrated",
        "I did it",
        "--third-party",
    ]);
    let text = &text.exits(1).is_quiet().stdout;
    for said in [
        "EFFECT    orders:9\n",
        "NARRATED  I did it\n",
        "DELTA     +1 ~1 -1\n",
        "VERDICT   REFUTED   (believe=False refuted=True)\n",
        "WITNESS   state_diff (THIRD_PARTY)\n",
        "WHY       REFUTED: ",
    ] {
        assert!(text.contains(said), "{said:?} is not in {text}");
    }
}

#[test]
fn several_claims_are_judged_in_one_call() {
    let env = empty();
    env.write("b.json", BEFORE);
    env.write("a.json", AFTER);
    let sides = "--before b.json --after a.json";
    let all = env.dos(&format!("state-diff orders:1 orders:3 {sides} --json")).exits(0).json();
    assert_eq!(all["verdict"], "CONFIRMED");
    assert_eq!(all["claims"].as_array().unwrap().len(), 2);
    let one = env.dos(&format!("state-diff orders:1 orders:2 {sides}"));
    assert!(one.exits(1).stdout.ends_with("ALL       REFUTED   (1 of 2 confirmed)\n"), "{one:?}");
    let empty = env.run(
        [&["state-diff", "orders:1", ""][..], &["--before", "b.json", "--after", "a.json"]]
            .concat(),
    );
    assert!(empty.exits(3).stdout.ends_with("ALL       UNWITNESSED   (1 of 2 confirmed)\n"));
    env.write(
        "claims.json",
        r#"["orders:3", {"key": "gone", "expect": "deleted", "narrated": "removed"},
            {"key": "orders:1", "expect": ["updated", {"path": "/status", "value": "paid"}]}]"#,
    );
    let answer =
        env.dos(&format!("state-diff --claims claims.json {sides} --json")).exits(0).json();
    assert_eq!(answer["claims"][1]["narrated"], "removed");
    // Every digit of what is expected counts.
    env.write("digits.json", r#"{"orders:1": {"n": 9007199254740993, "m": 0.1}}"#);
    for (path, value, code) in [
        ("/n", "9007199254740993", 0),
        ("/n", "9007199254740992.0", 1),
        ("/m", "0.10000000000000000001", 1),
        ("/m", "1e-1", 0),
    ] {
        let expect = format!(r#"{{"path": "{path}", "value": {value}}}"#);
        env.write("claims.json", format!(r#"[{{"key": "orders:1", "expect": {expect}}}]"#));
        let sides = "--before b.json --after digits.json";
        env.dos(&format!("state-diff --claims claims.json {sides}")).exits(code);
    }
    for (expect, code) in [
        ("status=paid", 0),
        ("/status=paid", 0),
        ("status=new", 1),
        ("total=10", 1),
        ("deleted", 1),
        ("updated", 0),
        ("inserted", 1),
        ("nonsense", 2),
        ("/~5=1", 2),
    ] {
        env.dos(&format!("state-diff orders:1 {sides} --expect {expect}")).exits(code);
    }
    for (content, said) in [
        ("{", "no JSON"),
        ("{}", "no list"),
        ("[]", "no claim"),
        ("[1]", "claim 1"),
        (r#"[{"key": "k", "key": "orders:1"}]"#, "twice"),
        (r#"["k", {"key": "k", "expects": "deleted"}]"#, "claim 2"),
    ] {
        env.write("claims.json", content);
        env.dos(&format!("state-diff --claims claims.json {sides}")).exits(2).says(said);
    }
    env.dos(&format!("state-diff --expect deleted {sides}")).exits(2).says("--expect");
    env.dos("state-diff k --before b.json").exits(2).says("--after");
}

#[test]
fn the_difference_is_shown() {
    let env = empty();
    env.write("b.json", BEFORE);
    env.write("a.json", AFTER.replace("[]", "\"\\u001b[31mred\""));
    let shown = env.dos("state-diff --before b.json --after a.json");
    let wanted = "BEFORE    json:b.json\nAFTER     json:a.json\n- gone  null\n~ orders:1\n    status  \"new\" → \"paid\"\n\
                  + orders:3  \"\\u001b[31mred\"\n1 inserted, 1 updated, 1 deleted\n";
    assert_eq!(shown.exits(0).is_quiet().stdout, wanted);
    let stat = env.dos("state-diff --before b.json --after a.json --stat");
    let wanted = "BEFORE    json:b.json\nAFTER     json:a.json\ngone   |      1 -\norders |      2 +~\n1 inserted, 1 updated, 1 deleted\n";
    assert_eq!(stat.exits(0).stdout, wanted);
    let stat = env.dos("state-diff --before b.json --after a.json --stat --json").exits(0).json();
    assert_eq!(stat["delta"], json!({"inserted": 1, "updated": 1, "deleted": 1}));
    assert_eq!(stat["before"]["keys"], 3);
    let same = env.dos("state-diff --before b.json --after b.json");
    assert!(same.exits(0).stdout.ends_with("b.json\nnothing changed\n"), "{same:?}");
    // The agent chose the values: they do not reach the terminal as they are.
    assert!(!shown.stdout.contains('\u{1b}'));
    // Nothing can be told: that is no empty difference.
    env.dos("state-diff --before b.json --after nofile").exits(3).prints("UNWITNESSED");
}

#[test]
fn what_does_not_count_is_data() {
    let env =
        configured("[state_diff]\nignore = [\"etag\", \"/log/*/at\"]\ntimestamps = [\"when\"]\n");
    env.write(
        "b.json",
        r#"{"k": {"etag": 1, "when": "2026-01-10T12:00:00Z", "n": 1, "log": [{"at": 1}]}}"#,
    );
    env.write(
        "a.json",
        r#"{"k": {"etag": 2, "when": "2026-01-10T13:00:00+01:00", "n": 1, "log": [{"at": 2}]}}"#,
    );
    env.dos("state-diff k --before b.json --after a.json").exits(1);
    env.write("dos.toml", "");
    env.dos("state-diff k --before b.json --after a.json").exits(0);
    let rules = "--ignore etag --timestamp-field /when --ignore log";
    env.dos(&format!("state-diff k --before b.json --after a.json {rules}")).exits(1);
    env.dos("state-diff k --before b.json --after a.json --ignore /a~").exits(2).says("--ignore");
    env.write("dos.toml", "[state_diff]\nignore = [\"/a~\"]\n");
    env.dos("state-diff k --before b.json --after a.json").exits(0).says("dos.toml:2:10");
}

#[test]
fn json_lines_are_read_under_a_field() {
    let env = empty();
    env.write("b", "{\"id\": 1, \"n\": 1}\n{\"id\": 2, \"meta\": {\"no\": \"x\"}}\n");
    env.write("a", "{\"id\": 2, \"meta\": {\"no\": \"x\"}}\r\n\n{\"id\": 1, \"n\": 2}");
    let answer = env.dos("state-diff 1 --before json:b --after a --key id --expect n=2 --json");
    assert_eq!(answer.exits(0).json()["delta"]["updated"], json!(["1"]));
    env.dos("state-diff 1 --before b --after a --key /meta/no").exits(3).prints("/meta/no");
    env.dos("state-diff 1 --before b --after a").exits(3).prints("cannot read b");
}

#[test]
fn what_cannot_be_read_is_unwitnessed_with_the_reason() {
    let env = empty();
    env.write("good", "{\"k\": 1}");
    fs::create_dir(env.path("folder")).unwrap();
    super::make_pipe(&env.path("pipe"));
    let deep = format!("{{\"k\": {}{}}}", "[".repeat(200), "]".repeat(200));
    for (name, content, said) in [
        ("twice", &b"{\"k\": 1, \"k\": 2}"[..], "\"k\" is there twice"),
        ("list", b"[1]", "an object of keys"),
        ("empty", b"", "no JSON"),
        ("cut", b"{\"k\": 1", "no JSON"),
        ("bytes", b"{\"k\": \"\xff\"}", "not UTF-8"),
        ("half", br#"{"k": "\ud800"}"#, "no Unicode"),
        ("deep", deep.as_bytes(), "nests deeper"),
        ("range", b"{\"k\": 1e99999999999999999999}", "out of all range"),
    ] {
        env.write(name, content);
        for (before, after) in [("good", name), (name, "good")] {
            let answer = ask(&env, "k", before, after).exits(3).is_quiet().json();
            assert_eq!(answer["verdict"], "UNWITNESSED", "{name}");
            let reason = answer["reason"].as_str().unwrap();
            assert!(reason.contains(said) && reason.contains(name), "{reason}: {said}");
            assert_eq!(answer.get("delta"), None);
        }
    }
    for (name, said) in
        [("nofile", "No such file"), ("folder", "is a directory"), ("pipe", "regular")]
    {
        let reason = ask(&env, "k", "good", name).exits(3).json()["reason"].to_string();
        assert!(reason.contains(said), "{reason}: {said}");
    }
}

#[test]
fn a_file_beyond_the_bound_is_not_read() {
    let env = empty();
    env.write("good", "{}");
    // Sparse: it takes no room.
    let file = fs::File::create(env.path("huge")).unwrap();
    file.set_len(1 << 40).unwrap();
    ask(&env, "k", "good", "huge").exits(3).prints("larger than 1024 MiB");
}

/// Two states of 16 MiB, each one value of millions of parts, in ten times the memory of one of them.
#[test]
fn a_huge_value_takes_a_few_times_its_own_memory() {
    const BYTES: usize = 16 * 1024 * 1024;
    let env = empty();
    let parts = "1,".repeat(BYTES / 2);
    // Nested nearly as deep as may be, each level in the other order than that of its keys.
    let (open, shut) = ("{\"b\": ".repeat(120), ", \"a\": 1}".repeat(120));
    for (name, last) in [("b.json", 1), ("a.json", 2)] {
        env.write(name, format!("{{\"k\": {open}[{parts}{last}]{shut}}}"));
    }
    let dos = env.command(["state-diff", "k", "--before", "b.json", "--after", "a.json"]);
    let mut limited = std::process::Command::new("sh");
    let script = format!("ulimit -v {} && exec \"$0\" \"$@\"", 10 * BYTES / 1024);
    limited.args(["-c", &script]).arg(dos.get_program()).args(dos.get_args());
    env.furnish(&mut limited);
    let output = limited.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
}
