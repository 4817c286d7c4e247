//! The text of a lock file: one `key: value` a line, as every program on the workspace reads it.

use std::collections::BTreeMap;

use dos_core::timestamp::Timestamp;

/// The fields of a lock file. A repeated key counts with its last value; a line without a colon
/// is no field.
pub fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_string(), value.trim().to_string()))
        .collect()
}

/// The longest lock file that is read, in bytes: they are a few short lines.
pub const BYTES_MAX: usize = 64 * 1024;

/// Did one of our processes write it? Then the kernel lock tells whether it lives.
pub fn is_ours(fields: &BTreeMap<String, String>) -> bool {
    let owner = fields.get("owner").map(String::as_str).unwrap_or_default();
    owner.starts_with("dos/") && fields.contains_key("guard")
}

/// The text of a lock file: who holds it, since when, from which process, and further fields.
pub fn render(owner: &str, now: Timestamp, more: &[(&str, &str)]) -> String {
    let pid = std::process::id();
    let mut text = format!("owner: {owner}\nacquired_at: {now}\npid: {pid}\n");
    for (key, value) in more {
        text.push_str(&format!("{key}: {value}\n"));
    }
    text
}

/// How long ago the lock was taken, in milliseconds; `None` when it does not say.
pub fn age_millis(fields: &BTreeMap<String, String>, now: Timestamp) -> Option<i64> {
    let since = Timestamp::parse(fields.get("acquired_at")?)?;
    Some(now.millis_since(since))
}
