//! Small logs of one session of an agent: `.dos/streams/NAME.jsonl`, `.dos/markers/NAME.jsonl`.
//!
//! They hold counts, not promises, so that they are not synced: a machine that goes down may forget
//! the last of them. A line that was cut off costs itself and no other.

use camino::Utf8PathBuf;
use dos_core::json;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::disk::Disk;
use crate::error::StoreError;
use crate::log::Log;
use crate::snapshot::hex;
use crate::workspace::Workspace;

/// Longest name that is taken as it is, in bytes: file systems end at 255.
const PLAIN_BYTES_MAX: usize = 200;
/// So much of another name is kept for people to recognise, in characters.
const KEPT_CHARACTERS: usize = 40;
/// So many hex digits tell such names apart.
const HASH_DIGITS: usize = 32;

/// The file name of a session, without its ending.
///
/// A name of letters, digits, `-` and `_` is its own. Of any other, what may stand in a file name is
/// kept and a dot and a hash follow, which no plain name has: so two sessions never share a file,
/// and none leaves its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName(String);

impl SessionName {
    /// The name of the session; `None` when it has none.
    pub fn new(session: &str) -> Option<Self> {
        if session.trim().is_empty() {
            return None;
        }
        let may_stand = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        if session.len() <= PLAIN_BYTES_MAX && session.chars().all(may_stand) {
            return Some(Self(session.to_string()));
        }
        let kept: String =
            session.chars().filter(|c| may_stand(*c)).take(KEPT_CHARACTERS).collect();
        let hash = hex(&Sha256::digest(session.as_bytes()));
        let hash = hash.get(..HASH_DIGITS).unwrap_or(&hash);
        Some(Self(format!("session-{kept}.{hash}")))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is kept for each session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Its calls of tools.
    Stream,
    /// Its turns that waited.
    Markers,
}

/// One log of one session.
pub struct SessionLog<'w, D> {
    workspace: &'w Workspace,
    disk: D,
    log: Log<D>,
}

impl<'w, D: Disk + Clone> SessionLog<'w, D> {
    /// The log; it need not exist.
    pub fn new(workspace: &'w Workspace, disk: D, kept: Kept, session: &SessionName) -> Self {
        let folder = match kept {
            Kept::Stream => "streams",
            Kept::Markers => "markers",
        };
        let path: Utf8PathBuf =
            workspace.dot_dos().join(folder).join(format!("{}.jsonl", session.as_str()));
        Self { workspace, log: Log::new(disk.clone(), path), disk }
    }

    /// Its last lines, at most so many bytes.
    pub fn tail(&self, most: u64) -> Result<Vec<u8>, StoreError> {
        self.log.tail(most)
    }

    /// How many lines there are for which `counts` says yes.
    pub fn count(&self, counts: impl Fn(&[u8]) -> bool) -> Result<u64, StoreError> {
        let mut count = 0;
        self.log.scan(|line| count += u64::from(counts(line.bytes)))?;
        Ok(count)
    }

    /// Appends one record.
    pub fn append(&self, record: &Value) -> Result<(), StoreError> {
        self.workspace.prepare_write(&self.disk, self.log.path())?;
        let mut line = json::canonical(record);
        line.push('\n');
        self.log.append_forgettable(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::SessionName;

    fn name(session: &str) -> String {
        SessionName::new(session).unwrap().as_str().to_string()
    }

    #[test]
    fn plain_names_are_kept() {
        for plain in ["s", "2cd77e93-1b", "under_score", "Sitzung-ä"] {
            assert_eq!(name(plain), plain);
        }
    }

    #[test]
    fn no_two_sessions_share_a_file() {
        let long = "x".repeat(300);
        let longer = "x".repeat(301);
        let sessions = ["a/b", "a b", "ab", "///", "../ab", ".", "..", "a\u{0}b", &long, &longer];
        let names: std::collections::BTreeSet<String> = sessions.map(name).into();
        assert_eq!(names.len(), sessions.len());
        for name in names {
            assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with('.'), "{name}");
            assert!(name.len() + ".jsonl".len() <= 255, "{name}");
        }
        assert_eq!(SessionName::new("  "), None);
    }
}
