//! What somebody should hear of: refusals, halts and stalls, alike ones as one.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::timestamp::Timestamp;
use crate::verdict::VerdictEvent;

/// What kind of news it is, the least urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// Somebody was told no.
    Refusal,
    /// A run is to be stopped, or was.
    Halt,
    /// A run shows no sign of life, or its agent does the same over and over.
    Stall,
}

const REFUSALS: &[&str] = &["BLOCK", "DENY", "REFUSE", "REFUTED"];
const HALTS: &[&str] = &["HALT", "KILLED", "PROPOSE_HALT"];
const STALLS: &[&str] = &["STALLED"];

impl Alarm {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Refusal, Self::Halt, Self::Stall];

    /// What a row is news of, if it is; whatever the case of the letters of its verdict.
    pub fn of(event: &VerdictEvent) -> Option<Self> {
        let is_in =
            |tokens: &[&str]| tokens.iter().any(|token| token.eq_ignore_ascii_case(&event.verdict));
        let kinds = [(REFUSALS, Self::Refusal), (HALTS, Self::Halt), (STALLS, Self::Stall)];
        kinds.into_iter().find(|(tokens, _)| is_in(tokens)).map(|(_, alarm)| alarm)
    }

    /// Its name, as of one and as of several.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Refusal => ("refusal", "refusals"),
            Self::Halt => ("halt", "halts"),
            Self::Stall => ("stall", "stalls"),
        }
    }
}

/// Rows that say the same of the same run, lane and subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What it is.
    pub alarm: Alarm,
    /// The call, its verdict, and whom it is about.
    pub about: About,
    /// How often it was said.
    pub count: u64,
    /// When it was said last.
    pub last: Option<Timestamp>,
}

/// What makes two rows alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    /// The call.
    pub syscall: String,
    /// Its verdict.
    pub verdict: String,
    /// The lane.
    pub lane: String,
    /// The run.
    pub run_id: String,
    /// What else it is about.
    pub subject: String,
}

impl About {
    fn of(event: &VerdictEvent) -> Self {
        Self {
            syscall: event.syscall.clone(),
            verdict: event.verdict.clone(),
            lane: event.lane.clone(),
            run_id: event.run_id.clone(),
            subject: event.subject.clone(),
        }
    }

    /// One line about it.
    pub fn line(&self) -> String {
        let mut line = format!("{} {}", self.syscall, self.verdict).trim().to_string();
        let more = [("lane", &self.lane), ("run", &self.run_id), ("about", &self.subject)];
        for (name, value) in more.into_iter().filter(|(_, value)| !value.is_empty()) {
            line.push_str(&format!(", {name} {value}"));
        }
        line
    }
}

/// News that nobody has heard of yet.
#[derive(Clone, Debug, Default)]
pub struct News {
    alerts: BTreeMap<About, Alert>,
}

impl News {
    /// Takes a row, if it is news of a kind that is wanted.
    pub fn take(&mut self, event: &VerdictEvent, wanted: &[Alarm]) {
        let Some(alarm) = Alarm::of(event).filter(|alarm| wanted.contains(alarm)) else { return };
        let about = About::of(event);
        let fresh = Alert { alarm, about: about.clone(), count: 0, last: None };
        let alert = self.alerts.entry(about).or_insert(fresh);
        alert.count += 1;
        alert.last = event.at().max(alert.last);
    }

    /// Takes out what was told before, by this judgement.
    pub fn without(&mut self, told: impl Fn(&About) -> bool) {
        self.alerts.retain(|about, _| !told(about));
    }

    /// The news, the most urgent first.
    pub fn alerts(&self) -> Vec<&Alert> {
        let mut alerts: Vec<&Alert> = self.alerts.values().collect();
        alerts.sort_by(|left, right| {
            right.alarm.cmp(&left.alarm).then_with(|| left.about.cmp(&right.about))
        });
        alerts
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    /// How much there is of each kind: `1 stall, 3 refusals`.
    pub fn title(&self) -> String {
        let counted = |alarm: Alarm| {
            let count: u64 =
                self.alerts.values().filter(|it| it.alarm == alarm).map(|it| it.count).sum();
            let (one, many) = alarm.names();
            match count {
                0 => None,
                1 => Some(format!("1 {one}")),
                _ => Some(format!("{count} {many}")),
            }
        };
        let parts: Vec<String> = Alarm::ALL.into_iter().rev().filter_map(counted).collect();
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_rows_are_one_alert_and_urgent_ones_come_first() {
        let mut news = News::default();
        let mut refused = VerdictEvent::new("arbitrate", "refuse");
        refused.lane = "api".into();
        let mut other = refused.clone();
        other.lane = "web".into();
        let stalled = VerdictEvent::new("liveness", "STALLED");
        let fine = VerdictEvent::new("liveness", "ADVANCING");
        for event in [&refused, &refused, &other, &stalled, &fine] {
            news.take(event, &Alarm::ALL);
        }
        assert_eq!(news.title(), "1 stall, 3 refusals");
        let lines: Vec<String> = news.alerts().iter().map(|alert| alert.about.line()).collect();
        let wanted =
            ["liveness STALLED", "arbitrate refuse, lane api", "arbitrate refuse, lane web"];
        assert_eq!(lines, wanted);
        news.without(|about| about.lane == "api");
        assert_eq!(news.title(), "1 stall, 1 refusal");
        let mut only = News::default();
        only.take(&stalled, &[Alarm::Refusal]);
        assert!(only.is_empty());
    }
}
