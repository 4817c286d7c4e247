//! What is recorded, when, and what becomes of the verb when it cannot be.

use std::fs;

use dos_tests::{Output, Running, TestEnv};
use serde_json::{Value, json};

use super::{JOURNAL, armed, counts_from_one, rows};
use crate::hooks::{alice_holds_api, call};
use crate::{API_WEB, configured, empty};

const RUN: &str = "RID-1M89PYD52D6YY80";

/// A workspace with something to judge, in which `a` holds `api`.
fn scene() -> TestEnv {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    for (name, content) in [("b", "{}"), ("a", "{\"k\": 1}"), ("secret", "s")] {
        env.write(name, content);
    }
    let signed = env.dos("attest --claim k --accept-cmd true --key-file secret --json");
    env.write("receipt.json", &signed.exits(0).stdout);
    env
}

/// Commands, and what they record: question, answer, lane, subject, run.
const RECORDED: &[(&str, [&str; 5])] = &[
    ("arbitrate --lane web", ["arbitrate", "acquire", "web", "", ""]),
    ("arbitrate --lane api", ["arbitrate", "refuse", "api", "", ""]),
    ("attest --claim k --accept-cmd false --key-file secret", ["attest", "REFUTED", "", "k", ""]),
    ("exec-capability --command sh", ["exec_capability", "GRANTS_ARBITRARY_EXEC", "", "", ""]),
    ("halt --handle h --lane api --run-id R", ["halt", "HALT", "api", "h", "R"]),
    ("journal verify", ["journal_verify", "intact", "", "", ""]),
    (
        "lease-lane acquire --lane web --owner b --run-id R",
        ["arbitrate", "acquire", "web", "b", "R"],
    ),
    ("lease-lane acquire --lane api --owner b", ["arbitrate", "refuse", "api", "b", ""]),
    ("lease-lane adopt --lane api --owner b", ["adopt", "not_adopted", "api", "b", ""]),
    ("lease-lane check --lane api --token 1", ["lease_check", "live", "api", "", ""]),
    (
        "liveness --run-id RID-1M89PYD52D6YY80 --lane api --loop-ts t",
        ["liveness", "STALLED", "api", "", RUN],
    ),
    ("run --lane api -- true", ["arbitrate", "refuse", "api", "", "?"]),
    ("run --lane web -- true", ["arbitrate", "acquire", "web", "", "?"]),
    ("state-diff k --before b --after a", ["state_diff", "CONFIRMED", "", "k", ""]),
    ("state-diff k --before nosuch --after a", ["state_diff", "UNWITNESSED", "", "k", ""]),
    (
        "verify-receipt --receipt receipt.json --key-file secret",
        ["verify_receipt", "valid", "", "k", ""],
    ),
    ("watch --track RID-1M89PYD52D6YY80", ["liveness", "STALLED", "", "", RUN]),
];

/// What a verb answers, without what is different every time.
fn answered(env: &TestEnv, output: &Output) -> (Option<i32>, String) {
    let mut shown = output.stdout.replace(&env.root().display().to_string(), "");
    if let Ok(Value::Object(mut object)) = serde_json::from_str(&shown) {
        for field in ["loop_ts", "token", "run_id", "owner"] {
            object.remove(field);
        }
        shown = json!(object).to_string();
    }
    // The signature is of another second.
    shown = shown.lines().filter(|line| !line.starts_with("SIGNATURE")).collect();
    shown.retain(|character| !character.is_ascii_digit());
    (output.code, shown)
}

