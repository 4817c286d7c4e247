//! STUB
use alloc::string::{String,ToString};
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad")]
pub struct PatternError;
impl Pattern { pub fn parse(t: &str) -> Result<Pattern, PatternError> { Ok(Pattern(t.to_string())) } pub fn text(&self) -> &str { &self.0 } }
