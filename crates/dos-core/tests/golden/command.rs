//! Which plain commands can run any code.

use dos_core::command::{ExecPolicy, classify_command};
use serde_json::json;

use crate::{check, texts};

#[test]
fn commands_are_classified() {
    check("classify_command", |input| {
        let policy = ExecPolicy::default().with_extra(texts(&input["extra"]));
        let verdict = classify_command(input["command"].as_str().unwrap(), &policy);
        json!({"capability": verdict.capability.token(), "program": verdict.program})
    });
}
