//! H1 to H13, and what L12, L13 and A9 say of hooks.

use std::time::Duration;

use dos_tests::{TestEnv, now_millis, stamp};
use serde_json::{Value, json};

use crate::hooks::{Verdict, call, enforced, pretool, verdict};
use crate::{API_WEB, configured, empty};

#[track_caller]
fn is_denied(env: &TestEnv, event: &Value) -> bool {
    matches!(verdict(&pretool(env, event)), Verdict::Deny(_))
}

/// A lease of the whole repository by a process that is gone.
fn dead_lease(host: &str, age: Duration) -> String {
    let since = stamp(now_millis() - i64::try_from(age.as_millis()).unwrap());
    let lease = json!({
        "lane": "main", "loop_ts": "t", "tree": ["**/*"], "pid": 99_999_999, "host_id": host,
        "acquired_at": since,
    });
    json!({"op": "ACQUIRE", "lane": "main", "loop_ts": "t", "lease": lease}).to_string()
}

#[test]
fn h01_a_budget_below_nothing_is_none() {
    let output = empty().fed("hook marker --loop --max-markers -1", r#"{"session_id":"s"}"#);
    assert_eq!(output.exits(0).says("below zero").stdout, "");
}

#[test]
fn h02_deeply_nested_events_end_no_hook() {
    let env = empty();
    for hook in ["marker", "posttool", "pretool", "stop"] {
        let output = env.fed(&format!("hook {hook}"), "[".repeat(100_000));
        assert_eq!(output.exits(0).is_quiet().stdout, "");
    }
}

#[test]
fn h03_any_text_but_the_empty_one_arms_the_budget() {
    for (value, held) in [("0", true), ("", false)] {
        let mut env = empty();
        env.set("DOS_LOOP", value);
        let output = env.fed("hook marker", r#"{"session_id":"s"}"#);
        assert_eq!(output.exits(0).stdout.contains("\"block\""), held);
    }
}

#[test]
fn h04_every_session_has_a_tally_of_its_own() {
    let env = empty();
    for session in ["a/b", "a b", "ab", "../ab"] {
        let event = json!({"session_id": session}).to_string();
        let output = env.fed("hook marker --loop --json", event);
        assert_eq!(output.exits(0).json()["markers_emitted"], 1, "{session}");
    }
    let tallies = env.tree().iter().filter(|name| name.starts_with(".dos/markers/")).count();
    assert_eq!(tallies, 4);
    assert!(env.path(".dos/markers/ab.jsonl").is_file(), "a plain name is the file's");
}

#[test]
fn h05_a_session_without_a_usable_character_is_counted_too() {
    let env = empty();
    let allowed: Vec<Value> = (0..3)
        .map(|_| {
            let event = r#"{"session_id":"///"}"#;
            env.fed("hook marker --loop --json --max-markers 1", event).exits(0).json()
                ["allow_marker"]
                .clone()
        })
        .collect();
    assert_eq!(allowed, [true, false, false]);
}

#[test]
fn h06_a_torn_tally_line_takes_no_neighbour_along() {
    let env = empty();
    env.write(".dos/markers/s.jsonl", r#"{"op":"MARKER"}"#);
    for count in [2, 3] {
        let output = env.fed("hook marker --loop --json", r#"{"session_id":"s"}"#);
        assert_eq!(output.exits(0).json()["markers_emitted"], count);
    }
    env.write(".dos/markers/t.jsonl", "{\"op\":\"MARKER\"}\n{\"op\":\"MAR");
    for count in [2, 3] {
        let output = env.fed("hook marker --loop --json", r#"{"session_id":"t"}"#);
        assert_eq!(output.exits(0).json()["markers_emitted"], count);
    }
}

#[test]
fn h07_a_stop_that_was_held_back_before_is_let_be() {
    let event = r#"{"session_id":"s","stop_hook_active":true}"#;
    assert_eq!(empty().fed("hook marker --loop", event).exits(0).stdout, "");
    let env = configured("[marker]\nrespect_stop_hook_active = false\n");
    for turn in 1..=6 {
        let held = env.fed("hook marker --loop", event).exits(0).stdout.contains("\"block\"");
        assert_eq!(held, turn <= 4, "the fifth is let go");
    }
}

#[test]
fn h08_a_holder_writes_its_own_lane() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --kind cluster --owner me").exits(0);
    assert!(!is_denied(&env, &call("me", "Write", json!({"file_path": "api/x.py"}))));
}

#[test]
fn h09_no_spelling_of_a_path_slips_past() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --kind cluster --owner a").exits(0);
    let absolute = env.path("api/x.py").display().to_string();
    let below = env.path("api").display().to_string();
    std::fs::create_dir(env.path("api")).unwrap();
    let root = env.root().display().to_string();
    for (file, cwd) in [("./api/x.py", None), (&absolute, None), (&absolute, Some(&below))] {
        let mut event = call("s", "Write", json!({"file_path": file}));
        if let Some(cwd) = cwd {
            event["cwd"] = json!(cwd);
        }
        assert!(is_denied(&env, &event), "{event}");
        let output = env.fed(&format!("hook pretool --workspace {root}"), event.to_string());
        assert!(matches!(verdict(&output), Verdict::Deny(_)), "{event}");
    }
}

#[test]
fn h10_a_command_touches_what_it_writes() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --kind cluster --owner a").exits(0);
    let run = |command: &str| call("s", "Bash", json!({"command": command}));
    for command in ["cat api/x.py", "grep -r x api > /dev/null", "ls api"] {
        assert_eq!(verdict(&pretool(&env, &run(command))), Verdict::Pass, "{command}");
    }
    for command in ["rm -rf api", "cp x api/", "cat x > api/new"] {
        assert!(is_denied(&env, &run(command)), "{command}");
    }
}

#[test]
fn h11_a_read_is_neither_advised_nor_recorded() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --kind cluster --owner a").exits(0);
    for tool in ["Read", "Grep", "Glob"] {
        let output = pretool(&env, &call("s", tool, json!({"file_path": "web/x.ts"})));
        assert_eq!(verdict(&output), Verdict::Pass);
    }
    assert_eq!(enforced(&env), [""; 0]);
}

#[test]
fn h12_there_is_one_hook_and_it_minds_its_configuration() {
    let env = configured("[tool_stream]\nrepeat_n = 1\n");
    let event =
        r#"{"session_id":"s","tool_name":"Read","tool_input":{"n":100.0},"tool_response":"x"}"#;
    assert!(env.fed("hook posttool", event).exits(0).stdout.contains("REPEATING"));
    let stream = std::fs::read_to_string(env.path(".dos/streams/s.jsonl")).unwrap();
    let step: Value = serde_json::from_str(&stream).unwrap();
    // SHA-256 of {"input": {"n": 100.0}, "tool": "Read"}, as the original's package has it.
    assert_eq!(step["args_digest"], "bb1821725a5878ca");
    assert_eq!(step["schema"], json!({"family": "tool-stream", "version": 1}));
    env.fed("hook posttool", event.replace("\"s\"", "\"Sitzung-ä\"")).exits(0);
    assert!(env.path(".dos/streams/Sitzung-ä.jsonl").is_file());
}

#[test]
fn h13_a_zero_in_a_path_ends_no_hook() {
    let env = empty();
    let event = r#"{"session_id":"s","tool_name":"Read","cwd":"a\u0000b","tool_response":"x"}"#;
    for hook in ["marker --loop", "posttool", "pretool"] {
        env.fed(&format!("hook {hook}"), event).exits(0).is_quiet();
    }
    let event = call("s", "Write", json!({"file_path": "a\u{0}b"}));
    env.fed("hook pretool", event.to_string()).exits(0).is_quiet();
}

#[test]
fn l12_hooks_and_verbs_agree_on_a_dead_holder() {
    let env = empty();
    let lease = dead_lease("nowhere", Duration::from_secs(20 * 365 * 86_400));
    env.write_journal(format!("{lease}\n"));
    assert!(!is_denied(&env, &call("s", "Write", json!({"file_path": "a.py"}))));
    env.dos("lease-lane acquire --lane main --kind cluster --owner b").exits(0);
    assert!(is_denied(&env, &call("s", "Write", json!({"file_path": "a.py"}))));
}

#[test]
fn l13_hooks_and_verbs_call_the_host_by_one_name() {
    for host in ["h1", "h2"] {
        let mut env = empty();
        env.set("DISPATCH_HOST_ID", "h1");
        let mut sleeper = std::process::Command::new("sleep");
        sleeper.arg("300");
        let holder = dos_tests::Running::start(sleeper);
        let pid = holder.pid();
        env.dos(&format!("lease-lane acquire --lane main --owner a --pid {pid}")).exits(0);
        env.set("DISPATCH_HOST_ID", host);
        let event = call("s", "Write", json!({"file_path": "a.py"}));
        assert!(is_denied(&env, &event));
        holder.kill();
        // A process of another host is never judged.
        assert_eq!(is_denied(&env, &event), host != "h1");
    }
}

#[test]
fn a09_an_unknown_overlap_policy_does_not_silence_the_guard() {
    let env = configured(&format!("{API_WEB}[overlap]\npolicy=\"nope\"\n"));
    env.dos("lease-lane acquire --lane api --kind cluster --owner a").exits(0);
    assert!(is_denied(&env, &call("s", "Write", json!({"file_path": "api/x.py"}))));
}
