//! What does not count when two values are compared: fields to ignore, texts that are times.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::timestamp::Timestamp;

/// The rules, as data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Fields that do not count.
    pub ignore: Vec<Place>,
    /// Texts that are times: two spellings of one instant are the same.
    pub timestamps: Vec<Place>,
}

/// Where in a value something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Any field of this name, however deep.
    Named(String),
    /// Exactly there: the components of a JSON pointer, of which `*` is any.
    At(Vec<String>),
}

/// A text that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no place in a value; write the name of a field, or a JSON pointer such as \
     /meta/changed_at (in which ~1 is a slash and ~0 a tilde)"
)]
pub struct BadPlace {
    text: String,
}

impl Rules {
    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.ignore.is_empty() && self.timestamps.is_empty()
    }

    pub(crate) fn ignores(&self, path: &[String]) -> bool {
        self.ignore.iter().any(|place| place.covers(path))
    }

    pub(crate) fn is_time(&self, path: &[String]) -> bool {
        self.timestamps.iter().any(|place| place.covers(path))
    }
}

impl Place {
    /// Reads a field's name, or a JSON pointer.
    pub fn parse(text: &str) -> Result<Self, BadPlace> {
        match text.strip_prefix('/') {
            Some(_) => Ok(Self::At(pointer(text)?)),
            None if text.is_empty() => Err(BadPlace { text: text.to_owned() }),
            None => Ok(Self::Named(text.to_owned())),
        }
    }

    fn covers(&self, path: &[String]) -> bool {
        match self {
            Self::Named(name) => path.last() == Some(name),
            Self::At(components) => {
                components.len() == path.len()
                    && components.iter().zip(path).all(|(wanted, is)| wanted == "*" || wanted == is)
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => formatter.write_str(name),
            Self::At(components) => formatter.write_str(&pointer_text(components)),
        }
    }
}

/// The JSON pointer of these components.
pub fn pointer_text(components: &[String]) -> String {
    let escaped = components.iter().map(|part| part.replace('~', "~0").replace('/', "~1"));
    escaped.map(|part| format!("/{part}")).collect()
}

/// The components of a JSON pointer (RFC 6901); none is the whole value.
pub fn pointer(text: &str) -> Result<Vec<String>, BadPlace> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let bad = || BadPlace { text: text.to_owned() };
    let below = text.strip_prefix('/').ok_or_else(bad)?;
    below.split('/').map(|component| unescaped(component).ok_or_else(bad)).collect()
}

fn unescaped(component: &str) -> Option<String> {
    let mut parts = component.split('~');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = part.split_at_checked(1)?;
        plain.push(match escaped {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        plain.push_str(rest);
    }
    Some(plain)
}

/// The instant that a text names, with `Z` or any offset; `None` when it names none.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(stamp) = Timestamp::parse(text) {
        return Some(stamp.millis());
    }
    let (body, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, clock) = offset.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':')?;
    let both: [i64; 2] = [hours.parse().ok()?, minutes.parse().ok()?];
    let [hours, minutes] = both;
    let digits = clock.bytes().all(|byte| byte == b':' || byte.is_ascii_digit());
    if !digits || hours > 23 || minutes > 59 {
        return None;
    }
    let shift = (hours * 60 + minutes) * 60_000;
    let stamp = Timestamp::parse(&(body.to_owned() + "Z"))?.millis();
    match sign {
        "+" => Some(stamp - shift),
        "-" => Some(stamp + shift),
        _ => None,
    }
}
