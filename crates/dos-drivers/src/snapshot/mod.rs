//! States as they are read by us: what the agent says of them does not count.
//!
//! [`Source`] is what is to be read, as it is typed; [`Source::reader`] reads it. A reader that
//! cannot read everything reads nothing: half a state would show deletions that never were.

mod json;

use camino::Utf8Path;
use dos_core::witness::{StateReader, WitnessRung};

pub use json::JsonFile;

/// What is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file with a JSON object, or JSON Lines where a key field is given.
    Json(String),
    /// A snapshot that was taken before, by its name or its SHA-256.
    Taken(String),
    /// A file where there is one, else a snapshot that was taken before.
    Bare(String),
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
pub const FORMS: [&str; 2] = ["json:FILE", "snapshot:NAME"];

/// How a source is read.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    /// Where relative paths start, and where commands run.
    pub folder: &'a Utf8Path,
    /// The field that names each entry of JSON Lines: the components of a pointer.
    pub key: Option<Vec<String>>,
    /// Who wrote down what is read.
    pub rung: WitnessRung,
}

impl Source {
    /// Reads `KIND:REST`, or a bare file or name.
    pub fn parse(text: &str) -> Result<Self, BadSource> {
        let bad = || BadSource { text: text.to_string() };
        let Some((kind, rest)) = text.split_once(':') else {
            return if text.is_empty() { Err(bad()) } else { Ok(Self::Bare(text.to_string())) };
        };
        let named = |rest: &str| match rest.is_empty() {
            true => Err(bad()),
            false => Ok(rest.to_string()),
        };
        match kind {
            "json" => Ok(Self::Json(named(rest)?)),
            "snapshot" => Ok(Self::Taken(named(rest)?)),
            // A path with a colon in it.
            _ => Ok(Self::Bare(text.to_string())),
        }
    }

    /// Who reads it now; `None` for a snapshot that was taken before, which the store has.
    pub fn reader<'a>(&'a self, reading: &'a Reading<'a>) -> Option<Box<dyn StateReader + 'a>> {
        match self {
            Self::Json(path) | Self::Bare(path) => {
                Some(Box::new(JsonFile { path: reading.folder.join(path), shown: path, reading }))
            }
            Self::Taken(_) => None,
        }
    }
}
