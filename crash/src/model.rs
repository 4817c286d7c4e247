//! What must be so: the decisions that were made, which of them were acknowledged, and whether what
//! a reader sees can have come of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dos_core::journal::LiveSet;
use dos_core::journal::entry::{Record, op};
use dos_core::journal::live_set::replay;
use dos_core::lane::Lease;
use dos_core::registry::project_id;
use dos_store::chain;
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// Of more records than these, of which it is not known whether they are there, only the first
/// ones are tried in every combination.
const UNCERTAIN_MAX: usize = 10;

/// The decisions of all processes, in the order in which they were made.
#[derive(Clone)]
pub struct Model {
    decisions: Vec<Decided>,
    /// Every line that may be in the journal, and the decision that it is from.
    lines: HashMap<String, usize>,
    /// Every lane that may be in the log of overrides; true when it was acknowledged.
    overrides: HashMap<String, bool>,
    /// When the project's card was created, once there is one.
    created: Option<Value>,
    /// Was any history dropped on purpose?
    discarded: bool,
    findings: Vec<String>,
}

/// What is on the disk of the home registry, and of the project's card.
pub struct Central<'a> {
    pub card: Option<&'a [u8]>,
    pub index: &'a [u8],
    pub roots: &'a [u8],
    pub decisions: &'a [u8],
}

/// One decision, whose records were to be appended.
#[derive(Clone)]
struct Decided {
    records: Vec<Record>,
    /// The live set after it, with everything that it saw.
    after: Arc<LiveSet>,
    acknowledged: bool,
}

impl Model {
    /// The model of a journal with this content, all of it durable.
    pub fn new(journal: &[u8]) -> Self {
        let mut model = Self {
            decisions: Vec::new(),
            lines: HashMap::new(),
            overrides: HashMap::new(),
            created: None,
            discarded: false,
            findings: Vec::new(),
        };
        for line in lines_of(journal) {
            model.lines.insert(unchained(line), 0);
        }
        model.know(journal);
        model
    }

    /// What was found wrong.
    pub fn findings(&self) -> &[String] {
        &self.findings
    }

    /// Notes something wrong.
    pub fn find(&mut self, finding: impl Into<String>) {
        self.findings.push(finding.into());
    }

    /// The newest acknowledged decision: all that it saw, and it itself, must be seen from now on.
    pub fn floor(&self) -> usize {
        self.decisions.iter().rposition(|decided| decided.acknowledged).unwrap_or_default()
    }

    /// A decision is being made, under the lock, on `live`; `journal` is what the file holds. When
    /// the journal is marked, nobody will be told of the decision, and the cache that it rests on
    /// may have been dropped.
    pub fn decide(
        &mut self,
        live: &LiveSet,
        records: &[Record],
        journal: &[u8],
        marked: bool,
    ) -> usize {
        let replayed = replay(journal);
        if !marked && (replayed != *live || replayed.last_seq() != live.last_seq()) {
            self.find("a decision rests on something else than the replay of the journal");
        }
        if let Some(wrong) = self.judge(live, self.floor()).filter(|_| !marked) {
            self.find(format!("a decision rests on a wrong live set: {wrong}"));
        }
        let mut after = live.clone();
        for record in records {
            after.apply_record(record);
        }
        if let Some(pair) = collision(&after) {
            self.find(format!("double grant: {pair}"));
        }
        let number = self.decisions.len();
        for record in records {
            self.lines.insert(text_of(record), number);
        }
        let after = Arc::new(after);
        self.decisions.push(Decided { records: records.to_vec(), after, acknowledged: false });
        number
    }

    /// The decision was acknowledged.
    pub fn acknowledge(&mut self, number: usize) {
        if let Some(decided) = self.decisions.get_mut(number) {
            decided.acknowledged = true;
        }
    }

    /// The journal is about to be compacted.
    pub fn note_compaction(&mut self, discard: bool) {
        self.discarded |= discard;
    }

    /// An override of that lane is about to be recorded, or was.
    pub fn note_override(&mut self, lane: &str, acknowledged: bool) {
        self.overrides.insert(lane.to_string(), acknowledged);
    }

