//! Claude Code: `.claude/settings.json`.

use serde_json::{Value, json};

use super::wiring::{Form, Settings, Strict};
use super::{Host, Moment, Word, usual_say};

pub struct ClaudeCode;

impl Host for ClaudeCode {
    fn name(&self) -> &'static str {
        "claude-code"
    }

    fn say(&self, word: Word<'_>, moment: Moment) -> Option<Value> {
        usual_say(word, moment)
    }

    fn settings(&self) -> Settings {
        Settings {
            path: ".claude/settings.json",
            form: Form::Json { under: "hooks", version: None, typed: true },
            events: &[
                ("PreToolUse", Moment::Pre, true),
                ("PostToolUse", Moment::Post, true),
                ("Stop", Moment::Stop, true),
            ],
            dialect: None,
            strict: Some(Strict { field: "onFailure", value: json!("block") }),
            note: "",
        }
    }

    fn protected(&self) -> &'static [&'static str] {
        &[
            ".claude/settings.json",
            ".claude/settings.local.json",
            "~/.claude/settings.json",
            "~/.claude/settings.local.json",
        ]
    }
}
