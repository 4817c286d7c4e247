//! Hermes Agent: the `hooks:` part of `~/.hermes/config.yaml`. It knows refusals, and no advice.

use serde_json::{Value, json};

use super::wiring::{Form, Settings, Strict};
use super::{Host, Moment, Word};

pub struct Hermes;

impl Host for Hermes {
    fn name(&self) -> &'static str {
        "hermes"
    }

    fn say(&self, word: Word<'_>, _: Moment) -> Option<Value> {
        match word {
            Word::Pass => None,
            Word::Warn(_) => Some(json!({})),
            Word::Deny(reason) => Some(json!({"decision": "block", "reason": reason})),
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            path: "~/.hermes/config.yaml",
            form: Form::Yaml { under: "hooks" },
            events: &[
                ("pre_tool_call", Moment::Pre, false),
                ("post_tool_call", Moment::Post, false),
            ],
            dialect: Some("hermes"),
            strict: Some(Strict { field: "fail_closed", value: json!(true) }),
            note: "Hermes asks once whether it may run each of them",
        }
    }

    fn protected(&self) -> &'static [&'static str] {
        &["~/.hermes/config.yaml", "~/.hermes/shell-hooks-allowlist.json"]
    }
}
