//! Codex CLI: `.codex/config.toml`. Its events and its dialect are those of Claude Code.

use serde_json::Value;

use super::wiring::{Form, Settings};
use super::{Host, Moment, Word, usual_say};

pub struct Codex;

impl Host for Codex {
    fn name(&self) -> &'static str {
        "codex"
    }

    fn say(&self, word: Word<'_>, moment: Moment) -> Option<Value> {
        usual_say(word, moment)
    }

    fn settings(&self) -> Settings {
        Settings {
            path: ".codex/config.toml",
            form: Form::Toml { under: "hooks" },
            events: &[
                ("PreToolUse", Moment::Pre, true),
                ("PostToolUse", Moment::Post, true),
                ("Stop", Moment::Stop, true),
            ],
            dialect: Some("codex"),
            strict: None,
            note: "Codex runs hooks of a repository once you have reviewed and trusted them (/hooks), \
                   and asks them about shell commands, apply_patch and MCP tools only",
        }
    }

    fn protected(&self) -> &'static [&'static str] {
        &[".codex/config.toml", ".codex/hooks.json", "~/.codex/config.toml", "~/.codex/hooks.json"]
    }
}
