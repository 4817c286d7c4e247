//! JSON values as text: checked once, compared by what they mean, never turned into a tree.
//!
//! Two texts mean the same when their canonical texts are equal: keys sorted, one spelling for each
//! text, numbers compared digit by digit, so that no number is rounded. `true` is never `1`.
//!
//! A text is walked along once, however deep it nests, and what is written is all that is held,
//! besides twelve bytes for each member of the objects that are open.

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
    /// More text than can be put in order.
    #[error("it is too large to be compared")]
    TooLarge,
}

/// The canonical text of any JSON text.
pub fn canonical(text: &str) -> Result<String, ValueError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    canonical_of(raw.get(), &Rules::default())
}

/// The canonical text of a text that is known to be JSON, without what the rules leave out.
pub(crate) fn canonical_of(raw: &str, rules: &Rules) -> Result<String, ValueError> {
    canonical_at(raw, rules, &[])
}

/// The same for a part of a value: the rules are asked about where it is in the whole.
pub(crate) fn canonical_at(
    raw: &str,
    rules: &Rules,
    path: &[String],
) -> Result<String, ValueError> {
    let mut writer = Writer::new(rules, true);
    writer.out.reserve(raw.len());
    writer.path.extend_from_slice(path);
    writer.value(&mut Cursor { text: raw, at: 0 })?;
    Ok(writer.out)
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
        false => Writer::new(&Rules::default(), false).value(&mut Cursor { text: raw, at: 0 }),
    }
}

/// The part of a JSON text at the components of a pointer.
pub fn find<'a>(raw: &'a str, path: &[String]) -> Option<&'a str> {
    let mut cursor = Cursor { text: raw, at: 0 };
    for component in path {
        match cursor.peek() {
            Some(b'{') => cursor.enter_member(component)?,
            Some(b'[') => {
                let canonical_index = component == "0" || !component.starts_with(['0', '+']);
                cursor.enter_item(component.parse().ok().filter(|_| canonical_index)?)?;
            }
            _ => return None,
        }
    }
    cursor.value().ok()
}

fn not_json(error: serde_json::Error) -> ValueError {
    ValueError::NotJson(format!("{error}"))
}

struct Writer<'w> {
    out: String,
    /// Is all of it written? Else only the keys of the objects that are open, for comparing them.
    keeps: bool,
    /// The members of the objects that are open.
    members: Vec<Member>,
    rules: &'w Rules,
    /// Where the value is, as far as a rule needs to know.
    path: Vec<String>,
    depth: usize,
}

/// Where in what is written a member of an object is.
#[derive(Clone, Copy)]
struct Member {
    start: u32,
    key_end: u32,
    end: u32,
}

impl<'w> Writer<'w> {
    fn new(rules: &'w Rules, keeps: bool) -> Self {
        let (members, path) = (Vec::new(), Vec::new());
        Self { out: String::new(), keeps, members, rules, path, depth: 0 }
    }
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

