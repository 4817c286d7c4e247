//! Text as far as a command settles it: with holes where it does not, and with its places.

use alloc::string::String;
use alloc::vec::Vec;

use super::syntax::{Source, Span};

/// A part of a path that stands for the top of the checkout which the parts before it are in: what git
/// says where a command asks it. No file is named so.
pub const TOP: &str = "\u{1}top";

/// A text, possibly with holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// What is known of it.
    pub text: String,
    /// Where something stands in it that the command does not settle, such as an unset variable.
    pub holes: Vec<usize>,
    /// Where pieces of it start, here and in the outermost text.
    pub places: Vec<(usize, usize)>,
}

/// One word after expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// What it says.
    pub text: Text,
    /// Has it `*`, `?` or `[` outside quotes?
    pub pattern: bool,
    /// Does it start with `~` outside quotes?
    pub tilde: bool,
    /// Where the word stands that it comes from.
    pub span: Span,
}

impl Text {
    /// A text that is known and comes from one place.
    pub fn known(text: &str, at: usize) -> Self {
        Self { text: text.into(), holes: Vec::new(), places: Vec::from([(0, at)]) }
    }

    /// Nothing that is known.
    pub fn hole() -> Self {
        Self { text: String::new(), holes: Vec::from([0]), places: Vec::new() }
    }

    /// Is all of it known?
    pub fn settled(&self) -> bool {
        self.holes.is_empty()
    }

    /// Adds another text at its end.
    pub fn push(&mut self, other: &Self) {
        let base = self.text.len();
        self.places.extend(other.places.iter().map(|(start, outer)| (base + start, *outer)));
        self.holes.extend(other.holes.iter().map(|hole| base + hole));
        self.text.push_str(&other.text);
    }

    /// Adds known text at its end.
    pub fn push_str(&mut self, text: &str, at: usize) {
        self.places.push((self.text.len(), at));
        self.text.push_str(text);
    }

    /// A part of it, by bytes.
    pub fn part(&self, start: usize, end: usize) -> Self {
        let text = self.text.get(start..end).unwrap_or_default().into();
        let holes = self.holes.iter().filter(|hole| (start..=end).contains(hole));
        let source = Source { text: String::new(), places: self.places.clone() };
        let mut places = Vec::from([(0, source.outer(start))]);
        let inner = self.places.iter().filter(|(at, _)| *at > start && *at < end);
        places.extend(inner.map(|(at, outer)| (at - start, *outer)));
        Self { text, holes: holes.map(|hole| hole - start).collect(), places }
    }

    /// The same as something to be read as a script.
    pub fn source(&self) -> Source {
        Source { text: self.text.clone(), places: self.places.clone() }
    }
}

impl Field {
    /// A field of known text.
    pub fn known(text: &str, span: Span) -> Self {
        Self { text: Text::known(text, span.start), span, ..Self::default() }
    }

    /// What is known of it.
    pub fn as_str(&self) -> &str {
        &self.text.text
    }

    /// All of it, if all is known.
    pub fn settled(&self) -> Option<&str> {
        self.text.settled().then_some(self.text.text.as_str())
    }

    /// The rest behind a prefix.
    pub fn behind(&self, length: usize) -> Self {
        let text = self.text.part(length, self.text.text.len());
        Self { text, pattern: self.pattern, tilde: false, span: self.span }
    }
}

/// Fields as one text, with a blank between them.
pub fn joined(fields: &[Field]) -> Text {
    let mut text = Text::default();
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            text.push_str(" ", field.span.start);
        }
        text.push(&field.text);
    }
    text
}
