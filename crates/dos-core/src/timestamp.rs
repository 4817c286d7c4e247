//! Instants as the journal writes them: UTC, to the second, `2026-01-10T12:00:00Z`.

use alloc::format;
use alloc::string::String;
use core::fmt;

use time::{Date, Month, OffsetDateTime, Time};

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The instant lies outside the years 1970 to 9999, which journals can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock shows a time outside the years 1970 to 9999; set the clock and run this again")]
pub struct OutOfRange;

const MILLIS_MAX: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The instant that many milliseconds after the epoch.
    pub fn from_millis(millis: i64) -> Result<Self, OutOfRange> {
        if (0..=MILLIS_MAX).contains(&millis) { Ok(Self(millis)) } else { Err(OutOfRange) }
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Reads `YYYY-MM-DDTHH:MM[:SS[.fff]]` followed by `Z` or `+00:00`; anything else is no stamp.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let body = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
        let (date, clock) = body.split_once(['T', ' '])?;
        let mut parts = date.split('-');
        let year = digits(parts.next()?, 4)?;
        let month = digits(parts.next()?, 2)?;
        let day = digits(parts.next()?, 2)?;
        let mut clock_parts = clock.split(':');
        let hour = digits(clock_parts.next()?, 2)?;
        let minute = digits(clock_parts.next()?, 2)?;
        let (second, fraction) = match clock_parts.next() {
            None => (0, 0),
            Some(text) => match text.split_once('.') {
                None => (digits(text, 2)?, 0),
                Some((whole, rest)) => (digits(whole, 2)?, millis_of_fraction(rest)?),
            },
        };
        if parts.next().is_some() || clock_parts.next().is_some() {
            return None;
        }
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        let date =
            Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?)
                .ok()?;
        let time = Time::from_hms(
            u8::try_from(hour).ok()?,
            u8::try_from(minute).ok()?,
            u8::try_from(second).ok()?,
        )
        .ok()?;
        let seconds = OffsetDateTime::new_utc(date, time).unix_timestamp();
        Self::from_millis(seconds.checked_mul(1000)?.checked_add(fraction)?).ok()
    }

    /// The instant this much later, kept within the range of a timestamp.
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis).clamp(0, MILLIS_MAX))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is the later one.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

pub(crate) fn digits(text: &str, width: usize) -> Option<u32> {
    let plain = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn millis_of_fraction(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded: String = text.chars().chain("000".chars()).take(3).collect();
    padded.parse().ok()
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = moment.to_calendar_date();
        let (hour, minute, second) = moment.to_hms();
        let month = u8::from(month);
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// A span of time for people: the two largest units, `1h 05m`, `42s`.
pub fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m {rest:02}s"),
        (0, _, _) => format!("{hours}h {minutes:02}m"),
        _ => format!("{days}d {hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn stamps_read_back_as_themselves() {
        for text in ["1970-01-01T00:00:00Z", "2026-02-28T23:59:59Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn minutes_fractions_and_zero_offsets_are_stamps() {
        let noon = Timestamp::parse("2026-01-10T12:00:00Z").unwrap();
        assert_eq!(Timestamp::parse("2026-01-10T12:00Z"), Some(noon));
        assert_eq!(Timestamp::parse("2026-01-10T12:00:00+00:00"), Some(noon));
        assert_eq!(Timestamp::parse("2026-01-10T12:00:00.25Z"), Some(noon.plus_millis(250)));
    }

    #[test]
    fn what_is_no_stamp_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-01-10T12:00:00",
            "2026-1-10T12:00:00Z",
            "+026-01-10T12:00:00Z",
            "2026-01-10T24:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp::from_millis(-1), Err(OutOfRange));
        assert_eq!(Timestamp::from_millis(MILLIS_MAX + 1), Err(OutOfRange));
    }

    #[test]
    fn spans_name_two_units() {
        assert_eq!(span(42_000), "42s");
        assert_eq!(span(125_000), "2m 05s");
        assert_eq!(span(3_900_000), "1h 05m");
        assert_eq!(span(90_000_000), "1d 01h");
        assert_eq!(span(-5), "0s");
    }
}
