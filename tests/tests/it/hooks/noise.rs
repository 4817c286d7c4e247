//! Odd events through the real binary: exit 0, and nothing but JSON or silence.

use serde_json::{Value, json};

use super::alice_holds_api;

/// The full number runs as `cargo xtask hook-noise`.
fn rounds() -> usize {
    std::env::var("DOS_HOOK_PROCESSES").ok().map_or(2, |value| value.parse().unwrap())
}

#[test]
fn no_event_ends_a_hook() {
    let env = alice_holds_api();
    let whole = json!({
        "session_id": "bob", "tool_name": "Write", "tool_input": {"file_path": "api/x.py"},
        "tool_response": null, "cwd": "", "stop_hook_active": false,
    })
    .to_string();
    let mut events: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"null".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        "[".repeat(200_000).into(),
        "{\"tool_name\":".repeat(50_000).into(),
        format!(
            "{{\"tool_name\":\"Bash\",\"tool_input\":{{\"command\":\"{}\"}}}}",
            "(".repeat(100_000)
        )
        .into(),
        format!("{{\"session_id\":\"{}\"}}", "x".repeat(1_000_000)).into(),
    ];
    for round in 0..rounds() {
        for at in (round % 7..whole.len()).step_by(7) {
            events.push(whole.as_bytes()[..at].to_vec());
            let mut changed = whole.clone().into_bytes();
            changed[at] = (at * 31 + round * 17) as u8;
            events.push(changed);
        }
    }
    for event in &events {
        for hook in ["pretool", "posttool", "marker --loop"] {
            let output = env.fed(&format!("hook {hook}"), event);
            output.exits(0);
            let said: Result<Value, _> = serde_json::from_str(&output.stdout);
            assert!(output.stdout.is_empty() || said.is_ok(), "{output:#?}");
        }
    }
}
