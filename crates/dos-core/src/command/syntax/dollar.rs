//! What starts with a dollar sign: parameters, substitutions, arithmetic and `$'..'`.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::cursor::{Cursor, Result};
use super::script::Until;
use super::{Parameter, Part};

/// Longer ones before those that they start with.
const OPERATORS: [&str; 22] = [
    ":-", ":=", ":?", ":+", "##", "%%", "//", "/#", "/%", "^^", ",,", "#", "%", "/", "^", ",", "@",
    ":", "-", "=", "?", "+",
];
/// Behind these, between double quotes, a single quote stands for itself.
const WORD_OPERATORS: [&str; 8] = [":-", ":=", ":?", ":+", "-", "=", "?", "+"];

impl Cursor<'_> {
    /// Goes behind what a dollar sign starts.
    pub(super) fn dollar(&mut self, parts: &mut Vec<Part>, quoted: bool) -> Result<()> {
        let start = self.at;
        match self.byte(1) {
            Some(b'(') => self.parenthesis(parts, quoted),
            Some(b'{') => self.brace(parts, quoted),
            Some(b'[') => {
                self.at += 2;
                let inner = self.nested(|cursor| cursor.parts_until(b']', true, true))?;
                parts.push(Part::Arithmetic(inner));
                Ok(())
            }
            Some(b'\'') if !quoted => self.ansi_c(parts),
            Some(b'"') if !quoted => {
                self.at += 1;
                self.double_quotes(parts)
            }
            Some(byte) if byte == b'_' || byte.is_ascii_alphabetic() => {
                self.at += 1;
                let name = self.name().into();
                self.simple_parameter(parts, name, quoted, start);
                Ok(())
            }
            Some(byte) if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                self.at += 2;
                let name = char::from(byte).into();
                self.simple_parameter(parts, name, quoted, start);
                Ok(())
            }
            _ => {
                self.push_text(parts, start, start + 1, quoted);
                Ok(())
            }
        }
    }

    fn simple_parameter(&self, parts: &mut Vec<Part>, name: String, quoted: bool, start: usize) {
        parts.push(Part::Parameter(Box::new(Parameter {
            name,
            indirect: false,
            length: false,
            subscript: None,
            operator: "",
            operand: Vec::new(),
            quoted,
            at: self.source.outer(start),
        })));
    }

    /// The name here, possibly empty, which is gone past.
    pub(super) fn name(&mut self) -> &str {
        let start = self.at;
        let bytes = self.rest().as_bytes();
        let inside = |byte: &u8| *byte == b'_' || byte.is_ascii_alphanumeric();
        let length = match bytes.first() {
            Some(first) if !first.is_ascii_digit() => {
                bytes.iter().position(|byte| !inside(byte)).unwrap_or(bytes.len())
            }
            _ => 0,
        };
        self.at += length;
        self.slice(start, start + length)
    }

    fn parenthesis(&mut self, parts: &mut Vec<Part>, quoted: bool) -> Result<()> {
        if self.byte(2) == Some(b'(')
            && let Some(end) = self.arithmetic_end(self.at + 3)?
        {
            self.at += 3;
            parts.push(Part::Arithmetic(self.arithmetic(end)?));
            return Ok(());
        }
        self.at += 2;
        let script = self.nested(Self::parenthesized)?;
        parts.push(Part::Output { script, quoted });
        Ok(())
    }

    /// Reads arithmetic up to its `))`, and goes behind that.
    pub(super) fn arithmetic(&mut self, end: usize) -> Result<Vec<Part>> {
        let limit = core::mem::replace(&mut self.end, end);
        let parts = self.nested(Self::document_parts);
        self.end = limit;
        self.at = end + 2;
        parts
    }

    /// Where `))` closes what opened here; nothing if a single `)` does, so that these are two
    /// parentheses.
    pub(super) fn arithmetic_end(&self, start: usize) -> Result<Option<usize>> {
        let bytes = self.slice(start, self.end).as_bytes();
        let mut open = 0_usize;
        let mut at = 0;
        let result = loop {
            match bytes.get(at) {
                None => break Err(self.error("a parenthesis that is not closed")),
                Some(b'\\') => at += 1,
                Some(quote @ (b'"' | b'\'' | b'`')) => {
                    let rest = bytes.get(at + 1..).unwrap_or_default();
                    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
                    let escapes = *quote != b'\'' || before == Some(&b'$');
                    match closing_quote(rest, *quote, escapes) {
                        Some(length) => at += length + 1,
                        None => break Err(self.error("a quote that is not closed")),
                    }
                }
                Some(b'(') => open += 1,
                Some(b')') if open > 0 => open -= 1,
                Some(b')') => {
                    break Ok((bytes.get(at + 1) == Some(&b')')).then_some(start + at));
                }
                Some(_) => {}
            }
            at += 1;
        };
        self.spend(at.min(bytes.len()) + 1)?;
        result
    }

    fn brace(&mut self, parts: &mut Vec<Part>, quoted: bool) -> Result<()> {
        let start = self.at;
        if matches!(self.byte(2), Some(b' ' | b'\t' | b'\n' | b'|')) {
            // `${ command; }`, of newer shells.
            self.at += 3;
            let script = self.nested(|cursor| {
                let script = cursor.script(Until::Brace)?;
                match cursor.reserved("}") {
                    true => Ok(script),
                    false => Err(cursor.error("a ${ that is not closed")),
                }
            })?;
            parts.push(Part::Output { script, quoted });
            return Ok(());
        }
        self.at += 2;
        let named = |byte: Option<u8>| {
            byte.is_some_and(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        };
        let length = self.peek() == Some(b'#')
            && (named(self.byte(1)) || matches!(self.byte(1), Some(b'@' | b'*')));
        let indirect = self.peek() == Some(b'!') && named(self.byte(1));
        self.at += usize::from(length || indirect);
        let name = self.parameter_name();
        let subscript = match self.peek() {
            Some(b'[') => {
                self.at += 1;
                Some(self.nested(|cursor| cursor.parts_until(b']', true, true))?)
            }
            _ => None,
        };
        let operator = OPERATORS.iter().find(|operator| self.starts(operator)).copied();
        let operator = operator.unwrap_or_default();
        self.at += operator.len();
        let plain_quotes = quoted && WORD_OPERATORS.contains(&operator);
        let operand = self.nested(|cursor| cursor.parts_until(b'}', quoted, plain_quotes))?;
        parts.push(Part::Parameter(Box::new(Parameter {
            name,
            indirect,
            length,
            subscript,
            operator,
            operand,
            quoted,
            at: self.source.outer(start),
        })));
        Ok(())
    }

    fn parameter_name(&mut self) -> String {
        let name = self.name();
        if !name.is_empty() {
            return name.into();
        }
        let bytes = self.rest().as_bytes();
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let special = bytes.first().is_some_and(|byte| b"@*#?-$!".contains(byte));
        let length = digits.max(usize::from(special));
        self.at += length;
        self.slice(self.at - length, self.at).into()
    }

    /// Goes behind `$'..'`.
    fn ansi_c(&mut self, parts: &mut Vec<Part>) -> Result<()> {
        let opened = self.at;
        self.at += 2;
        self.push_text(parts, self.at, self.at, true);
        loop {
            let start = self.at;
            match self.peek() {
                None => {
                    self.at = opened;
                    return Err(self.error("a $' that is not closed"));
                }
                Some(b'\'') => {
                    self.at += 1;
                    return self.spend(self.at - opened);
                }
                Some(b'\\') => {
                    let at = self.source.outer(start);
                    let text = self.ansi_c_escape();
                    parts.push(Part::Text { text, quoted: true, at });
                }
                Some(_) => {
                    let bytes = self.rest().as_bytes();
                    let run = memchr::memchr2(b'\'', b'\\', bytes).unwrap_or(bytes.len());
                    self.push_text(parts, start, start + run, true);
                }
            }
        }
    }

    /// What one escape of `$'..'` stands for.
    fn ansi_c_escape(&mut self) -> String {
        self.at += 1;
        let Some(character) = self.rest().chars().next() else {
            return "\\".into();
        };
        self.at += character.len_utf8();
        let plain = match character {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'e' | 'E' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '?' => character,
            'x' => return self.numbered(16, 2, "\\x"),
            'u' => return self.numbered(16, 4, "\\u"),
            'U' => return self.numbered(16, 8, "\\U"),
            'c' => {
                let control = self.rest().chars().next();
                self.at += control.map_or(0, char::len_utf8);
                return control.map(|it| char::from(it as u8 & 0x1f)).into_iter().collect();
            }
            '0'..='7' => {
                self.at -= 1;
                return self.numbered(8, 3, "");
            }
            other => return ['\\', other].into_iter().collect(),
        };
        plain.into()
    }

    fn numbered(&mut self, radix: u32, most: usize, bare: &str) -> String {
        let digits: String =
            self.rest().chars().take(most).take_while(|digit| digit.is_digit(radix)).collect();
        self.at += digits.len();
        match u32::from_str_radix(&digits, radix).ok().and_then(char::from_u32) {
            // A zero ends the text in bash; nothing stands behind it that a name could hold.
            Some('\0') => String::new(),
            Some(character) => character.into(),
            None => bare.into(),
        }
    }
}

/// The length of what is before a closing quote.
fn closing_quote(bytes: &[u8], quote: u8, escapes: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            byte if *byte == quote => return Some(at),
            b'\\' if escapes => at += 2,
            _ => at += 1,
        }
    }
}
