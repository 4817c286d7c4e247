//! Cursor: `.cursor/hooks.json`. Each kind of event has fields of its own.

use dos_core::hook::event::session_name;
use dos_core::hook::{Act, Event};
use dos_core::json::Object;
use serde_json::{Value, json};

use super::wiring::{Form, Settings, Strict};
use super::{Host, Moment, Word, call, text, usual_event};

pub struct Cursor;

impl Host for Cursor {
    fn name(&self) -> &'static str {
        "cursor"
    }

    fn event(&self, raw: &Object, moment: Moment) -> Option<Event> {
        let mut event = match (text(raw, "tool_name"), text(raw, "command"), moment) {
            (_, _, Moment::Stop) => usual_event(raw, moment)?,
            (Some(tool), _, _) => {
                // Arguments for a server come as text that holds JSON.
                let input = match raw.get("tool_input") {
                    Some(Value::String(text)) => serde_json::from_str(text).ok(),
                    other => other.cloned(),
                };
                call(&tool, input.as_ref())
            }
            (None, Some(command), _) => {
                let act = Act::Runs {
                    command: command.clone(),
                    folder: text(raw, "cwd"),
                    elsewhere: false,
                };
                Event::of_call("Shell", json!({"command": command}), act)
            }
            (None, None, _) => {
                let input =
                    json!({"file_path": text(raw, "file_path")?, "edits": raw.get("edits")});
                call("Edit", Some(&input))
            }
        };
        let answers = ["tool_output", "output", "result_json", "tool_response"];
        event.result = answers
            .iter()
            .find_map(|name| raw.get(*name))
            .filter(|value| !value.is_null())
            .cloned();
        if moment == Moment::Pre && event.result.is_some() {
            return None;
        }
        event.session = session_name(raw.get("conversation_id"))
            .or_else(|| session_name(raw.get("session_id")));
        let root = || raw.get("workspace_roots")?.get(0)?.as_str().map(str::to_string);
        event.cwd = text(raw, "cwd").or_else(root);
        event.stop_hook_active |=
            raw.get("loop_count").and_then(Value::as_u64).is_some_and(|count| count > 0);
        Some(event)
    }

    fn say(&self, word: Word<'_>, moment: Moment) -> Option<Value> {
        match (word, moment) {
            (Word::Pass, _) => None,
            (Word::Deny(reason), Moment::Pre | Moment::Post) => Some(json!({
                "permission": "deny",
                "agent_message": reason,
                "user_message": reason,
            })),
            (Word::Deny(reason), Moment::Stop) => Some(json!({"followup_message": reason})),
            (Word::Warn(text), Moment::Pre) => {
                Some(json!({"permission": "allow", "agent_message": text}))
            }
            (Word::Warn(text), Moment::Post | Moment::Stop) => {
                Some(json!({"additional_context": text}))
            }
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            path: ".cursor/hooks.json",
            form: Form::Json { under: "hooks", version: Some(1), typed: false },
            events: &[
                ("preToolUse", Moment::Pre, false),
                ("postToolUse", Moment::Post, false),
                ("stop", Moment::Stop, false),
            ],
            dialect: Some("cursor"),
            strict: Some(Strict { field: "failClosed", value: json!(true) }),
            note: "",
        }
    }

    fn protected(&self) -> &'static [&'static str] {
        &[".cursor/hooks.json", "~/.cursor/hooks.json"]
    }
}
