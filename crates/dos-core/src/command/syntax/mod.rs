//! Shell text, read as bash reads it: every command in it, with its words and their places.
//!
//! The reader is bounded: length, nesting, words and work each have a limit, and what goes beyond
//! one is an error like any other. It does not backtrack, so that its work is linear in the text.

mod cursor;
mod dollar;
mod heredoc;
mod script;
mod word;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;

use crate::limits;
use cursor::Cursor;

/// A range of bytes of the outermost text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

/// Why a text is no shell script, or none that is read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct SyntaxError {
    /// The byte of the outermost text at which reading ended.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// A text that may come from inside another one, and knows where.
#[derive(Clone, Debug)]
pub struct Source {
    /// The text.
    pub text: String,
    /// Where pieces of it start, here and in the outermost text. In order.
    pub places: Vec<(usize, usize)>,
}

impl Source {
    /// A text that comes from nowhere else.
    pub fn outermost(text: &str) -> Self {
        Self { text: text.into(), places: Vec::from([(0, 0)]) }
    }

    /// The place of a byte in the outermost text.
    pub fn outer(&self, at: usize) -> usize {
        let next = self.places.partition_point(|(start, _)| *start <= at);
        match next.checked_sub(1).and_then(|index| self.places.get(index)) {
            Some((start, outer)) => outer + (at - start),
            None => at,
        }
    }

    /// The place of a range, which is not turned around where pieces are out of order.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let first = self.outer(start);
        let last = if end > start { self.outer(end - 1) + 1 } else { first };
        Span { start: first, end: last.max(first) }
    }
}

/// Commands in their order.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Pipelines.
    pub steps: Vec<Step>,
}

/// A pipeline, and how it hangs on the one before it.
#[derive(Clone, Debug)]
pub struct Step {
    /// When it runs.
    pub link: Link,
    /// Does it run beside what follows, in a shell of its own?
    pub background: bool,
    /// The commands, of which each has a shell of its own when there are several.
    pub stages: Vec<Command>,
}

/// When a pipeline runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// After the one before it.
    Then,
    /// If the one before it succeeded.
    And,
    /// If the one before it failed.
    Or,
}

/// A simple command or a compound one.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it is.
    pub shape: Shape,
    /// Its redirections.
    pub redirects: Vec<Redirect>,
}

/// What a command is.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Assignments and words.
    Simple(Simple),
    /// `( .. )`.
    Subshell(Script),
    /// `{ .. }`.
    Group(Script),
    /// `if`, `elif`, `else`: conditions with their bodies; `else` has an empty condition.
    If(Vec<(Script, Script)>),
    /// `while` and `until`.
    While(Script, Script),
    /// `for` and `select`. Without words the variable walks the positional parameters.
    For {
        /// The variable.
        name: String,
        /// What it walks.
        words: Option<Vec<Word>>,
        /// What is run for each.
        body: Script,
    },
    /// `for (( .. ))`.
    ForArithmetic(Vec<Part>, Script),
    /// `case`: the subject, and the patterns and body of each arm.
    Case(Word, Vec<(Vec<Word>, Script)>),
    /// `[[ .. ]]`.
    Test(Vec<Word>),
    /// `(( .. ))`.
    Arithmetic(Vec<Part>),
    /// A function's definition. Its body runs when it is called.
    Function(String, Rc<Command>),
    /// `coproc`.
    Coprocess(Box<Command>),
}

/// Assignments and words.
#[derive(Clone, Debug, Default)]
pub struct Simple {
    /// What stands before the first word.
    pub assignments: Vec<Assignment>,
    /// The words. The first that is not empty is the program.
    pub words: Vec<Word>,
}

/// `name=value`.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// The text between its brackets.
    pub subscript: Option<Vec<Part>>,
    /// `+=`.
    pub append: bool,
    /// What it is set to.
    pub value: Assigned,
}

/// What a variable is set to.
#[derive(Clone, Debug)]
pub enum Assigned {
    /// A text.
    Word(Word),
    /// `( .. )`.
    Array(Vec<Word>),
}

