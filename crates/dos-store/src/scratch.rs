//! What runs leave behind in a workspace's `.dos`: run folders, verdict files, audit reports.

use std::fs;
use std::time::UNIX_EPOCH;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::retention::Kept;
use serde_json::Value;

use crate::disk::{Disk, RealDisk, read_small};
use crate::error::StoreError;
use crate::trust::leads_out;

const RUN_FILE_BYTES_MAX: usize = 1024 * 1024;

/// A kind of what is left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scratch {
    /// `audits/trajectory-audit-*`.
    Audits,
    /// `verdicts/*.verdict-*`.
    Verdicts,
    /// The folders in `runs`.
    Runs,
}

impl Scratch {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::Audits, Self::Verdicts, Self::Runs];

    /// The stable word, which is the folder's name.
    pub fn token(self) -> &'static str {
        match self {
            Self::Audits => "audits",
            Self::Verdicts => "verdicts",
            Self::Runs => "runs",
        }
    }

    /// What there is of it in this `.dos`. Links are not followed: what they lead to is not ours.
    pub fn list(self, dot_dos: &Utf8Path) -> Result<Vec<Kept>, StoreError> {
        let folder = dot_dos.join(self.token());
        if let Some(distrust) = leads_out(&folder, dot_dos) {
            return Err(distrust.error());
        }
        let entries = match folder.read_dir_utf8() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("read", &folder)(error)),
        };
        let mut found = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string();
            // One that vanished meanwhile is gone already.
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            let is_one = match self {
                Self::Audits => metadata.is_file() && name.starts_with("trajectory-audit-"),
                Self::Verdicts => metadata.is_file() && name.contains(".verdict-"),
                Self::Runs => metadata.is_dir(),
            };
            if is_one {
                let modified = metadata.modified().ok();
                let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                let modified = since.unwrap_or_default().as_secs_f64();
                found.push(Kept { name, modified });
            }
        }
        Ok(found)
    }

    /// Removes one of those that were listed.
    pub fn remove(self, dot_dos: &Utf8Path, name: &str) -> Result<(), StoreError> {
        let path = dot_dos.join(self.token()).join(name);
        let removed = match self {
            Self::Runs => fs::remove_dir_all(&path),
            Self::Audits | Self::Verdicts => fs::remove_file(&path),
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }
}

/// The names by which a lease may know the run of this folder: its own, and those in its `run.json`.
pub fn run_names(dot_dos: &Utf8Path, folder: &str) -> Vec<String> {
    let mut names = vec![folder.to_string()];
    if let Some(run) = read_json(&run_file(dot_dos, folder, "run.json")) {
        let ids = ["run_id", "process_id", "loop_ts"].into_iter();
        names.extend(ids.filter_map(|field| Some(run.get(field)?.as_str()?.to_string())));
    }
    names
}

/// Is the run parked: was the last that its intent ledger says that it was suspended?
pub fn is_parked(dot_dos: &Utf8Path, folder: &str) -> bool {
    let ledger = run_file(dot_dos, folder, "intent.jsonl");
    let bytes = read_small(&RealDisk, &ledger, RUN_FILE_BYTES_MAX).ok().flatten();
    let bytes = bytes.unwrap_or_default();
    let mut records = bytes.rsplit(|byte| *byte == b'\n');
    let last = records.find_map(|line| serde_json::from_slice::<Value>(line).ok());
    last.is_some_and(|record| record.get("op").and_then(Value::as_str) == Some("SUSPEND"))
}

fn run_file(dot_dos: &Utf8Path, folder: &str, name: &str) -> Utf8PathBuf {
    dot_dos.join("runs").join(folder).join(name)
}

fn read_json(path: &Utf8Path) -> Option<Value> {
    serde_json::from_slice(&read_small(&RealDisk, path, RUN_FILE_BYTES_MAX).ok()??).ok()
}

/// Makes what was removed from a folder stay removed.
pub fn settle(dot_dos: &Utf8Path, scratch: Scratch) -> Result<(), StoreError> {
    let folder = dot_dos.join(scratch.token());
    RealDisk.sync_dir(&folder).map_err(StoreError::io("make durable", &folder))
}