#[test]
fn every_verb_that_decides_records_its_verdict_and_answers_as_ever() {
    for (command, wanted) in RECORDED {
        let plain = scene();
        let expected = plain.dos(command);
        assert!(!plain.path(JOURNAL).exists(), "{command} records without being asked");
        let env = scene();
        let output = env
            .dos(&format!("{command} --observe").replace("-- true --observe", "--observe -- true"));
        assert_eq!(answered(&env, &output), answered(&plain, &expected), "{command}");
        assert!(!output.stderr.contains("not recorded"), "{output:#?}");
        let rows = rows(&env);
        counts_from_one(&rows);
        let row = &rows[0];
        let fields =
            ["syscall", "verdict", "lane", "subject", "run_id"].map(|name| match &row[name] {
                Value::String(run) if name == "run_id" && wanted[4] == "?" && !run.is_empty() => {
                    "?"
                }
                value => value.as_str().unwrap(),
            });
        assert_eq!((&fields, row["source"].as_str()), (wanted, Some("kernel")), "{command}");
        let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(keys, KEYS, "{command}");
        assert_eq!(
            (&row["schema_family"], &row["schema_version"]),
            (&json!("verdict-journal"), &json!(1))
        );
    }
}

/// The original's keys, and `ts_ms`.
const KEYS: [&str; 12] = [
    "detail",
    "lane",
    "run_id",
    "schema_family",
    "schema_version",
    "seq",
    "source",
    "subject",
    "syscall",
    "ts",
    "ts_ms",
    "verdict",
];

#[test]
fn evidence_is_counts_and_words_of_a_witness_and_never_what_an_agent_says() {
    let env = scene();
    env.run([
        "--observe",
        "state-diff",
        "k",
        "--before",
        "b",
        "--after",
        "a",
        "--narrated",
        "done, I swear",
    ])
    .exits(0);
    env.dos("--observe liveness --run-id RID-1M89PYD52D6YY80 --now-ms 1795622385802").exits(4);
    let rows = rows(&env);
    assert_eq!(rows[0]["detail"]["accountability"], "OS_RECORDED");
    assert_eq!(rows[1]["detail"]["commits_since_start"], 0);
    let text = fs::read_to_string(env.path(JOURNAL)).unwrap();
    assert!(!text.contains("swear"), "{text}");
}

#[test]
fn recording_is_asked_for_by_flag_environment_or_configuration_in_this_order() {
    let on = "[observe]\nenabled = true\n";
    for (config, variable, flag, recorded) in [
        ("", None, "", false),
        ("", None, "--observe", true),
        ("", Some("1"), "", true),
        ("", Some(" Yes"), "", true),
        ("", Some("0"), "", false),
        ("", Some("perhaps"), "", false),
        (on, None, "", true),
        (on, Some(""), "", true),
        (on, Some("perhaps"), "", true),
        (on, Some("off"), "", false),
        (on, Some("off"), "--observe", true),
    ] {
        let mut env = configured(config);
        if let Some(variable) = variable {
            env.set("DISPATCH_OBSERVE", variable);
        }
        env.dos(&format!("{flag} exec-capability --command ls")).exits(0);
        let event = call("s", "Write", json!({"file_path": "x"}));
        env.fed(&format!("hook pretool {flag}"), event.to_string()).exits(0);
        let expected = if recorded { 2 } else { 0 };
        assert_eq!(rows(&env).len(), expected, "{config:?} {variable:?} {flag:?}");
        let doctor = env.dos(&format!("{flag} doctor --json")).exits(0).json();
        assert_eq!(doctor["verdicts"]["recorded"], recorded);
    }
    let env = configured("[observe]\nenabled = \"yes\"\nsegments = 3\nsegment_max_bytes = -7\n");
    let found = env.dos("exec-capability --command ls");
    found.says("[observe]").says("enabled = true");
}

#[test]
fn a_run_that_nobody_named_is_the_one_that_asks() {
    let mut env = armed();
    env.set("CID_RUN_ID", "R-7");
    env.dos("exec-capability --command ls").exits(0);
    assert_eq!(rows(&env)[0]["run_id"], "R-7");
}

