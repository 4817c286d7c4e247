//! Rows of the verdict journal as other programs take them.

use dos_core::export::otlp::{Attribute, log_record};
use dos_core::export::since::cursor_seq;
use dos_core::export::{Since, statsd};
use dos_core::verdict::{Line, VerdictEvent, decode_line};
use serde_json::{Map, Value, json};

use crate::check;

fn events(input: &Value) -> Vec<VerdictEvent> {
    let records = input["records"].as_array().unwrap();
    let event = |record: &Value| match decode_line(record.to_string().as_bytes(), true) {
        Line::Event(event) => event,
        other => panic!("{record} is no row: {other:?}"),
    };
    records.iter().map(event).collect()
}

#[test]
fn counters_are_written_for_statsd() {
    check("statsd_lines", |input| {
        let metric = input["prefix"].as_str().unwrap_or(statsd::METRIC);
        json!({"lines": statsd::lines(&events(input), metric)})
    });
}

#[test]
fn log_records_have_the_attributes_of_the_original() {
    check("otlp_records", |input| {
        let records = events(input).into_iter().map(|event| {
            let record = log_record(&event);
            let attributes = record.attributes.into_iter().map(|(name, value)| {
                let value = match value {
                    Attribute::Text(text) => json!(text),
                    Attribute::Flag(flag) => json!(flag),
                    Attribute::Whole(whole) => json!(whole),
                    Attribute::Fraction(fraction) => json!(fraction),
                };
                (name, value)
            });
            json!({
                "body": record.body,
                "severity_number": record.severity.number(),
                "attributes": attributes.collect::<Map<String, Value>>(),
                "ts": record.time.map(|time| time.to_string()).unwrap_or_default(),
            })
        });
        json!({"records": records.collect::<Value>()})
    });
}

#[test]
fn an_export_begins_where_it_is_told_to() {
    check("resolve_since", |input| {
        let cursor = input["cursor_text"].as_str().unwrap_or_default();
        match Since::parse(input["since"].as_str().unwrap()) {
            Ok(Since::Start) => json!({"since": 0, "auto": false}),
            Ok(Since::Seq(seq)) => json!({"since": seq, "auto": false}),
            Ok(Since::Cursor) => match cursor_seq(cursor.as_bytes()) {
                Ok(seq) => json!({"since": seq, "auto": true}),
                Err(_) => json!({"error": true}),
            },
            Err(_) => json!({"error": true}),
        }
    });
}
