//! From bytes to entries: framing, the torn tail, and what a record does to the live set.
//!
//! A journal is split at `\n` and nowhere else. A complete line that is no JSON object is corrupt:
//! it is kept, counted and changes nothing. The last line may lack its newline: it counts when it
//! is a JSON object, and never happened when it is not.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::journal::entry::op;
use crate::json::{Checked, Object};
use crate::lane::lease::{Lease, name_text};
use crate::limits;

/// One line of a journal.
#[derive(Debug)]
pub enum Line<'a> {
    /// Nothing but white space.
    Blank,
    /// A JSON value that is no object. It is well-formed and means nothing.
    Foreign,
    /// A record.
    Entry(Entry<'a>),
    /// A complete line that is no JSON, is not UTF-8 or is too long.
    Corrupt,
    /// A last line without its newline that is no JSON: the rest of a write that never finished.
    Torn,
}

/// A decoded record.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The operation, or what stands in its place.
    pub op: Cow<'a, str>,
    /// The highest sequence number that the record speaks of; 0 when it has none to be believed.
    pub seq: u64,
    /// What it does to the live set.
    pub effect: Effect<'a>,
}

/// What a record does to the live set.
#[derive(Debug)]
pub enum Effect<'a> {
    /// Nothing: it is recorded, and that is all.
    None,
    /// A lease is held from now on (ACQUIRE, RECONCILE).
    Hold(Key<'a>, Lease),
    /// A lease is no longer held (RELEASE, SCAVENGE).
    Drop(Key<'a>),
    /// The holder showed a sign of life (HEARTBEAT).
    Beat(Key<'a>, Option<Value>),
    /// The lease passed to another holder (ADOPT): the fields to set.
    Transfer(Key<'a>, Object),
    /// These leases are held, and no others (CHECKPOINT).
    Reset(Vec<Lease>),
}

/// The identity that a record names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The lane.
    pub lane: Cow<'a, str>,
    /// The loop stamp.
    pub loop_ts: Cow<'a, str>,
}

/// The lease fields that an ACQUIRE without a nested lease may carry inline.
const INLINE_FIELDS: [&str; 11] = [
    "lane",
    "lane_kind",
    "tree",
    "loop_ts",
    "host_id",
    "pid",
    "acquired_at",
    "heartbeat_at",
    "ttl_minutes",
    "holder",
    "run_id",
];

/// The fields that an ADOPT moves. The process fields and the token are ours; the process of the
/// former holder no longer speaks for the lease, so they go even where nothing takes their place.
const TRANSFER_FIELDS: [&str; 6] = ["holder", "pid", "host_id", "pid_start", "pid_boot", "token"];

/// Cuts `\n`-ended lines from the front of `bytes`. The rest has no newline.
pub fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at(end);
    Some((line, rest.get(1..).unwrap_or_default()))
}

/// Decodes one line without its newline. `complete` says whether it had one.
pub fn decode_line(bytes: &[u8], complete: bool) -> Line<'_> {
    let broken = if complete { Line::Corrupt } else { Line::Torn };
    if bytes.len() > limits::LINE_BYTES_MAX {
        return broken;
    }
    let Ok(text) = core::str::from_utf8(bytes) else {
        return broken;
    };
    // A byte order mark at the start of a file is no part of its first record.
    let text = text.trim_start_matches('\u{feff}').trim_matches([' ', '\t', '\r']);
    if text.is_empty() {
        return Line::Blank;
    }
    if !text.starts_with('{') {
        let value = serde_json::from_str::<Checked>(text);
        return if value.is_ok() && complete { Line::Foreign } else { broken };
    }
    match serde_json::from_str::<Header<'_>>(text).and_then(|header| header.entry(text)) {
        Ok(entry) => Line::Entry(entry),
        Err(_) => broken,
    }
}

/// The text of a complete line as a JSON object; `None` for blank, foreign and corrupt lines.
pub fn object_of(bytes: &[u8]) -> Option<Object> {
    match decode_line(bytes, true) {
        Line::Entry(_) => {
            let text = core::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}');
            serde_json::from_str(text).ok()
        }
        _ => None,
    }
}

/// The fields that decide what a record does, as they stand in the text. A repeated field counts
/// with its last value.
#[derive(Default)]
struct Header<'a> {
    op: Option<&'a RawValue>,
    seq: Option<&'a RawValue>,
    seq_watermark: Option<&'a RawValue>,
    lane: Option<&'a RawValue>,
    loop_ts: Option<&'a RawValue>,
    ts: Option<&'a RawValue>,
    heartbeat_at: Option<&'a RawValue>,
    lease: Option<&'a RawValue>,
    leases: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Header<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Header<'de>, A::Error> {
        let mut header = Header::default();
        while let Some(field) = fields.next_key::<Field>()? {
            let slot = match field {
                Field::Op => &mut header.op,
                Field::Seq => &mut header.seq,
                Field::SeqWatermark => &mut header.seq_watermark,
                Field::Lane => &mut header.lane,
                Field::LoopTs => &mut header.loop_ts,
                Field::Ts => &mut header.ts,
                Field::HeartbeatAt => &mut header.heartbeat_at,
                Field::Lease => &mut header.lease,
                Field::Leases => &mut header.leases,
                Field::Other => {
                    fields.next_value::<Checked>()?;
                    continue;
                }
            };
            *slot = Some(fields.next_value()?);
        }
        Ok(header)
    }
}

