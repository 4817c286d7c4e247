//! Checking what a caller asks to write, before it is compared with anything.

use alloc::string::{String, ToString};

use crate::lane::lease::Tree;
use crate::lane::pattern::{Case, PatternError};
use crate::lane::region::Region;
use crate::limits;

/// Why a request's text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A pattern that cannot be read.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Too many patterns.
    #[error("{0} patterns are too many for one lane (at most {most})", most = limits::PATTERNS_MAX)]
    TooManyPatterns(usize),
    /// A tree that is too long.
    #[error("patterns of {0} bytes are too long for one lane (at most {most})", most = limits::TREE_BYTES_MAX)]
    TreeTooLong(usize),
    /// A name that is missing.
    #[error("the {0} must not be empty")]
    EmptyName(&'static str),
    /// A name that could not be told from another one, or would break a line.
    #[error("the {what} {name:?} must not {fault}")]
    BadName {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A name or text that is too long.
    #[error("the {what} is {bytes} bytes long (at most {most})")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// A time to live outside the bounds.
    #[error("a time to live of {0} minutes is out of range (1 to {most})", most = limits::TTL_MINUTES_MAX)]
    BadTtl(u32),
}

/// The patterns as a tree without comments, when every one of them can be read.
pub fn checked_tree(patterns: &[String]) -> Result<Tree, InputError> {
    if patterns.len() > limits::PATTERNS_MAX {
        return Err(InputError::TooManyPatterns(patterns.len()));
    }
    let bytes = patterns.iter().map(String::len).sum();
    if bytes > limits::TREE_BYTES_MAX {
        return Err(InputError::TreeTooLong(bytes));
    }
    // How case counts makes no pattern unreadable.
    let region = Region::read(patterns, Case::default());
    match region.errors().next() {
        Some(error) => Err(error.clone().into()),
        None => Ok(region.clauses().iter().map(|clause| clause.text().to_string()).collect()),
    }
}

/// A name that may be empty, but not ambiguous: no blanks at its ends, no control characters.
pub fn checked_name(what: &'static str, name: &str) -> Result<(), InputError> {
    let bad = |fault| InputError::BadName { what, name: name.to_string(), fault };
    if name.len() > limits::NAME_BYTES_MAX {
        return Err(InputError::TooLong { what, bytes: name.len(), most: limits::NAME_BYTES_MAX });
    }
    if name.trim() != name {
        return Err(bad("begin or end with white space"));
    }
    if name.chars().any(char::is_control) {
        return Err(bad("hold a control character"));
    }
    Ok(())
}

/// A name that must be there.
pub fn required_name(what: &'static str, name: &str) -> Result<(), InputError> {
    if name.is_empty() {
        return Err(InputError::EmptyName(what));
    }
    checked_name(what, name)
}

/// Free text within its bound.
pub fn checked_text(what: &'static str, text: &str) -> Result<(), InputError> {
    match text.len() {
        bytes if bytes > limits::TEXT_BYTES_MAX => {
            Err(InputError::TooLong { what, bytes, most: limits::TEXT_BYTES_MAX })
        }
        _ => Ok(()),
    }
}