/// One word, in pieces. Adjoining pieces are one word.
#[derive(Clone, Debug, Default)]
pub struct Word {
    /// The pieces.
    pub parts: Vec<Part>,
    /// Where it stands.
    pub span: Span,
    /// The elements behind a word that ends in `=`, as in `declare a=(b c)`.
    pub array: Option<Vec<Word>>,
}

/// A piece of a word.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text that stands for itself.
    Text {
        /// The text, without the quotes.
        text: String,
        /// Was it in quotes, or behind a backslash?
        quoted: bool,
        /// Where it starts in the outermost text.
        at: usize,
    },
    /// `$name` and `${..}`.
    Parameter(Box<Parameter>),
    /// `$(..)` and backticks.
    Output {
        /// What runs.
        script: Script,
        /// Was it in double quotes?
        quoted: bool,
    },
    /// `<(..)` and `>(..)`.
    Process(Script),
    /// `$((..))` and `$[..]`.
    Arithmetic(Vec<Part>),
}

/// `$name` and `${..}`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The name, or the character of a special one.
    pub name: String,
    /// `${!name}`.
    pub indirect: bool,
    /// `${#name}`.
    pub length: bool,
    /// The text between brackets.
    pub subscript: Option<Vec<Part>>,
    /// The operator, such as `:-` and `##`; empty without one.
    pub operator: &'static str,
    /// What stands behind the operator.
    pub operand: Vec<Part>,
    /// Was it in double quotes?
    pub quoted: bool,
    /// Where it starts.
    pub at: usize,
}

/// A redirection.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// The operator, without a number before it.
    pub operator: &'static str,
    /// The number before it.
    pub number: Option<String>,
    /// The file, the here-string, or the delimiter of a here-document.
    pub target: Word,
    /// The body of a here-document.
    pub body: Option<Rc<OnceCell<Word>>>,
}

/// What was read before an error.
#[derive(Default)]
struct Lines {
    script: Script,
    /// How many of its steps are in lines that were read to their end.
    whole: usize,
    /// Where those lines end.
    at: usize,
}

/// What was read, and how much work it was.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The commands.
    pub script: Script,
    /// Bytes looked at, those that were looked at again included.
    pub work: usize,
}

/// Reads a script.
pub fn parse(source: &Source) -> Result<Parsed, SyntaxError> {
    parse_within(source, 0)
}

/// What was read of a text, up to what is wrong with it.
pub(super) struct AsFar {
    /// The commands.
    pub(super) script: Script,
    /// Where reading went on behind the last of them.
    pub(super) at: usize,
    /// What is wrong.
    pub(super) error: Option<SyntaxError>,
}

/// Reads a script as a shell does that runs each line before it reads the next one: what stands
/// before an error counts.
pub(super) fn parse_as_far(source: &Source) -> AsFar {
    let mut read = Lines::default();
    let error = Cursor::new(source, 0).and_then(|mut cursor| cursor.whole_lines(&mut read)).err();
    if error.is_some() {
        read.script.steps.truncate(read.whole);
    }
    AsFar { script: read.script, at: read.at, error }
}

/// Reads a script that stands inside others.
pub(super) fn parse_within(source: &Source, depth: usize) -> Result<Parsed, SyntaxError> {
    let mut cursor = Cursor::new(source, depth)?;
    let script = cursor.whole_script()?;
    Ok(Parsed { script, work: cursor.work() })
}

/// Reads a text as it would be read between double quotes.
pub(super) fn parse_quoted(source: &Source, depth: usize) -> Result<Vec<Part>, SyntaxError> {
    let mut cursor = Cursor::new(source, depth)?;
    cursor.document_parts()
}

/// Reads a script and says how much work it was even where it is refused.
pub fn work_of(text: &str) -> usize {
    let source = Source::outermost(text);
    match Cursor::new(&source, 0) {
        Ok(mut cursor) => {
            let _ = cursor.whole_script();
            cursor.work()
        }
        Err(_) => limits::COMMAND_BYTES_MAX.min(text.len()),
    }
}
