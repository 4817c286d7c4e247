//! A scripted session for each host, with the shapes that it sends.

use dos_tests::TestEnv;
use serde_json::{Value, json};

use super::alice_holds_api;

/// How a host names things, and what it is told.
struct Dialect {
    host: &'static str,
    /// An event before a call that writes this file, in this session.
    write: fn(&str, &str, &str) -> Value,
    /// An event after a call that read the same again.
    polled: fn(&str) -> Value,
    /// An event of a turn that wants to end.
    stop: fn(&str) -> Value,
    /// Where a denial says why.
    reason: fn(&Value) -> Option<&str>,
    /// Where advice after a call stands.
    advice: fn(&Value) -> Option<&str>,
    /// What holds a turn open.
    held: fn(&Value) -> bool,
    /// What a call that is fine is answered.
    fine: &'static str,
}

fn usual(session: &str, event: &str, tool: &str, input: Value) -> Value {
    json!({
        "session_id": session, "transcript_path": "/t/x.jsonl", "cwd": "", "hook_event_name": event,
        "permission_mode": "default", "tool_name": tool, "tool_input": input, "tool_use_id": "t1",
    })
}

fn polled(session: &str, event: &str, tool: &str, answer: Value) -> Value {
    let mut event = usual(session, event, tool, json!({"file_path": "out.log"}));
    event["tool_response"] = answer;
    event
}

const DIALECTS: [Dialect; 6] = [
    Dialect {
        host: "claude-code",
        write: |session, cwd, file| {
            let input = json!({"file_path": format!("{cwd}/{file}"), "content": "x"});
            usual(session, "PreToolUse", "Write", input)
        },
        polled: |session| {
            polled(session, "PostToolUse", "Read", json!({"type": "text", "file": {}}))
        },
        stop: |session| json!({"session_id": session, "hook_event_name": "Stop", "stop_hook_active": false}),
        reason: |said| said["hookSpecificOutput"]["permissionDecisionReason"].as_str(),
        advice: |said| said["hookSpecificOutput"]["additionalContext"].as_str(),
        held: |said| said["decision"] == "block",
        fine: "",
    },
    Dialect {
        host: "codex",
        write: |session, _, file| {
            let patch = format!("*** Begin Patch\n*** Add File: {file}\n+x\n*** End Patch\n");
            let mut event = usual(session, "PreToolUse", "apply_patch", json!({"command": patch}));
            event["turn_id"] = json!("1");
            event
        },
        polled: |session| polled(session, "PostToolUse", "Bash", json!("same")),
        stop: |session| json!({"session_id": session, "hook_event_name": "Stop", "turn_id": "1"}),
        reason: |said| said["hookSpecificOutput"]["permissionDecisionReason"].as_str(),
        advice: |said| said["hookSpecificOutput"]["additionalContext"].as_str(),
        held: |said| said["decision"] == "block",
        fine: "",
    },
    Dialect {
        host: "gemini",
        write: |session, _, file| {
            let input = json!({"command": format!("echo x > {file}"), "description": "d"});
            let mut event = usual(session, "BeforeTool", "run_shell_command", input);
            event["timestamp"] = json!("2026-01-01T00:00:00Z");
            event
        },
        polled: |session| {
            polled(
                session,
                "AfterTool",
                "read_file",
                json!({"llmContent": "x", "returnDisplay": "x"}),
            )
        },
        stop: |session| json!({"session_id": session, "hook_event_name": "AfterAgent", "prompt": "p", "prompt_response": "r", "stop_hook_active": false}),
        reason: |said| said["reason"].as_str().filter(|_| said["decision"] == "deny"),
        advice: |said| said["hookSpecificOutput"]["additionalContext"].as_str(),
        held: |said| said["decision"] == "block",
        fine: "",
    },
    Dialect {
        host: "cursor",
        write: |session, cwd, file| {
            json!({
                "conversation_id": session, "generation_id": "g", "workspace_roots": [cwd],
                "hook_event_name": "beforeShellExecution", "command": format!("echo x > {file}"),
                "cwd": cwd,
            })
        },
        polled: |session| {
            json!({
                "conversation_id": session, "hook_event_name": "postToolUse", "tool_name": "Read",
                "tool_input": {"path": "out.log"}, "tool_output": "same",
            })
        },
        stop: |session| json!({"conversation_id": session, "hook_event_name": "stop", "status": "completed", "loop_count": 0}),
        reason: |said| said["agent_message"].as_str().filter(|_| said["permission"] == "deny"),
        advice: |said| said["additional_context"].as_str(),
        held: |said| said["followup_message"].is_string(),
        fine: "",
    },
    Dialect {
        host: "antigravity",
        write: |session, cwd, file| {
            json!({
                "conversationId": session, "workspacePaths": [cwd], "stepIdx": 3,
                "toolCall": {"name": "write_to_file", "args": {"TargetFile": format!("{cwd}/{file}"), "CodeContent": "x"}},
            })
        },
        polled: |session| polled(session, "PostToolUse", "view_file", json!("same")),
        stop: |session| json!({"conversationId": session}),
        reason: |said| said["reason"].as_str().filter(|_| said["decision"] == "deny"),
        advice: |said| said["reason"].as_str(),
        held: |said| said["decision"] == "block",
        fine: "{\"decision\": \"allow\"}\n",
    },
    Dialect {
        host: "hermes",
        write: |session, cwd, file| {
            let mut event = usual(session, "pre_tool_call", "write_file", json!({"path": file}));
            event["cwd"] = json!(cwd);
            event["extra"] = json!({});
            event
        },
        polled: |session| polled(session, "post_tool_call", "read_file", json!("same")),
        stop: |session| json!({"session_id": session}),
        reason: |said| said["reason"].as_str().filter(|_| said["decision"] == "block"),
        // It has no way to tell the agent anything but no.
        advice: |said| said.as_object().is_some_and(|said| said.is_empty()).then_some("repeats"),
        held: |said| said["decision"] == "block",
        fine: "",
    },
];