enum Field {
    Op,
    Seq,
    SeqWatermark,
    Lane,
    LoopTs,
    Ts,
    HeartbeatAt,
    Lease,
    Leases,
    Other,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(FieldVisitor)
    }
}

struct FieldVisitor;

impl Visitor<'_> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        Ok(match name {
            "op" => Field::Op,
            "seq" => Field::Seq,
            "seq_watermark" => Field::SeqWatermark,
            "lane" => Field::Lane,
            "loop_ts" => Field::LoopTs,
            "ts" => Field::Ts,
            "heartbeat_at" => Field::HeartbeatAt,
            "lease" => Field::Lease,
            "leases" => Field::Leases,
            _ => Field::Other,
        })
    }
}

impl<'a> Header<'a> {
    fn entry(self, text: &'a str) -> serde_json::Result<Entry<'a>> {
        let op = name_of(self.op)?;
        let seq = seq_of(self.seq)?.max(seq_of(self.seq_watermark)?);
        let key = Key { lane: name_of(self.lane)?, loop_ts: name_of(self.loop_ts)? };
        let nameless = key.lane.is_empty() && key.loop_ts.is_empty();
        let effect = match op.as_ref() {
            op::CHECKPOINT => Effect::Reset(self.checkpoint()?),
            op::ACQUIRE | op::RECONCILE if !nameless => Effect::Hold(key, self.lease(text)?),
            op::RELEASE | op::SCAVENGE if !nameless => Effect::Drop(key),
            op::HEARTBEAT if !nameless => Effect::Beat(key, self.beat()?),
            op::ADOPT if !nameless => Effect::Transfer(key, self.transfer(text)?),
            _ => Effect::None,
        };
        // What was not read above still has to be JSON that everybody can read.
        for unread in [self.ts, self.heartbeat_at, self.lease, self.leases].into_iter().flatten() {
            if matches!(effect, Effect::None | Effect::Drop(_)) {
                serde_json::from_str::<Checked>(unread.get())?;
            }
        }
        Ok(Entry { op, seq, effect })
    }

    fn lease(&self, text: &str) -> serde_json::Result<Lease> {
        let nested = match self.lease {
            Some(raw) => serde_json::from_str::<Value>(raw.get())?,
            None => Value::Null,
        };
        match nested {
            Value::Object(object) => Ok(Lease::from_object(object)),
            _ => {
                let whole: Object = serde_json::from_str(text)?;
                let known = |(name, _): &(String, Value)| INLINE_FIELDS.contains(&name.as_str());
                Ok(Lease::from_object(whole.into_iter().filter(known).collect()))
            }
        }
    }

    fn checkpoint(&self) -> serde_json::Result<Vec<Lease>> {
        let leases = match self.leases {
            Some(raw) => serde_json::from_str::<Value>(raw.get())?,
            None => Value::Null,
        };
        let Value::Array(items) = leases else {
            return Ok(Vec::new());
        };
        Ok(items
            .into_iter()
            .filter_map(|item| match item {
                Value::Object(object) => Some(Lease::from_object(object)),
                _ => None,
            })
            .filter(|lease| !lease.lane().is_empty() || !lease.loop_ts().is_empty())
            .collect())
    }

    /// The beat's own stamp, else the time of the record.
    fn beat(&self) -> serde_json::Result<Option<Value>> {
        for raw in [self.heartbeat_at, self.ts].into_iter().flatten() {
            let value: Value = serde_json::from_str(raw.get())?;
            if !name_text(&value).is_empty() {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn transfer(&self, text: &str) -> serde_json::Result<Object> {
        let whole: Object = serde_json::from_str(text)?;
        let moves = |(name, value): &(String, Value)| {
            TRANSFER_FIELDS.contains(&name.as_str()) && !value.is_null()
        };
        let mut fields: Object = whole.into_iter().filter(moves).collect();
        if let Some(beat) = self.beat()? {
            fields.insert("heartbeat_at".into(), beat);
        }
        Ok(fields)
    }
}

fn name_of<'a>(raw: Option<&'a RawValue>) -> serde_json::Result<Cow<'a, str>> {
    let Some(text) = raw.map(RawValue::get) else {
        return Ok(Cow::Borrowed(""));
    };
    if let Some(plain) = plain_text(text) {
        return Ok(Cow::Borrowed(plain));
    }
    let value: Value = serde_json::from_str(text)?;
    Ok(Cow::Owned(name_text(&value).into_owned()))
}

/// The inside of a JSON string that needs no unescaping.
fn plain_text(raw: &str) -> Option<&str> {
    let inside = raw.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains('\\')).then_some(inside)
}

/// A sequence number that can be believed: a whole number up to the bound; digits in a text and
/// the whole part of a fraction count as well. Everything else is 0.
fn seq_of(raw: Option<&RawValue>) -> serde_json::Result<u64> {
    let Some(text) = raw.map(RawValue::get) else {
        return Ok(0);
    };
    if let Ok(whole) = text.parse::<u64>() {
        return Ok(if whole <= limits::SEQ_MAX { whole } else { 0 });
    }
    let value: Value = serde_json::from_str(text)?;
    let seq = match &value {
        Value::Number(number) => number.as_f64().map_or(0, |fraction| fraction as u64),
        Value::String(text) => text.trim().trim_start_matches('+').parse().unwrap_or(0),
        Value::Bool(true) => 1,
        _ => 0,
    };
    Ok(if seq <= limits::SEQ_MAX { seq } else { 0 })
}
