//! Settings of hosts: what is put in can be taken out, and nothing else changes.

use super::*;

/// Files as people have them; the last word says what they are.
const JSON: &[&str] = &[
    "",
    "{}\n",
    "{\n  \"model\": \"x\"\n}\n",
    "{\"b\": 1, \"a\": {\"hooks\": []}}",
    "{\n    // a comment\n    \"permissions\": {\"allow\": [\"Bash(ls:*)\"]}, /* and */\n    \"z\": [1,2]\n}\n",
    "{\n  \"hooks\": {\n    \"Notification\": [\n      {\"hooks\": [{\"type\": \"command\", \"command\": \"say hi\"}]}\n    ]\n  },\n  \"a\": 1\n}\n",
    "{\n  \"version\": 1,\n  \"hooks\": {\n    \"preToolUse\": [\n      { \"command\": \"./audit.sh\" }\n    ],\n    \"PreToolUse\": [\n      { \"matcher\": \"Bash\", \"hooks\": [ { \"type\": \"command\", \"command\": \"./audit.sh\" } ] }\n    ]\n  }\n}\n",
    "{\"hooks\":{\"PreToolUse\":[{\"hooks\":[{\"type\":\"command\",\"command\":\"x\"}]}]}}",
];
const TOML: &[&str] = &[
    "",
    "model = \"x\" # mine\n",
    "# top\nmodel   = 'x'\n\n[features]\nhooks = true  # on\n\n[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = \"command\"\ncommand = \"./bell.sh\" # bell\n\n# end\n",
    "[[hooks.PreToolUse]]\nmatcher = \"Bash\"\n[[hooks.PreToolUse.hooks]]\ntype = \"command\"\ncommand = \"./audit.sh\"\n\n[mcp]\nx = 1\n",
];

fn samples(settings: &Settings) -> &'static [&'static str] {
    match settings.form {
        Form::Json { .. } => JSON,
        Form::Toml { .. } => TOML,
        Form::Yaml { .. } => &[],
    }
}

fn wired(settings: &Settings, text: &str) -> Vec<(String, String)> {
    let wired = settings.wired(text).unwrap();
    wired.into_iter().map(|wired| (wired.event, wired.command)).collect()
}

#[test]
fn every_host_is_wired_once_and_unwired_without_a_trace() {
    for host in HOSTS {
        let settings = host.settings();
        let mut wanted: Vec<(String, String)> = settings
            .events
            .iter()
            .map(|(event, moment, _)| (event.to_string(), settings.command(*moment)))
            .collect();
        wanted.sort();
        for text in samples(&settings) {
            for strict in [false, true] {
                let shown = format!("{}, strict {strict}: {text}", host.name());
                let merged = settings.merged(text, strict).unwrap();
                let mut found = wired(&settings, &merged);
                found.sort();
                assert_eq!(found, wanted, "{shown}\n{merged}");
                assert_eq!(settings.merged(&merged, strict).unwrap(), merged, "again: {shown}");
                let option = settings.strict.as_ref().filter(|_| strict);
                if let Some(option) = option {
                    assert_eq!(merged.matches(option.field).count(), 1, "{shown}\n{merged}");
                }
                let left = settings.without(&merged).unwrap();
                let bare = |text: &str| text.split_whitespace().collect::<String>();
                // The version belongs to the file, not to our hooks.
                let is_version = |line: &&str| line.trim() == "\"version\": 1,";
                let left = match text.contains("\"version\"") {
                    true => left,
                    false => left.split_inclusive('\n').filter(|l| !is_version(l)).collect(),
                };
                match text.trim().lines().count() {
                    0 => assert!(matches!(left.trim(), "" | "{}"), "{shown}\n{left:?}"),
                    // What was on one line is spread over several.
                    1 => assert_eq!(bare(&left), bare(text), "{shown}\n{merged}"),
                    _ => assert_eq!(left, *text, "{shown}\n{merged}"),
                }
            }
        }
    }
}

#[test]
fn marks_line_ends_and_what_was_there_before_stay() {
    let codex = named("codex").unwrap().settings();
    let text = "\u{feff}model = \"x\"\r\n# why\r\n[tools]\r\na = 1\r\n";
    let merged = codex.merged(text, false).unwrap();
    assert!(merged.starts_with(text) && !merged.replace("\r\n", "").contains('\n'), "{merged:?}");
    assert_eq!(codex.wired(&merged).unwrap().len(), codex.events.len());
    assert_eq!(codex.merged(&merged, false).unwrap(), merged);
    assert_eq!(codex.without(&merged).unwrap(), text);
    for text in ["hooks = {}\n", "a = 1\nhooks = { PreToolUse = [] }\n"] {
        let merged = codex.merged(text, false).unwrap();
        assert_eq!(codex.wired(&merged).unwrap().len(), codex.events.len(), "{merged}");
        assert!(codex.wired(&codex.without(&merged).unwrap()).unwrap().is_empty());
    }
    let cursor = named("cursor").unwrap().settings();
    let text = "\u{feff}{\r\n  \"version\": 2\r\n}\r\n";
    let merged = cursor.merged(text, false).unwrap();
    assert_eq!(cursor.wired(&merged).unwrap().len(), cursor.events.len());
    let left = cursor.without(&merged).unwrap();
    assert!(left.starts_with('\u{feff}') && left.contains("\"version\": 2\r\n"), "{left:?}");
}

#[test]
fn strictness_is_turned_on_and_off() {
    let settings = named("claude-code").unwrap().settings();
    let lax = settings.merged("{}", false).unwrap();
    let strict = settings.merged(&lax, true).unwrap();
    assert!(strict.contains("\"onFailure\": \"block\""), "{strict}");
    let again = settings.merged(&strict, false).unwrap();
    assert!(!again.contains("onFailure"), "{again}");
    assert_eq!(wired(&settings, &again).len(), 3);
}

