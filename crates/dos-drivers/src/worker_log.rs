//! `.dos/runs/workers.jsonl`: which workers the supervisor has started, and how they ended.

use camino::Utf8PathBuf;
use dos_core::fleet::WorkerPolicy;
use dos_core::fleet::supervisor::{Crew, Event, Rest};
use dos_core::journal::decode::object_of;
use dos_core::journal::entry::Record;
use dos_core::json::Object;
use dos_core::lane::Lease;
use dos_core::timestamp::Timestamp;
use dos_store::clock::Clock;
use dos_store::disk::RealDisk;
use dos_store::log::Log;
use dos_store::{StoreError, Workspace, side_log};
use serde_json::{Value, json};

/// A log beyond this length is written anew by the next supervisor, in bytes.
const BYTES_MAX: u64 = 256 * 1024;

/// The log of one workspace.
pub struct WorkerLog {
    log: Log<RealDisk>,
}

impl WorkerLog {
    /// The log of this workspace; it need not exist.
    pub fn of(workspace: &Workspace) -> Self {
        Self { log: Log::new(RealDisk, runs(workspace).join("workers.jsonl")) }
    }

    /// Its events, folded. Lines that are no events change nothing.
    pub fn crew(&self, policy: &WorkerPolicy) -> Result<Crew, StoreError> {
        let mut crew = Crew::default();
        self.log.scan(|line| {
            if let Some(event) = object_of(line.bytes).as_ref().and_then(event_of) {
                crew.apply(&event, policy);
            }
        })?;
        Ok(crew)
    }

    /// Appends events, durably.
    pub fn append(
        &self,
        workspace: &Workspace,
        clock: &impl Clock,
        events: &[Event],
    ) -> Result<(), StoreError> {
        workspace.prepare_write(&RealDisk, self.log.path())?;
        side_log::append(&RealDisk, clock, &self.log, || Ok(lines(events)))
    }

    /// Puts what stands for the crew in place of a log that has grown long.
    pub fn shorten(&self, clock: &impl Clock, crew: &Crew) -> Result<(), StoreError> {
        let mut bytes = 0;
        self.log.scan(|line| bytes = line.offset)?;
        match bytes > BYTES_MAX {
            true => side_log::replace(&RealDisk, clock, &self.log, &lines(&crew.standing_for())),
            false => Ok(()),
        }
    }
}

/// The folder of all runs.
pub fn runs(workspace: &Workspace) -> Utf8PathBuf {
    workspace.dot_dos().join("runs")
}

fn lines(events: &[Event]) -> String {
    let record = |event: &Event| match record_of(event) {
        Value::Object(object) => Record::from_object(object).line(),
        _ => String::new(),
    };
    events.iter().map(record).collect()
}

fn record_of(event: &Event) -> Value {
    match event {
        Event::Started { run_id, lane, process, at } => json!({
            "op": "STARTED",
            "run_id": run_id,
            "lane": lane,
            "pid": process.pid,
            "pid_start": process.start,
            "pid_boot": process.boot,
            "at_ms": at.millis(),
        }),
        Event::Held { run_id, at } => {
            json!({"op": "HELD", "run_id": run_id, "at_ms": at.millis()})
        }
        Event::Ended { run_id, at, asked, proven } => json!({
            "op": "ENDED",
            "run_id": run_id,
            "at_ms": at.millis(),
            "asked": asked,
            "proven": proven,
        }),
        Event::Rests { lane, rest } => json!({
            "op": "RESTS",
            "lane": lane,
            "deaths": rest.deaths,
            "until_ms": rest.until.millis(),
        }),
    }
}

fn event_of(record: &Object) -> Option<Event> {
    let text = |name: &str| Some(record.get(name)?.as_str()?.to_string());
    let time = |name: &str| Timestamp::from_millis(record.get(name)?.as_i64()?).ok();
    Some(match record.get("op")?.as_str()? {
        "STARTED" => Event::Started {
            run_id: text("run_id")?,
            lane: text("lane")?,
            // The same fields as in a lease.
            process: Lease::from_object(record.clone()).named_process()?,
            at: time("at_ms")?,
        },
        "HELD" => Event::Held { run_id: text("run_id")?, at: time("at_ms")? },
        "ENDED" => Event::Ended {
            run_id: text("run_id")?,
            at: time("at_ms")?,
            asked: record.get("asked")?.as_bool()?,
            proven: record.get("proven")?.as_bool()?,
        },
        "RESTS" => Event::Rests {
            lane: text("lane")?,
            rest: Rest {
                deaths: u32::try_from(record.get("deaths")?.as_u64()?).ok()?,
                until: time("until_ms")?,
            },
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back_as_themselves() {
        let at = Timestamp::from_millis(1_768_046_400_123).unwrap();
        let process =
            dos_core::lane::lease::ProcessId { pid: 7, start: 9, boot: "b/1".to_string() };
        let (run_id, lane) = ("RID-1".to_string(), "api".to_string());
        for event in [
            Event::Started { run_id: run_id.clone(), lane: lane.clone(), process, at },
            Event::Held { run_id: run_id.clone(), at },
            Event::Ended { run_id, at, asked: true, proven: false },
            Event::Rests { lane, rest: Rest { deaths: 3, until: at } },
        ] {
            assert_eq!(record_of(&event).as_object().and_then(event_of), Some(event));
        }
        assert_eq!(json!({"op": "STARTED"}).as_object().and_then(event_of), None);
    }
}
