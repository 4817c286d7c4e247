//! Here-documents: the delimiter, and the body behind the line.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;

use super::cursor::{Cursor, Pending, Result, ends_word};
use super::{Part, Word};

impl Cursor<'_> {
    /// Reads the delimiter behind `<<`, and expects the body behind this line.
    pub(super) fn delimiter(&mut self, tabs_stripped: bool) -> Result<Rc<OnceCell<Word>>> {
        self.blanks()?;
        let start = self.at;
        let mut delimiter = String::new();
        let mut quoted = false;
        while let Some(byte) = self.peek() {
            match byte {
                _ if ends_word(byte) || self.line_end() > 0 => break,
                b'\'' | b'"' => {
                    quoted = true;
                    self.at += 1;
                    let Some(length) = memchr::memchr(byte, self.rest().as_bytes()) else {
                        return Err(self.error("a quote that is not closed"));
                    };
                    delimiter.push_str(self.slice(self.at, self.at + length));
                    self.at += length + 1;
                }
                b'$' if matches!(self.byte(1), Some(b'\'' | b'"')) => self.at += 1,
                b'\\' if self.continuation() > 0 => self.at += self.continuation(),
                b'\\' => {
                    quoted = true;
                    self.at += 1;
                    self.take_character(&mut delimiter);
                }
                _ => self.take_character(&mut delimiter),
            }
        }
        if self.at == start {
            return Err(self.error("a here-document without a delimiter"));
        }
        self.spend(self.at - start)?;
        let body = Rc::new(OnceCell::new());
        self.pending.push(Pending { delimiter, quoted, tabs_stripped, body: Rc::clone(&body) });
        Ok(body)
    }

    fn take_character(&mut self, into: &mut String) {
        if let Some(character) = self.rest().chars().next() {
            into.push(character);
            self.at += character.len_utf8();
        }
    }

    /// Reads the bodies that start here. One that is not closed reaches to the end, as in bash.
    pub(super) fn documents(&mut self) -> Result<()> {
        for pending in core::mem::take(&mut self.pending) {
            let start = self.at;
            let end = self.body_end(&pending)?;
            let (behind, limit) = (self.at, self.end);
            let parts = if pending.quoted {
                let text = self.slice(start, end).into();
                Vec::from([Part::Text { text, quoted: true, at: self.source.outer(start) }])
            } else {
                (self.at, self.end) = (start, end);
                let parts = self.nested(Self::document_parts);
                (self.at, self.end) = (behind, limit);
                parts?
            };
            let span = self.source.span(start, end);
            // The cell is new, and set here alone.
            let _ = pending.body.set(Word { parts, span, array: None });
        }
        Ok(())
    }

    /// Goes behind the line of the delimiter; returns where the body ends.
    fn body_end(&mut self, pending: &Pending) -> Result<usize> {
        let mut continued = false;
        loop {
            let start = self.at;
            let rest = self.rest();
            let length = memchr::memchr(b'\n', rest.as_bytes());
            let line = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
            self.at += length.map_or(rest.len(), |length| length + 1);
            self.spend(self.at - start)?;
            let line = line.strip_suffix('\r').unwrap_or(line);
            let compared = match pending.tabs_stripped {
                true => line.trim_start_matches('\t'),
                false => line,
            };
            if compared == pending.delimiter && !continued {
                return Ok(start);
            }
            if length.is_none() {
                return Ok(self.end);
            }
            let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
            continued = !pending.quoted && backslashes % 2 == 1;
        }
    }
}
