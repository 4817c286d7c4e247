//! Newest beat and events of one run: what the journal says of whether it moves.

use crate::journal::decode::{Effect, Key, Line, decode_line, object_of};
use crate::journal::entry::op;
use crate::json::Object;
use crate::lane::lease::{Lease, LeaseKey};
use crate::timestamp::Timestamp;

/// Stamps have seconds and the clock has milliseconds; what is later than this much after now was
/// not written by a clock that can be believed.
pub const FUTURE_SLACK_MILLIS: i64 = 1000;

/// A fold over the lines of a journal, for the lease of one run.
#[derive(Clone, Debug)]
pub struct Freshness {
    lease: Option<LeaseKey>,
    started_floor_ms: i64,
    now_ms: i64,
    born: bool,
    newest_beat_ms: Option<i64>,
    /// How often the lease was taken again, given back, taken away or restored since the start.
    pub events_since_start: u64,
    /// Was there a line that cannot be read?
    pub saw_corrupt: bool,
}

impl Freshness {
    /// For a run that began at `run_started_ms`, looked at now. Without a lease nothing in the journal
    /// can be laid to the run.
    pub fn new(lease: Option<LeaseKey>, run_started_ms: i64, now_ms: i64) -> Self {
        let lease = lease.filter(|key| !key.lane.is_empty() || !key.loop_ts.is_empty());
        Self {
            lease,
            started_floor_ms: run_started_ms.div_euclid(1000).saturating_mul(1000),
            now_ms,
            born: false,
            newest_beat_ms: None,
            events_since_start: 0,
            saw_corrupt: false,
        }
    }

    /// How old the newest beat is that can be believed, in milliseconds.
    pub fn newest_beat_age_ms(&self) -> Option<i64> {
        self.newest_beat_ms.map(|beat| self.now_ms.saturating_sub(beat).max(0))
    }

    /// Folds one line without its newline.
    pub fn line(&mut self, line: &[u8], complete: bool) {
        self.decoded(&decode_line(line, complete), line);
    }

    /// Folds one line that is decoded already.
    pub fn decoded(&mut self, decoded: &Line<'_>, line: &[u8]) {
        match decoded {
            Line::Entry(entry) => match &entry.effect {
                Effect::None => self.saw_corrupt |= entry.op == op::CORRUPT,
                Effect::Hold(key, _) | Effect::Drop(key) | Effect::Beat(key, _) => {
                    if self.is_meant(key)
                        && let Some(record) = object_of(line)
                    {
                        self.record(&entry.op, &record);
                    }
                }
                Effect::Reset(leases) => self.checkpoint(leases),
                Effect::Transfer(..) => {}
            },
            Line::Corrupt => self.saw_corrupt = true,
            Line::Blank | Line::Foreign | Line::Torn => {}
        }
    }

    fn is_meant(&self, key: &Key<'_>) -> bool {
        self.lease.as_ref().is_some_and(|ours| ours.lane == key.lane && ours.loop_ts == key.loop_ts)
    }

    fn record(&mut self, name: &str, record: &Object) {
        let stamp = |field: &str| record.get(field)?.as_str().and_then(Timestamp::parse);
        // The time of the record counts, not what it says of itself.
        let Some(at) = stamp("ts").or_else(|| stamp("heartbeat_at")).map(Timestamp::millis) else {
            return;
        };
        // That a lease comes into being is no progress of it, whenever that was.
        let birth = name == op::ACQUIRE && !self.born;
        self.born |= name == op::ACQUIRE;
        let credible = at <= self.now_ms.saturating_add(FUTURE_SLACK_MILLIS);
        if name != op::HEARTBEAT && !birth && credible && at > self.started_floor_ms {
            self.events_since_start += 1;
        }
        if credible && matches!(name, op::ACQUIRE | op::HEARTBEAT) {
            self.newest_beat_ms = self.newest_beat_ms.max(Some(at));
        }
    }

    /// A compaction keeps of a lease's history its newest sign of life.
    fn checkpoint(&mut self, leases: &[Lease]) {
        let Some(lease) = leases.iter().find(|lease| self.lease == Some(lease.key())) else {
            return;
        };
        self.born = true;
        let seen = lease.newest_stamp().map(Timestamp::millis);
        let credible = seen.filter(|at| *at <= self.now_ms.saturating_add(FUTURE_SLACK_MILLIS));
        self.newest_beat_ms = self.newest_beat_ms.max(credible);
    }
}
