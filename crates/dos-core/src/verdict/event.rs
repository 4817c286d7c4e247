//! One row of the verdict journal: what was decided, about whom, on which evidence.
//!
//! Any program may have written a row. A field that is missing or odd counts as its default, and one
//! that cannot be held, such as a number beyond all bounds, as missing: no row is lost for one field.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::{String, ToString};
use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::journal::entry::op;
use crate::json::{Checked, Object, canonical_object};
use crate::lane::lease::name_text;
use crate::limits;
use crate::timestamp::Timestamp;

/// The format of the rows.
pub const SCHEMA_FAMILY: &str = "verdict-journal";
/// Its version.
pub const SCHEMA_VERSION: i64 = 1;

/// Who decided: one of the verbs.
pub const SOURCE_KERNEL: &str = "kernel";
/// Who decided: a hook.
pub const SOURCE_SENSOR: &str = "sensor";

/// A larger fraction has no whole part that is exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// One verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictEvent {
    /// Which question was answered: `liveness`, `arbitrate`, `pretool`.
    pub syscall: String,
    /// The answer's stable word.
    pub verdict: String,
    /// The run that it is about; empty when nobody named one.
    pub run_id: String,
    /// The lane that it is about, if any.
    pub lane: String,
    /// What else it is about: a tool, a key, an owner.
    pub subject: String,
    /// The evidence: numbers and words that no agent wrote.
    pub detail: Object,
    /// Who decided.
    pub source: String,
    /// When, as the row says; empty when it does not.
    pub ts: String,
    /// When, in milliseconds since the epoch. Only writers that hold the journal's lock say so.
    pub ts_ms: Option<i64>,
    /// Its number; 0 or less is none to go by.
    pub seq: i64,
}

impl Default for VerdictEvent {
    fn default() -> Self {
        Self {
            syscall: String::new(),
            verdict: String::new(),
            run_id: String::new(),
            lane: String::new(),
            subject: String::new(),
            detail: Object::new(),
            source: SOURCE_KERNEL.to_string(),
            ts: String::new(),
            ts_ms: None,
            seq: 0,
        }
    }
}

/// One line of the verdict journal.
#[expect(clippy::large_enum_variant, reason = "one at a time; a box would be made for each row")]
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Nothing but white space.
    Blank,
    /// A JSON value that is no object. It is well-formed and means nothing.
    Foreign,
    /// A row.
    Event(VerdictEvent),
    /// A complete line that is no JSON, is not UTF-8 or is too long.
    Corrupt,
    /// A last line without its newline that is no row: the rest of a write that never finished, or of
    /// one that is under way.
    Torn,
}

/// Decodes one line without its newline. `complete` says whether it had one.
pub fn decode_line(bytes: &[u8], complete: bool) -> Line {
    let broken = if complete { Line::Corrupt } else { Line::Torn };
    if bytes.len() > limits::LINE_BYTES_MAX {
        return broken;
    }
    let Ok(text) = core::str::from_utf8(bytes) else {
        return broken;
    };
    let text = text.trim_start_matches('\u{feff}').trim_matches([' ', '\t', '\r']);
    if text.is_empty() {
        return Line::Blank;
    }
    if !text.starts_with('{') {
        let value = serde_json::from_str::<Checked>(text);
        return if value.is_ok() && complete { Line::Foreign } else { broken };
    }
    match serde_json::from_str::<Fields<'_>>(text) {
        // What a listing puts in the place of a line that nobody could read.
        Ok(fields) if fields.op.and_then(value).is_some_and(|it| it == op::CORRUPT) => broken,
        Ok(fields) => Line::Event(fields.event()),
        Err(_) => broken,
    }
}

impl VerdictEvent {
    /// A verdict, with nothing more to say of it yet.
    pub fn new(syscall: &str, verdict: &str) -> Self {
        Self { syscall: syscall.to_string(), verdict: verdict.to_string(), ..Self::default() }
    }

    /// The same, about this lane.
    #[must_use]
    pub fn on_lane(mut self, lane: &str) -> Self {
        self.lane = lane.to_string();
        self
    }

