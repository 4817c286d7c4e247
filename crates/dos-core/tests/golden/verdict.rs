//! Rows of the verdict journal, and counts of them.

use dos_core::verdict::{Dimension, Line, Rollup, VerdictEvent, decode_line};
use serde_json::{Value, json};

use crate::check;

fn event(record: &Value) -> VerdictEvent {
    match decode_line(record.to_string().as_bytes(), true) {
        Line::Event(event) => event,
        other => panic!("{record}: {other:?}"),
    }
}

#[test]
fn verdict_event() {
    check(
        "verdict_event",
        |input| json!({"event": Value::Object(event(&input["record"]).to_object())}),
    );
}

#[test]
fn verdict_rollup() {
    check("verdict_rollup", |input| {
        let by = Dimension::named(input["by"].as_str().unwrap()).unwrap();
        let mut rollup = Rollup::by(by);
        for record in input["records"].as_array().unwrap() {
            rollup.feed(&event(record));
        }
        rollup.to_json()
    });
}
