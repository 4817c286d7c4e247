//! A reader of journals that trusts nobody: it takes the bytes as docs/FORMAT.md has them, with a
//! general JSON parser and none of the product's code.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// Lane and loop stamp, as text.
pub type Identity = (String, String);

/// The fields of a lease that a record may carry itself.
const INLINE: [&str; 11] = [
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

/// What the bytes of a journal say.
#[derive(Clone, Default)]
pub struct Raw {
    /// The records, in order.
    pub records: Vec<Map<String, Value>>,
    /// The numbers, from 0, of complete lines that are no JSON.
    pub bad_lines: Vec<usize>,
    /// Is the last line one that was never finished?
    pub torn: bool,
}

impl fmt::Debug for Raw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, bad) = (self.records.len(), &self.bad_lines);
        write!(formatter, "{count} records, bad lines {bad:?}, torn: {}", self.torn)
    }
}

impl Raw {
    /// Reads a journal.
    pub fn of(bytes: &[u8]) -> Self {
        let mut raw = Self::default();
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let complete = line.ends_with(b"\n");
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let blank = text.iter().all(|byte| b" \t\r".contains(byte));
            match serde_json::from_slice(text) {
                Ok(Value::Object(record)) => raw.records.push(record),
                _ if blank => {}
                Ok(_) if complete => {}
                _ if complete => raw.bad_lines.push(number),
                _ => raw.torn = true,
            }
        }
        raw
    }

    /// The leases that are held at the end.
    pub fn held(&self) -> BTreeMap<Identity, Map<String, Value>> {
        let mut held = BTreeMap::new();
        for record in &self.records {
            fold(&mut held, record);
        }
        held
    }

    /// Every moment at which one lane was held twice, and every sequence number that is not above
    /// all before it.
    pub fn faults(&self) -> Vec<String> {
        let (mut held, mut last, mut faults) = (BTreeMap::new(), 0, Vec::new());
        for (number, record) in self.records.iter().enumerate() {
            // A checkpoint speaks for what came before it.
            let named = |name| record.get(name).and_then(Value::as_u64).unwrap_or(0);
            let seq = named("seq").max(named("seq_watermark"));
            if seq <= last && text(record, "op") != "_CORRUPT" {
                faults.push(format!("record {number}: seq {seq} after {last}"));
            }
            last = last.max(seq);
            fold(&mut held, record);
            let mut lanes: Vec<&String> = held.keys().map(|(lane, _)| lane).collect();
            lanes.dedup();
            if lanes.len() != held.len() {
                faults.push(format!("record {number}: a lane is held twice: {:?}", held.keys()));
            }
        }
        faults
    }

    /// The records of one operation.
    pub fn of_op(&self, op: &str) -> impl Iterator<Item = &Map<String, Value>> {
        self.records.iter().filter(move |record| text(record, "op") == op)
    }
}

/// A field under which something is known; what is no text counts as JSON writes it.
pub fn text(record: &Map<String, Value>, name: &str) -> String {
    match record.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null | Value::Bool(false)) | None => String::new(),
        Some(Value::Number(number)) if number.as_f64() == Some(0.0) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn fold(held: &mut BTreeMap<Identity, Map<String, Value>>, record: &Map<String, Value>) {
    let identity = (text(record, "lane"), text(record, "loop_ts"));
    let nameless = identity.0.is_empty() && identity.1.is_empty();
    let op = text(record, "op");
    match op.as_str() {
        "CHECKPOINT" => {
            held.clear();
            for lease in record.get("leases").and_then(Value::as_array).into_iter().flatten() {
                let Value::Object(lease) = lease else { continue };
                held.insert((text(lease, "lane"), text(lease, "loop_ts")), lease.clone());
            }
        }
        _ if nameless => {}
        "ACQUIRE" | "RECONCILE" => {
            let lease = match record.get("lease") {
                Some(Value::Object(lease)) => lease.clone(),
                _ => record
                    .iter()
                    .filter(|(name, _)| INLINE.contains(&name.as_str()))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            };
            held.insert(identity, lease);
        }
        "RELEASE" | "SCAVENGE" => {
            held.remove(&identity);
        }
        "HEARTBEAT" => {
            if let Some(lease) = held.get_mut(&identity) {
                let stamp = ["heartbeat_at", "ts"].into_iter().map(|name| text(record, name));
                if let Some(stamp) = stamp.into_iter().find(|stamp| !stamp.is_empty()) {
                    lease.insert("heartbeat_at".into(), stamp.into());
                }
            }
        }
        "ADOPT" => {
            if let Some(lease) = held.get_mut(&identity) {
                lease.insert("holder".into(), text(record, "holder").into());
            }
        }
        _ => {}
    }
}
