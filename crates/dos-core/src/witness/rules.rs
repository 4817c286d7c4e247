//! What does not count when two values are compared: fields to ignore, texts that are times.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use time::{Date, Month, OffsetDateTime, Time};

use crate::timestamp::digits;

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

    /// Is a part left out, or something that it is in?
    pub(crate) fn leaves_out(&self, path: &[String]) -> bool {
        (1..=path.len()).any(|end| path.get(..end).is_some_and(|path| self.ignores(path)))
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

/// The instant that a text names (RFC 3339, and ISO 8601 as far as it says a date, a time and an
/// offset): seconds since 1970 and every digit of the fraction. `None` when it names none.
pub(crate) fn instant(text: &str) -> Option<String> {
    let (date, clock) = text.trim().split_once(['T', 't', ' '])?;
    let mut parts = date.split('-');
    let [year, month, day] = [4, 2, 2].map(|width| parts.next().and_then(|it| digits(it, width)));
    let month = Month::try_from(u8::try_from(month?).ok()?).ok()?;
    let day = u8::try_from(day?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year?).ok()?, month, day).ok()?;
    let (clock, east_seconds) = zone(clock.trim_end())?;
    let (clock, fraction) = match clock.split_once(['.', ',']) {
        Some((clock, fraction)) if clock.len() == 8 => (clock, fraction),
        Some(_) => return None,
        None => (clock, "0"),
    };
    if parts.next().is_some() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut parts = clock.split(':').map(|part| digits(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let [hour, minute, second] = [hour, minute, second].map(|part| u8::try_from(part).ok());
    let time = Time::from_hms(hour?, minute?, second?).ok()?;
    if parts.next().is_some() || fraction.is_empty() {
        return None;
    }
    let seconds = OffsetDateTime::new_utc(date, time).unix_timestamp() - east_seconds;
    Some(format!("{seconds}.{}", fraction.trim_end_matches('0')))
}

/// A time without its offset from UTC, and that, in seconds to the east.
fn zone(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let (clock, offset) = clock.split_at_checked(clock.rfind(['+', '-'])?)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = match offset.split_once(':') {
        Some(both) => both,
        None => offset.split_at_checked(2)?,
    };
    let minutes = if minutes.is_empty() && offset.len() == 2 { "00" } else { minutes };
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let seconds = i64::from(hours * 3600 + minutes * 60);
    let clock = clock.trim_end();
    match (hours < 24 && minutes < 60, sign) {
        (true, "+") => Some((clock, seconds)),
        (true, _) => Some((clock, -seconds)),
        (false, _) => None,
    }
}
