//! From where rows are exported: all, behind a sequence number, or from where the last time ended.

/// Where an export begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// At the first row there is; nobody remembers how far it went.
    Start,
    /// Behind this sequence number; nobody remembers how far it went.
    Seq(i64),
    /// Where the last export to the same place ended, which is remembered.
    Cursor,
}

/// It is none of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is a whole number, or `auto`")]
pub struct BadSince;

impl Since {
    /// Reads what was typed. Nothing at all is the start.
    pub fn parse(text: &str) -> Result<Self, BadSince> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Start);
        }
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Cursor);
        }
        text.parse().map(Self::Seq).map_err(|_| BadSince)
    }
}

/// A text that should hold a cursor, and does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds no sequence number")]
pub struct BadCursor;

/// The sequence number in a cursor file of the original; 0 in an empty one.
pub fn cursor_seq(text: &[u8]) -> Result<i64, BadCursor> {
    let text = core::str::from_utf8(text).map_err(|_| BadCursor)?.trim();
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| BadCursor)
}
