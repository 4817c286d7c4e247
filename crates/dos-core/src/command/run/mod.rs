//! What would run: every simple command, in order, with what the shell would hand to it.
//!
//! Whatever depends on exit codes or data counts as run. Functions run where they are called.

mod invoke;
mod walk;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::program::Program;
use super::shell::Directory;
use super::syntax::{self, Source, Span, SyntaxError};
use super::text::{Field, Text};
use crate::limits;
pub(super) use walk::{Followed, Walker};

/// One simple command that would run.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What it starts, and where that stands. Nothing for bare redirections.
    pub program: Option<Program>,
    /// The word that names it, without quotes.
    pub path: String,
    /// What is handed to it.
    pub arguments: Vec<Field>,
    /// Its redirections.
    pub redirections: Vec<Redirection>,
    /// The variables that are set for it alone, and for what follows if it exports them.
    pub environment: Vec<(String, Text)>,
    /// Where it runs.
    pub directory: Rc<Directory>,
    /// Where the word stands that names the program.
    pub span: Span,
    /// What it is beside others.
    pub role: Role,
    /// Which of the pipelines of the text it is in, however deep.
    pub step: usize,
}

impl Invocation {
    /// The text on its standard input, where the command holds it.
    pub fn body(&self) -> Option<&Text> {
        self.redirections.iter().rev().find_map(|redirection| redirection.body.as_ref())
    }
}

/// What a command is beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A program or a builtin.
    Program,
    /// A program that runs the next one, and is looked through.
    Wrapper,
    /// A function of the same text, whose body follows.
    Function,
}

/// One redirection.
#[derive(Clone, Debug)]
pub struct Redirection {
    /// The operator, such as `>>`.
    pub operator: &'static str,
    /// The file or descriptor.
    pub target: Field,
    /// The text of a here-document or here-string.
    pub body: Option<Text>,
}

/// Everything that would run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The commands, outer ones before those inside them.
    pub invocations: Vec<Invocation>,
    /// Why something could not be read or followed. What was found before is there.
    pub refused: Option<SyntaxError>,
    /// Up to where the text was read: what a shell has run by the time it finds an error.
    pub read: usize,
    /// Does anything stand there but assignments, comments and bare redirections?
    pub names_program: bool,
}

/// Follows a text.
pub fn run(text: &str) -> Run {
    let mut walker = Walker::default();
    let mut read = syntax::parse_as_far(&Source::outermost(text));
    if text.len() > limits::COMMAND_BYTES_MAX {
        let refused = read.error;
        read = syntax::parse_as_far(&Source::outermost(start_of(text)));
        read.error = refused;
    }
    let followed = walker.script(&read.script).and_then(|()| walker.traps());
    walker.run.refused = read.error.or(followed.err());
    walker.run.read = read.at;
    walker.run
}

/// The lines of a text that are within the limit.
fn start_of(text: &str) -> &str {
    let end = text.bytes().take(limits::COMMAND_BYTES_MAX).rposition(|byte| byte == b'\n');
    text.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}