    /// Is `view` what a reader may see who began after decision `floor` was acknowledged? The answer
    /// is what is wrong with it.
    pub fn judge(&self, view: &LiveSet, floor: usize) -> Option<String> {
        if let Some(pair) = collision(view) {
            return Some(format!("double grant: {pair}"));
        }
        let base = &self.decisions[floor].after;
        let after = self.decisions.get(floor + 1..).unwrap_or_default();
        let uncertain: Vec<&Record> = after.iter().flat_map(|it| &it.records).collect();
        if reachable(base, &uncertain, view) {
            let (old, new) = (base.last_seq(), view.last_seq());
            return (new < old).then(|| format!("the sequence went back from {old} to {new}"));
        }
        let all = uncertain.iter().fold((**base).clone(), |mut set, record| {
            set.apply_record(record);
            set
        });
        let names = |set: &LiveSet| -> Vec<String> {
            set.leases()
                .map(|it| format!("{} by {}", it.lane(), it.holder().unwrap_or("?")))
                .collect()
        };
        Some(format!(
            "lost acknowledgement or invented lease: seen {:?}, certain {:?}, with all that is \
             uncertain {:?}",
            names(view),
            names(base),
            names(&all)
        ))
    }

    /// Judges the bytes of the journal, without any code of the store: every acknowledged record is
    /// there or stands behind a checkpoint, in order, and nothing is there that nobody wrote.
    /// Nor is any history lost: what a compaction took out is in the archive.
    pub fn judge_journal(&self, journal: &[u8], archived: &[&[u8]]) -> Option<String> {
        let history = archived.iter().flat_map(|segment| lines_of(segment)).map(unchained);
        let history: HashSet<String> = history.collect();
        let mut seen = HashSet::new();
        let mut watermark = 0;
        let mut last = 0;
        for line in lines_of(journal).map(unchained) {
            let Some(object) = object_of(&line) else {
                continue;
            };
            let number =
                |field: &str| object.get(field).and_then(Value::as_u64).unwrap_or_default();
            match object.get("op").and_then(Value::as_str).unwrap_or_default() {
                op::CHECKPOINT => watermark = watermark.max(number("seq_watermark")),
                op::CORRUPT => {}
                _ if !self.lines.contains_key(&line) => {
                    return Some(format!("a record that nobody wrote: {line}"));
                }
                _ => {
                    let seq = number("seq");
                    if seq <= last.max(watermark) {
                        return Some(format!("sequence number {seq} after {last}"));
                    }
                    last = seq;
                    seen.insert(line);
                }
            }
        }
        let acknowledged = self.decisions.iter().filter(|decided| decided.acknowledged);
        for record in acknowledged.flat_map(|decided| &decided.records) {
            let seq = record.object().get("seq").and_then(Value::as_u64).unwrap_or_default();
            let line = text_of(record);
            if seq > watermark && !seen.contains(&line) {
                return Some(format!("lost acknowledgement: {line}"));
            }
            if !self.discarded && !seen.contains(&line) && !history.contains(&line) {
                return Some(format!("lost history: {line}"));
            }
        }
        None
    }

    /// Judges the log of overrides: every acknowledged one is there, and nothing else.
    pub fn judge_overrides(&self, log: &[u8]) -> Option<String> {
        let lane = |line: String| Some(object_of(&line)?.get("lane")?.as_str()?.to_string());
        let seen: HashSet<String> = lines_of(log).filter_map(lane).collect();
        if let Some((lost, _)) =
            self.overrides.iter().find(|(it, done)| **done && !seen.contains(*it))
        {
            return Some(format!("lost acknowledgement of the override of {lost}"));
        }
        let invented = seen.iter().find(|lane| !self.overrides.contains_key(*lane));
        invented.map(|lane| format!("an override of {lane} that nobody recorded"))
    }

