//! The JSON encoding: keys in lowerCamelCase, 64-bit numbers as text, enumerations as numbers.

use alloc::string::{String, ToString};

use serde_json::{Value, json};

use super::{Attribute, LogRecord, METRIC, METRIC_MEANING, METRIC_UNIT, Point, SCOPE, Span, nanos};
use crate::json::canonical;
use crate::timestamp::Timestamp;

/// A request for logs.
pub(super) fn logs(records: &[LogRecord], resource: &[(String, String)], now: Timestamp) -> String {
    let record = |record: &LogRecord| {
        json!({
            "timeUnixNano": nanos(record.time).to_string(),
            "observedTimeUnixNano": nanos(Some(now)).to_string(),
            "severityNumber": record.severity.number(),
            "severityText": record.severity.token(),
            "body": {"stringValue": record.body},
            "attributes": attributes(&record.attributes),
        })
    };
    let records: Value = records.iter().map(record).collect();
    canonical(&json!({
        "resourceLogs": [{
            "resource": of(resource),
            "scopeLogs": [{"scope": {"name": SCOPE}, "logRecords": records}],
        }],
    }))
}

/// A request for the counter.
pub(super) fn metrics(points: &[Point], resource: &[(String, String)], span: Span) -> String {
    let point = |point: &Point| {
        json!({
            "startTimeUnixNano": nanos(Some(span.first)).to_string(),
            "timeUnixNano": nanos(Some(span.sent)).to_string(),
            // A whole number would be a text, which some receivers take for nothing.
            "asDouble": point.count as f64,
            "attributes": attributes(&point.attributes),
        })
    };
    let points: Value = points.iter().map(point).collect();
    // 1 is "delta": what was counted since the last request.
    let sum = json!({"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": points});
    canonical(&json!({
        "resourceMetrics": [{
            "resource": of(resource),
            "scopeMetrics": [{
                "scope": {"name": SCOPE},
                "metrics": [{
                    "name": METRIC,
                    "description": METRIC_MEANING,
                    "unit": METRIC_UNIT,
                    "sum": sum,
                }],
            }],
        }],
    }))
}

fn of(resource: &[(String, String)]) -> Value {
    let named =
        |(key, value): &(String, String)| json!({"key": key, "value": {"stringValue": value}});
    json!({"attributes": resource.iter().map(named).collect::<Value>()})
}

fn attributes(attributes: &[(String, Attribute)]) -> Value {
    attributes.iter().map(|(key, value)| json!({"key": key, "value": any(value)})).collect()
}

fn any(attribute: &Attribute) -> Value {
    match attribute {
        Attribute::Text(text) => json!({"stringValue": text}),
        Attribute::Flag(flag) => json!({"boolValue": flag}),
        Attribute::Whole(whole) => json!({"intValue": whole.to_string()}),
        Attribute::Fraction(fraction) => json!({"doubleValue": fraction}),
    }
}
