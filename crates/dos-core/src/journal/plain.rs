//! A quick reader for plain lines: nearly every line that a program wrote is one.
//!
//! Plain means: no escapes in strings, whole numbers of at most 18 digits, few levels. A line that
//! is plain is valid JSON by the way it is read here; any other line is left to `serde_json`. The
//! two give the same header for every plain line, which a property test holds them to.

use crate::journal::decode::Header;

const DEPTH_MAX: usize = 16;
const DIGITS_MAX: usize = 18;

/// The header of a plain line; `None` when the line is not plain.
pub(super) fn header(text: &str) -> Option<Header<'_>> {
    if has_escape_or_control(text.as_bytes()) {
        return None;
    }
    let mut reader = Reader { rest: text.as_bytes() };
    let mut header = Header::default();
    reader.object(|reader, name| {
        let start = text.len() - reader.rest.len();
        reader.value(1)?;
        let end = text.len() - reader.rest.len();
        if let Some(slot) = header.slot(name) {
            *slot = text.get(start..end);
        }
        Some(())
    })?;
    reader.rest.is_empty().then_some(header)
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
    fn blanks(&mut self) {
        while let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

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
        self.blanks();
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.separator(b':')?;
            field(self, name)?;
            if self.ends(b'}')? {
                return Some(());
            }
        }
    }

    /// Reads a separator with the blanks around it.
    fn separator(&mut self, byte: u8) -> Option<()> {
        match self.rest {
            [first, b' ', rest @ ..] if *first == byte && rest.first() != Some(&b' ') => {
                self.rest = rest;
                Some(())
            }
            _ => {
                self.blanks();
                self.take(byte)?;
                self.blanks();
                Some(())
            }
        }
    }

    /// After an item: does the list end here? If not, a comma was read.
    fn ends(&mut self, bracket: u8) -> Option<bool> {
        if self.take(bracket).is_some() {
            return Some(true);
        }
        if self.separator(b',').is_some() {
            return Some(false);
        }
        self.take(bracket).map(|()| true)
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        self.blanks();
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
        if depth > DEPTH_MAX {
            return None;
        }
        match self.rest.first()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(|reader, _| reader.value(depth + 1)),
            b'[' => self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.whole_number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => None,
        }
    }

    /// The inside of a string. No escapes: the next quote is its end.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let length = memchr::memchr(b'"', self.rest)?;
        let (inside, rest) = self.rest.split_at_checked(length)?;
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

#[cfg(test)]
mod tests;
