//! States as they are read by us: what the agent says of them does not count.
//!
//! [`Source`] is what is to be read, as it is typed; [`Source::reader`] reads it. A reader that
//! cannot read everything reads nothing: half a state would show deletions that never were.

pub mod command;
mod git;
mod json;
mod sqlite;
mod taken;
mod tree;

use std::time::Duration;

use camino::Utf8Path;
use dos_core::witness::{StateReader, WitnessRung};

pub use command::CommandOutput;
pub use git::GitTree;
pub use json::JsonFile;
pub use sqlite::Database;
pub use taken::TakenSnapshot;
pub use tree::Folder;

/// What is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file where there is one, else a snapshot that was taken before.
    Bare(String),
    /// What a command prints.
    Command(String),
    /// The tree of a revision; of the work tree, when it is empty.
    Git(String),
    /// A file with a JSON object, or JSON Lines where a key field is given.
    Json(String),
    /// A database, with or without `#TABLE`.
    Sqlite(String),
    /// A snapshot that was taken before, by its name or its SHA-256.
    Taken(String),
    /// A folder.
    Tree(String),
}

/// A text that names nothing that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} names no source; write a file, the name of a snapshot that was taken, or one of {}",
    FORMS.join(", ")
)]
pub struct BadSource {
    text: String,
}

/// How sources are written.
pub const FORMS: [&str; 7] = [
    "json:FILE",
    "sqlite:FILE",
    "sqlite:FILE#TABLE",
    "tree:FOLDER",
    "git:REVISION (git: is the work tree)",
    "command:COMMAND",
    "snapshot:NAME",
];

/// How long a command may take, unless something else is said.
pub const WITHIN: Duration = Duration::from_secs(120);

/// How a source is read.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    /// Where relative paths start, and where commands run.
    pub folder: &'a Utf8Path,
    /// The field that names each entry of JSON Lines: the components of a pointer.
    pub key: Option<Vec<String>>,
    /// Who wrote down what files hold and commands print. What this machine reads by itself, a
    /// database or a folder, is never another party's.
    pub rung: WitnessRung,
    /// How long a command may take, and each command of git.
    pub within: Duration,
    /// Read also what the ignore rules of a folder leave out.
    pub everything: bool,
}

impl Source {
    /// Reads `KIND:REST`, or a bare file or name.
    pub fn parse(text: &str) -> Result<Self, BadSource> {
        let bad = || BadSource { text: text.to_string() };
        let (kind, rest) = text.split_once(':').unwrap_or(("", text));
        let source = match kind {
            "command" => Self::Command,
            "git" => return Ok(Self::Git(rest.to_string())),
            "json" => Self::Json,
            "snapshot" => Self::Taken,
            "sqlite" => Self::Sqlite,
            "tree" => Self::Tree,
            // Perhaps a path with a colon in it.
            _ if text.is_empty() => return Err(bad()),
            _ => return Ok(Self::Bare(text.to_string())),
        };
        if rest.trim().is_empty() { Err(bad()) } else { Ok(source(rest.to_string())) }
    }

    /// Does what it names hold what another party may have written down? What this machine looks at
    /// by itself does not.
    pub fn is_handed_over(&self) -> bool {
        match self {
            Self::Bare(_) | Self::Command(_) | Self::Json(_) | Self::Taken(_) => true,
            Self::Git(_) | Self::Sqlite(_) | Self::Tree(_) => false,
        }
    }

    /// Who reads it now; `None` for a snapshot that was taken before, which the store has.
    pub fn reader<'a>(&'a self, reading: &'a Reading<'a>) -> Option<Box<dyn StateReader + 'a>> {
        let at = |path: &str| reading.folder.join(path);
        Some(match self {
            Self::Command(line) => Box::new(CommandOutput { line, reading }),
            Self::Git(revision) => Box::new(GitTree::new(revision, reading)),
            Self::Json(path) | Self::Bare(path) => {
                Box::new(JsonFile { path: at(path), shown: path, reading })
            }
            Self::Sqlite(shown) => {
                let (path, table) = match shown.rsplit_once('#') {
                    Some((path, table)) => (path, Some(table).filter(|table| !table.is_empty())),
                    None => (shown.as_str(), None),
                };
                Box::new(Database::new(at(path), table, shown))
            }
            Self::Taken(_) => return None,
            Self::Tree(shown) => Box::new(Folder::new(at(shown), shown, reading)),
        })
    }
}

/// A path as a key: a backslash is doubled, and a byte that is no UTF-8 becomes `\xff`.
fn path_key(path: &[u8]) -> String {
    let mut key = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        key.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            key.push_str(&format!("\\x{byte:02x}"));
        }
    }
    key
}
