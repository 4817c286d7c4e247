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
    /// Does anything stand there but assignments, comments and bare redirections?
    pub names_program: bool,
}

/// Follows a text.
pub fn run(text: &str) -> Run {
    let mut walker = Walker::default();
    match syntax::parse(&Source::outermost(text)) {
        Ok(parsed) => {
            let followed = walker.script(&parsed.script).and_then(|()| walker.traps());
            if let Err(error) = followed {
                walker.run.refused = Some(error);
            }
        }
        Err(error) => walker.run.refused = Some(error),
    }
    walker.run
}
