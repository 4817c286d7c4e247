//! What is written to the journal: one constructor for each operation.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::json::{self, Object};
use crate::lane::lease::{Lease, ProcessId, WorkTree};
use crate::limits;
use crate::timestamp::Timestamp;

/// The format of the records that carry a tag.
pub const SCHEMA_FAMILY: &str = "lane-journal";
/// Its version.
pub const SCHEMA_VERSION: i64 = 1;

/// The names of the operations, as the `op` field spells them.
pub mod op {
    /// A lane was granted.
    pub const ACQUIRE: &str = "ACQUIRE";
    /// A lease was given back.
    pub const RELEASE: &str = "RELEASE";
    /// A holder showed a sign of life.
    pub const HEARTBEAT: &str = "HEARTBEAT";
    /// A dead holder's lease was taken away.
    pub const SCAVENGE: &str = "SCAVENGE";
    /// A request was refused.
    pub const REFUSE: &str = "REFUSE";
    /// A lease was restored from another registry.
    pub const RECONCILE: &str = "RECONCILE";
    /// Somebody decided that a run is to stop.
    pub const HALT: &str = "HALT";
    /// A tool call was warned about or denied.
    pub const ENFORCE: &str = "ENFORCE";
    /// A lease passed to another holder.
    pub const ADOPT: &str = "ADOPT";
    /// A unit of work was tried.
    pub const ATTEMPT: &str = "ATTEMPT";
    /// A run is about to ask for a lane.
    pub const SPAWN: &str = "SPAWN";
    /// The live set, in place of all that came before.
    pub const CHECKPOINT: &str = "CHECKPOINT";
    /// Stands in listings for a line that cannot be read. Never written by a decision.
    pub const CORRUPT: &str = "_CORRUPT";
}

/// One record as it is written: a JSON object on one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Record(Object);

impl Record {
    /// Takes the object as it is.
    pub fn from_object(object: Object) -> Self {
        Self(object)
    }

    /// The object.
    pub fn object(&self) -> &Object {
        &self.0
    }

    /// The operation's name; empty when there is none.
    pub fn op(&self) -> &str {
        self.0.get("op").and_then(Value::as_str).unwrap_or_default()
    }

    /// The line to append, newline included.
    pub fn line(&self) -> String {
        let mut text = json::canonical_object(&self.0);
        text.push('\n');
        text
    }

    /// Adds the sequence number and the time.
    #[must_use]
    pub fn stamped(mut self, seq: u64, now: Timestamp) -> Self {
        self.0.insert("seq".to_string(), seq.into());
        self.0.insert("ts".to_string(), now.to_string().into());
        self
    }

    fn new(value: Value) -> Self {
        match value {
            Value::Object(object) => Self(object),
            other => Self([("value".to_string(), other)].into_iter().collect()),
        }
    }

    /// Adds one optional field.
    #[must_use]
    pub fn with(mut self, field: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.0.insert(field.to_string(), value);
        }
        self
    }
}

fn field(lease: &Lease, name: &str) -> Value {
    lease.object().get(name).cloned().unwrap_or(Value::Null)
}

/// A granted lease. It is nested whole, and the fields that people search for are repeated.
pub fn acquire(lease: &Lease, reason: &str, prev_holder: Option<&str>) -> Record {
    Record::new(json!({
        "op": op::ACQUIRE,
        "lane": field(lease, "lane"),
        "lane_kind": field(lease, "lane_kind"),
        "tree": field(lease, "tree"),
        "loop_ts": field(lease, "loop_ts"),
        "host_id": field(lease, "host_id"),
        "pid": field(lease, "pid"),
        "ttl_minutes": field(lease, "ttl_minutes"),
        "prev_holder": prev_holder,
        "reason": reason,
        "lease": lease.object(),
    }))
}

/// A lease that is held, for a snapshot that one line is too short for.
pub fn reconcile(lease: &Lease) -> Record {
    Record::new(json!({
        "op": op::RECONCILE,
        "lane": lease.lane(),
        "loop_ts": lease.loop_ts(),
        "lease": lease.object(),
    }))
}

/// A lease that was given back.
pub fn release(lease: &Lease, reason: &str) -> Record {
    Record::new(json!({
        "op": op::RELEASE,
        "lane": field(lease, "lane"),
        "loop_ts": field(lease, "loop_ts"),
        "host_id": field(lease, "host_id"),
        "reason": reason,
    }))
}

/// A sign of life. Without `at` the record's own time is the beat.
pub fn heartbeat(lease: &Lease, at: Option<&str>) -> Record {
    Record::new(json!({
        "op": op::HEARTBEAT,
        "lane": field(lease, "lane"),
        "loop_ts": field(lease, "loop_ts"),
        "host_id": field(lease, "host_id"),
    }))
    .with("heartbeat_at", at.filter(|at| !at.is_empty()).map(Value::from))
}

/// A lease that was taken from a dead holder.
pub fn scavenge(lease: &Lease, reason: &str, prev_holder: Option<&str>) -> Record {
    Record::new(json!({
        "op": op::SCAVENGE,
        "lane": field(lease, "lane"),
        "loop_ts": field(lease, "loop_ts"),
        "host_id": field(lease, "host_id"),
        "pid": field(lease, "pid"),
        "prev_holder": prev_holder,
        "reason": reason,
    }))
}

