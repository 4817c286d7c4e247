//! The tables of a fleet: `[liveness]`, `[supervise]` and `[worker]`.

use alloc::format;
use alloc::string::ToString;

use toml::de::DeTable;

use super::{Problem, Reader, Value, expected, number};
use crate::fleet::{LivenessPolicy, SupervisePolicy, WorkerPolicy};

const LIVENESS_KEYS: [&str; 2] = ["grace_ms", "spin_ms"];
const SUPERVISE_KEYS: [&str; 7] = [
    "target",
    "count_spinning_as_alive",
    "reap_stalled",
    "spin_halt_after_ms",
    "spin_halt_after_minutes",
    "worker_launch_template",
    "max_concurrency",
];
const WORKER_KEYS: [&str; 6] =
    ["early_ms", "backoff_ms", "backoff_max_ms", "start_ms", "stop_ms", "log_bytes_max"];
/// A year and a day: longer windows are slips.
const MILLIS_MAX: f64 = 367.0 * 86_400_000.0;
/// More workers than a machine can run.
const COUNT_MAX: f64 = 1e6;
const LOG_BYTES_MAX: f64 = 1e12;

impl<'t> Reader<'t> {
    pub(super) fn liveness(&mut self, value: &Value<'t>) -> Result<LivenessPolicy, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "liveness", "a table", "[liveness]"));
        };
        self.unknown_keys(table, &LIVENESS_KEYS, "[liveness]");
        let usual = LivenessPolicy::default();
        Ok(LivenessPolicy {
            grace_ms: millis(table, "grace_ms")?.unwrap_or(usual.grace_ms),
            spin_ms: millis(table, "spin_ms")?.unwrap_or(usual.spin_ms),
        })
    }

    pub(super) fn supervise(&mut self, value: &Value<'t>) -> Result<SupervisePolicy, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "supervise", "a table", "[supervise]"));
        };
        self.unknown_keys(table, &SUPERVISE_KEYS, "[supervise]");
        let usual = SupervisePolicy::default();
        let minutes = whole(table, "spin_halt_after_minutes", 0.0, MILLIS_MAX / 60_000.0)?;
        let spin_halt_after_ms = match (millis(table, "spin_halt_after_ms")?, minutes) {
            (Some(_), Some(_)) => {
                return Err(Problem {
                    span: value.span(),
                    what: "spin_halt_after_ms and spin_halt_after_minutes say one thing twice"
                        .to_string(),
                    suggestion: "keep one of them".to_string(),
                });
            }
            (given, minutes) => given.or(minutes.map(|minutes| minutes as i64 * 60_000)),
        };
        let template = match table.get("worker_launch_template") {
            None => usual.worker_launch_template,
            Some(value) => match value.get_ref().as_str().filter(|text| text.contains("{lane}")) {
                Some(text) => text.to_string(),
                None => {
                    let example = "worker_launch_template = \"./worker.sh {lane}\"";
                    let wanted = "a text that holds {lane}";
                    return Err(expected(value, "worker_launch_template", wanted, example));
                }
            },
        };
        Ok(SupervisePolicy {
            target: whole(table, "target", 0.0, COUNT_MAX)?.map_or(usual.target, |n| n as u64),
            count_spinning_as_alive: flag(table, "count_spinning_as_alive")?
                .unwrap_or(usual.count_spinning_as_alive),
            reap_stalled: flag(table, "reap_stalled")?.unwrap_or(usual.reap_stalled),
            spin_halt_after_ms,
            worker_launch_template: template,
            max_concurrency: whole(table, "max_concurrency", 1.0, COUNT_MAX)?.map(|n| n as u64),
        })
    }

    pub(super) fn worker(&mut self, value: &Value<'t>) -> Result<WorkerPolicy, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "worker", "a table", "[worker]"));
        };
        self.unknown_keys(table, &WORKER_KEYS, "[worker]");
        let usual = WorkerPolicy::default();
        let log_bytes_max = whole(table, "log_bytes_max", 1024.0, LOG_BYTES_MAX)?;
        Ok(WorkerPolicy {
            early_ms: millis(table, "early_ms")?.unwrap_or(usual.early_ms),
            backoff_ms: millis(table, "backoff_ms")?.unwrap_or(usual.backoff_ms),
            backoff_max_ms: millis(table, "backoff_max_ms")?.unwrap_or(usual.backoff_max_ms),
            start_ms: millis(table, "start_ms")?.unwrap_or(usual.start_ms),
            stop_ms: millis(table, "stop_ms")?.unwrap_or(usual.stop_ms),
            log_bytes_max: log_bytes_max.map_or(usual.log_bytes_max, |bytes| bytes as u64),
        })
    }
}

fn millis(table: &DeTable<'_>, name: &str) -> Result<Option<i64>, Problem> {
    Ok(whole(table, name, 0.0, MILLIS_MAX)?.map(|millis| millis as i64))
}

/// A number within these bounds; a fraction is cut off.
fn whole(table: &DeTable<'_>, name: &str, least: f64, most: f64) -> Result<Option<f64>, Problem> {
    let Some(value) = table.get(name) else { return Ok(None) };
    match number(value).filter(|number| (least..=most).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => {
            let wanted = format!("a whole number from {least} to {most:.0}");
            Err(expected(value, name, &wanted, &format!("{name} = {}", least.max(1000.0))))
        }
    }
}

fn flag(table: &DeTable<'_>, name: &str) -> Result<Option<bool>, Problem> {
    let Some(value) = table.get(name) else { return Ok(None) };
    match value.get_ref().as_bool() {
        Some(flag) => Ok(Some(flag)),
        None => Err(expected(value, name, "true or false", &format!("{name} = true"))),
    }
}
