//! A state: keys and their values, as they were at one time.
//!
//! Keys and values lie in one text, in which an entry is four numbers: a million keys cost 16 MB and
//! their text. A state that was read from a JSON object lies where it was read.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::value::{self, ValueError};
use crate::limits::STATE_BYTES_MAX;

/// Keys and values, sorted by key. Every value is JSON text that can be compared.
#[derive(Clone, Debug, Default)]
pub struct State {
    text: String,
    entries: Vec<Entry>,
}

/// Where in the text an entry is.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u32,
    key_len: u32,
    value: u32,
    value_len: u32,
}

/// Why something is no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// No JSON, or not what was wanted.
    #[error("{0}")]
    NotJson(String),
    /// The same for one line.
    #[error("line {line}: {problem}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A key that is there twice, so that nobody can tell which value counts.
    #[error("the key {0:?} is there twice")]
    Twice(String),
    /// A value that cannot be compared.
    #[error("the value of {key:?} cannot be compared: {source}")]
    Value {
        /// Whose.
        key: String,
        /// Why.
        source: ValueError,
    },
    /// More than can be held.
    #[error("it is larger than {} MiB", STATE_BYTES_MAX >> 20)]
    TooLarge,
}

impl State {
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys and their values, in the order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.entries.iter().map(|entry| (entry.key(&self.text), entry.value(&self.text)))
    }

    /// The value of a key, as JSON text.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.entries.binary_search_by(|entry| entry.key(&self.text).cmp(key)).ok()?;
        self.entries.get(at).map(|entry| entry.value(&self.text))
    }

    /// The state that a JSON object is.
    pub fn from_json(text: String) -> Result<Self, StateError> {
        if text.len() > STATE_BYTES_MAX {
            return Err(StateError::TooLarge);
        }
        let mut found = Found::over(&text);
        let mut json = serde_json::Deserializer::from_str(&text);
        let read = json.deserialize_map(&mut found).and_then(|()| json.end());
        read.map_err(|error| match error.classify() {
            serde_json::error::Category::Data => StateError::NotJson(format!("{error}")),
            _ => StateError::NotJson(format!("it is no JSON: {error}")),
        })?;
        found.builder.behind(text)
    }

    /// The state that objects are, one a line, each under what its field `key` holds.
    pub fn from_json_lines(text: &str, key: &[String]) -> Result<Self, StateError> {
        let mut builder = StateBuilder::default();
        for (line, number) in text.split('\n').zip(1..) {
            if line.trim().is_empty() {
                continue;
            }
            let bad = |problem: String| StateError::Line { line: number, problem };
            let object: &RawValue = serde_json::from_str(line)
                .map_err(|error| bad(format!("it is no JSON: {error}")))?;
            if !object.get().starts_with('{') {
                return Err(bad("it is no object".to_string()));
            }
            value::check(object.get()).map_err(|error| bad(format!("{error}")))?;
            let name = match value::find(object.get(), key) {
                Some(name) if name.starts_with('"') => {
                    value::decoded(name).map_err(|error| bad(format!("{error}")))?
                }
                Some(name) if !name.starts_with(['{', '[']) => {
                    Cow::Owned(value::canonical(name).map_err(|error| bad(format!("{error}")))?)
                }
                Some(_) => return Err(bad("its key is no text and no number".to_string())),
                None => return Err(bad(format!("it has no field /{}", key.join("/")))),
            };
            builder.put(&name, object.get())?;
        }
        builder.finish()
    }

    /// The state that lines of `[key, value]` are, from byte `start` of the text on.
    pub fn from_entries(text: String, start: usize) -> Result<Self, StateError> {
        let mut found = Found::over(&text);
        for (line, number) in text.get(start..).unwrap_or_default().lines().zip(1..) {
            let (key, value): (KeyText<'_>, &RawValue) = serde_json::from_str(line)
                .map_err(|error| StateError::Line { line: number, problem: format!("{error}") })?;
            found.entry(&key, value)?;
        }
        found.builder.behind(text)
    }

    /// A state that is put together key by key.
    pub fn builder() -> StateBuilder {
        StateBuilder::default()
    }

    fn sorted(text: String, mut entries: Vec<Entry>) -> Result<Self, StateError> {
        let key = |entry: &Entry| entry.key(&text);
        if !entries.is_sorted_by(|left, right| key(left) < key(right)) {
            entries.sort_unstable_by(|left, right| key(left).cmp(key(right)));
            let twice = entries.windows(2).find_map(|pair| match pair {
                [one, other] if key(one) == key(other) => Some(key(one).to_string()),
                _ => None,
            });
            if let Some(twice) = twice {
                return Err(StateError::Twice(twice));
            }
        }
        Ok(Self { text, entries })
    }
}