    /// The same, about this run.
    #[must_use]
    pub fn for_run(mut self, run_id: &str) -> Self {
        self.run_id = run_id.to_string();
        self
    }

    /// The same, about this tool, key or owner.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.subject = subject.to_string();
        self
    }

    /// The same, with one more piece of evidence.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_string(), value.into());
        self
    }

    /// The same, as a hook's verdict.
    #[must_use]
    pub fn of_sensor(mut self) -> Self {
        self.source = SOURCE_SENSOR.to_string();
        self
    }

    /// The same with its number and its time.
    #[must_use]
    pub fn stamped(mut self, seq: i64, now: Timestamp) -> Self {
        self.seq = seq;
        self.ts = now.to_string();
        self.ts_ms = Some(now.millis());
        self
    }

    /// When it was decided; `None` when the row has no stamp that can be read.
    pub fn at(&self) -> Option<Timestamp> {
        let exact = self.ts_ms.and_then(|millis| Timestamp::from_millis(millis).ok());
        exact.or_else(|| Timestamp::parse(&self.ts))
    }

    /// The row, every field present; `ts_ms` where the row has one.
    pub fn to_object(&self) -> Object {
        let text = |value: &str| Value::String(value.to_owned());
        let mut object = Object::new();
        object.insert("schema_family".into(), text(SCHEMA_FAMILY));
        object.insert("schema_version".into(), SCHEMA_VERSION.into());
        object.insert("ts".into(), text(&self.ts));
        object.insert("seq".into(), self.seq.into());
        object.insert("syscall".into(), text(&self.syscall));
        object.insert("verdict".into(), text(&self.verdict));
        object.insert("run_id".into(), text(&self.run_id));
        object.insert("lane".into(), text(&self.lane));
        object.insert("subject".into(), text(&self.subject));
        object.insert("detail".into(), Value::Object(self.detail.clone()));
        object.insert("source".into(), text(&self.source));
        if let Some(millis) = self.ts_ms {
            object.insert("ts_ms".into(), millis.into());
        }
        object
    }

    /// The line to append, newline included.
    pub fn line(&self) -> String {
        let mut line = canonical_object(&self.to_object());
        line.push('\n');
        line
    }
}

/// The fields of a row as they stand in it, each to be read by itself.
#[derive(Default)]
struct Fields<'a> {
    op: Option<&'a RawValue>,
    syscall: Option<&'a RawValue>,
    verdict: Option<&'a RawValue>,
    run_id: Option<&'a RawValue>,
    lane: Option<&'a RawValue>,
    subject: Option<&'a RawValue>,
    detail: Option<&'a RawValue>,
    source: Option<&'a RawValue>,
    ts: Option<&'a RawValue>,
    ts_ms: Option<&'a RawValue>,
    seq: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn slot(&mut self, name: &str) -> Option<&mut Option<&'a RawValue>> {
        Some(match name {
            "op" => &mut self.op,
            "syscall" => &mut self.syscall,
            "verdict" => &mut self.verdict,
            "run_id" => &mut self.run_id,
            "lane" => &mut self.lane,
            "subject" => &mut self.subject,
            "detail" => &mut self.detail,
            "source" => &mut self.source,
            "ts" => &mut self.ts,
            "ts_ms" => &mut self.ts_ms,
            "seq" => &mut self.seq,
            _ => return None,
        })
    }

    fn event(&self) -> VerdictEvent {
        let source = text(self.source);
        VerdictEvent {
            syscall: text(self.syscall),
            verdict: text(self.verdict),
            run_id: text(self.run_id),
            lane: text(self.lane),
            subject: text(self.subject),
            detail: self.detail.map(members).unwrap_or_default(),
            source: if source.is_empty() { SOURCE_KERNEL.to_owned() } else { source },
            ts: text(self.ts),
            ts_ms: self.ts_ms.and_then(|raw| raw.get().parse().ok()),
            seq: self.seq.map_or(0, number),
        }
    }
}

/// `None` for what cannot be held.
fn value(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok()
}

