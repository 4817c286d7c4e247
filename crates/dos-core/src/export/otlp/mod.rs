//! Rows as OpenTelemetry takes them: log records and one counter, in its two encodings.

mod json;
mod protobuf;
mod reply;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::counts::Counts;
use super::severity::Severity;
use crate::json::canonical;
use crate::timestamp::Timestamp;
use crate::verdict::VerdictEvent;

pub use reply::{PartialSuccess, partial_success};

/// What our records name as the library they come from, and as the service unless told otherwise.
pub const SCOPE: &str = "dos.verdict";
/// The name of the counter.
pub const METRIC: &str = "dos.verdict";
const METRIC_MEANING: &str = "Verdicts that were given";
const METRIC_UNIT: &str = "{verdict}";

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `http/protobuf`.
    Protobuf,
    /// `http/json`.
    Json,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A log record for each row.
    Logs,
    /// How often each verdict was given.
    Metrics,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// Any other number.
    Fraction(f64),
}

/// A row as a log record.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// The call and its verdict.
    pub body: String,
    /// How loud it is.
    pub severity: Severity,
    /// The fields of the row. A detail is `dos.detail.NAME`.
    pub attributes: Vec<(String, Attribute)>,
    /// When it was given, where the row says so.
    pub time: Option<Timestamp>,
}

/// One call and verdict, and how often it was given.
struct Point {
    attributes: Vec<(String, Attribute)>,
    count: u64,
}

/// When the rows of a request were given, and when they are sent.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: Timestamp,
    sent: Timestamp,
}

/// A request for these rows.
pub fn request(
    events: &[VerdictEvent],
    signal: Signal,
    encoding: Encoding,
    resource: &[(String, String)],
    now: Timestamp,
) -> Vec<u8> {
    match signal {
        Signal::Logs => {
            let records: Vec<LogRecord> = events.iter().map(sent_record).collect();
            match encoding {
                Encoding::Json => json::logs(&records, resource, now).into_bytes(),
                Encoding::Protobuf => protobuf::logs(&records, resource, now),
            }
        }
        Signal::Metrics => {
            let stamps = events.iter().filter_map(VerdictEvent::at);
            let span = Span { first: stamps.min().unwrap_or(now).min(now), sent: now };
            let points: Vec<Point> = Counts::of(events).iter().map(point).collect();
            match encoding {
                Encoding::Json => json::metrics(&points, resource, span).into_bytes(),
                Encoding::Protobuf => protobuf::metrics(&points, resource, span),
            }
        }
    }
}

/// The log record of a row, with the attributes of the original.
pub fn log_record(event: &VerdictEvent) -> LogRecord {
    let text = |text: &str| Attribute::Text(text.to_string());
    let mut attributes = Vec::from([
        ("dos.syscall".to_string(), text(&event.syscall)),
        ("dos.verdict".to_string(), text(&event.verdict)),
    ]);
    let optional = [
        ("dos.run_id", &event.run_id),
        ("dos.lane", &event.lane),
        ("dos.subject", &event.subject),
        ("dos.source", &event.source),
    ];
    let given = optional.into_iter().filter(|(_, value)| !value.is_empty());
    attributes.extend(given.map(|(name, value)| (name.to_string(), text(value))));
    let details = event.detail.iter();
    attributes
        .extend(details.map(|(name, value)| (format!("dos.detail.{name}"), attribute(value))));
    LogRecord {
        body: format!("{} {}", event.syscall, event.verdict).trim().to_string(),
        severity: Severity::of(&event.verdict),
        attributes,
        time: event.at(),
    }
}

/// The same, with the number of the row: what was sent twice can be told by it.
fn sent_record(event: &VerdictEvent) -> LogRecord {
    let mut record = log_record(event);
    if event.seq > 0 {
        record.attributes.push(("dos.seq".to_string(), Attribute::Whole(event.seq)));
    }
    record
}

fn attribute(value: &Value) -> Attribute {
    match value {
        Value::String(text) => Attribute::Text(text.clone()),
        Value::Bool(flag) => Attribute::Flag(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Attribute::Whole(whole),
            (None, Some(fraction)) => Attribute::Fraction(fraction),
            (None, None) => Attribute::Text(canonical(value)),
        },
        nested => Attribute::Text(canonical(nested)),
    }
}

fn point((syscall, verdict, count): (&str, &str, u64)) -> Point {
    let named = |name: &str, value: &str| (name.to_string(), Attribute::Text(value.to_string()));
    let attributes = Vec::from([named("dos.syscall", syscall), named("dos.verdict", verdict)]);
    Point { attributes, count }
}

/// The nanoseconds since the epoch; 0 stands for not known.
fn nanos(time: Option<Timestamp>) -> u64 {
    let millis = time.map_or(0, Timestamp::millis);
    u64::try_from(millis).unwrap_or(0).saturating_mul(1_000_000)
}
