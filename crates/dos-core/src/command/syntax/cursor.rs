//! Where reading is, what is left of the limits, and the steps between words.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell};

use super::{Source, SyntaxError, Word};
use crate::limits;

/// What nested readers share: the work that is left, and the words.
pub(super) type Result<T> = core::result::Result<T, SyntaxError>;

/// A here-document whose body starts behind the next line end.
pub(super) struct Pending {
    pub(super) delimiter: alloc::string::String,
    pub(super) quoted: bool,
    pub(super) tabs_stripped: bool,
    pub(super) body: Rc<OnceCell<Word>>,
}

pub(super) struct Cursor<'s> {
    pub(super) source: &'s Source,
    pub(super) at: usize,
    /// Behind the last byte that may be read.
    pub(super) end: usize,
    pub(super) depth: usize,
    pub(super) pending: Vec<Pending>,
    words: usize,
    work: Cell<usize>,
    work_max: usize,
}

impl<'s> Cursor<'s> {
    pub(super) fn new(source: &'s Source, depth: usize) -> Result<Self> {
        let end = source.text.len();
        let cursor = Self {
            source,
            at: 0,
            end,
            depth,
            pending: Vec::new(),
            words: 0,
            work: Cell::new(0),
            work_max: end.saturating_mul(limits::COMMAND_WORK_PER_BYTE) + 1024,
        };
        match end > limits::COMMAND_BYTES_MAX {
            true => Err(cursor.error("a command of more than 65536 bytes")),
            false if source.text.contains('\0') => Err(cursor.error("a zero byte")),
            false => Ok(cursor),
        }
    }

    pub(super) fn work(&self) -> usize {
        self.work.get()
    }

    pub(super) fn spend(&self, bytes: usize) -> Result<()> {
        self.work.set(self.work.get() + bytes);
        match self.work.get() > self.work_max {
            true => Err(self.error("too much work")),
            false => Ok(()),
        }
    }

    pub(super) fn error(&self, what: &'static str) -> SyntaxError {
        SyntaxError { at: self.source.outer(self.at), what }
    }

    /// Goes one level down, and up again.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= limits::COMMAND_NESTING_MAX {
            return Err(self.error("nesting that is too deep"));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    pub(super) fn count_word(&mut self) -> Result<()> {
        self.words += 1;
        match self.words > limits::COMMAND_WORDS_MAX {
            true => Err(self.error("too many words")),
            false => Ok(()),
        }
    }

    pub(super) fn byte(&self, ahead: usize) -> Option<u8> {
        let at = self.at + ahead;
        if at >= self.end {
            return None;
        }
        self.source.text.as_bytes().get(at).copied()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.byte(0)
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'s str {
        self.source.text.get(start..end.min(self.end)).unwrap_or_default()
    }

    pub(super) fn rest(&self) -> &'s str {
        self.slice(self.at, self.end)
    }

    pub(super) fn starts(&self, text: &str) -> bool {
        self.rest().as_bytes().starts_with(text.as_bytes())
    }

    /// Goes past a text that must be there.
    pub(super) fn eat(&mut self, text: &'static str) -> bool {
        let there = self.starts(text);
        if there {
            self.at += text.len();
        }
        there
    }

    /// The length of the line end here: `\n`, or `\r\n`.
    pub(super) fn line_end(&self) -> usize {
        match (self.peek(), self.byte(1)) {
            (Some(b'\n'), _) => 1,
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\r'), None) => 1,
            _ => 0,
        }
    }

    /// The length of the continuation here: a backslash before a line end.
    pub(super) fn continuation(&self) -> usize {
        match (self.peek(), self.byte(1), self.byte(2)) {
            (Some(b'\\'), Some(b'\n'), _) => 2,
            (Some(b'\\'), Some(b'\r'), Some(b'\n')) => 3,
            _ => 0,
        }
    }

    /// Skips blanks, continuations and a comment.
    pub(super) fn blanks(&mut self) -> Result<()> {
        let start = self.at;
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\\') if self.continuation() > 0 => self.at += self.continuation(),
                Some(b'#') => {
                    let line = memchr::memchr(b'\n', self.rest().as_bytes());
                    self.at = line.map_or(self.end, |length| self.at + length);
                }
                _ => break,
            }
        }
        self.spend(self.at - start + 1)
    }

    /// Skips blanks and line ends, and reads the here-documents that start behind them.
    pub(super) fn lines(&mut self) -> Result<bool> {
        let mut any = false;
        loop {
            self.blanks()?;
            let length = self.line_end();
            if length == 0 {
                return Ok(any);
            }
            any = true;
            self.at += length;
            self.documents()?;
        }
    }

    /// The word here, if it is made of plain characters alone. Does not go past it.
    pub(super) fn plain(&self) -> &'s str {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        // No reserved word is longer.
        let end = bytes.iter().take(12).position(|byte| ends_word(*byte) || *byte == b'\r');
        let end = end.unwrap_or_else(|| bytes.len().min(12));
        let word = rest.get(..end).unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_!{}[]".contains(&byte);
        match word.bytes().all(plain) && word.len() < 12 {
            true => word,
            false => "",
        }
    }

    /// Goes past a reserved word, if it is here.
    pub(super) fn reserved(&mut self, word: &str) -> bool {
        let there = self.plain() == word;
        if there {
            self.at += word.len();
        }
        there
    }
}

/// Does a word end before this byte?
pub(super) fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>')
}
