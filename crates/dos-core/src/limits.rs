//! Every bound in one place. Checked before writing and again after reading.

/// Longest journal line that is read or written, in bytes. A longer one is corrupt.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest sequence number that is believed and written: what a signed 64-bit number holds.
pub const SEQ_MAX: u64 = i64::MAX as u64;
/// How deep a record may nest. A deeper one is corrupt.
pub const NESTING_MAX: usize = 96;
/// How deep a CHECKPOINT may nest: every lease of a readable record fits into one.
pub const CHECKPOINT_NESTING_MAX: usize = NESTING_MAX + 4;
/// Longest canonical text of one lease, in bytes. A record with a longer one is corrupt, so that
/// every lease fits into a line of its own when the journal is compacted.
pub const LEASE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest name of a lane, a holder, a host or a loop stamp, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest free text (a reason, a command), in bytes.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;
/// Most patterns of one lane's tree.
pub const PATTERNS_MAX: usize = 1024;
/// Longest tree, all patterns together, in bytes.
pub const TREE_BYTES_MAX: usize = 1024 * 1024;
/// Longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 4096;
/// Most branches that the braces of one pattern may expand to.
pub const BRANCHES_MAX: usize = 256;
/// Most symbols that the braces and classes of one tree may stand for, beyond its own text.
pub const SYMBOLS_MAX: usize = 1 << 18;
/// Most effort for one pair of patterns; see [`crate::lane::effort`].
pub const PAIR_EFFORT_MAX: usize = 1 << 23;
/// Most effort for one question: two trees compared, or a request judged beside all live leases.
pub const EFFORT_MAX: usize = 1 << 25;
/// Most effort for a lane map, and again for what the linter asks about one.
pub const MAP_EFFORT_MAX: usize = 1 << 27;
/// Most meetings that a lane map lists. Beyond them it says that there are more.
pub const MEETINGS_MAX: usize = 10_000;
/// Longest time to live of a lease, in minutes: ten years.
pub const TTL_MINUTES_MAX: u32 = 10 * 366 * 24 * 60;
/// How much of a corrupt line is kept as evidence, in bytes.
pub const CORRUPT_TEXT_BYTES_MAX: usize = 1024 * 1024;
/// How much text of corrupt lines a compaction carries over, in bytes. What is beyond stays in the
/// archive alone.
pub const EVIDENCE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How deep a value in a state snapshot may nest.
pub const VALUE_NESTING_MAX: usize = 128;
/// Longest text of a state, and largest file that one is read from, in bytes.
pub const STATE_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Longest shell command that is read, in bytes. A longer one is not judged, but taken for the worst.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// How deep commands, quotes and substitutions may nest in a shell command, texts inside included.
pub const COMMAND_NESTING_MAX: usize = 40;
/// Most words of one shell text.
pub const COMMAND_WORDS_MAX: usize = 16 * 1024;
/// How often each byte of a shell command may be looked at, at most.
pub const COMMAND_WORK_PER_BYTE: usize = 2 * COMMAND_NESTING_MAX;
/// Most commands that are followed, calls of functions and texts inside included.
pub const COMMAND_STEPS_MAX: usize = 8 * 1024;
/// How much text may come out of expansions, in bytes.
pub const COMMAND_EXPANSION_BYTES_MAX: usize = 1024 * 1024;
