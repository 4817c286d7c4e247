//! A claim about one key: that it changed, how, or to what.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

use super::effect::EffectClaim;
use super::rules::{BadPlace, pointer, pointer_text};
use super::state_diff::Kind;
use super::value::{ValueError, canonical};
use crate::json;

/// What is claimed, and what must be so for it to be true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// What is claimed.
    pub effect: EffectClaim,
    /// All of this must be so. Nothing: the key was inserted or updated.
    pub expect: Vec<Expectation>,
}

/// What must be so of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// It was inserted or updated.
    Changed,
    /// It changed in this way.
    Kind(Kind),
    /// A part of its value became this.
    Value {
        /// The components of a JSON pointer.
        path: Vec<String>,
        /// The canonical text of the value.
        value: String,
    },
}

/// A claim that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// A word that means nothing.
    #[error(
        "{0:?} cannot be expected; write changed, inserted, updated, deleted, or FIELD=VALUE such \
         as status=paid or /lines/0/price=12.50"
    )]
    Unknown(String),
    /// A pointer that is none.
    #[error(transparent)]
    Place(#[from] BadPlace),
    /// A value that cannot be compared.
    #[error("{text:?} cannot be expected: {source}")]
    Value {
        /// As it was given.
        text: String,
        /// Why.
        source: ValueError,
    },
    /// Something else than an object with a key.
    #[error(
        "a claim is a text, or an object such as {{\"key\": \"orders:42\", \"expect\": \
         [\"status=paid\"]}}; this is {0}"
    )]
    Shape(String),
}

impl Expectation {
    /// Reads `changed`, `inserted`, `updated`, `deleted` or `FIELD=VALUE`. The field is a name or a
    /// JSON pointer; the value is JSON where it can be read as such, else a text.
    pub fn parse(text: &str) -> Result<Self, ClaimError> {
        match text {
            "changed" => return Ok(Self::Changed),
            "inserted" => return Ok(Self::Kind(Kind::Inserted)),
            "updated" => return Ok(Self::Kind(Kind::Updated)),
            "deleted" => return Ok(Self::Kind(Kind::Deleted)),
            _ => {}
        }
        let (place, value) =
            text.split_once('=').ok_or_else(|| ClaimError::Unknown(text.to_owned()))?;
        let path = path_of(place)?;
        let value = match canonical(value) {
            Ok(value) => value,
            Err(ValueError::NotJson(_)) => json::canonical(&Value::String(value.to_owned())),
            Err(source) => return Err(ClaimError::Value { text: text.to_owned(), source }),
        };
        Ok(Self::Value { path, value })
    }

    /// Reads a canonical text.
    fn from_canonical(text: &str) -> Result<Self, ClaimError> {
        let bad = || ClaimError::Shape(text.to_owned());
        if let Ok(word) = serde_json::from_str::<String>(text) {
            return Self::parse(&word);
        }
        let fields: Fields = serde_json::from_str(text).map_err(|_| bad())?;
        let place = fields.get("path").and_then(|path| text_of(path)).ok_or_else(bad)?;
        // The text, for a number would be rounded.
        let value = fields.get("value").ok_or_else(bad)?.get().to_owned();
        Ok(Self::Value { path: path_of(&place)?, value })
    }
}

/// The fields of an object, each as it is written.
type Fields = BTreeMap<String, Box<RawValue>>;

fn text_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn path_of(place: &str) -> Result<Vec<String>, BadPlace> {
    match place.is_empty() || place.starts_with('/') {
        true => pointer(place),
        false => Ok(Vec::from([place.to_owned()])),
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => formatter.write_str("changed"),
            Self::Kind(kind) => formatter.write_str(kind.token()),
            Self::Value { path, value } => write!(formatter, "{}={value}", pointer_text(path)),
        }
    }
}

impl Claim {
    /// A claim about a key.
    pub fn new(key: &str, narrated: &str, expect: Vec<Expectation>) -> Self {
        let effect = EffectClaim {
            key: key.to_owned(),
            subject: String::new(),
            narrated: narrated.to_owned(),
        };
        Self { effect, expect }
    }

    /// Reads a claim as JSON: a key, or an object with `key`, `expect` and `narrated`. `expect` is a
    /// text, `{"path": .., "value": ..}`, or a list of these.
    pub fn from_json(text: &str) -> Result<Self, ClaimError> {
        let text = canonical(text)
            .map_err(|source| ClaimError::Value { text: text.to_owned(), source })?;
        let bad = || ClaimError::Shape(text.clone());
        if let Ok(key) = serde_json::from_str::<String>(&text) {
            return Ok(Self::new(&key, "", Vec::new()));
        }
        let fields: Fields = serde_json::from_str(&text).map_err(|_| bad())?;
        let known = |name: &String| matches!(name.as_str(), "key" | "expect" | "narrated");
        if !fields.keys().all(known) {
            return Err(bad());
        }
        let key = fields.get("key").and_then(|key| text_of(key)).ok_or_else(bad)?;
        let narrated = match fields.get("narrated") {
            None => String::new(),
            Some(narrated) => text_of(narrated).ok_or_else(bad)?,
        };
        let expect = match fields.get("expect") {
            None => Vec::new(),
            Some(raw) => match serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()) {
                Ok(items) => items
                    .iter()
                    .map(|item| Expectation::from_canonical(item.get()))
                    .collect::<Result<_, _>>()?,
                Err(_) => Vec::from([Expectation::from_canonical(raw.get())?]),
            },
        };
        Ok(Self::new(&key, &narrated, expect))
    }
}
