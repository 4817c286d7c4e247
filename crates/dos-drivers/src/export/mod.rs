//! Verdicts for other programs: what takes them, and how they are brought there.
//!
//! [`Exporter`] is what takes rows; a downstream driver implements it, or is a program named
//! `dos-export-NAME` ([`program`]). [`drain`] brings rows to it, in order, each at least once.

mod curl;
pub mod dotenv;
pub mod drain;
pub mod file;
pub mod http;
pub mod notify;
pub mod otlp;
pub mod program;
pub mod statsd;

use std::time::Duration;

use dos_core::verdict::VerdictEvent;

/// Something that takes rows of the verdict journal.
pub trait Exporter {
    /// Its name on the command line.
    fn transport(&self) -> &str;

    /// Where it brings rows. Two destinations of one transport are told apart by this text, and each has
    /// a cursor of its own.
    fn destination(&self) -> &str;

    /// The same for people, without what must not be shown.
    fn shown(&self) -> &str {
        self.destination()
    }

    /// Brings rows there, in order. `Ok` says that whoever takes them has them all, or has said which
    /// he will never take.
    fn export(&mut self, events: &[VerdictEvent]) -> Result<Taken, NotTaken>;
}

/// Rows that have arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many of them were rejected for good.
    pub rejected: u64,
    /// What the other side had to say.
    pub remark: String,
}

/// Rows that have not arrived, or of which nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotTaken {
    /// Why, and what can be done.
    pub reason: String,
    /// May it be tried again?
    pub again: Again,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Not before somebody has mended it.
    Mended,
    /// In smaller pieces.
    Smaller,
    /// After a while, or after as long as the other side has said.
    Later(Option<Duration>),
}

impl NotTaken {
    fn later(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), again: Again::Later(None) }
    }

    fn until_mended(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), again: Again::Mended }
    }
}

/// So much of what the other side says is repeated, in characters.
const SAID_MAX: usize = 300;

/// What the other side said, on one line and cut short.
fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim().chars().filter(|c| !c.is_control()).take(SAID_MAX).collect()
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSetting(pub String);
