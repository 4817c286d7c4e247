//! The name of a program: last part of its path, small letters, no `.exe`, no version.

use alloc::string::String;

use super::text::Field;

/// What a command starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A program of this name, in small letters.
    Named(String),
    /// A pattern of which the shell makes a name, such as `/bin/b?sh`.
    Pattern(String),
    /// Something that the command does not settle, such as `$TOOL`.
    Unsettled,
}

impl Program {
    /// What a first word names.
    pub fn of(field: &Field) -> Self {
        let text = field.as_str();
        let path = match field.text.holes.iter().any(|hole| *hole >= text.len()) {
            true => text,
            false => text.trim_end_matches(['/', '\\', '\r']),
        };
        let start = path.rfind(['/', '\\']).map_or(0, |at| at + 1);
        let last = path.get(start..).unwrap_or_default();
        let hole = field.text.holes.iter().any(|hole| *hole >= start);
        if last.is_empty() && (hole || !field.text.settled()) {
            return Self::Unsettled;
        }
        let name = last.to_lowercase();
        match field.pattern && last.contains(['*', '?', '[']) && name != "[" {
            true => Self::Pattern(name),
            false => Self::Named(name),
        }
    }

    /// The name as it is shown.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) | Self::Pattern(name) => Some(name),
            Self::Unsettled => None,
        }
    }
}

/// A name without the ending of Windows programs.
pub fn bare(name: &str) -> &str {
    let endings = [".exe", ".cmd", ".bat", ".com"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// A name without a version at its end, such as `3.11` in `python3.11`.
pub fn unversioned(name: &str) -> &str {
    // One letter may follow, as in `python3.13t`.
    let digits = match name.strip_suffix(|last: char| last.is_ascii_lowercase()) {
        Some(rest) if rest.ends_with(|last: char| last.is_ascii_digit()) => rest,
        _ => name,
    };
    if !digits.ends_with(|last: char| last.is_ascii_digit()) {
        return name;
    }
    let base = digits.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.');
    match base.strip_suffix('-').unwrap_or(base) {
        "" => name,
        base => base,
    }
}