#[test]
fn the_place_of_the_journal_can_be_chosen_and_a_repository_cannot_choose_one_outside() {
    let mut env = armed();
    env.set("DISPATCH_VERDICT_JOURNAL_PATH", env.outer().join("v.jsonl"));
    env.dos("exec-capability --command ls").exits(0);
    assert_eq!(fs::read_to_string(env.outer().join("v.jsonl")).unwrap().lines().count(), 1);
    let env = configured("[paths]\nverdict_journal = \"logs/v.jsonl\"\n");
    env.dos("--observe exec-capability --command ls").exits(0).is_quiet();
    assert!(env.path("logs/v.jsonl").exists());
    let env = configured("[paths]\nverdict_journal = \"../v.jsonl\"\n");
    env.dos("--observe exec-capability --command ls").exits(0).says("not recorded");
    assert!(!env.outer().join("v.jsonl").exists());
    let env = armed();
    env.write("elsewhere", "untouched");
    fs::create_dir(env.path(".dos")).unwrap();
    std::os::unix::fs::symlink(env.path("elsewhere"), env.path(JOURNAL)).unwrap();
    env.dos("exec-capability --command ls").exits(0).says("not recorded");
    assert_eq!(fs::read_to_string(env.path("elsewhere")).unwrap(), "untouched");
    let env = armed();
    fs::create_dir(env.path(".dos")).unwrap();
    let archive = env.path(".dos/verdict-journal.archive");
    std::os::unix::fs::symlink(env.outer().join("home"), archive).unwrap();
    env.dos("exec-capability --command ls").exits(0).says("leads out of the workspace");
    env.dos("doctor").exits(0).prints("verdicts");
}

#[test]
fn hooks_record_what_they_decide_as_sensors_and_say_what_they_ever_say() {
    let write = |path: &str| call("bob", "Write", json!({"file_path": path}));
    let ran = json!({
        "session_id": "bob", "tool_name": "Read", "tool_input": {"a": 1}, "tool_response": "x",
    });
    let stop = json!({"session_id": "bob"});
    let asked = [
        ("hook pretool", write("web/x"), Some(["pretool", "ALLOW", "Write", ""])),
        ("hook pretool", write("api/x"), Some(["pretool", "BLOCK", "Write", "api"])),
        ("hook pretool", call("dos-doctor-canary", "Write", json!({"file_path": "api/x"})), None),
        ("hook pretool", call("bob", "Read", json!({"file_path": "api/x"})), None),
        ("hook posttool", ran, Some(["posttool", "ADVANCING", "Read", ""])),
        ("hook marker --loop", stop.clone(), Some(["marker", "LIVE", "", ""])),
        ("hook marker --loop --max-markers 0", stop.clone(), Some(["marker", "EXHAUSTED", "", ""])),
        ("hook marker", stop, None),
    ];
    for (command, event, wanted) in asked {
        let plain = alice_holds_api();
        let expected = plain.fed(command, event.to_string());
        let mut env = alice_holds_api();
        env.set("DISPATCH_OBSERVE", "1");
        let output = env.fed(command, event.to_string());
        output.exits(0).is_quiet();
        assert_eq!(answered(&env, &output), answered(&plain, &expected), "{command}");
        let rows = rows(&env);
        let found = rows.first().map(|row| {
            assert_eq!(row["source"], "sensor");
            ["syscall", "verdict", "subject", "lane"].map(|name| row[name].as_str().unwrap())
        });
        assert_eq!((found, rows.len()), (wanted, usize::from(wanted.is_some())), "{command}");
    }
}

