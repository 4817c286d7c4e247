//! The log of decisions that a person forced: `.dos/decisions/resolved.jsonl`.

use std::time::Duration;

use dos_core::journal::entry::Record;
use dos_core::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::log::Log;
use crate::poison;
use crate::workspace::Workspace;

const WAIT: Duration = Duration::from_secs(10);

/// A refusal that was overridden with `--force`.
#[derive(Clone, Copy, Debug)]
pub struct Override<'a> {
    /// The lane.
    pub lane: &'a str,
    /// When.
    pub now: Timestamp,
}

impl Override<'_> {
    /// Appends it, durably, and tells the home registry. Every override is a record of its own, also
    /// of the same lane.
    pub fn record<D: Disk + Clone, C: Clock>(
        &self,
        workspace: &Workspace,
        disk: &D,
        clock: &C,
    ) -> Result<(), StoreError> {
        let log = Log::new(disk.clone(), workspace.dot_dos().join("decisions/resolved.jsonl"));
        workspace.prepare_write(disk, log.path())?;
        workspace.telling(disk, clock, WAIT, |project_id| {
            poison::append(disk, &log, &self.row(workspace, project_id).line())
        })
    }

    fn row(&self, workspace: &Workspace, project_id: &str) -> Record {
        let row = json!({
            "schema": 1,
            "project_id": project_id,
            "label": workspace.state.file_name().unwrap_or_default(),
            "kind": "ARBITER_REFUSE",
            "resolver_kind": "HUMAN",
            "lane": self.lane,
            "reason_token": "",
            "reason_category": "",
            "run_ts": "",
            "resolution": {"action": "force_acquire", "lane": self.lane, "forced": true},
            "ts_ms": self.now.millis(),
        });
        match row {
            Value::Object(row) => Record::from_object(row),
            _ => Record::from_object(Default::default()),
        }
    }
}
