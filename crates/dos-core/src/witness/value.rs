//! JSON values as text: checked once, compared by what they mean, never turned into a tree.
//!
//! Two texts mean the same when their canonical texts are equal: keys sorted, one spelling for each
//! text, numbers compared digit by digit, so that no number is rounded. `true` is never `1`.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;
use serde_json::value::RawValue;

use super::rules::{Rules, instant};
use crate::json;
use crate::limits::VALUE_NESTING_MAX;

/// Numbers within so many digits of the point are written without an exponent.
const PLAIN_DIGITS_MAX: i64 = 21;

/// Why a text is no value that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// It is no JSON.
    #[error("it is no JSON ({0})")]
    NotJson(String),
    /// It nests too deep.
    #[error("it nests deeper than {VALUE_NESTING_MAX} levels")]
    TooDeep,
    /// An object names a field twice, so that nobody can tell which counts.
    #[error("it has the field {0:?} twice")]
    Twice(String),
    /// A text with half a character in it.
    #[error("it holds a text that is no Unicode ({0})")]
    NotUnicode(String),
    /// A number whose exponent cannot be read.
    #[error("it holds a number out of all range ({0})")]
    Number(String),
}

/// The canonical text of any JSON text.
pub fn canonical(text: &str) -> Result<String, ValueError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    canonical_of(raw.get(), &Rules::default())
}

/// The canonical text of a text that is known to be JSON, without what the rules leave out.
pub(crate) fn canonical_of(raw: &str, rules: &Rules) -> Result<String, ValueError> {
    let mut out = String::with_capacity(raw.len());
    let mut cursor = Cursor { text: raw, at: 0 };
    let mut writer = Writer { out: &mut out, rules, path: Vec::new(), depth: 0 };
    writer.value(&mut cursor)?;
    Ok(out)
}

/// Checks a text that is known to be JSON for what would make it ambiguous. Plain values are fine.
pub(crate) fn check(raw: &str) -> Result<(), ValueError> {
    let plain = match raw.as_bytes().first() {
        Some(b'{' | b'[') => false,
        Some(b'"') => !raw.contains('\\'),
        Some(b't' | b'f' | b'n') => true,
        _ => !raw.contains(['e', 'E']),
    };
    match plain {
        true => Ok(()),
        false => canonical_of(raw, &Rules::default()).map(drop),
    }
}

/// The part of a JSON text at the components of a pointer.
pub fn find<'a>(raw: &'a str, path: &[String]) -> Option<&'a str> {
    let mut found = raw;
    for component in path {
        let mut cursor = Cursor { text: found, at: 0 };
        found = match cursor.peek() {
            Some(b'{') => {
                let members = cursor.members().ok()?;
                members.into_iter().find(|(key, _)| key == component)?.1
            }
            Some(b'[') => {
                let canonical_index = component == "0" || !component.starts_with(['0', '+']);
                let index: usize = component.parse().ok().filter(|_| canonical_index)?;
                cursor.items().ok()?.get(index).copied()?
            }
            _ => return None,
        };
    }
    Some(found.trim())
}

fn not_json(error: serde_json::Error) -> ValueError {
    ValueError::NotJson(format!("{error}"))
}