/// Places where no verdict can be written, and the variable that says so.
fn unwritable() -> Vec<(&'static str, TestEnv)> {
    let full = armed();
    let mut device = armed();
    device.set("DISPATCH_VERDICT_JOURNAL_PATH", "/dev/full");
    let in_the_way = armed();
    in_the_way.write(format!("{JOURNAL}/x"), "a folder");
    let guard = armed();
    guard.write(format!("{JOURNAL}.guard/x"), "a folder");
    let mut missing = armed();
    missing.set("DISPATCH_VERDICT_JOURNAL_PATH", "/proc/nosuch/v.jsonl");
    let busy = armed();
    busy.write(format!("{JOURNAL}.guard"), "");
    full.write(JOURNAL, "{}\n".repeat(400));
    vec![
        ("full", full),
        ("device", device),
        ("in the way", in_the_way),
        ("guard", guard),
        ("missing", missing),
        ("busy", busy),
    ]
}

#[test]
fn a_verdict_that_cannot_be_recorded_is_the_same_verdict() {
    let plain = configured(API_WEB);
    let event = call("s", "Write", json!({"file_path": "web/x"})).to_string();
    for command in
        ["exec-capability --command sh", "arbitrate --lane api", "arbitrate --lane x --leases []"]
    {
        let expected = plain.dos(command);
        for (what, env) in unwritable() {
            let held = (what == "busy").then(|| {
                let guard = fs::File::open(env.path(format!("{JOURNAL}.guard"))).unwrap();
                guard.lock().unwrap();
                guard
            });
            // Files of this process may be no longer than a kilobyte, as on a disk that is full.
            let limit = if what == "full" { "ulimit -f 1 && " } else { "" };
            let mut limited = std::process::Command::new("sh");
            limited.args(["-c", &format!("{limit}exec \"$0\" \"$@\"")]).arg(env.binary());
            limited.args(command.split_whitespace());
            env.furnish(&mut limited);
            let output = Running::start(limited).finish();
            assert_eq!(answered(&env, &output), answered(&plain, &expected), "{what}: {output:#?}");
            output.says("this verdict was not recorded");
            assert_eq!(output.stderr.lines().count(), 1, "{output:#?}");
            if what != "full" {
                env.fed("hook pretool", &event).exits(0).is_quiet();
                env.fed("hook pretool --debug", &event).exits(0).says("not recorded");
            }
            if what == "in the way" {
                let doctor = env.dos("doctor --json").exits(0).json();
                let codes = crate::field(&doctor["findings"], "code");
                assert!(codes.contains(&"VERDICTS_NOT_RECORDED".to_string()), "{what}: {codes:?}");
            }
            drop(held);
        }
    }
}

#[test]
fn nothing_is_recorded_of_a_question_that_was_wrong() {
    let env = armed();
    env.dos("liveness --run-id x").exits(2);
    env.dos("exec-capability").exits(2);
    env.dos("lease-lane acquire --lane api").exits(2);
    assert!(!env.path(JOURNAL).exists());
    let env = empty();
    env.dos("observe").exits(0);
    assert_eq!(env.tree(), [""; 0]);
}

#[test]
fn a_supervisor_records_what_is_new_and_not_every_look() {
    let env = armed();
    let command = "supervise --interval 10ms --max-ticks 20 --target 9 --worker ./nosuch";
    env.dos(command).exits(0);
    let rows = rows(&env);
    let told: Vec<&str> = rows
        .iter()
        .filter(|row| row["syscall"] == "supervise")
        .map(|row| row["verdict"].as_str().unwrap())
        .collect();
    assert!(told.contains(&"TARGET_UNREACHABLE") && told.len() < 10, "{told:?}");
}

#[test]
fn a_number_that_none_follows_is_not_counted_on_from() {
    let mut env = empty();
    env.set("DISPATCH_OBSERVE", "1");
    env.write(".dos/verdict-journal.jsonl", "{\"seq\":4}\n{\"seq\":9223372036854775807}\n");
    for seq in [5, 6] {
        env.dos("exec-capability --command ls").exits(0);
        let rows = fs::read_to_string(env.path(".dos/verdict-journal.jsonl")).unwrap();
        let last: Value = serde_json::from_str(rows.lines().last().unwrap()).unwrap();
        assert_eq!(last["seq"], seq);
    }
}
