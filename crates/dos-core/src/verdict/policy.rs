//! Whether verdicts are recorded, and how many of them are kept.

/// The `[observe]` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservePolicy {
    /// Are they recorded, when neither the command line nor the environment says?
    pub enabled: bool,
    /// A journal that would grow beyond this many bytes moves to the archive.
    pub segment_max_bytes: u64,
    /// How many archived segments are kept; all, when `None`.
    pub segments_keep_last: Option<u64>,
}

impl Default for ObservePolicy {
    fn default() -> Self {
        Self { enabled: false, segment_max_bytes: 16 * 1024 * 1024, segments_keep_last: Some(16) }
    }
}

/// What the environment says to the question whether verdicts are recorded: `1`, `true`, `yes` and `on`
/// say yes, `0`, `false`, `no` and `off` say no, and nothing else says anything.
pub fn is_armed_by(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
    match (is(["1", "true", "yes", "on"]), is(["0", "false", "no", "off"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}
