//! The Protocol Buffers encoding. Field numbers are those of opentelemetry-proto 1.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Attribute, LogRecord, METRIC, METRIC_MEANING, METRIC_UNIT, Point, SCOPE, Span, nanos};
use crate::timestamp::Timestamp;

const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const LENGTH: u64 = 2;

/// A request for logs.
pub(super) fn logs(
    records: &[LogRecord],
    resource: &[(String, String)],
    now: Timestamp,
) -> Vec<u8> {
    let mut scoped = Message::default();
    scoped.message(1, &named(SCOPE));
    for record in records {
        let mut message = Message::default();
        message.fixed(1, nanos(record.time));
        message.number(2, u64::from(record.severity.number()));
        message.text(3, record.severity.token());
        let mut body = Message::default();
        body.text(1, &record.body);
        message.message(5, &body);
        message.attributes(6, &record.attributes);
        message.fixed(11, nanos(Some(now)));
        scoped.message(2, &message);
    }
    enclosed(resource, &scoped)
}

/// A request for the counter.
pub(super) fn metrics(points: &[Point], resource: &[(String, String)], span: Span) -> Vec<u8> {
    let mut sum = Message::default();
    for point in points {
        let mut message = Message::default();
        message.fixed(2, nanos(Some(span.first)));
        message.fixed(3, nanos(Some(span.sent)));
        message.fixed(6, point.count);
        message.attributes(7, &point.attributes);
        sum.message(1, &message);
    }
    // "Delta": what was counted since the last request. And it never falls.
    sum.number(2, 1);
    sum.number(3, 1);
    let mut metric = Message::default();
    metric.text(1, METRIC);
    metric.text(2, METRIC_MEANING);
    metric.text(3, METRIC_UNIT);
    metric.message(7, &sum);
    let mut scoped = Message::default();
    scoped.message(1, &named(SCOPE));
    scoped.message(2, &metric);
    enclosed(resource, &scoped)
}

/// What one scope has to say, as the whole request. Logs and metrics number these fields alike.
fn enclosed(resource: &[(String, String)], scoped: &Message) -> Vec<u8> {
    let mut about = Message::default();
    for (key, value) in resource {
        about.attribute(1, key, &Attribute::Text(value.clone()));
    }
    let mut of_resource = Message::default();
    of_resource.message(1, &about);
    of_resource.message(2, scoped);
    let mut request = Message::default();
    request.message(1, &of_resource);
    request.bytes
}

fn named(name: &str) -> Message {
    let mut scope = Message::default();
    scope.text(1, name);
    scope
}

/// A message that is being written.
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn tag(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.tag(field, VARINT);
        self.varint(value);
    }

    fn fixed(&mut self, field: u64, value: u64) {
        self.tag(field, EIGHT_BYTES);
        self.bytes.extend(value.to_le_bytes());
    }

    fn text(&mut self, field: u64, text: &str) {
        self.tag(field, LENGTH);
        self.varint(text.len() as u64);
        self.bytes.extend(text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.tag(field, LENGTH);
        self.varint(message.bytes.len() as u64);
        self.bytes.extend(&message.bytes);
    }

    fn attributes(&mut self, field: u64, attributes: &[(String, Attribute)]) {
        for (key, value) in attributes {
            self.attribute(field, key, value);
        }
    }

    fn attribute(&mut self, field: u64, key: &str, value: &Attribute) {
        let mut any = Self::default();
        match value {
            Attribute::Text(text) => any.text(1, text),
            Attribute::Flag(flag) => any.number(2, u64::from(*flag)),
            Attribute::Whole(whole) => any.number(3, whole.cast_unsigned()),
            Attribute::Fraction(fraction) => any.fixed(4, fraction.to_bits()),
        }
        let mut pair = Self::default();
        pair.text(1, key);
        pair.message(2, &any);
        self.message(field, &pair);
    }
}
