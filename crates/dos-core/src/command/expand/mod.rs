//! Words as the shell would pass them on, as far as the command settles it.

mod brace;
mod output;
mod parameter;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

pub(super) use output::printf;

use super::shell::{Shell, Value};
use super::syntax::{Parameter, Part, Word};
use super::text::{Field, Text};
use crate::limits;

/// Expands words of one command. Where variables may have several values, `reading` says which.
pub struct Expander<'s> {
    /// What the shell remembers.
    pub shell: &'s Shell,
    /// Which of several values is looked at.
    pub reading: usize,
    /// How many bytes were produced, by all expanders of one command together.
    pub produced: &'s Cell<usize>,
}

impl Expander<'_> {
    /// The fields of several words.
    pub fn fields(&self, words: &[Word]) -> Vec<Field> {
        words.iter().flat_map(|word| self.word(word)).collect()
    }

    /// The fields of one word.
    pub fn word(&self, word: &Word) -> Vec<Field> {
        let mut fields = Vec::new();
        for parts in brace::alternatives(&word.parts, self.produced) {
            let mut building = Building::new(self, word);
            building.parts(&parts);
            fields.append(&mut building.finish());
        }
        fields
    }

    /// One text, as for an assignment or a redirection: nothing is split.
    pub fn single(&self, word: &Word) -> Field {
        let mut field = Field { text: self.text(&word.parts), span: word.span, ..Field::default() };
        field.pattern = word.parts.iter().any(is_pattern);
        field.tilde = starts_with_tilde(&word.parts);
        field
    }

    /// The text of some pieces, none of which is split.
    pub fn text(&self, parts: &[Part]) -> Text {
        let mut text = Text::default();
        for part in parts {
            match part {
                Part::Text { text: literal, at, .. } => text.push_str(literal, *at),
                Part::Parameter(parameter) => {
                    if let Some(value) = self.parameter(parameter) {
                        text.push(&self.flat(&value));
                    }
                }
                Part::Output { script, .. } => text.push(&self.output(script)),
                Part::Process(_) | Part::Arithmetic(_) => text.push(&Text::hole()),
            }
            if !self.afford(text.text.len()) {
                return Text::hole();
            }
        }
        text
    }

    fn flat(&self, value: &Value) -> Text {
        match value {
            Value::Text(text) => text.clone(),
            Value::List(fields) => super::text::joined(fields),
        }
    }

    /// What `"$*"` is: one text, with the first separator in between.
    fn star(&self, value: &Value) -> Text {
        let Value::List(fields) = value else {
            return self.flat(value);
        };
        let separators = self.separators();
        let separator = separators.get(..separators.chars().next().map_or(0, char::len_utf8));
        let mut text = Text::default();
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                text.push_str(separator.unwrap_or_default(), field.span.start);
            }
            text.push(&field.text);
        }
        text
    }

    /// Counts bytes that are produced; false when there are too many.
    fn afford(&self, bytes: usize) -> bool {
        let total = self.produced.get().saturating_add(bytes);
        self.produced.set(total);
        total <= limits::COMMAND_EXPANSION_BYTES_MAX
    }

    /// The characters at which unquoted expansions are split.
    fn separators(&self) -> String {
        match self.shell.values("IFS").first() {
            Some(Value::Text(text)) if text.settled() => text.text.clone(),
            _ => " \t\n".into(),
        }
    }
}

/// The fields of one word while they are put together.
struct Building<'e, 's> {
    expander: &'e Expander<'s>,
    span: super::syntax::Span,
    done: Vec<Field>,
    open: Option<Field>,
    /// Did unquoted blanks end the field before?
    split: bool,
}

impl<'e, 's> Building<'e, 's> {
    fn new(expander: &'e Expander<'s>, word: &Word) -> Self {
        Self { expander, span: word.span, done: Vec::new(), open: None, split: false }
    }

    fn field(&mut self) -> &mut Field {
        let span = self.span;
        self.split = false;
        self.open.get_or_insert_with(|| Field { span, ..Field::default() })
    }

    fn parts(&mut self, parts: &[Cow<'_, Part>]) {
        for part in parts {
            match part.as_ref() {
                Part::Text { text, quoted, at } => {
                    let first = self.open.is_none() && self.done.is_empty();
                    let field = self.field();
                    field.text.push_str(text, *at);
                    field.pattern |= is_pattern(part);
                    field.tilde |= first && !quoted && text.starts_with('~');
                }
                Part::Parameter(parameter) => {
                    let first = self.open.is_none() && self.done.is_empty();
                    let values = self.expander.parameter(parameter);
                    if values.is_none() && parameter.quoted && parameter.name != "@" {
                        self.field();
                    }
                    if let Some(value) = values {
                        let value = match is_star(parameter) {
                            true => Value::Text(self.expander.star(&value)),
                            false => value,
                        };
                        self.value(&value, parameter.quoted);
                        if let Some(field) = &mut self.open {
                            field.tilde |= first && is_home(part);
                        }
                    }
                }
                Part::Output { script, quoted } => {
                    let text = self.expander.output(script);
                    self.value(&Value::Text(text), *quoted);
                }
                Part::Process(_) | Part::Arithmetic(_) => {
                    let hole = Text::hole();
                    self.field().text.push(&hole);
                }
            }
        }
    }

    fn value(&mut self, value: &Value, quoted: bool) {
        match value {
            Value::Text(text) if quoted => self.field().text.push(text),
            Value::Text(text) => self.split_text(text),
            Value::List(fields) => {
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        self.close();
                    }
                    match quoted {
                        true => self.field().text.push(&field.text),
                        false => self.split_text(&field.text),
                    }
                }
            }
        }
    }

    fn split_text(&mut self, text: &Text) {
        let separators = self.expander.separators();
        let mut start = 0;
        if !self.expander.afford(text.text.len()) {
            self.field().text.push(&Text::hole());
            return;
        }
        let pieces = text.text.split(|character| separators.contains(character));
        for (index, piece) in pieces.enumerate() {
            if index > 0 {
                self.close();
            }
            let part = text.part(start, start + piece.len());
            if !piece.is_empty() || !part.settled() {
                let pattern = piece.contains(['*', '?', '[']);
                let field = self.field();
                field.text.push(&part);
                field.pattern |= pattern;
            }
            // One byte each: separators of several bytes only come with an odd IFS.
            start += piece.len() + 1;
        }
    }

    fn close(&mut self) {
        self.done.extend(self.open.take());
    }

    fn finish(mut self) -> Vec<Field> {
        self.close();
        self.done
    }
}

fn is_pattern(part: &Part) -> bool {
    match part {
        Part::Text { text, quoted: false, .. } => text.contains(['*', '?', '[']),
        _ => false,
    }
}

fn starts_with_tilde(parts: &[Part]) -> bool {
    match parts.first() {
        Some(Part::Text { text, quoted: false, .. }) => text.starts_with('~'),
        first => first.is_some_and(is_home),
    }
}

/// Is it `"$*"` or `"${name[*]}"`?
fn is_star(parameter: &Parameter) -> bool {
    let subscript = match parameter.subscript.as_deref() {
        Some([Part::Text { text, .. }]) => text.as_str(),
        _ => parameter.name.as_str(),
    };
    parameter.quoted && subscript == "*"
}

/// `$HOME` is a tilde, also in quotes.
fn is_home(part: &Part) -> bool {
    matches!(part, Part::Parameter(parameter) if parameter.name == "HOME")
}