/// Who a lease passes to.
#[derive(Clone, Debug, Default)]
pub struct NewHolder<'a> {
    /// The new holder.
    pub holder: &'a str,
    /// The process it named.
    pub process: Option<ProcessId>,
    /// Its host; the lease's own when empty.
    pub host: &'a str,
    /// The fencing token from now on.
    pub token: Option<u64>,
    /// The work tree that it works in.
    pub worktree: Option<&'a WorkTree>,
}

/// A lease that passed to another holder.
pub fn adopt(lease: &Lease, to: &NewHolder<'_>, at: &str, reason: &str) -> Record {
    let host = match to.host.is_empty() {
        true => field(lease, "host_id"),
        false => to.host.into(),
    };
    Record::new(json!({
        "op": op::ADOPT,
        "lane": field(lease, "lane"),
        "loop_ts": field(lease, "loop_ts"),
        "holder": to.holder,
        "pid": to.process.as_ref().map(|process| process.pid),
        "host_id": host,
        "prev_holder": field(lease, "holder"),
        "heartbeat_at": at,
        "reason": reason,
    }))
    .with("pid_start", to.process.as_ref().map(|process| process.start.into()))
    .with("pid_boot", to.process.as_ref().map(|process| process.boot.as_str().into()))
    .with("token", to.token.map(Value::from))
    .with("worktree", to.worktree.map(|tree| tree.path.as_str().into()))
    .with("worktree_id", to.worktree.and_then(|tree| tree.id.as_deref()).map(Value::from))
}

/// Which run, on which lane, an event without a lease belongs to.
#[derive(Clone, Debug, Default)]
pub struct About<'a> {
    /// The lane.
    pub lane: &'a str,
    /// The loop stamp.
    pub loop_ts: &'a str,
    /// The host.
    pub host: Option<&'a str>,
    /// The run.
    pub run_id: Option<&'a str>,
}

/// A refused request.
pub fn refuse(about: &About<'_>, holder: &str, reason: &str, reason_class: &str) -> Record {
    Record::new(json!({
        "op": op::REFUSE,
        "lane": about.lane,
        "loop_ts": about.loop_ts,
        "host_id": about.host,
        "run_id": about.run_id,
        "holder": holder,
        "reason": reason,
        "reason_class": reason_class,
    }))
}

/// The decision that a run is to stop. `handle` means something to whoever stops it, not to us.
pub fn halt(about: &About<'_>, handle: &str, reason: &str, command: Option<&str>) -> Record {
    Record::new(json!({
        "op": op::HALT,
        "handle": handle,
        "lane": about.lane,
        "loop_ts": about.loop_ts,
        "host_id": about.host,
        "run_id": about.run_id,
        "command": command,
        "reason": reason,
    }))
}

/// The intent to take a lane. It grants nothing.
pub fn spawn(about: &About<'_>, holder: &str, pid: Option<u32>, reason: &str) -> Record {
    Record::new(json!({
        "op": op::SPAWN,
        "lane": about.lane,
        "loop_ts": about.loop_ts,
        "holder": holder,
        "host_id": about.host,
        "pid": pid,
        "reason": reason,
    }))
    .with("run_id", about.run_id.map(Value::from))
}

/// An attempt at a unit of work, with its outcome. Tagged, so that later readers know the format.
pub fn attempt(about: &About<'_>, unit: &str, outcome: &str) -> Record {
    Record::new(json!({
        "schema": {"family": SCHEMA_FAMILY, "version": SCHEMA_VERSION},
        "op": op::ATTEMPT,
        "unit_id": unit,
        "outcome": outcome,
        "lane": about.lane,
        "loop_ts": about.loop_ts,
        "host_id": about.host,
    }))
    .with("run_id", about.run_id.map(Value::from))
}

/// What was done about a tool call. `proposal` is kept whole; what people search for is repeated.
pub fn enforce(about: &About<'_>, holder: &str, tool: &str, proposal: &Object) -> Record {
    let text = |name: &str| proposal.get(name).and_then(Value::as_str).unwrap_or_default();
    let dispatch = proposal.get("dispatch_call").filter(|value| !value.is_null()).map(truthy);
    Record::new(json!({
        "op": op::ENFORCE,
        "lane": about.lane,
        "loop_ts": about.loop_ts,
        "host_id": about.host,
        "run_id": about.run_id,
        "holder": holder,
        "tool": tool,
        "intervention": text("intervention"),
        "dispatch_call": dispatch,
        "withheld": dispatch.map(|dispatched| !dispatched),
        "handler": text("handler"),
        "reason": text("reason"),
        "reason_class": text("reason_class"),
        "proposal": proposal,
    }))
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// The live set in place of all that came before, and the highest `seq` that it replaces.
pub fn checkpoint<'a>(leases: impl Iterator<Item = &'a Lease>, seq_watermark: u64) -> Record {
    let leases: Vec<Value> = leases.map(|lease| Value::Object(lease.object().clone())).collect();
    Record::new(json!({
        "op": op::CHECKPOINT,
        "leases": leases,
        "seq_watermark": seq_watermark,
    }))
}

/// What stands for a line that cannot be read: its text, its number from zero, and its length
/// where the text had to be cut.
pub fn corrupt(line: &[u8], number: u64) -> Record {
    let kept = line.get(..limits::CORRUPT_TEXT_BYTES_MAX).unwrap_or(line);
    let text = String::from_utf8_lossy(kept);
    let cut = (kept.len() < line.len()).then(|| Value::from(line.len()));
    Record::new(json!({"op": op::CORRUPT, "_raw": text.trim(), "_line": number}))
        .with("_bytes", cut)
}
