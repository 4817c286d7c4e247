//! The agent hosts: what their events look like, what they want to hear, where their hooks are wired.
//!
//! One file for each. A host that changes is an edit of its file and of nothing else.

mod antigravity;
pub mod canary;
mod claude_code;
mod codex;
mod cursor;
mod gemini;
mod hermes;
pub mod json_settings;
#[cfg(test)]
mod tests;
pub mod toml_settings;
mod tools;
pub mod wiring;

use dos_core::hook::Event;
use dos_core::hook::event::session_name;
use dos_core::json::Object;
use serde_json::{Value, json};

pub use wiring::{Form, Settings, Wired};

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before a tool runs.
    Pre,
    /// After it ran.
    Post,
    /// When the agent wants to end its turn.
    Stop,
}

impl Moment {
    /// The verb that is wired for it.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Pre => "pretool",
            Self::Post => "posttool",
            Self::Stop => "marker",
        }
    }
}

/// What a host is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// Go on.
    Pass,
    /// Go on, and tell the agent this.
    Warn(&'a str),
    /// Do not run the call; at a stop: do not stop.
    Deny(&'a str),
}

/// An agent host.
pub trait Host: Sync {
    /// Its name, as `--dialect` and `--hooks` take it.
    fn name(&self) -> &'static str;

    /// The event that it sends; `None` for one that is not for this moment.
    fn event(&self, raw: &Object, moment: Moment) -> Option<Event> {
        usual_event(raw, moment)
    }

    /// What it reads on the hook's standard output; `None` for nothing at all.
    fn say(&self, word: Word<'_>, moment: Moment) -> Option<Value>;

    /// Where and how its hooks are wired.
    fn settings(&self) -> Settings;

    /// The files that hold its hooks, which no agent may write: from the workspace, or from `~/`.
    fn protected(&self) -> &'static [&'static str];
}

/// Every host, by name.
pub const HOSTS: [&dyn Host; 6] = [
    &antigravity::Antigravity,
    &claude_code::ClaudeCode,
    &codex::Codex,
    &cursor::Cursor,
    &gemini::Gemini,
    &hermes::Hermes,
];

/// The host whose dialect is spoken when none is named.
pub const DEFAULT: &dyn Host = &claude_code::ClaudeCode;

/// The host of that name.
pub fn named(name: &str) -> Option<&'static dyn Host> {
    HOSTS.into_iter().find(|host| host.name() == name)
}

/// The names of all hosts.
pub fn names() -> Vec<&'static str> {
    HOSTS.iter().map(|host| host.name()).collect()
}

/// What is protected because of the hosts.
pub fn protected() -> impl Iterator<Item = &'static str> {
    HOSTS.iter().flat_map(|host| host.protected().iter().copied())
}

/// The fields under which most hosts report what a tool answered.
const RESULTS: [&str; 2] = ["tool_response", "tool_output"];

/// An event in the shape that most hosts use.
fn usual_event(raw: &Object, moment: Moment) -> Option<Event> {
    let result = RESULTS.iter().find_map(|name| raw.get(*name).filter(|value| !value.is_null()));
    // One with an answer is of a call that ran: too late to judge it.
    if moment == Moment::Pre && result.is_some() {
        return None;
    }
    let tool = raw.get("tool_name").and_then(Value::as_str).unwrap_or_default();
    if moment != Moment::Stop && tool.is_empty() {
        return None;
    }
    let mut event = call(tool, raw.get("tool_input"));
    event.session = session_name(raw.get("session_id"));
    event.cwd = text(raw, "cwd");
    event.result = result.cloned();
    event.stop_hook_active = raw.get("stop_hook_active") == Some(&Value::Bool(true));
    Some(event)
}

/// A call of a tool with these arguments.
fn call(tool: &str, input: Option<&Value>) -> Event {
    let input = input.filter(|input| !input.is_null()).cloned().unwrap_or_else(|| json!({}));
    let act = tools::act(tool, &input);
    Event::of_call(tool, input, act)
}

fn text(raw: &Object, name: &str) -> Option<String> {
    let text = raw.get(name)?.as_str()?;
    (!text.is_empty()).then(|| text.to_string())
}

/// The dialect that more than one host speaks.
fn usual_say(word: Word<'_>, moment: Moment) -> Option<Value> {
    let event = match moment {
        Moment::Pre => "PreToolUse",
        Moment::Post => "PostToolUse",
        Moment::Stop => "Stop",
    };
    match (word, moment) {
        (Word::Pass, _) => None,
        (Word::Deny(reason), Moment::Pre) => Some(json!({
            "hookSpecificOutput": {
                "hookEventName": event,
                "permissionDecision": "deny",
                "permissionDecisionReason": reason,
            }
        })),
        (Word::Deny(reason), Moment::Post | Moment::Stop) => {
            Some(json!({"decision": "block", "reason": reason}))
        }
        (Word::Warn(text), _) => Some(json!({
            "hookSpecificOutput": {"hookEventName": event, "additionalContext": text}
        })),
    }
}