    /// Judges the home registry: what a card with its mark stands for is there, and nothing is there
    /// that does not come from the card and the overrides.
    pub fn judge_registry(&mut self, central: &Central<'_>) -> Option<String> {
        let listed = |log| lines_of(log).filter_map(|line| object_of(&line));
        let id = project_id("/w");
        let is_ours = |row: &Map<String, Value>| row.get("project_id") == Some(&id.as_str().into());
        for row in listed(central.index).chain(listed(central.decisions)) {
            if !is_ours(&row) {
                return Some(format!("a row of the registry that nobody wrote: {row:?}"));
            }
        }
        let told = |row: Map<String, Value>| Some(row.get("lane")?.as_str()?.to_string());
        let told: HashSet<String> = listed(central.decisions).filter_map(told).collect();
        if let Some(lane) = told.iter().find(|lane| !self.overrides.contains_key(*lane)) {
            return Some(format!("the registry has an override of {lane} that nobody recorded"));
        }
        let card = match central.card.map(|card| object_of(&String::from_utf8_lossy(card))) {
            None if self.created.is_some() => return Some("the card is gone".to_string()),
            None => return None,
            Some(None) => return Some("a torn card".to_string()),
            Some(Some(card)) => card,
        };
        let created = card.get("created_at").cloned();
        if !is_ours(&card) || self.created.is_some() && self.created != created {
            return Some(format!("the card became another project's: {card:?}"));
        }
        self.created = created;
        card.get("home")?;
        let root = |row: Map<String, Value>| row.get("root") == Some(&"/w".into());
        if !listed(central.index).any(root) {
            return Some("the registry lost a project that has its mark".to_string());
        }
        if !lines_of(central.roots).any(|line| line == "/w") {
            return Some("the registry lost the root of a project that has its mark".to_string());
        }
        let lost = self.overrides.iter().find(|(lane, done)| **done && !told.contains(*lane));
        lost.map(|(lane, _)| format!("the registry lost the override of {lane}"))
    }

    /// The machine came up again with this journal on its disk: from now on it is certain. All but a
    /// last line without its newline: nobody was told of that, and until a sync has covered the
    /// newline that the next append puts behind it, zeros may take its place.
    pub fn know(&mut self, journal: &[u8]) {
        let end = journal.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (complete, rest) = journal.split_at(end);
        let after = Arc::new(replay(complete));
        self.decisions.push(Decided { records: Vec::new(), after, acknowledged: true });
        if let Some(object) = object_of(&String::from_utf8_lossy(rest)) {
            let records = vec![Record::from_object(object)];
            let after = Arc::new(replay(journal));
            self.decisions.push(Decided { records, after, acknowledged: false });
        }
    }
}

/// Can the view come of `base` and some of these records, in order?
fn reachable(base: &LiveSet, uncertain: &[&Record], view: &LiveSet) -> bool {
    if base == view {
        return true;
    }
    let Some((record, rest)) = uncertain.split_first() else {
        return false;
    };
    let mut with = base.clone();
    with.apply_record(record);
    // The records that are there come first: they are there more often than not.
    reachable(&with, rest, view)
        || (uncertain.len() <= UNCERTAIN_MAX && reachable(base, rest, view))
}

/// Two live leases that may not be live at once.
fn collision(live: &LiveSet) -> Option<String> {
    let leases: Vec<&Lease> = live.leases().collect();
    for (index, one) in leases.iter().enumerate() {
        for other in &leases[index + 1..] {
            if collide(one, other) {
                let shown = |lease: &Lease| {
                    let holder = lease.holder().unwrap_or("?").to_string();
                    format!("{} {:?} by {holder}", lease.lane(), lease.tree().patterns())
                };
                return Some(format!("{} beside {}", shown(one), shown(other)));
            }
        }
    }
    None
}

/// The trees of the scripts are whole folders, so that this needs no code of the core.
fn collide(one: &Lease, other: &Lease) -> bool {
    let alone = |lease: &Lease| lease.lane() == "all" || lease.lane() == "global";
    let folders = |lease: &Lease| -> Vec<String> {
        let patterns = lease.tree();
        let folder = |pattern: &String| pattern.split("**").next().unwrap_or_default().to_string();
        patterns.patterns().iter().map(folder).collect()
    };
    let shared = folders(one).iter().any(|one| {
        folders(other).iter().any(|other| one.starts_with(other) || other.starts_with(one))
    });
    one.lane() == other.lane() || alone(one) || alone(other) || shared
}

fn text_of(record: &Record) -> String {
    record.line().trim_end_matches('\n').to_string()
}

/// The record without its link to the one before, which the store adds; what is none stays as it is.
fn unchained(line: String) -> String {
    if !line.contains(chain::FIELD) {
        return line;
    }
    match object_of(&line) {
        Some(mut object) => {
            object.remove(chain::FIELD);
            text_of(&Record::from_object(object))
        }
        None => line,
    }
}

fn lines_of(journal: &[u8]) -> impl Iterator<Item = String> {
    let lines = journal.split(|byte| *byte == b'\n');
    lines.map(|line| String::from_utf8_lossy(line).into_owned()).filter(|line| !line.is_empty())
}

fn object_of(line: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(line).ok()
}
