//! A lease: the journal's JSON object, kept whole and read through typed views.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::json::{self, Object};
use crate::lane::pattern::Case;
use crate::lane::region::Region;
use crate::limits;
use crate::timestamp::Timestamp;

/// What tells one lease from another: the lane, and the stamp of the loop that holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseKey {
    /// The lane's name, as text.
    pub lane: String,
    /// The loop stamp, as text.
    pub loop_ts: String,
}

/// A work tree of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkTree {
    /// Where it was when it was written down.
    pub path: String,
    /// Which one it is, wherever it is moved to; `None` where nobody wrote it down.
    pub id: Option<String>,
}

/// A process that a holder named, told apart from a later process with the same number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId {
    /// The process number.
    pub pid: u32,
    /// The start time that the operating system shows, in its own ticks since boot.
    pub start: u64,
    /// The boot that pid and start belong to.
    pub boot: String,
}

/// One lease as the journal holds it. Fields that this version does not know stay in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lease {
    object: Object,
}

impl Lease {
    /// Takes the object as it is.
    pub fn from_object(object: Object) -> Self {
        Self { object }
    }

    /// The object, unknown fields included.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The object, unknown fields included.
    pub fn into_object(self) -> Object {
        self.object
    }

    /// The work tree that the holder works in, where several share one state: where it was when the
    /// lease was taken.
    pub fn worktree(&self) -> Option<&str> {
        self.object.get("worktree").and_then(Value::as_str)
    }

    /// Which of the repository's work trees that is, wherever it was moved to since. A name with no
    /// mark behind it tells none: git gives it again, and the mark may come later.
    pub fn worktree_id(&self) -> Option<&str> {
        let id = self.object.get("worktree_id").and_then(Value::as_str);
        id.filter(|id| !id.ends_with('@'))
    }

    /// Does the holder work in the work tree at `root`, which is `id` where it is one of several? A
    /// lease that says nothing is of the only one.
    pub fn works_in(&self, root: &str, id: Option<&str>) -> bool {
        match (self.worktree_id(), id) {
            (Some(theirs), Some(ours)) => theirs == ours,
            _ => self.worktree().is_none_or(|tree| tree == root),
        }
    }

    /// Where it was, and which one it is.
    pub fn work_tree(&self) -> Option<WorkTree> {
        let id = self.worktree_id().map(ToString::to_string);
        self.worktree().map(|path| WorkTree { path: path.to_string(), id })
    }

    /// Lane and loop stamp.
    pub fn key(&self) -> LeaseKey {
        LeaseKey { lane: self.lane().into_owned(), loop_ts: self.loop_ts().into_owned() }
    }

