//! What is shown: the fleet's view, lane by lane.

use std::collections::{BTreeMap, BTreeSet};

use dos_core::fleet::Liveness;
use dos_core::fleet::view::{Commit, FleetView, Holder, Intent};
use dos_core::lane::lease::fold;
use dos_core::lane::{Lanes, Lease};
use serde_json::{Value, json};

use crate::verbs::shared::with;

/// The state of a lane or of one of its holders. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chip {
    /// The holder is provably dead; whoever asks next gets the lane.
    Dead,
    /// The holder shows no sign of life.
    Stalled,
    /// The holder is alive and nothing moves.
    Spinning,
    /// A worker is on its way.
    Spawning,
    /// The holder moves.
    Advancing,
    /// Nobody holds it.
    Free,
}

impl Chip {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Advancing, Self::Spinning, Self::Stalled, Self::Dead, Self::Spawning, Self::Free];

    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Dead => "DEAD",
            Self::Stalled => "STALLED",
            Self::Spinning => "SPINNING",
            Self::Spawning => "SPAWNING",
            Self::Advancing => "ADVANCING",
            Self::Free => "FREE",
        }
    }

    /// What the original prints for it, which does not tell the dead from the silent.
    fn original(self) -> &'static str {
        match self {
            Self::Dead | Self::Stalled => "🔴 STALLED",
            Self::Spinning => "🟡 SPINNING",
            Self::Spawning => "🔵 SPAWNING",
            Self::Advancing => "🟢 ADVANCING",
            Self::Free => "⚪ FREE",
        }
    }
}

/// A lane with one of its holders, with whoever is about to take it, or with nobody.
#[derive(Clone, Debug)]
pub struct Row {
    /// The lane.
    pub lane: String,
    /// Does it run alone?
    pub exclusive: bool,
    /// Its state.
    pub chip: Chip,
    /// Who.
    pub holder: String,
    /// The work tree that they work in, where several share a state.
    pub worktree: Option<String>,
    /// The run.
    pub run_id: String,
    /// Which lease.
    pub loop_ts: String,
    /// How long it has been held, or on its way.
    pub age_ms: Option<i64>,
    /// How old the newest sign of life is.
    pub beat_ms: Option<i64>,
    /// What the state rests on.
    pub why: String,
    /// The lease itself.
    pub lease: Option<Lease>,
}

impl Row {
    fn held(holder: &Holder, exclusive: bool) -> Self {
        let lease = &holder.lease;
        let progress = &holder.verdict.progress;
        let chip = match holder.liveness() {
            _ if holder.death.is_some() => Chip::Dead,
            Liveness::Advancing => Chip::Advancing,
            Liveness::Spinning => Chip::Spinning,
            Liveness::Stalled => Chip::Stalled,
        };
        let why =
            holder.death.as_ref().map_or_else(|| holder.verdict.to_string(), |d| d.to_string());
        Self {
            lane: lease.lane().into_owned(),
            exclusive,
            chip,
            holder: lease.holder().unwrap_or_default().to_string(),
            worktree: holder.worktree.clone(),
            run_id: lease.run_id().unwrap_or_default().to_string(),
            loop_ts: lease.loop_ts().into_owned(),
            age_ms: lease.acquired_at().map(|_| progress.now_ms - progress.run_started_ms),
            beat_ms: progress.last_heartbeat_age_ms,
            why,
            lease: Some(lease.clone()),
        }
    }

    fn coming(intent: &Intent, view: &FleetView, exclusive: bool) -> Self {
        Self {
            holder: intent.holder.clone(),
            run_id: intent.run_id.clone().unwrap_or_default(),
            age_ms: Some(view.now.millis_since(intent.at).max(0)),
            why: "a worker is on its way; it has no lease yet".to_string(),
            ..Self::empty(&intent.lane, Chip::Spawning, exclusive)
        }
    }

    fn empty(lane: &str, chip: Chip, exclusive: bool) -> Self {
        Self {
            lane: lane.to_string(),
            exclusive,
            chip,
            holder: String::new(),
            worktree: None,
            run_id: String::new(),
            loop_ts: String::new(),
            age_ms: None,
            beat_ms: None,
            why: String::new(),
            lease: None,
        }
    }

