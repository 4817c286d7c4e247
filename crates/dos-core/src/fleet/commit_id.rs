//! The name of a commit, checked: never an option, never an expression.

use alloc::string::String;
use core::fmt;

/// The hexadecimal name of a commit, whole or cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitId(String);

/// The text is no name of a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no commit: give 4 to 64 hexadecimal digits, for example $(git rev-parse HEAD)")]
pub struct NoCommitId(pub String);

impl CommitId {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, NoCommitId> {
        let usable = (4..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if usable { Ok(Self(text.to_ascii_lowercase())) } else { Err(NoCommitId(text.into())) }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hexadecimal_digits_are_a_commit() {
        assert!(CommitId::parse("DeadBeef").is_ok_and(|id| id.as_str() == "deadbeef"));
        for text in
            ["", "abc", "--output=/tmp/x", "-1234", "HEAD", "HEAD~1", "abcd ", "abcd..", "é123"]
        {
            assert_eq!(CommitId::parse(text), Err(NoCommitId(text.into())), "{text}");
        }
        assert!(CommitId::parse(&"a".repeat(65)).is_err());
    }
}
