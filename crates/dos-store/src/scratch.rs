//! What runs leave behind in a workspace's `.dos`: run folders, verdict files, audit reports.

use std::fs;
use std::time::UNIX_EPOCH;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::retention::Kept;
use serde_json::Value;

use crate::disk::{Disk, RealDisk, read_small};
use crate::error::StoreError;
use crate::workspace::Workspace;

const RUN_FILE_BYTES_MAX: usize = 1024 * 1024;
/// How the names begin of what is being removed.
const SET_ASIDE: &str = ".reaping-";

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

    /// What there is of it in this workspace. Links are not followed: what they lead to is not ours.
    /// What was set aside is no longer there.
    pub fn list(self, workspace: &Workspace) -> Result<Vec<Kept>, StoreError> {
        let mut listed = self.entries(workspace)?;
        listed.retain(|entry| !is_set_aside(&entry.name));
        Ok(listed)
    }

    /// What was set aside and is still there: whoever did it died before it was removed, or is
    /// removing it now.
    pub fn set_aside_earlier(self, workspace: &Workspace) -> Result<Vec<String>, StoreError> {
        let names = self.entries(workspace)?.into_iter().map(|entry| entry.name);
        Ok(names.filter(|name| is_set_aside(name)).collect())
    }

    fn entries(self, workspace: &Workspace) -> Result<Vec<Kept>, StoreError> {
        let folder = workspace.dot_dos().join(self.token());
        workspace.stays_inside(&RealDisk, &folder)?;
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

    /// Gives one of those that were listed another name, by which nobody knows it; it is to be
    /// removed next. `None` when it is gone already.
    pub fn set_aside(self, dot_dos: &Utf8Path, name: &str) -> Result<Option<String>, StoreError> {
        let folder = dot_dos.join(self.token());
        let unique = getrandom::u64().map_err(|_| StoreError::NoEntropy)?;
        let aside = format!("{SET_ASIDE}{unique:016x}");
        match fs::rename(folder.join(name), folder.join(&aside)) {
            Ok(()) => Ok(Some(aside)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("set aside", &folder.join(name))(error)),
        }
    }

    /// Removes one of those that were listed, or set aside.
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

/// Is this the name of what was set aside?
pub fn is_set_aside(name: &str) -> bool {
    name.starts_with(SET_ASIDE)
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