#[track_caller]
fn ask(env: &TestEnv, hook: &str, dialect: &Dialect, event: &Value) -> Option<Value> {
    let output = env.fed(&format!("hook {hook} --dialect {}", dialect.host), event.to_string());
    output.exits(0).is_quiet();
    (!output.stdout.is_empty()).then(|| output.json())
}

#[test]
fn every_host_is_told_no_in_its_own_words() {
    for dialect in &DIALECTS {
        let env = alice_holds_api();
        let root = env.root().display().to_string();
        let own = (dialect.write)("alice", &root, "api/x.py");
        let output = env.fed(&format!("hook pretool --dialect {}", dialect.host), own.to_string());
        assert_eq!(output.exits(0).stdout, dialect.fine, "{}: one's own lane", dialect.host);
        let others = (dialect.write)("bob", &root, "api/x.py");
        let said = ask(&env, "pretool", dialect, &others).expect("a denial");
        let reason = (dialect.reason)(&said).unwrap_or_else(|| panic!("{}: {said}", dialect.host));
        for word in ["alice holds api", "--lane api --owner bob", "`api/**`"] {
            assert!(reason.contains(word), "{}: {reason}", dialect.host);
        }
        assert_eq!(env.operations(), ["ACQUIRE", "ENFORCE"]);
    }
}

#[test]
fn every_host_is_told_at_the_third_equal_answer() {
    for dialect in &DIALECTS {
        let env = alice_holds_api();
        for turn in 1..=6 {
            let said = ask(&env, "posttool", dialect, &(dialect.polled)("s"));
            match turn {
                1 | 2 => assert_eq!(said, None, "{}", dialect.host),
                _ => {
                    let said = said.expect("advice");
                    let advice = (dialect.advice)(&said);
                    let advice = advice.unwrap_or_else(|| panic!("{}: {said}", dialect.host));
                    let word = if turn < 5 { "REPEATING" } else { "STALLED" };
                    assert!(advice.contains(word) || dialect.host == "hermes", "{advice}");
                }
            }
        }
        // Something else in between starts anew.
        let mut other = (dialect.polled)("s");
        other["tool_name"] = json!("Grep");
        assert_eq!(ask(&env, "posttool", dialect, &other), None);
        assert_eq!(ask(&env, "posttool", dialect, &(dialect.polled)("s")), None);
    }
}

#[test]
fn every_host_is_let_go_at_the_fifth_turn_that_waits() {
    for dialect in &DIALECTS {
        let env = alice_holds_api();
        let stop = (dialect.stop)("s");
        assert_eq!(ask(&env, "marker", dialect, &stop), None, "no loop, no budget");
        for turn in 1..=6 {
            let said = ask(&env, "marker --loop", dialect, &stop);
            let held = said.as_ref().is_some_and(dialect.held);
            assert_eq!(held, turn <= 4, "{}, turn {turn}: {said:?}", dialect.host);
        }
        assert_eq!(ask(&env, "marker --reset", dialect, &stop), None);
        let said = ask(&env, "marker --loop", dialect, &stop);
        assert!(said.as_ref().is_some_and(dialect.held), "progress earns a new budget");
    }
}