fn text(raw: Option<&RawValue>) -> String {
    let Some(raw) = raw else { return String::new() };
    match raw.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) if !inside.contains('\\') => inside.to_owned(),
        _ => value(raw).map(|value| name_text(&value).into_owned()).unwrap_or_default(),
    }
}

/// A row's number: whole, the whole part of a fraction, or digits in a text. All else is 0, and so is
/// one beyond the bound.
fn number(raw: &RawValue) -> i64 {
    let number = match raw.get().parse() {
        Ok(number) => number,
        Err(_) => match value(raw) {
            Some(Value::String(text)) => text.trim().parse().unwrap_or(0),
            Some(Value::Number(number)) => number
                .as_f64()
                .filter(|fraction| (-EXACT_MAX..=EXACT_MAX).contains(fraction))
                .map_or(0, |fraction| fraction as i64),
            Some(Value::Bool(true)) => 1,
            _ => 0,
        },
    };
    if number.unsigned_abs() <= limits::SEQ_MAX { number } else { 0 }
}

/// What an object holds, without what cannot be held. Nothing, when it is no object.
fn members(raw: &RawValue) -> Object {
    if let Some(Value::Object(object)) = value(raw) {
        return object;
    }
    let each = serde_json::from_str::<Members>(raw.get());
    each.map(|members| members.0).unwrap_or_default()
}

struct Members(Object);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Members, A::Error> {
        let mut object = Object::new();
        while let Some((name, raw)) = fields.next_entry::<Cow<'_, str>, &RawValue>()? {
            if let Some(value) = value(raw) {
                object.insert(name.into_owned(), value);
            }
        }
        Ok(Members(object))
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Fields<'de>, A::Error> {
        let mut found = Fields::default();
        while let Some((name, raw)) = fields.next_entry::<Cow<'_, str>, &RawValue>()? {
            if let Some(slot) = found.slot(&name) {
                *slot = Some(raw);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn event(line: &str) -> VerdictEvent {
        match decode_line(line.as_bytes(), true) {
            Line::Event(event) => event,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_row_reads_back_as_it_was_written() {
        let now = Timestamp::from_millis(1_768_000_000_123).unwrap();
        let mut written = VerdictEvent::new("liveness", "STALLED").stamped(7, now);
        written.subject = "a\u{2028}\"b\"".into();
        written.detail.insert("pid".into(), 4.into());
        let line = written.line();
        assert_eq!(line.lines().count(), 1);
        assert_eq!(event(line.trim_end()), written);
        assert_eq!(written.at(), Some(now));
    }

    #[test]
    fn one_field_that_cannot_be_held_costs_itself_alone() {
        let row = r#"{"seq":1e400,"syscall":"a","verdict":"\ud800","detail":{"n":1,"m":1e999}}"#;
        let read = event(row);
        assert_eq!((read.seq, read.syscall.as_str(), read.verdict.as_str()), (0, "a", ""));
        assert_eq!(serde_json::to_string(&read.detail).unwrap(), r#"{"n":1}"#);
        for beyond in ["9007199254740993000.5", "-1e300", "99999999999999999999999", "\"\""] {
            assert_eq!(event(&alloc::format!("{{\"seq\":{beyond}}}")).seq, 0, "{beyond}");
        }
    }

    #[test]
    fn lines_that_are_no_rows_are_told_apart() {
        for (line, complete, wanted) in [
            ("", true, Line::Blank),
            (" \r", true, Line::Blank),
            ("[1]", true, Line::Foreign),
            ("[1]", false, Line::Torn),
            ("{\"seq\":", true, Line::Corrupt),
            ("{\"seq\":", false, Line::Torn),
            ("{\"seq\":NaN}", true, Line::Corrupt),
            ("{\"op\":\"_CORRUPT\",\"seq\":4}", true, Line::Corrupt),
        ] {
            assert_eq!(decode_line(line.as_bytes(), complete), wanted, "{line:?}");
        }
        assert_eq!(decode_line(b"{\"a\":\"\xff\"}", true), Line::Corrupt);
        assert!(matches!(decode_line(b"{\"seq\":4}", false), Line::Event(_)));
    }
}
