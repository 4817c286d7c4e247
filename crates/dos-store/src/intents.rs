//! The intent ledger of one run: `.dos/runs/RUN/intent.jsonl`.

use dos_core::journal::entry::Record;
use dos_core::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::log::Log;
use crate::side_log;
use crate::workspace::Workspace;

/// A run that is parked: stopped in a way that it can be gone on with.
#[derive(Clone, Copy, Debug)]
pub struct Suspend<'a> {
    /// The run, whose id has been checked: it names a folder.
    pub run_id: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Where it can be gone on from; empty when unknown.
    pub resume_sha: &'a str,
    /// When.
    pub now: Timestamp,
}

impl Suspend<'_> {
    /// Appends it, durably.
    pub fn record<D: Disk + Clone, C: Clock>(
        &self,
        workspace: &Workspace,
        disk: &D,
        clock: &C,
    ) -> Result<(), StoreError> {
        let path = workspace.dot_dos().join("runs").join(self.run_id).join("intent.jsonl");
        let log = Log::new(disk.clone(), path);
        workspace.prepare_write(disk, log.path())?;
        let row = json!({
            "schema": {"family": "intent-ledger", "version": 1},
            "op": "SUSPEND",
            "run_id": self.run_id,
            "reason": self.reason,
            "resume_sha": self.resume_sha,
            "ts": self.now.to_string(),
        });
        let Value::Object(row) = row else { return Ok(()) };
        side_log::append(disk, clock, &log, || Ok(Record::from_object(row).line()))
    }
}
