//! What a command substitution prints, where that can be told from the text.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::syntax::{Redirect, Script, Shape};
use super::super::text::{Field, TOP, Text, joined};
use super::Expander;

/// What asks git for the top of the checkout.
const TOPLEVEL: (&str, &str) = ("rev-parse", "--show-toplevel");

impl Expander<'_> {
    /// The output of a script without its last line ends; a hole where it cannot be told.
    pub(super) fn output(&self, script: &Script) -> Text {
        self.known_output(script).unwrap_or_else(Text::hole)
    }

    fn known_output(&self, script: &Script) -> Option<Text> {
        let [step] = script.steps.as_slice() else {
            return script.steps.is_empty().then(Text::default);
        };
        let [command] = step.stages.as_slice() else {
            return None;
        };
        let Shape::Simple(simple) = &command.shape else {
            return None;
        };
        let fields = self.fields(&simple.words);
        let (program, rest) = fields.split_first()?;
        let name = program.settled()?;
        if name == "cat" && rest.is_empty() {
            let [redirect] = command.redirects.as_slice() else {
                return None;
            };
            return Some(trimmed(self.body(redirect)?));
        }
        if command.redirects.iter().any(|redirect| redirect.number.as_deref() != Some("2")) {
            return None;
        }
        match name {
            "echo" => echo(rest),
            "printf" => printf(rest).map(trimmed),
            "which" => operand(rest, |option| option.starts_with('-')),
            "command" | "type" => match rest.split_first() {
                Some((option, rest)) if matches!(option.as_str(), "-v" | "-p" | "-P" | "-pv") => {
                    operand(rest, |_| false)
                }
                _ => None,
            },
            "basename" => {
                let text = &operand(rest, |_| false)?;
                let start = text.text.rfind('/').map_or(0, |slash| slash + 1);
                Some(text.part(start, text.text.len()))
            }
            "git" => match rest {
                [verb, option] if (verb.as_str(), option.as_str()) == TOPLEVEL => {
                    Some(Text::known(TOP, program.span.start))
                }
                _ => None,
            },
            "pwd" if rest.is_empty() => Some(Text::known(".", program.span.start)),
            _ => None,
        }
    }

    /// The text that a here-document or a here-string puts on the standard input.
    pub fn body(&self, redirect: &Redirect) -> Option<Text> {
        match (&redirect.body, redirect.operator) {
            (Some(body), _) => Some(self.text(&body.get()?.parts)),
            (None, "<<<") => Some(self.text(&redirect.target.parts)),
            _ => None,
        }
    }
}

fn trimmed(text: Text) -> Text {
    let length = text.text.trim_end_matches('\n').len();
    match length == text.text.len() {
        true => text,
        false => text.part(0, length),
    }
}

fn operand(fields: &[Field], is_option: impl Fn(&str) -> bool) -> Option<Text> {
    let operand = fields.iter().find(|field| !is_option(field.as_str()))?;
    Some(operand.text.clone())
}

fn echo(fields: &[Field]) -> Option<Text> {
    let mut rest = fields;
    let mut escapes = false;
    while let Some((first, behind)) = rest.split_first() {
        match first.as_str() {
            "-n" | "-E" => {}
            "-e" | "-ne" | "-en" => escapes = true,
            _ => break,
        }
        rest = behind;
    }
    let text = joined(rest);
    match escapes && text.text.contains('\\') {
        true => escaped(&text).map(trimmed),
        false => Some(trimmed(text)),
    }
}

/// The text with its escapes undone. Its places are lost but for the first.
fn escaped(text: &Text) -> Option<Text> {
    let place = text.places.first().map_or(0, |(_, outer)| *outer);
    let mut plain = Text::known(&unescaped(&text.text)?, place);
    plain.holes.extend(text.holes.first().map(|_| 0));
    Some(plain)
}

/// Undoes the escapes of `printf` and `echo -e`.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        let number = match characters.next() {
            Some('n') => 10,
            Some('t') => 9,
            Some('r') => 13,
            Some('\\') | None => 92,
            Some('x') => digits(&mut characters, 16, 2, 0)?,
            Some('0') => digits(&mut characters, 8, 3, 0)?,
            Some(digit @ '1'..='7') => digits(&mut characters, 8, 2, digit.to_digit(8)?)?,
            Some('u') => digits(&mut characters, 16, 4, 0)?,
            Some(other) => {
                plain.push('\\');
                u32::from(other)
            }
        };
        plain.push(char::from_u32(number)?);
    }
    Some(plain)
}

fn digits(
    characters: &mut core::iter::Peekable<core::str::Chars<'_>>,
    radix: u32,
    most: usize,
    start: u32,
) -> Option<u32> {
    let mut number = start;
    for _ in 0..most {
        match characters.peek().and_then(|character| character.to_digit(radix)) {
            Some(digit) => number = number.checked_mul(radix)?.checked_add(digit)?,
            None => break,
        }
        characters.next();
    }
    Some(number)
}

/// The text of a `printf` whose format has `%s`, `%b`, `%d` and `%%` alone.
pub(in super::super) fn printf(fields: &[Field]) -> Option<Text> {
    let mut fields = fields;
    if fields.first().is_some_and(|field| field.as_str() == "--") {
        fields = fields.get(1..)?;
    }
    let (format, mut arguments) = fields.split_first()?;
    let format_text = format.settled()?;
    let pieces: Vec<&str> = format_text.split('%').collect();
    let place = format.span.start;
    let mut text = Text::default();
    let mut started = false;
    while !started || !arguments.is_empty() {
        started = true;
        let before = arguments.len();
        text.push_str(&unescaped(pieces.first()?)?, place);
        let mut rest = pieces.get(1..)?.iter();
        while let Some(piece) = rest.next() {
            if piece.is_empty() {
                text.push_str("%", place);
                text.push_str(&unescaped(rest.next()?)?, place);
                continue;
            }
            let behind = piece.strip_prefix(['s', 'b', 'd', 'q'])?;
            if let Some((argument, rest)) = arguments.split_first() {
                match piece.starts_with('b') {
                    true => text.push(&escaped(&argument.text)?),
                    false => text.push(&argument.text),
                }
                arguments = rest;
            }
            text.push_str(&unescaped(behind)?, place);
        }
        if arguments.len() == before {
            break;
        }
    }
    Some(text)
}
