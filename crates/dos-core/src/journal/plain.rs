//! A quick reader for plain lines: nearly every line that a program wrote is one.
//!
//! Plain means: no blanks but one after a separator, no escapes in strings, whole numbers of at most
//! 18 digits, few levels. A line that is plain is valid JSON by the way it is read here; any other
//! line is left to `serde_json`. The two give the same header for every plain line, which a property
//! test holds them to.

use crate::journal::decode::{Field, Header};

const DEPTH_MAX: usize = 16;
const DIGITS_MAX: usize = 18;

/// Fills the header of a plain line; `None` when the line is not plain.
pub(super) fn read<'a>(line: &'a str, header: &mut Header<'a>) -> Option<()> {
    if has_escape_or_control(line.as_bytes()) {
        return None;
    }
    let mut reader = Reader { rest: line.as_bytes() };
    reader.object(|reader, name| {
        let start = line.len() - reader.rest.len();
        // Strings first, and on the spot: nearly all fields are.
        let text = reader.text();
        if text.is_none() {
            reader.value(1)?;
        }
        let end = line.len() - reader.rest.len();
        if let Some(slot) = header.slot(name) {
            *slot = Some(match text {
                Some(_) => Field::Text(line.get(start + 1..end - 1)?),
                None => Field::Json(line.get(start..end)?),
            });
        }
        Some(())
    })?;
    reader.rest.is_empty().then_some(())
}

/// Without a branch on what it finds, so that many bytes are looked at in one step.
fn has_escape_or_control(bytes: &[u8]) -> bool {
    let odd = |byte: &u8| u8::from(*byte < 0x20) | u8::from(*byte == b'\\');
    let (chunks, tail) = bytes.as_chunks::<64>();
    let mut found = tail.iter().fold(0, |found, byte| found | odd(byte));
    for chunk in chunks {
        found |= chunk.iter().fold(0, |found, byte| found | odd(byte));
    }
    found != 0
}

struct Reader<'a> {
    /// What has not been read yet.
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, byte: u8) -> Option<()> {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                Some(())
            }
            _ => None,
        }
    }

    /// Reads `{...}`; `field` is called at each value and reads it.
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.text()?;
            self.separator(b':')?;
            field(self, name)?;
            if self.ends(b'}')? {
                return Some(());
            }
        }
    }

    /// Reads a separator and the blank after it.
    fn separator(&mut self, byte: u8) -> Option<()> {
        self.rest = match self.rest {
            [first, b' ', rest @ ..] if *first == byte => rest,
            [first, rest @ ..] if *first == byte => rest,
            _ => return None,
        };
        Some(())
    }

    /// After an item: does the list end here? If not, a comma was read.
    fn ends(&mut self, bracket: u8) -> Option<bool> {
        match self.separator(b',') {
            Some(()) => Some(false),
            None => self.take(bracket).map(|()| true),
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.ends(b']')? {
                return Some(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.rest.first()? {
            b'"' => self.text().map(|_| ()),
            _ if depth > DEPTH_MAX => None,
            b'{' => self.object(|reader, _| reader.value(depth + 1)),
            b'[' => self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.whole_number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => None,
        }
    }

    /// The inside of a string. No escapes: the next quote is its end. Inlined, since it is most of
    /// what there is to read: that is 10 % of a replay.
    #[inline(always)]
    fn text(&mut self) -> Option<&'a [u8]> {
        let [b'"', rest @ ..] = self.rest else {
            return None;
        };
        let length = quote(rest)?;
        let (inside, rest) = rest.split_at_checked(length)?;
        self.rest = rest.get(1..)?;
        Some(inside)
    }

    fn whole_number(&mut self) -> Option<()> {
        let negative = self.take(b'-').is_some();
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at_checked(digits)?;
        let leading_zero = number.first() == Some(&b'0') && (digits > 1 || negative);
        let fraction = matches!(rest.first(), Some(b'.' | b'e' | b'E'));
        if digits == 0 || digits > DIGITS_MAX || leading_zero || fraction {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }
}

/// Where the next quote is. Most are a few bytes away: eight at a time are enough.
#[inline(always)]
fn quote(bytes: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let mut at = 0;
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk() {
        let other = u64::from_le_bytes(*chunk) ^ (EACH * b'"' as u64);
        let found = other.wrapping_sub(EACH) & !other & (EACH << 7);
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
        rest = after;
    }
    rest.iter().position(|byte| *byte == b'"').map(|tail| at + tail)
}

#[cfg(test)]
mod tests;