impl Entry {
    fn key(self, text: &str) -> &str {
        part(text, self.key, self.key_len)
    }

    fn value(self, text: &str) -> &str {
        part(text, self.value, self.value_len)
    }
}

fn part(text: &str, start: u32, len: u32) -> &str {
    let start = start as usize;
    text.get(start..start + len as usize).unwrap_or_default()
}

/// A state in the making.
#[derive(Debug, Default)]
pub struct StateBuilder {
    text: String,
    entries: Vec<Entry>,
    /// Where the text will stand.
    offset: usize,
}

impl StateBuilder {
    /// Adds a key and its value, which is any JSON text.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), StateError> {
        let bad = |source| StateError::Value { key: key.to_string(), source };
        let raw: &RawValue = serde_json::from_str(value)
            .map_err(|error| bad(ValueError::NotJson(format!("{error}"))))?;
        value::check(raw.get()).map_err(bad)?;
        self.put(key, raw.get())
    }

    /// The state. A key that was added twice is an error.
    pub fn finish(self) -> Result<State, StateError> {
        State::sorted(self.text, self.entries)
    }

    /// The state whose entries lie in that text, and behind it.
    fn behind(self, mut text: String) -> Result<State, StateError> {
        text.push_str(&self.text);
        State::sorted(text, self.entries)
    }

    fn put(&mut self, key: &str, value: &str) -> Result<(), StateError> {
        let (key, key_len) = self.store(key)?;
        let (value, value_len) = self.store(value)?;
        self.entries.push(Entry { key, key_len, value, value_len });
        Ok(())
    }

    fn store(&mut self, part: &str) -> Result<(u32, u32), StateError> {
        if self.text.len() + part.len() > STATE_BYTES_MAX {
            return Err(StateError::TooLarge);
        }
        let place = (position(self.offset + self.text.len())?, position(part.len())?);
        self.text.push_str(part);
        Ok(place)
    }
}

fn position(at: usize) -> Result<u32, StateError> {
    u32::try_from(at).map_err(|_| StateError::TooLarge)
}

/// Takes the entries of an object where they lie in its text, which starts at `base`.
struct Found {
    base: usize,
    builder: StateBuilder,
}

impl Found {
    fn over(text: &str) -> Self {
        // What is not in the text itself comes behind it.
        let builder = StateBuilder { offset: text.len(), ..StateBuilder::default() };
        Self { base: text.as_ptr().addr(), builder }
    }

    fn entry(&mut self, key: &KeyText<'_>, value: &RawValue) -> Result<(), StateError> {
        let raw = value.get();
        value::check(raw).map_err(|source| StateError::Value { key: key.0.to_string(), source })?;
        let (key, key_len) = match &key.0 {
            Cow::Borrowed(key) => self.place(key)?,
            // It was spelled with an escape.
            Cow::Owned(key) => self.builder.store(key)?,
        };
        let (value, value_len) = self.place(raw)?;
        self.builder.entries.push(Entry { key, key_len, value, value_len });
        Ok(())
    }

    fn place(&self, part: &str) -> Result<(u32, u32), StateError> {
        Ok((position(part.as_ptr().addr() - self.base)?, position(part.len())?))
    }
}

impl<'de> Visitor<'de> for &mut Found {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of keys and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<KeyText<'de>, &'de RawValue>()? {
            self.entry(&key, value).map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

/// A key, borrowed where it is spelled without escapes.
struct KeyText<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for KeyText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = KeyText<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<KeyText<'de>, E> {
                Ok(KeyText(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<KeyText<'de>, E> {
                Ok(KeyText(Cow::Owned(text.to_string())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
