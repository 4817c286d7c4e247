//! Run ids: sortable by time, with the lineage of the run that started this one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::timestamp::Timestamp;

/// Crockford's base 32: no I, L, O, U; ascending, so that text order is numeric order.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PREFIX: &str = "RID-";
const PROCESS_PREFIX: &str = "PROC-";
/// 45 bits of milliseconds, to the year 3084.
const TIME_WIDTH: u32 = 9;
/// 30 bits that tell ids of one millisecond apart.
const ENTROPY_WIDTH: u32 = 6;
const ENTROPY_MASK: u64 = (1 << (5 * ENTROPY_WIDTH)) - 1;

/// One minted id with its lineage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId {
    /// `RID-` and fifteen digits of base 32.
    pub run_id: String,
    /// The repeatable process that this is a run of: `PROC-` and its name.
    pub process_id: String,
    /// The run that started this one.
    pub parent_id: Option<String>,
    /// The first run of the tree; its own id for a run that nobody started.
    pub root_id: String,
    /// When it was minted, in milliseconds since the epoch.
    pub ts_ms: i64,
}

/// Why no id could be minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// The process has no name.
    #[error("a run id needs the name of its process, for example `dos run-id mint nightly`")]
    NoProcess,
    /// The time does not fit into an id.
    #[error("the time does not fit into a run id (it lies after the year 3084)")]
    TimeOutOfRange,
}

/// Mints the id of a run of `process`, from the time and random bits that the caller brings.
///
/// Without a `root` the tree's root is the run itself.
pub fn mint(
    process: &str,
    parent: Option<&str>,
    root: Option<&str>,
    now: Timestamp,
    entropy: u64,
) -> Result<RunId, MintError> {
    if process.is_empty() {
        return Err(MintError::NoProcess);
    }
    let millis = u64::try_from(now.millis()).map_err(|_| MintError::TimeOutOfRange)?;
    if millis >> (5 * TIME_WIDTH) != 0 {
        return Err(MintError::TimeOutOfRange);
    }
    let run_id = format!(
        "{PREFIX}{}{}",
        base32(millis, TIME_WIDTH),
        base32(entropy & ENTROPY_MASK, ENTROPY_WIDTH)
    );
    let process_id = match process.starts_with(PROCESS_PREFIX) {
        true => String::from(process),
        false => format!("{PROCESS_PREFIX}{process}"),
    };
    let root_id = match root.filter(|root| !root.is_empty()) {
        Some(root) => String::from(root),
        None => run_id.clone(),
    };
    let parent_id = parent.map(String::from);
    Ok(RunId { run_id, process_id, parent_id, root_id, ts_ms: now.millis() })
}

/// The time inside a well-formed run id, in milliseconds since the epoch; `None` for other text.
pub fn millis_of(text: &str) -> Option<i64> {
    let body = text.strip_prefix(PREFIX)?;
    if body.len() != (TIME_WIDTH + ENTROPY_WIDTH) as usize {
        return None;
    }
    let mut value: u128 = 0;
    for byte in body.bytes() {
        let digit = DIGITS.iter().position(|candidate| *candidate == byte)?;
        value = value << 5 | digit as u128;
    }
    i64::try_from(value >> (5 * ENTROPY_WIDTH)).ok()
}

impl RunId {
    /// The variables that tell a process which run it is.
    pub fn lineage(&self) -> Vec<(String, String)> {
        let named = |name: &str, value: &String| (String::from(name), value.clone());
        let parent = self.parent_id.iter().map(|parent| named("CID_PARENT_ID", parent));
        let own = [
            named("CID_RUN_ID", &self.run_id),
            named("CID_ROOT_ID", &self.root_id),
            named("CID_PROCESS_ID", &self.process_id),
        ];
        own.into_iter().chain(parent).collect()
    }

    /// The object that `dos run-id` prints and a run folder keeps in `run.json`.
    pub fn to_json(&self) -> Value {
        json!({
            "run_id": self.run_id,
            "process_id": self.process_id,
            "parent_id": self.parent_id,
            "root_id": self.root_id,
            "ts_ms": self.ts_ms,
        })
    }
}

fn base32(mut value: u64, width: u32) -> String {
    let mut reversed = String::new();
    for _ in 0..width {
        let digit = DIGITS.get((value & 31) as usize).copied().unwrap_or(b'0');
        reversed.push(char::from(digit));
        value >>= 5;
    }
    reversed.chars().rev().collect()
}

#[cfg(test)]
mod tests;
