//! Antigravity: `.agents/hooks.json`. Before a tool runs it wants a decision every time, and takes
//! anything else for a refusal.

use dos_core::hook::Event;
use dos_core::hook::event::session_name;
use dos_core::json::Object;
use serde_json::{Value, json};

use super::wiring::{Form, Settings};
use super::{Host, Moment, Word, call, usual_event};

pub struct Antigravity;

impl Host for Antigravity {
    fn name(&self) -> &'static str {
        "antigravity"
    }

    fn event(&self, raw: &Object, moment: Moment) -> Option<Event> {
        let mut event = match raw.get("toolCall") {
            Some(tool_call) => {
                let name = tool_call.get("name").and_then(Value::as_str)?;
                call(name, tool_call.get("args"))
            }
            None => usual_event(raw, moment)?,
        };
        event.session = event.session.or_else(|| session_name(raw.get("conversationId")));
        let root = || raw.get("workspacePaths")?.get(0)?.as_str().map(str::to_string);
        event.cwd = event.cwd.or_else(root);
        Some(event)
    }

    fn say(&self, word: Word<'_>, moment: Moment) -> Option<Value> {
        match (word, moment) {
            (Word::Pass, Moment::Pre) => Some(json!({"decision": "allow"})),
            (Word::Warn(text), Moment::Pre) => Some(json!({"decision": "allow", "reason": text})),
            (Word::Deny(reason), Moment::Pre | Moment::Post) => {
                Some(json!({"decision": "deny", "reason": reason}))
            }
            (Word::Deny(reason), Moment::Stop) => {
                Some(json!({"decision": "block", "reason": reason}))
            }
            (Word::Pass, Moment::Post | Moment::Stop) => None,
            (Word::Warn(text), Moment::Post | Moment::Stop) => Some(json!({"reason": text})),
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            path: ".agents/hooks.json",
            form: Form::Json { under: "dos", version: None, typed: true },
            // Only calls of tools are grouped.
            events: &[
                ("PreToolUse", Moment::Pre, true),
                ("PostToolUse", Moment::Post, true),
                ("Stop", Moment::Stop, false),
            ],
            dialect: Some("antigravity"),
            strict: None,
            note: "Antigravity refuses a call when its hook fails, without being asked to; some of its \
                   versions read hooks of installed plugins only: see that they are listed (/hooks)",
        }
    }

    fn protected(&self) -> &'static [&'static str] {
        &[".agents/hooks.json", "~/.gemini/config/hooks.json"]
    }
}
