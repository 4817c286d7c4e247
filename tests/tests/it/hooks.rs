//! The hooks as hosts call them: the real binary, an event on its input, the host's words back.

mod elsewhere;
mod evasion;
mod guard;
mod noise;
mod protected;
mod sessions;
mod wiring;

use dos_tests::{Output, TestEnv};
use serde_json::{Value, json};

use crate::{API_WEB, configured};

/// A workspace where `alice` holds the lane `api`.
pub fn alice_holds_api() -> TestEnv {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner alice").exits(0);
    env
}

/// An event of a call that is about to run, for the default host.
pub fn call(session: &str, tool: &str, input: Value) -> Value {
    json!({"session_id": session, "tool_name": tool, "tool_input": input})
}

/// Asks the guard about an event.
pub fn pretool(env: &TestEnv, event: &Value) -> Output {
    env.fed("hook pretool", event.to_string())
}

/// What the guard decided, in the default host's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Warn(String),
    Deny(String),
}

/// Reads what the default host is told.
#[track_caller]
pub fn verdict(output: &Output) -> Verdict {
    output.exits(0);
    if output.stdout.is_empty() {
        return Verdict::Pass;
    }
    let said = output.json();
    let said = &said["hookSpecificOutput"];
    assert_eq!(said["hookEventName"], "PreToolUse", "{output:#?}");
    let text = |name: &str| said[name].as_str().unwrap().to_string();
    match said["permissionDecision"].as_str() {
        Some("deny") => Verdict::Deny(text("permissionDecisionReason")),
        None => Verdict::Warn(text("additionalContext")),
        other => panic!("{other:?} in {output:#?}"),
    }
}

/// The ENFORCE records of the journal, by their reason class.
pub fn enforced(env: &TestEnv) -> Vec<String> {
    let records = env.records();
    let records = records.iter().filter(|record| record["op"] == "ENFORCE");
    records.map(|record| record["reason_class"].as_str().unwrap().to_string()).collect()
}