    /// Writes what nests, and takes it away again where it is not kept.
    fn nested(
        &mut self,
        cursor: &mut Cursor<'_>,
        write: impl FnOnce(&mut Self, &mut Cursor<'_>) -> Result<(), ValueError>,
    ) -> Result<(), ValueError> {
        self.depth += 1;
        if self.depth > VALUE_NESTING_MAX {
            return Err(ValueError::TooDeep);
        }
        let start = self.out.len();
        write(self, cursor)?;
        if !self.keeps {
            self.out.truncate(start);
        }
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ValueError> {
        cursor.take(b'{')?;
        self.out.push('{');
        let (first, mut sorted, mut escaped) = (self.members.len(), true, false);
        let mut last: Option<Cow<'_, str>> = None;
        let mut is_first = true;
        while cursor.has_more(b'}', is_first)? {
            is_first = false;
            let token = cursor.value()?;
            let key = decoded(token)?;
            cursor.take(b':')?;
            if !self.enter(&key) {
                cursor.value()?;
                continue;
            }
            let start = self.out.len();
            self.text(token, &key);
            let key_end = self.out.len();
            escaped |= self.out.get(start..).is_some_and(|key| key.contains('\\'));
            self.out.push_str(": ");
            let value = self.out.len();
            self.value(cursor)?;
            self.path.pop();
            if !self.keeps {
                self.out.truncate(value);
            }
            let [start, key_end, end] = [start, key_end, self.out.len()].map(position);
            self.members.push(Member { start: start?, key_end: key_end?, end: end? });
            if self.keeps {
                self.out.push_str(", ");
            }
            sorted = sorted && last.is_none_or(|last| last < key);
            last = Some(key);
        }
        if !sorted {
            self.put_in_order(first, escaped)?;
        }
        self.close(self.members.len() > first, '}');
        self.members.truncate(first);
        Ok(())
    }

    /// Puts the members of an object, of which this is the first, in the order of their keys. Where no
    /// key is spelled with an escape, it is read as it stands.
    fn put_in_order(&mut self, first: usize, escaped: bool) -> Result<(), ValueError> {
        let members = self.members.get_mut(first..).unwrap_or_default();
        let base = members.first().map_or(0, |member| member.start);
        let text = self.out.split_off(base as usize);
        let part = |start: u32, end: u32| {
            let [start, end] = [start, end].map(|at| at.saturating_sub(base) as usize);
            text.get(start..end).unwrap_or_default()
        };
        let plain = |member: &Member| part(member.start + 1, member.key_end.saturating_sub(1));
        let key = |member: &Member| decoded(part(member.start, member.key_end)).unwrap_or_default();
        match escaped {
            true => members.sort_unstable_by(|left, right| key(left).cmp(&key(right))),
            false => members.sort_unstable_by(|left, right| plain(left).cmp(plain(right))),
        }
        for pair in members.windows(2) {
            if let [one, other] = pair
                && key(one) == key(other)
            {
                return Err(ValueError::Twice(key(one).into_owned()));
            }
        }
        if self.keeps {
            for member in members.iter() {
                self.out.push_str(part(member.start, member.end));
                self.out.push_str(", ");
            }
        }
        Ok(())
    }

    fn array(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ValueError> {
        cursor.take(b'[')?;
        self.out.push('[');
        let start = self.out.len();
        let mut index = 0_usize;
        while cursor.has_more(b']', index == 0)? {
            let counts = self.rules.is_empty() || self.enter(&format!("{index}"));
            index += 1;
            if !counts {
                cursor.value()?;
                continue;
            }
            self.value(cursor)?;
            self.path.pop();
            match self.keeps {
                true => self.out.push_str(", "),
                false => self.out.truncate(start),
            }
        }
        self.close(self.out.len() > start, ']');
        Ok(())
    }

    /// Ends an object or a list, whose last part has a comma behind it.
    fn close(&mut self, has_parts: bool, end: char) {
        if has_parts && self.keeps {
            self.out.truncate(self.out.len().saturating_sub(2));
        }
        self.out.push(end);
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
        let text = decoded(token)?;
        let is_time = !self.rules.is_empty() && self.rules.is_time(&self.path);
        match instant(&text).filter(|_| is_time) {
            // No JSON text looks like this, so that it equals only another instant.
            Some(instant) => self.out.extend(["@", &instant]),
            None => self.text(token, &text),
        }
        Ok(())
    }

    /// Writes a text that is spelled in this way.
    fn text(&mut self, token: &str, text: &str) {
        match token.contains(['\\', '\u{85}', '\u{2028}', '\u{2029}']) {
            true => self.out.push_str(&json::canonical(&Value::String(text.to_owned()))),
            false => self.out.push_str(token),
        }
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

    /// Is there another part before this end? Steps over the comma before it, or else the end.
    fn has_more(&mut self, end: u8, is_first: bool) -> Result<bool, ValueError> {
        let ends = self.peek() == Some(end);
        match ends {
            true => self.at += 1,
            false if !is_first => self.take(b',')?,
            false => {}
        }
        Ok(!ends)
    }

    /// Goes to the value of a field of the object that is next.
    fn enter_member(&mut self, name: &str) -> Option<()> {
        self.take(b'{').ok()?;
        let mut is_first = true;
        while self.has_more(b'}', is_first).ok()? {
            is_first = false;
            let key = decoded(self.value().ok()?).ok()?;
            self.take(b':').ok()?;
            if key == name {
                return Some(());
            }
            self.value().ok()?;
        }
        None
    }

    /// Goes to an item of the list that is next.
    fn enter_item(&mut self, index: usize) -> Option<()> {
        self.take(b'[').ok()?;
        let mut passed = 0;
        while self.has_more(b']', passed == 0).ok()? {
            if passed == index {
                return Some(());
            }
            self.value().ok()?;
            passed += 1;
        }
        None
    }
}

fn position(at: usize) -> Result<u32, ValueError> {
    u32::try_from(at).map_err(|_| ValueError::TooLarge)
}