    /// The holder, and where they work, in few words.
    pub fn who(&self) -> String {
        let worktree = self.worktree.as_deref().unwrap_or_default();
        match worktree.rsplit('/').next() {
            Some(name) if !name.is_empty() => format!("{} in {name}", self.holder),
            _ => self.holder.clone(),
        }
    }

    /// Is the text somewhere in what the row says, whatever its case?
    pub fn has(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        [&self.lane, &self.holder, &self.run_id, &self.why, self.chip.token()]
            .iter()
            .any(|part| part.to_lowercase().contains(&text))
    }

    /// The object for programs: the keys of the original, and `state`.
    fn to_json(&self) -> Value {
        json!({
            "lane": self.lane,
            "chip": self.chip.original(),
            "state": self.chip.token(),
            "loop_ts": self.loop_ts,
            "holder": self.holder,
            "worktree": self.worktree,
            "heartbeat_age_ms": if self.chip == Chip::Spawning { self.age_ms } else { self.beat_ms },
            "liveness_reason": self.why,
            "is_exclusive": self.exclusive,
        })
    }
}

/// The fleet at one moment, as it is shown.
pub struct Fleet {
    /// The workspace's folder.
    pub root: String,
    /// Does it declare lanes, or has it a journal?
    pub initialized: bool,
    /// The one view.
    pub view: FleetView,
    /// The newest commits of all branches, newest first.
    pub commits: Vec<Commit>,
    /// Every declared lane, and every other one that is held or about to be.
    pub rows: Vec<Row>,
}

impl Fleet {
    /// Puts the view in the order of the lanes.
    pub fn of(
        root: &str,
        initialized: bool,
        view: FleetView,
        commits: Vec<Commit>,
        lanes: &Lanes,
    ) -> Self {
        let rows = rows(&view, lanes);
        Self { root: root.to_string(), initialized, view, commits, rows }
    }

    /// How many rows are in that state.
    pub fn count(&self, chip: Chip) -> usize {
        self.rows.iter().filter(|row| row.chip == chip).count()
    }

    /// The object for programs: that of the view, and the keys of the original.
    pub fn to_json(&self) -> Value {
        let commit = |commit: &Commit| {
            let short = commit.id.get(..7).unwrap_or(&commit.id);
            json!({"sha": short, "subject": commit.subject, "at": commit.at.to_string()})
        };
        let mut shown = with(self.view.to_json(), "workspace", self.root.as_str());
        shown = with(shown, "now", self.view.now.to_string());
        shown = with(shown, "initialized", self.initialized);
        shown = with(shown, "lanes", self.rows.iter().map(Row::to_json).collect::<Value>());
        with(shown, "activity", self.commits.iter().map(commit).collect::<Value>())
    }
}

/// Declared lanes as they are declared, then the others as they were taken.
fn rows(view: &FleetView, lanes: &Lanes) -> Vec<Row> {
    let mut names: Vec<String> = lanes.roles().into_iter().map(|(name, _)| name.clone()).collect();
    names.extend(view.holders.iter().map(|holder| holder.lease.lane().into_owned()));
    names.extend(view.intents.iter().map(|intent| intent.lane.clone()));
    let exclusive: BTreeSet<String> = lanes.exclusive.iter().map(|name| fold(name)).collect();
    let mut taken: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for holder in &view.holders {
        let key = fold(&holder.lease.lane());
        let row = Row::held(holder, exclusive.contains(&key));
        taken.entry(key).or_default().push(row);
    }
    for intent in &view.intents {
        let key = fold(&intent.lane);
        let row = Row::coming(intent, view, exclusive.contains(&key));
        taken.entry(key).or_default().push(row);
    }
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for name in names {
        let key = fold(&name);
        if seen.insert(key.clone()) {
            let free = || vec![Row::empty(&name, Chip::Free, exclusive.contains(&key))];
            rows.extend(taken.remove(&key).unwrap_or_else(free));
        }
    }
    rows
}
