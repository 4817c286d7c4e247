//! Words: plain text, quotes, backslashes and backticks.

use alloc::string::String;
use alloc::vec::Vec;

use super::cursor::{Cursor, Result, ends_word};
use super::{Part, Source, Span, Word};

impl Cursor<'_> {
    /// Reads one word. There is at least one byte of it here.
    pub(super) fn word(&mut self) -> Result<Word> {
        self.word_behind(self.at, Vec::new())
    }

    /// Reads on in a word that has these pieces already.
    pub(super) fn word_behind(&mut self, start: usize, mut parts: Vec<Part>) -> Result<Word> {
        self.count_word()?;
        while let Some(byte) = self.peek() {
            let process = matches!(byte, b'<' | b'>') && self.byte(1) == Some(b'(');
            if process {
                self.at += 2;
                let script = self.nested(Self::parenthesized)?;
                parts.push(Part::Process(script));
            } else if ends_word(byte) || self.line_end() > 0 {
                break;
            } else if b"?*+@!".contains(&byte) && self.byte(1) == Some(b'(') {
                self.extended_pattern(&mut parts)?;
            } else {
                self.unquoted_piece(&mut parts)?;
            }
        }
        self.spend(self.at - start + 1)?;
        Ok(Word { parts, span: self.span_from(start), array: None })
    }

    pub(super) fn span_from(&self, start: usize) -> Span {
        self.source.span(start, self.at)
    }

    /// `@(a|b)` and its like: one pattern, whatever it holds.
    fn extended_pattern(&mut self, parts: &mut Vec<Part>) -> Result<()> {
        self.push_text(parts, self.at, self.at + 2, false);
        let inner = self.nested(|cursor| cursor.parts_until(b')', false, false))?;
        parts.extend(inner);
        self.push_text(parts, self.at - 1, self.at, false);
        Ok(())
    }

    pub(super) fn push_text(
        &mut self,
        parts: &mut Vec<Part>,
        start: usize,
        end: usize,
        quoted: bool,
    ) {
        let text = self.slice(start, end).into();
        parts.push(Part::Text { text, quoted, at: self.source.outer(start) });
        self.at = end;
    }

    /// One piece outside quotes: a run of plain text, or what starts with a special character.
    pub(super) fn unquoted_piece(&mut self, parts: &mut Vec<Part>) -> Result<()> {
        match self.peek() {
            Some(b'\'') => self.single_quotes(parts),
            Some(b'"') => self.double_quotes(parts),
            Some(b'\\') => {
                self.escaped(parts);
                Ok(())
            }
            Some(b'$') => self.dollar(parts, false),
            Some(b'`') => self.backticks(parts, false),
            _ => {
                let bytes = self.rest().as_bytes();
                // The first byte was looked at by whoever asks.
                let special = |byte: &u8| ends_word(*byte) || b"'\"\\$`\r?*+@!".contains(byte);
                let run = bytes.iter().skip(1).position(special).map_or(bytes.len(), |at| at + 1);
                let start = self.at;
                // A character of several bytes holds none of the special ones.
                self.push_text(parts, start, start + run, false);
                Ok(())
            }
        }
    }

    fn single_quotes(&mut self, parts: &mut Vec<Part>) -> Result<()> {
        let start = self.at + 1;
        match memchr::memchr(b'\'', self.slice(start, self.end).as_bytes()) {
            Some(length) => {
                self.push_text(parts, start, start + length, true);
                self.at += 1;
                Ok(())
            }
            None => Err(self.error("a single quote that is not closed")),
        }
    }

    /// Goes behind a backslash and what it takes the meaning from.
    fn escaped(&mut self, parts: &mut Vec<Part>) {
        if self.continuation() > 0 {
            self.at += self.continuation();
            return;
        }
        let start = self.at + 1;
        match self.slice(start, self.end).chars().next() {
            Some(character) => self.push_text(parts, start, start + character.len_utf8(), true),
            None => self.push_text(parts, self.at, start, true),
        }
    }

    /// Goes behind `"..."`.
    pub(super) fn double_quotes(&mut self, parts: &mut Vec<Part>) -> Result<()> {
        let opened = self.at;
        self.at += 1;
        if self.peek() == Some(b'"') {
            // Empty quotes are a word.
            self.push_text(parts, self.at, self.at, true);
        }
        loop {
            match self.peek() {
                None => {
                    self.at = opened;
                    return Err(self.error("a double quote that is not closed"));
                }
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.quoted_piece(parts, b"\"")?,
            }
        }
    }

    /// Reads to the end, as it is read between double quotes.
    pub(super) fn document_parts(&mut self) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        while self.peek().is_some() {
            self.quoted_piece(&mut parts, b"")?;
        }
        Ok(parts)
    }

    /// One piece between double quotes. A backslash keeps its place before all but some characters.
    pub(super) fn quoted_piece(&mut self, parts: &mut Vec<Part>, stops: &[u8]) -> Result<()> {
        let start = self.at;
        match self.peek() {
            Some(b'$') => return self.dollar(parts, true),
            Some(b'`') => return self.backticks(parts, true),
            Some(b'\\') if self.continuation() > 0 => self.at += self.continuation(),
            Some(b'\\') => match self.byte(1) {
                Some(next) if b"$`\\".contains(&next) || stops.contains(&next) => {
                    self.push_text(parts, start + 1, start + 2, true);
                }
                _ => self.push_text(parts, start, start + 1, true),
            },
            _ => {
                let bytes = self.rest().as_bytes();
                let special = |byte: &u8| b"$`\\".contains(byte) || stops.contains(byte);
                let run = bytes.iter().skip(1).position(special).map_or(bytes.len(), |at| at + 1);
                self.push_text(parts, start, start + run, true);
            }
        }
        self.spend(self.at - start + 1)
    }

    /// Pieces up to a closing character, which is gone past. `quoted` is between double quotes;
    /// `plain_quotes` is where single ones have no meaning there.
    pub(super) fn parts_until(
        &mut self,
        close: u8,
        quoted: bool,
        plain_quotes: bool,
    ) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        let opened = self.at;
        loop {
            let start = self.at;
            match self.peek() {
                None => {
                    self.at = opened;
                    return Err(self.error("a bracket or brace that is not closed"));
                }
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(parts);
                }
                Some(b'\'') if plain_quotes => {
                    self.push_text(&mut parts, start, start + 1, true);
                }
                Some(b'"') => self.double_quotes(&mut parts)?,
                Some(b'(') if close == b')' => {
                    self.push_text(&mut parts, start, start + 1, quoted);
                    parts.extend(self.nested(|it| it.parts_until(b')', quoted, plain_quotes))?);
                    self.push_text(&mut parts, self.at - 1, self.at, quoted);
                }
                Some(b'[') if close == b']' => {
                    self.push_text(&mut parts, start, start + 1, quoted);
                    parts.extend(self.nested(|it| it.parts_until(b']', quoted, plain_quotes))?);
                    self.push_text(&mut parts, self.at - 1, self.at, quoted);
                }
                Some(b'<' | b'>') if !quoted && self.byte(1) == Some(b'(') => {
                    self.at += 2;
                    let script = self.nested(Self::parenthesized)?;
                    parts.push(Part::Process(script));
                }
                Some(b'\\' | b'$' | b'`' | b'\'') if !quoted => self.unquoted_piece(&mut parts)?,
                Some(b'\\') if self.byte(1) == Some(close) => {
                    self.push_text(&mut parts, start + 1, start + 2, true);
                }
                Some(b'\\' | b'$' | b'`') => self.quoted_piece(&mut parts, b"\"")?,
                Some(b'\'') => self.single_quotes(&mut parts)?,
                Some(_) => {
                    let bytes = self.rest().as_bytes();
                    let special = |byte: &u8| b"'\"\\$`<>([".contains(byte) || *byte == close;
                    let run =
                        bytes.iter().skip(1).position(special).map_or(bytes.len(), |at| at + 1);
                    self.push_text(&mut parts, start, start + run, quoted);
                }
            }
            self.spend(self.at - start + 1)?;
        }
    }

    /// Goes behind `` `...` ``, whose text loses one level of backslashes before it is read.
    pub(super) fn backticks(&mut self, parts: &mut Vec<Part>, quoted: bool) -> Result<()> {
        let opened = self.at;
        self.at += 1;
        let mut inner = Source { text: String::new(), places: Vec::new() };
        loop {
            inner.places.push((inner.text.len(), self.source.outer(self.at)));
            let bytes = self.rest().as_bytes();
            let Some(run) = memchr::memchr2(b'`', b'\\', bytes) else {
                self.at = opened;
                return Err(self.error("a backtick that is not closed"));
            };
            inner.text.push_str(self.slice(self.at, self.at + run));
            self.at += run;
            if self.peek() == Some(b'`') {
                self.at += 1;
                break;
            }
            let next = self.byte(1);
            let loses = matches!(next, Some(b'$' | b'`' | b'\\')) || (quoted && next == Some(b'"'));
            self.at += usize::from(loses);
            inner.places.push((inner.text.len(), self.source.outer(self.at)));
            // The backslash itself, or the one-byte character behind it.
            inner.text.push_str(self.slice(self.at, self.at + 1));
            self.at += 1;
        }
        self.spend(self.at - opened)?;
        let script = self.nested(|cursor| {
            let mut reader = Cursor::new(&inner, cursor.depth)?;
            let script = reader.whole_script()?;
            cursor.spend(reader.work())?;
            Ok(script)
        })?;
        parts.push(Part::Output { script, quoted });
        Ok(())
    }
}
