//! A quick reader for plain lines: nearly every line that a program wrote is one.
//!
//! Plain means: no escapes in strings, whole numbers of at most 18 digits, few levels. A line that
//! is plain is valid JSON by the way it is read here; any other line is left to `serde_json`. The
//! two give the same header for every plain line, which a property test holds them to.

use alloc::borrow::Cow;

use serde_json::Value;

use crate::journal::decode::{Header, Scalar};

const DEPTH_MAX: usize = 16;
const DIGITS_MAX: usize = 18;

/// The header of a plain line; `None` when the line is not plain.
pub(super) fn header(text: &str) -> Option<Header<'_>> {
    if has_escape_or_control(text.as_bytes()) {
        return None;
    }
    let mut reader = Reader { text, at: 0 };
    let mut header = Header { checked: true, ..Header::default() };
    reader.object(|reader, name| {
        let value = reader.value(1)?;
        match name {
            "op" => header.op = value.scalar()?,
            "seq" => header.seq = value.scalar()?,
            "seq_watermark" => header.seq_watermark = value.scalar()?,
            "lane" => header.lane = value.scalar()?,
            "loop_ts" => header.loop_ts = value.scalar()?,
            "ts" => header.ts = value.scalar()?,
            "heartbeat_at" => header.heartbeat_at = value.scalar()?,
            "lease" => header.lease = Some(value.text),
            "leases" => header.leases = Some(value.text),
            _ => {}
        }
        Some(())
    })?;
    (reader.at == text.len()).then_some(header)
}

/// Without a branch on what it finds, so that many bytes are looked at in one step.
fn has_escape_or_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'\\'))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// One value: its text, quotes included.
struct Plain<'a> {
    text: &'a str,
}

impl<'a> Plain<'a> {
    fn scalar(&self) -> Option<Scalar<'a>> {
        Some(match self.text.as_bytes().first()? {
            b'"' => {
                let inside = self.text.get(1..self.text.len().checked_sub(1)?)?;
                Scalar::Text(Cow::Borrowed(inside))
            }
            b't' => Scalar::Other(Value::Bool(true)),
            b'f' => Scalar::Other(Value::Bool(false)),
            b'n' => Scalar::Other(Value::Null),
            b'-' => Scalar::Other(self.text.parse::<i64>().ok()?.into()),
            b'0'..=b'9' => Scalar::Other(self.text.parse::<u64>().ok()?.into()),
            // A name that is a list or an object: rare enough for the slow way.
            _ => return None,
        })
    }
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Reads `{...}`; `field` is called at each value and reads it.
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        self.blanks();
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.blanks();
            self.take(b':')?;
            self.blanks();
            field(self, name)?;
            self.blanks();
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.blanks();
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        self.blanks();
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            self.blanks();
            if self.take(b']').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.blanks();
        }
    }

    fn value(&mut self, depth: usize) -> Option<Plain<'a>> {
        if depth > DEPTH_MAX {
            return None;
        }
        let start = self.at;
        match self.peek()? {
            b'"' => {
                self.string()?;
            }
            b'{' => self.object(|reader, _| reader.value(depth + 1).map(|_| ()))?,
            b'[' => self.array(depth + 1)?,
            b'-' | b'0'..=b'9' => self.whole_number()?,
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => return None,
        }
        Some(Plain { text: self.text.get(start..self.at)? })
    }

    /// The inside of a string. No escapes: the next quote is its end.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        let rest = self.text.as_bytes().get(start..)?;
        let length = rest.iter().position(|byte| *byte == b'"')?;
        self.at = start + length + 1;
        self.text.get(start..start + length)
    }

    fn whole_number(&mut self) -> Option<()> {
        let negative = self.take(b'-').is_some();
        let rest = self.text.as_bytes().get(self.at..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let leading_zero = rest.first() == Some(&b'0') && (digits > 1 || negative);
        let fraction = matches!(rest.get(digits), Some(b'.' | b'e' | b'E'));
        if digits == 0 || digits > DIGITS_MAX || leading_zero || fraction {
            return None;
        }
        self.at += digits;
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let found = self.text.get(self.at..)?.starts_with(word);
        found.then(|| self.at += word.len())
    }
}

#[cfg(test)]
mod tests;
