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

use crate::journal::entry::{SCHEMA_FAMILY, SCHEMA_VERSION, op};
use crate::journal::plain;
use crate::json::{Checked, Object, canonical_object};
use crate::lane::lease::{Lease, name_text};
use crate::limits;
use crate::schema::Tag;

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
    Hold(Key<'a>, LeaseText<'a>),
    /// A lease is no longer held (RELEASE, SCAVENGE).
    Drop(Key<'a>),
    /// The holder showed a sign of life (HEARTBEAT).
    Beat(Key<'a>, Option<Stamp<'a>>),
    /// The lease passed to another holder (ADOPT): the fields to set.
    Transfer(Key<'a>, Object),
    /// These leases are held, and no others (CHECKPOINT).
    Reset(Vec<Lease>),
}

/// When a holder showed a sign of life, as the record has it.
#[derive(Clone, Debug)]
pub enum Stamp<'a> {
    /// A string, as nearly all are.
    Text(&'a str),
    /// Something else.
    Value(Value),
}

impl From<Stamp<'_>> for Value {
    fn from(stamp: Stamp<'_>) -> Self {
        match stamp {
            Stamp::Text(text) => text.into(),
            Stamp::Value(value) => value,
        }
    }
}

/// A lease as a record brings it. A nested one is read only when somebody asks for it: most leases
/// of a long journal are gone by its end.
#[derive(Clone, Debug)]
pub enum LeaseText<'a> {
    /// The text of a JSON object, known to be valid.
    Nested(&'a str),
    /// The fields that the record carried itself.
    Inline(Object),
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
/// former holder no longer speaks for the lease, so its start and boot, its work tree and its parent go
/// even where nothing takes their place; the bare number stays, as the original has it, and proves nothing.
const TRANSFER_FIELDS: [&str; 9] = [
    "holder",
    "pid",
    "host_id",
    "pid_start",
    "pid_boot",
    "token",
    "worktree",
    "worktree_id",
    "parent_id",
];

/// Cuts `\n`-ended lines from the front of `bytes`. The rest has no newline.
pub fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
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
    let mut header = Header::default();
    if plain::read(text, &mut header).is_some() {
        return header.entry(text).map_or(broken, Line::Entry);
    }
    // A byte order mark is no part of the record that follows it.
    let text = text.trim_start_matches('\u{feff}').trim_matches([' ', '\t', '\r']);
    if text.is_empty() {
        return Line::Blank;
    }
    if !text.starts_with('{') {
        let value = serde_json::from_str::<Checked>(text);
        return if value.is_ok() && complete { Line::Foreign } else { broken };
    }
    general_entry(text).map_or(broken, Line::Entry)
}

/// An entry by way of the general JSON reader. Depth is bounded here, so that what was read once
/// can be written and read again one level deeper.
fn general_entry(text: &str) -> Option<Entry<'_>> {
    let depth = nesting(text);
    if depth > limits::CHECKPOINT_NESTING_MAX {
        return None;
    }
    let entry = serde_json::from_str::<Header<'_>>(text).ok()?.entry(text)?;
    (depth <= limits::NESTING_MAX || entry.op == op::CHECKPOINT).then_some(entry)
}

/// How deep the brackets of a JSON text nest.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
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

/// The fields that decide what a record does, as they stand in the text: each is JSON that
/// everybody can read, and is read only once the operation is known to need it. A repeated field
/// counts with its last value.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Header<'a> {
    op: Option<Field<'a>>,
    seq: Option<Field<'a>>,
    seq_watermark: Option<Field<'a>>,
    lane: Option<Field<'a>>,
    loop_ts: Option<Field<'a>>,
    ts: Option<Field<'a>>,
    heartbeat_at: Option<Field<'a>>,
    lease: Option<Field<'a>>,
    leases: Option<Field<'a>>,
    schema: Option<Field<'a>>,
}

/// The value of a field as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    /// The inside of a string that needs no unescaping.
    Text(&'a str),
    /// Any other value, as JSON.
    Json(&'a str),
}

impl<'a> Field<'a> {
    fn of(json: &'a str) -> Self {
        match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(inside) if !inside.contains('\\') => Self::Text(inside),
            _ => Self::Json(json),
        }
    }

    /// `None` for what cannot be held, as a number beyond all bounds.
    fn stamp(self) -> Option<Stamp<'a>> {
        Some(match self {
            Self::Text(inside) => Stamp::Text(inside),
            Self::Json(json) => Stamp::Value(serde_json::from_str(json).ok()?),
        })
    }

    fn value(self) -> Option<Value> {
        self.stamp().map(Value::from)
    }

    fn object(self) -> Option<&'a str> {
        match self {
            Self::Json(json) if json.starts_with('{') => Some(json),
            _ => None,
        }
    }

    /// The text under which the value counts as a name.
    fn name(self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Json(_) => Cow::Owned(name_text(&self.value()?).into_owned()),
        })
    }

    /// A sequence number that can be believed: a whole number up to the bound; digits in a text and
    /// the whole part of a fraction count as well. Everything else is 0.
    fn seq(self) -> Option<u64> {
        let digits = match self {
            Self::Json(json) => json.parse().ok(),
            Self::Text(_) => None,
        };
        let seq = match digits {
            Some(seq) => seq,
            None => match self.value()? {
                Value::String(text) => text.trim().parse().unwrap_or(0),
                Value::Number(number) => match number.as_u64() {
                    Some(whole) => whole,
                    None => number.as_f64().map_or(0, |fraction| fraction as u64),
                },
                Value::Bool(true) => 1,
                _ => 0,
            },
        };
        Some(if seq <= limits::SEQ_MAX { seq } else { 0 })
    }
}

