//! A snapshot as it is kept: the first line says of what, then an entry a line, in the order of the
//! keys. Its SHA-256 is its name, and covers all of it.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::evidence::{Accountability, WitnessRung};
use super::rules::Rules;
use super::state::{State, StateError};
use super::value::{ValueError, canonical_of};
use crate::json::{self, Object};
use crate::schema::{Readability, classify};

const FAMILY: &str = "state-snapshot";
const VERSION: i64 = 1;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Of what a snapshot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What was read.
    pub source: String,
    /// How its keys and values came about.
    pub shape: String,
    /// Who stands for it.
    pub rung: WitnessRung,
    /// When it was read.
    pub taken_at: String,
    /// How many keys it has.
    pub keys: usize,
    /// The SHA-256 of the rules by which something was left out, if there are such rules.
    pub rules: Option<String>,
    /// The keys that were there and were left out; all that is below one that ends with `/`.
    pub left_out: Vec<String>,
    /// What decides what keys and values mean, by how these keys begin.
    pub terms: BTreeMap<String, String>,
}

/// The name of a snapshot that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotName(String);

/// The SHA-256 of a snapshot, which is the name of its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seal(String);

/// A text that is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no name of a snapshot; use letters, digits, `.`, `_` and `-`, at most \
     {NAME_BYTES_MAX}, and begin with a letter or a digit"
)]
pub struct BadName {
    text: String,
}

/// Why something is no snapshot that was kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TakenError {
    /// Its first line is not what it must be.
    #[error("its first line says of no snapshot what it is ({0})")]
    Header(String),
    /// A newer program wrote it.
    #[error("a newer version of dos wrote it; use that to read it")]
    Newer,
    /// Its entries are damaged.
    #[error(transparent)]
    State(#[from] StateError),
}

impl SnapshotName {
    /// Reads a name. One that could be a SHA-256 is none.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let good = (1..=NAME_BYTES_MAX).contains(&text.len())
            && text.bytes().all(fits)
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && Seal::parse(text).is_none();
        match good {
            true => Ok(Self(text.to_owned())),
            false => Err(BadName { text: text.to_owned() }),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Seal {
    /// Reads 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(digit)).then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Origin {
    /// The first line.
    pub fn line(&self) -> String {
        let mut header = json!({
            "accountability": self.rung.token(),
            "keys": self.keys,
            "schema": {"family": FAMILY, "version": VERSION},
            "shape": self.shape,
            "source": self.source,
            "taken_at": self.taken_at,
        });
        if let (Some(header), Some(rules)) = (header.as_object_mut(), &self.rules) {
            header.insert("rules".to_owned(), rules.as_str().into());
        }
        if let (Some(header), false) = (header.as_object_mut(), self.left_out.is_empty()) {
            header.insert("left_out".to_owned(), self.left_out.as_slice().into());
        }
        if let (Some(header), false) = (header.as_object_mut(), self.terms.is_empty()) {
            header.insert("terms".to_owned(), json!(self.terms));
        }
        json::canonical(&header) + "\n"
    }

    fn read(line: &str) -> Result<Self, TakenError> {
        let bad = |what: &str| TakenError::Header(what.to_owned());
        let header: Object = serde_json::from_str(line).map_err(|error| bad(&error.to_string()))?;
        match classify(&header, FAMILY, VERSION).0 {
            Readability::Readable => {}
            Readability::UnreadableNewer => return Err(TakenError::Newer),
            Readability::Untagged | Readability::WrongFamily => return Err(bad("no schema")),
        }
        let text = |field: &str| {
            let value = header.get(field).and_then(Value::as_str);
            value.ok_or_else(|| bad(&format!("no {field}")))
        };
        let keys = header.get("keys").and_then(Value::as_u64);
        let keys =
            keys.and_then(|keys| usize::try_from(keys).ok()).ok_or_else(|| bad("no keys"))?;
        let rung = Accountability::named(text("accountability")?);
        let rung = rung.ok_or_else(|| bad("no accountability"))?;
        let rung = WitnessRung::try_from(rung).map_err(|error| bad(&error.to_string()))?;
        let [source, shape, taken_at] = ["source", "shape", "taken_at"].map(text);
        let (source, shape) = (source?.to_owned(), shape?.to_owned());
        let taken_at = taken_at?.to_owned();
        let rules = header.get("rules").and_then(Value::as_str).map(ToOwned::to_owned);
        let left_out = match header.get("left_out") {
            None => Some(Vec::new()),
            Some(Value::Array(keys)) => {
                keys.iter().map(|key| key.as_str().map(ToOwned::to_owned)).collect()
            }
            Some(_) => None,
        };
        let left_out = left_out.ok_or_else(|| bad("no left_out"))?;
        let terms = header.get("terms").map_or(Some(BTreeMap::new()), |terms| {
            let text =
                |(begin, term): (&String, &Value)| Some((begin.clone(), term.as_str()?.to_owned()));
            terms.as_object()?.iter().map(text).collect()
        });
        let terms = terms.ok_or_else(|| bad("no terms"))?;
        Ok(Self { source, shape, rung, taken_at, keys, rules, left_out, terms })
    }
}

/// One entry, as a line.
pub fn entry_line(key: &str, value: &str) -> Result<String, ValueError> {
    let key = json::canonical(&Value::String(key.to_owned()));
    Ok(format!("[{key}, {}]\n", canonical_of(value, &Rules::default())?))
}

/// Reads a snapshot that was kept.
pub fn read(text: String) -> Result<(Origin, State), TakenError> {
    let end = text.find('\n').map_or(text.len(), |newline| newline + 1);
    let origin = Origin::read(text.get(..end).unwrap_or_default())?;
    let state = State::from_entries(text, end)?;
    match state.len() == origin.keys {
        true => Ok((origin, state)),
        false => Err(TakenError::Header(format!("{} keys, not {}", state.len(), origin.keys))),
    }
}

/// Of what a snapshot is, by its first line alone.
pub fn origin(text: &str) -> Result<Origin, TakenError> {
    Origin::read(text.lines().next().unwrap_or_default())
}