#[test]
fn what_the_original_wired_is_taken_over() {
    let old = "{\n  \"version\": 1,\n  \"hooks\": {\n    \"beforeShellExecution\": [\n      {\n        \"command\": \"dos hook pretool --workspace . --dialect cursor\"\n      }\n    ],\n    \"stop\": [\n      {\n        \"command\": \"dos hook stop --workspace . --dialect cursor\"\n      },\n      {\n        \"command\": \"./bell.sh\"\n      }\n    ]\n  }\n}\n";
    let settings = named("cursor").unwrap().settings();
    let merged = settings.merged(old, false).unwrap();
    assert!(!merged.contains("hook stop") && !merged.contains("beforeShell"), "{merged}");
    assert!(merged.contains("./bell.sh"), "{merged}");
    assert_eq!(wired(&settings, &merged).len(), 3);
    let fenced = "model = \"x\"\n\n# >>> dos hooks (managed by `dos init --hooks`) >>>\n[[hooks.PreToolUse]]\n[[hooks.PreToolUse.hooks]]\ntype = \"command\"\ncommand = \"dos hook pretool --workspace . --dialect codex\"\n\n[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = \"command\"\ncommand = \"dos hook stop --workspace . --dialect codex\"\n\n# <<< dos hooks <<<\n";
    let settings = named("codex").unwrap().settings();
    let merged = settings.merged(fenced, false).unwrap();
    assert!(!merged.contains("hook stop"), "{merged}");
    assert_eq!(wired(&settings, &merged).len(), 3, "{merged}");
}

#[test]
fn files_that_are_something_else_are_left_alone() {
    let settings = named("claude-code").unwrap().settings();
    for text in ["[]", "{", "{\"hooks\": []}", "{\"hooks\": {\"PreToolUse\": {}}}", "\"x\""] {
        assert!(settings.merged(text, false).is_err(), "{text}");
    }
    let settings = named("codex").unwrap().settings();
    for text in ["= 1", "hooks = 1", "[hooks]\nPreToolUse = 1\n"] {
        assert!(settings.merged(text, false).is_err(), "{text}");
    }
    assert!(named("nosuch").is_none());
    let hermes = named("hermes").unwrap().settings().merged("", false).unwrap_err();
    assert!(hermes.to_string().contains("pre_tool_call"), "{hermes}");
}

#[test]
fn events_of_every_host_are_read_and_answered_in_its_words() {
    use dos_core::hook::Act;
    let write = Act::Writes(vec!["api/x.py".to_string()]);
    let run = |folder: Option<&str>| Act::Runs {
        elsewhere: false,
        command: "ls".to_string(),
        folder: folder.map(str::to_string),
    };
    for (host, raw, act, session) in [
        (
            "claude-code",
            json!({"session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Write",
                   "tool_input": {"file_path": "api/x.py", "content": ""}, "cwd": "/r"}),
            write.clone(),
            "s",
        ),
        (
            "codex",
            json!({"session_id": "s", "turn_id": "t", "tool_name": "apply_patch", "tool_input":
                   {"command": "*** Begin Patch\n*** Update File: api/x.py\n*** End Patch"}}),
            write.clone(),
            "s",
        ),
        (
            "gemini",
            json!({"session_id": "s", "hook_event_name": "BeforeTool", "tool_name": "write_file",
                   "tool_input": {"file_path": "api/x.py"}}),
            write.clone(),
            "s",
        ),
        (
            "cursor",
            json!({"conversation_id": "c", "hook_event_name": "beforeShellExecution",
                   "command": "ls", "cwd": "/r", "workspace_roots": ["/r"]}),
            run(Some("/r")),
            "c",
        ),
        (
            "cursor",
            json!({"conversation_id": "c", "hook_event_name": "preToolUse", "tool_name": "Write",
                   "tool_input": {"file_path": "api/x.py"}}),
            write.clone(),
            "c",
        ),
        (
            "antigravity",
            json!({"conversationId": "c", "workspacePaths": ["/r"], "toolCall":
                   {"name": "run_command", "args": {"CommandLine": "ls", "Cwd": "/r"}}}),
            run(Some("/r")),
            "c",
        ),
        (
            "hermes",
            json!({"session_id": "s", "hook_event_name": "pre_tool_call", "tool_name": "terminal",
                   "tool_input": {"command": "ls"}, "cwd": "/r", "extra": {}}),
            run(None),
            "s",
        ),
    ] {
        let host = named(host).unwrap();
        let event = host.event(raw.as_object().unwrap(), Moment::Pre).unwrap();
        assert_eq!(event.act, act, "{raw}");
        assert_eq!(event.session.as_deref(), Some(session), "{raw}");
    }
    let deny = Word::Deny("no");
    for (host, denial) in [
        (
            "claude-code",
            json!({"hookSpecificOutput": {"hookEventName": "PreToolUse",
                   "permissionDecision": "deny", "permissionDecisionReason": "no"}}),
        ),
        ("gemini", json!({"decision": "deny", "reason": "no"})),
        ("cursor", json!({"permission": "deny", "agent_message": "no", "user_message": "no"})),
        ("antigravity", json!({"decision": "deny", "reason": "no"})),
        ("hermes", json!({"decision": "block", "reason": "no"})),
    ] {
        assert_eq!(named(host).unwrap().say(deny, Moment::Pre), Some(denial), "{host}");
    }
    let allowed = named("antigravity").unwrap().say(Word::Pass, Moment::Pre);
    assert_eq!(allowed, Some(json!({"decision": "allow"})), "silence would be a refusal");
}