    /// The lane's name; empty when there is none.
    pub fn lane(&self) -> Cow<'_, str> {
        self.name("lane")
    }

    /// The loop stamp; empty when there is none.
    pub fn loop_ts(&self) -> Cow<'_, str> {
        self.name("loop_ts")
    }

    /// Who holds it; `None` when the lease does not say.
    pub fn holder(&self) -> Option<&str> {
        self.object.get("holder").and_then(Value::as_str)
    }

    /// The kind it was granted under: `cluster`, `keyword`, `global`, an exclusive lane's name.
    pub fn kind(&self) -> &str {
        self.object.get("lane_kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// The host it was taken on.
    pub fn host(&self) -> Option<&str> {
        self.object.get("host_id").and_then(Value::as_str)
    }

    /// The run that took it.
    pub fn run_id(&self) -> Option<&str> {
        self.object.get("run_id").and_then(Value::as_str)
    }

    /// The run that started that one.
    pub fn parent_id(&self) -> Option<&str> {
        self.object.get("parent_id").and_then(Value::as_str)
    }

    /// The fencing token: the `seq` of the ACQUIRE that granted it.
    pub fn token(&self) -> Option<u64> {
        self.object.get("token").and_then(Value::as_u64)
    }

    /// The patterns it holds. What is no list of texts is unreadable and may cover anything.
    pub fn tree(&self) -> Tree {
        self.patterns().map(str::to_string).collect()
    }

    /// The patterns of the tree, as they are recorded.
    pub fn patterns(&self) -> impl Iterator<Item = &str> + Clone {
        let (one, items): (Option<&str>, &[Value]) = match self.object.get("tree") {
            Some(Value::String(one)) => (Some(one), &[]),
            Some(Value::Array(items)) => (None, items),
            None | Some(Value::Null) => (None, &[]),
            Some(_) => (Some("**"), &[]),
        };
        one.into_iter().chain(items.iter().map(|item| item.as_str().unwrap_or("**")))
    }

    /// Does the holder only read? Two who only read may hold one region. Whatever does not say
    /// so writes.
    pub fn is_shared(&self) -> bool {
        self.object.get("mode").and_then(Value::as_str) == Some("shared")
    }

    /// When it was granted.
    pub fn acquired_at(&self) -> Option<Timestamp> {
        self.stamp("acquired_at")
    }

    /// Its newest sign of life: the latest of grant and heartbeat. `None` when there is none, and
    /// when there is a heartbeat that cannot be read: that is no proof of silence.
    pub fn newest_stamp(&self) -> Option<Timestamp> {
        let beat = self.stamp("heartbeat_at");
        let unreadable = beat.is_none() && !self.name("heartbeat_at").is_empty();
        if unreadable { None } else { beat.max(self.stamp("acquired_at")) }
    }

    /// The time to live that it declared, in milliseconds.
    pub fn ttl_millis(&self) -> Option<i64> {
        let minutes = self.object.get("ttl_minutes")?.as_f64()?;
        let usable = minutes > 0.0 && minutes <= f64::from(limits::TTL_MINUTES_MAX);
        // In range by the check above, so that the cast keeps the value.
        usable.then_some((minutes * 60_000.0) as i64)
    }

    /// The process that the holder named, when all of its identity was recorded.
    pub fn named_process(&self) -> Option<ProcessId> {
        let pid = self.object.get("pid")?.as_u64()?;
        Some(ProcessId {
            pid: u32::try_from(pid).ok()?,
            start: self.object.get("pid_start")?.as_u64()?,
            boot: self.object.get("pid_boot")?.as_str()?.to_string(),
        })
    }

    /// Sets one field.
    pub(crate) fn set(&mut self, field: &str, value: Value) {
        self.object.insert(field.to_string(), value);
    }

    /// Removes one field.
    pub(crate) fn unset(&mut self, field: &str) {
        self.object.remove(field);
    }

    fn stamp(&self, field: &str) -> Option<Timestamp> {
        self.object.get(field).and_then(Value::as_str).and_then(Timestamp::parse)
    }

    fn name(&self, field: &str) -> Cow<'_, str> {
        self.object.get(field).map_or(Cow::Borrowed(""), name_text)
    }
}

/// The text under which a value counts as a name.
///
/// Journals hold names that are numbers; `5` and `"5"` are one name. Null, false, zero and the
/// empty string, list and object are no name.
pub fn name_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null | Value::Bool(false) => Cow::Borrowed(""),
        Value::Bool(true) => Cow::Borrowed("True"),
        Value::Number(number) if number.as_f64() == Some(0.0) => Cow::Borrowed(""),
        Value::Number(number) => Cow::Owned(json::number_text(number)),
        Value::Array(items) if items.is_empty() => Cow::Borrowed(""),
        Value::Object(fields) if fields.is_empty() => Cow::Borrowed(""),
        Value::Array(_) | Value::Object(_) => Cow::Owned(json::canonical(value)),
    }
}

/// The patterns that one lane, request or lease covers, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(Vec<String>);

impl Tree {
    /// A tree of these patterns, in this order.
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        patterns.into_iter().collect()
    }

    /// The patterns, in order.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    /// The paths that the patterns stand for.
    pub fn region(&self, case: Case) -> Region {
        Region::read(&self.0, case)
    }

    /// No pattern: what may be written is unknown.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns as a JSON list.
    pub fn to_json(&self) -> Value {
        Value::Array(self.0.iter().cloned().map(Value::String).collect())
    }
}

impl FromIterator<String> for Tree {
    fn from_iter<I: IntoIterator<Item = String>>(patterns: I) -> Self {
        Self(patterns.into_iter().collect())
    }
}

/// Are these two one lane name?
pub fn same_name(one: &str, other: &str) -> bool {
    match one.is_ascii() && other.is_ascii() {
        true => one.eq_ignore_ascii_case(other),
        false => fold(one) == fold(other),
    }
}

/// Lane names are one name when they differ in case only, as paths do on many file systems.
pub fn fold(name: &str) -> String {
    // Down, up and down again: some letters meet only in capitals, some only in small letters.
    let lower = name.chars().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}
