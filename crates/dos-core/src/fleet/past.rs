//! What happened on one lane, for people.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::journal::decode::object_of;
use crate::journal::entry::op;
use crate::lane::lease::fold;
use crate::timestamp::Timestamp;

/// Most events that are kept.
const EVENTS_MAX: usize = 1000;

/// One record of the lane, or several alike in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// What was recorded.
    pub op: String,
    /// How often in a row, for beats of one lease.
    pub times: u64,
    /// When, the last time.
    pub at: Option<Timestamp>,
    /// Who.
    pub holder: String,
    /// Which lease.
    pub loop_ts: String,
    /// Why, in words.
    pub reason: String,
}

/// The records of one lane, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    lane: String,
    /// The events.
    pub events: Vec<Past>,
}

impl History {
    /// Of this lane, as yet empty.
    pub fn of(lane: &str) -> Self {
        Self { lane: fold(lane), events: Vec::new() }
    }

    /// Folds one line of the journal.
    pub fn line(&mut self, line: &[u8]) {
        let Some(record) = object_of(line) else { return };
        let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
        if fold(text("lane")) != self.lane {
            return;
        }
        let lease = record.get("lease").and_then(|lease| lease.get("holder"));
        let named = [Some(text("holder")), lease.and_then(Value::as_str), Some(text("handle"))];
        let holder = named.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or_default();
        let at = Timestamp::parse(text("ts"));
        let (name, loop_ts) = (text("op"), text("loop_ts"));
        if name == op::HEARTBEAT
            && let Some(last) = self.events.last_mut()
            && (last.op == name && last.loop_ts == loop_ts)
        {
            last.times += 1;
            last.at = at;
            return;
        }
        if self.events.len() == EVENTS_MAX {
            self.events.remove(0);
        }
        self.events.push(Past {
            op: name.to_string(),
            times: 1,
            at,
            holder: holder.to_string(),
            loop_ts: loop_ts.to_string(),
            reason: text("reason").to_string(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_in_a_row_are_one_event_and_other_lanes_are_left_out() {
        let mut history = History::of("Api");
        for line in [
            r#"{"op":"ACQUIRE","lane":"api","loop_ts":"t","lease":{"holder":"x"},"reason":"r"}"#,
            r#"{"op":"HEARTBEAT","lane":"api","loop_ts":"t","ts":"2026-01-10T12:00:00Z"}"#,
            r#"{"op":"ACQUIRE","lane":"web","loop_ts":"t"}"#,
            r#"{"op":"HEARTBEAT","lane":"api","loop_ts":"t","ts":"2026-01-10T12:00:05Z"}"#,
            r#"{"op":"HEARTBEAT","lane":"api","loop_ts":"u"}"#,
            "no record",
            r#"{"op":"HALT","lane":"API","handle":"h"}"#,
        ] {
            history.line(line.as_bytes());
        }
        let told: Vec<(&str, u64, &str)> =
            history.events.iter().map(|e| (&*e.op, e.times, &*e.holder)).collect();
        let wanted =
            [("ACQUIRE", 1, "x"), ("HEARTBEAT", 2, ""), ("HEARTBEAT", 1, ""), ("HALT", 1, "h")];
        assert_eq!(told, wanted);
        assert_eq!(history.events[1].at, Timestamp::parse("2026-01-10T12:00:05Z"));
    }
}
