//! Gemini CLI: `.gemini/settings.json`. A call is refused by `decision`; `continue: false` would end
//! the whole turn.

use serde_json::{Value, json};

use super::wiring::{Form, Settings};
use super::{Host, Moment, Word};

pub struct Gemini;

impl Host for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn say(&self, word: Word<'_>, moment: Moment) -> Option<Value> {
        match (word, moment) {
            (Word::Pass, _) => None,
            (Word::Deny(reason), Moment::Pre) => {
                Some(json!({"decision": "deny", "reason": reason}))
            }
            (Word::Deny(reason), Moment::Post | Moment::Stop) => {
                Some(json!({"decision": "block", "reason": reason}))
            }
            (Word::Warn(text), Moment::Pre) => Some(json!({
                "hookSpecificOutput": {"additionalContext": text},
                "systemMessage": text,
            })),
            (Word::Warn(text), Moment::Post | Moment::Stop) => {
                Some(json!({"hookSpecificOutput": {"additionalContext": text}}))
            }
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            path: ".gemini/settings.json",
            form: Form::Json { under: "hooks", version: None, typed: true },
            events: &[
                ("BeforeTool", Moment::Pre, true),
                ("AfterTool", Moment::Post, true),
                ("AfterAgent", Moment::Stop, true),
            ],
            dialect: Some("gemini"),
            strict: None,
            note: "",
        }
    }

    fn protected(&self) -> &'static [&'static str] {
        &[".gemini/settings.json", "~/.gemini/settings.json"]
    }
}