struct Writer<'w> {
    out: &'w mut String,
    rules: &'w Rules,
    /// Where the value is, as far as a rule needs to know.
    path: Vec<String>,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ValueError> {
        match cursor.peek() {
            Some(b'{') => self.nested(cursor, Self::object),
            Some(b'[') => self.nested(cursor, Self::array),
            Some(b'"') => self.string(cursor.value()?),
            Some(b't' | b'f' | b'n') => {
                self.out.push_str(cursor.value()?);
                Ok(())
            }
            _ => self.number(cursor.value()?),
        }
    }

    fn nested(
        &mut self,
        cursor: &mut Cursor<'_>,
        write: impl FnOnce(&mut Self, &mut Cursor<'_>) -> Result<(), ValueError>,
    ) -> Result<(), ValueError> {
        self.depth += 1;
        if self.depth > VALUE_NESTING_MAX {
            return Err(ValueError::TooDeep);
        }
        let written = write(self, cursor);
        self.depth -= 1;
        written
    }

    fn object(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ValueError> {
        let mut members = cursor.members()?;
        if !members.is_sorted_by(|left, right| left.0 < right.0) {
            members.sort_by(|left, right| left.0.cmp(&right.0));
            for pair in members.windows(2) {
                if let [(one, _), (other, _)] = pair
                    && one == other
                {
                    return Err(ValueError::Twice(one.clone().into_owned()));
                }
            }
        }
        self.out.push('{');
        let mut first = true;
        for (key, raw) in members {
            if !self.enter(&key) {
                continue;
            }
            if !first {
                self.out.push_str(", ");
            }
            first = false;
            self.out.push_str(&json::canonical(&Value::String(key.into_owned())));
            self.out.push_str(": ");
            self.value(&mut Cursor { text: raw, at: 0 })?;
            self.path.pop();
        }
        self.out.push('}');
        Ok(())
    }

    fn array(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ValueError> {
        self.out.push('[');
        let mut first = true;
        for (index, raw) in cursor.items()?.into_iter().enumerate() {
            if !self.enter(&format!("{index}")) {
                continue;
            }
            if !first {
                self.out.push_str(", ");
            }
            first = false;
            self.value(&mut Cursor { text: raw, at: 0 })?;
            self.path.pop();
        }
        self.out.push(']');
        Ok(())
    }

    /// Steps into a part, unless a rule leaves it out.
    fn enter(&mut self, component: &str) -> bool {
        if self.rules.is_empty() {
            return true;
        }
        self.path.push(component.to_owned());
        let counts = !self.rules.ignores(&self.path);
        if !counts {
            self.path.pop();
        }
        counts
    }

    fn string(&mut self, token: &str) -> Result<(), ValueError> {
        let is_time = !self.rules.is_empty() && self.rules.is_time(&self.path);
        let plain = !token.contains(['\\', '\u{85}', '\u{2028}', '\u{2029}']);
        if plain && !is_time {
            self.out.push_str(token);
            return Ok(());
        }
        let text = decoded(token)?;
        match instant(&text).filter(|_| is_time) {
            // No JSON text looks like this, so that it equals only another instant.
            Some(millis) => self.out.push_str(&format!("@{millis}")),
            None => self.out.push_str(&json::canonical(&Value::String(text.into_owned()))),
        }
        Ok(())
    }

    fn number(&mut self, token: &str) -> Result<(), ValueError> {
        let bad = || ValueError::Number(token.chars().take(40).collect());
        let (unsigned, negative) = match token.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (token, false),
        };
        if !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(bad());
        }
        let whole = unsigned.bytes().all(|byte| byte.is_ascii_digit());
        if whole && unsigned != "0" {
            // The usual case: it is its own spelling.
            self.out.push_str(token);
            return Ok(());
        }
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let exponent: i64 = exponent.parse().map_err(|_| bad())?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        let shift = i64::try_from(fraction.len()).map_err(|_| bad())?;
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        let zeros = digits.len() - digits.trim_end_matches('0').len();
        let exponent = i64::try_from(zeros)
            .ok()
            .and_then(|zeros| exponent.checked_sub(shift)?.checked_add(zeros))
            .filter(|exponent| exponent.unsigned_abs() < 1 << 60)
            .ok_or_else(bad)?;
        if significant.is_empty() {
            self.out.push('0');
            return Ok(());
        }
        if negative {
            self.out.push('-');
        }
        self.decimal(significant, exponent);
        Ok(())
    }

    /// Writes `digits` times ten to the `exponent`; the digits begin and end with no zero.
    fn decimal(&mut self, digits: &str, exponent: i64) {
        let point = i64::try_from(digits.len()).unwrap_or(i64::MAX).saturating_add(exponent);
        let zeros = |count: i64| core::iter::repeat_n('0', usize::try_from(count).unwrap_or(0));
        if (0..=PLAIN_DIGITS_MAX).contains(&exponent) {
            self.out.push_str(digits);
            self.out.extend(zeros(exponent));
        } else if exponent < 0 && (1..).contains(&point) {
            let at = usize::try_from(point).unwrap_or(0);
            let (whole, fraction) = digits.split_at_checked(at).unwrap_or((digits, ""));
            self.out.extend([whole, ".", fraction]);
        } else if exponent < 0 && point > -PLAIN_DIGITS_MAX {
            self.out.push_str("0.");
            self.out.extend(zeros(-point));
            self.out.push_str(digits);
        } else {
            self.out.push_str(&format!("{digits}e{exponent}"));
        }
    }
}

/// The text of a JSON string.
pub(crate) fn decoded(token: &str) -> Result<Cow<'_, str>, ValueError> {
    let inside = token.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inside {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        _ => match serde_json::from_str::<String>(token) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(error) => Err(ValueError::NotUnicode(format!("{error}"))),
        },
    }
}

/// A walk along a text that is known to be JSON.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The first byte of what comes next, blanks left out.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Result<(), ValueError> {
        match self.peek() == Some(byte) {
            true => {
                self.at += 1;
                Ok(())
            }
            false => Err(self.broken()),
        }
    }

    fn broken(&self) -> ValueError {
        ValueError::NotJson(format!("broken at byte {}", self.at))
    }

    /// The text of the next value, whatever it is. Without recursion.
    fn value(&mut self) -> Result<&'a str, ValueError> {
        self.peek().ok_or_else(|| self.broken())?;
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'"' => self.pass_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => break,
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => break,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            // A nested value or a string ends where it is closed.
            if depth == 0 {
                break;
            }
        }
        self.text.get(start..self.at).filter(|text| !text.is_empty()).ok_or_else(|| self.broken())
    }

    /// Steps over a string.
    fn pass_string(&mut self) -> Result<(), ValueError> {
        self.at += 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let Some(next) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(self.broken());
            };
            let escaped = rest.get(next) == Some(&b'\\');
            self.at += next + 1 + usize::from(escaped);
            if !escaped {
                return Ok(());
            }
        }
    }

    fn members(&mut self) -> Result<Vec<(Cow<'a, str>, &'a str)>, ValueError> {
        let mut members = Vec::new();
        self.take(b'{')?;
        while self.peek() != Some(b'}') {
            if !members.is_empty() {
                self.take(b',')?;
                self.peek();
            }
            let key = decoded(self.value()?)?;
            self.take(b':')?;
            members.push((key, self.value()?));
        }
        Ok(members)
    }

    fn items(&mut self) -> Result<Vec<&'a str>, ValueError> {
        let mut items = Vec::new();
        self.take(b'[')?;
        while self.peek() != Some(b']') {
            if !items.is_empty() {
                self.take(b',')?;
            }
            items.push(self.value()?);
        }
        Ok(items)
    }
}
