//! Little languages that are carried in arguments: what a script of sed or awk runs and writes.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a script does beside its output.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// Does it run commands?
    pub(super) runs: bool,
    /// The files that it writes.
    pub(super) writes: Vec<String>,
}

/// Reads a script of sed.
pub(super) fn sed(script: &str) -> Effects {
    let mut effects = Effects::default();
    let mut reader = Sed { rest: script, effects: &mut effects };
    while !reader.rest.is_empty() {
        reader.command();
    }
    effects
}

struct Sed<'s, 'e> {
    rest: &'s str,
    effects: &'e mut Effects,
}

impl Sed<'_, '_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        Some(character)
    }

    fn skip(&mut self, characters: &[char]) {
        self.rest = self.rest.trim_start_matches(characters);
    }

    /// Goes behind a delimiter that is not escaped.
    fn behind(&mut self, delimiter: char) {
        let mut class = false;
        while let Some(character) = self.next() {
            match character {
                '\\' => drop(self.next()),
                '[' => class = true,
                ']' => class = false,
                '\n' => class = false,
                _ if character == delimiter && (!class || !self.rest.contains(']')) => return,
                _ => {}
            }
        }
    }

    /// Takes the rest of the line.
    fn line(&mut self) -> String {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        line.trim().to_string()
    }

    fn write(&mut self) {
        let path = self.line();
        if !path.is_empty() && path != "/dev/stdout" && path != "/dev/stderr" {
            self.effects.writes.push(path);
        }
    }

    fn command(&mut self) {
        // Addresses and separators before the command.
        loop {
            self.skip(&[' ', '\t', '\n', ';', '{', '}', ',', '!', '~', '+', '$']);
            match self.rest.chars().next() {
                Some(digit) if digit.is_ascii_digit() => drop(self.next()),
                Some('/') => {
                    self.next();
                    self.behind('/');
                    self.skip(&['I', 'M']);
                }
                Some('\\') => {
                    self.next();
                    if let Some(delimiter) = self.next() {
                        self.behind(delimiter);
                    }
                }
                _ => break,
            }
        }
        match self.next() {
            Some('e') => self.effects.runs = true,
            Some('w' | 'W') => self.write(),
            Some('r' | 'R' | '#' | 'a' | 'i' | 'c' | ':') => drop(self.line()),
            Some('b' | 't' | 'T') => {
                self.rest = self.rest.trim_start_matches(|it| it != ';' && it != '\n' && it != '}');
            }
            Some('y') => {
                if let Some(delimiter) = self.next() {
                    self.behind(delimiter);
                    self.behind(delimiter);
                }
            }
            Some('s') => self.substitution(),
            _ => {}
        }
    }

    fn substitution(&mut self) {
        let Some(delimiter) = self.next() else {
            return;
        };
        self.behind(delimiter);
        self.behind(delimiter);
        loop {
            match self.rest.chars().next() {
                Some('e') => {
                    self.effects.runs = true;
                    self.next();
                }
                Some('w') => {
                    self.next();
                    return self.write();
                }
                Some(flag) if flag.is_ascii_digit() || "gpIiMm".contains(flag) => drop(self.next()),
                _ => return,
            }
        }
    }
}

/// Reads a script of awk, up to where it runs a command: `system(..)`, or a pipe. A file whose name
/// is put together is written under an empty one.
pub(super) fn awk(script: &str) -> Effects {
    let mut effects = Effects::default();
    effects.runs = awk_runs(script, &mut effects.writes);
    effects
}

fn awk_runs(script: &str, writes: &mut Vec<String>) -> bool {
    // Is what is printed being told, and how deep in parentheses?
    let (mut prints, mut depth) = (false, 0_usize);
    let mut characters = script.chars().peekable();
    let mut word = String::new();
    // What stood before, to tell a division from a regular expression.
    let mut operand = false;
    while let Some(character) = characters.next() {
        if character == '_' || character.is_alphanumeric() {
            word.push(character);
            operand = true;
            continue;
        }
        if word == "system" && character == '(' {
            return true;
        }
        if matches!(word.as_str(), "print" | "return" | "printf" | "in") {
            operand = false;
            prints |= word.starts_with("print");
        }
        // A blank may stand between `system` and its parenthesis.
        if !(character.is_whitespace() && word == "system") {
            word.clear();
        }
        match character {
            '"' => {
                skip_to(&mut characters, '"');
                operand = true;
            }
            '/' if !operand => {
                skip_to(&mut characters, '/');
                operand = true;
            }
            '#' => {
                for next in characters.by_ref() {
                    if next == '\n' {
                        break;
                    }
                }
            }
            '|' if characters.peek() == Some(&'|') => {
                characters.next();
                operand = false;
            }
            '|' => return true,
            '@' => return script.contains("@load") || script.contains("@include"),
            '>' if prints && depth == 0 => {
                writes.push(awk_target(characters.clone()));
                characters.next_if_eq(&'>');
                operand = false;
            }
            ')' | ']' | '$' => {
                operand = true;
                depth = depth.saturating_sub(usize::from(character == ')'));
            }
            '(' => {
                operand = false;
                depth += 1;
            }
            ';' | '}' | '\n' => (prints, operand) = (false, false),
            _ if character.is_whitespace() => {}
            _ => operand = false,
        }
    }
    false
}

/// The file behind a `>`, where it is a text alone; nothing where it is not.
fn awk_target(characters: core::iter::Peekable<core::str::Chars<'_>>) -> String {
    let mut rest = characters.skip_while(|it| *it == '>' || it.is_whitespace());
    if rest.next() != Some('"') {
        return String::new();
    }
    let mut path = String::new();
    for character in rest.by_ref() {
        match character {
            '"' => break,
            '\\' => return String::new(),
            _ => path.push(character),
        }
    }
    let ends = |it: char| matches!(it, ';' | '}' | '\n');
    match rest.find(|it| *it == '\n' || !it.is_whitespace()).is_none_or(ends) {
        true => path,
        false => String::new(),
    }
}

fn skip_to(characters: &mut core::iter::Peekable<core::str::Chars<'_>>, close: char) {
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            _ if character == close => return,
            _ => {}
        }
    }
}