/// The text under which a field counts as a name; an absent one is empty.
fn name(field: Option<Field<'_>>) -> Option<Cow<'_, str>> {
    field.map_or(Some(Cow::Borrowed("")), Field::name)
}

impl<'a> Header<'a> {
    /// The slot of a field; `None` for one that decides nothing.
    pub(super) fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Field<'a>>> {
        Some(match name {
            b"op" => &mut self.op,
            b"seq" => &mut self.seq,
            b"seq_watermark" => &mut self.seq_watermark,
            b"lane" => &mut self.lane,
            b"loop_ts" => &mut self.loop_ts,
            b"ts" => &mut self.ts,
            b"heartbeat_at" => &mut self.heartbeat_at,
            b"lease" => &mut self.lease,
            b"leases" => &mut self.leases,
            b"schema" => &mut self.schema,
            _ => return None,
        })
    }
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
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            let raw: &RawValue = fields.next_value()?;
            serde_json::from_str::<Checked>(raw.get()).map_err(serde::de::Error::custom)?;
            if let Some(slot) = header.slot(name.as_bytes()) {
                *slot = Some(Field::of(raw.get()));
            }
        }
        Ok(header)
    }
}

impl<'a> Header<'a> {
    /// `None` when a part that the operation needs cannot be read.
    fn entry(&self, line: &'a str) -> Option<Entry<'a>> {
        let seq = |field: Option<Field<'a>>| field.map_or(Some(0), Field::seq);
        let op = name(self.op)?;
        let ours = self.is_for_us()?;
        let seq = if ours { seq(self.seq)?.max(seq(self.seq_watermark)?) } else { 0 };
        let effect = match op.as_ref() {
            _ if !ours => Effect::None,
            op::CHECKPOINT => Effect::Reset(self.checkpoint()?),
            op::ACQUIRE
            | op::RECONCILE
            | op::RELEASE
            | op::SCAVENGE
            | op::HEARTBEAT
            | op::ADOPT => self.on_lease(&op, line)?,
            _ => Effect::None,
        };
        Some(Entry { op, seq, effect })
    }

    fn on_lease(&self, op: &str, line: &'a str) -> Option<Effect<'a>> {
        let key = Key { lane: name(self.lane)?, loop_ts: name(self.loop_ts)? };
        if key.lane.is_empty() && key.loop_ts.is_empty() {
            return Some(Effect::None);
        }
        Some(match op {
            op::ACQUIRE | op::RECONCILE => Effect::Hold(key, self.lease(line)?),
            op::RELEASE | op::SCAVENGE => Effect::Drop(key),
            op::HEARTBEAT => Effect::Beat(key, self.beat()?),
            op::ADOPT => Effect::Transfer(key, self.transfer(line)?),
            _ => Effect::None,
        })
    }

    /// A record that says it is of another family, or of a newer format, is not ours to act on.
    fn is_for_us(&self) -> Option<bool> {
        let Some(schema) = self.schema else {
            return Some(true);
        };
        Some(Tag::read(&schema.value()?).is_none_or(|tag| {
            let ours = tag.family.is_empty() || tag.family == SCHEMA_FAMILY;
            ours && tag.version <= SCHEMA_VERSION
        }))
    }

    fn lease(&self, line: &str) -> Option<LeaseText<'a>> {
        if let Some(nested) = self.lease.and_then(Field::object) {
            return fits(nested).then_some(LeaseText::Nested(nested));
        }
        if !fits(line) {
            return None;
        }
        let whole: Object = serde_json::from_str(line).ok()?;
        let known = |(name, _): &(String, Value)| INLINE_FIELDS.contains(&name.as_str());
        Some(LeaseText::Inline(whole.into_iter().filter(known).collect()))
    }

    fn checkpoint(&self) -> Option<Vec<Lease>> {
        let leases = self.leases.map_or(Some(Value::Null), Field::value)?;
        let Value::Array(items) = leases else {
            return Some(Vec::new());
        };
        let held = items
            .into_iter()
            .filter_map(|item| match item {
                Value::Object(object) => Some(Lease::from_object(object)),
                _ => None,
            })
            .filter(|lease| !lease.lane().is_empty() || !lease.loop_ts().is_empty());
        Some(held.collect())
    }

    /// The beat's own stamp, else the time of the record.
    fn beat(&self) -> Option<Option<Stamp<'a>>> {
        for field in [self.heartbeat_at, self.ts].into_iter().flatten() {
            let stamp = field.stamp()?;
            let empty = match &stamp {
                Stamp::Text(text) => text.is_empty(),
                Stamp::Value(value) => name_text(value).is_empty(),
            };
            if !empty {
                return Some(Some(stamp));
            }
        }
        Some(None)
    }

    fn transfer(&self, line: &str) -> Option<Object> {
        let whole: Object = serde_json::from_str(line).ok()?;
        let moves = |(name, value): &(String, Value)| {
            TRANSFER_FIELDS.contains(&name.as_str()) && !value.is_null()
        };
        let mut fields: Object = whole.into_iter().filter(moves).collect();
        if let Some(beat) = self.beat()? {
            fields.insert("heartbeat_at".into(), beat.into());
        }
        Some(fields)
    }
}

/// Is the lease within its bound however it is written? Canonical text is at most three times as
/// long: escapes of two and three bytes become six.
fn fits(json: &str) -> bool {
    json.len() <= limits::LEASE_BYTES_MAX / 3
        || serde_json::from_str::<Object>(json)
            .is_ok_and(|object| canonical_object(&object).len() <= limits::LEASE_BYTES_MAX)
}
