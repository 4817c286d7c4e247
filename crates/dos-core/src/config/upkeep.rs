//! The tables that say what is kept, and for whom: `[retention]`, `[data_class]`, `[observe]`,
//! `[workspace]`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use toml::de::DeTable;

use super::{Problem, Reader, Value, expected, named, nearest, number, string_list};
use crate::data_class::{DataClass, DataClassPolicy};
use crate::retention::RetentionPolicy;
use crate::verdict::ObservePolicy;

const RETENTION_KEYS: [&str; 6] = [
    "journal_max_entries",
    "journal_max_age_days",
    "runs_keep_last",
    "verdicts_keep_last",
    "audits_keep_last",
    "projections_compact",
];
const DATA_CLASS_KEYS: [&str; 5] = [
    "trajectory_patterns",
    "audit_patterns",
    "baseline_patterns",
    "product_patterns",
    "default_class",
];
const OBSERVE_KEYS: [&str; 3] = ["enabled", "segment_max_bytes", "segments_keep_last"];
const WORKSPACE_KEYS: [&str; 1] = ["scope"];
/// The largest cap: a whole number that a fraction can hold.
const CAP_MAX: f64 = 1e15;

/// What shares one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Each work tree has its own.
    #[default]
    Worktree,
    /// All work trees of a repository share the one beside the main work tree.
    Repository,
}

impl Scope {
    /// Their names, the default first.
    pub const NAMES: [&str; 2] = ["worktree", "repository"];

    /// The scope of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "worktree" => Some(Self::Worktree),
            "repository" => Some(Self::Repository),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Worktree => "worktree",
            Self::Repository => "repository",
        }
    }
}

impl<'t> Reader<'t> {
    pub(super) fn retention(&mut self, value: &Value<'t>) -> Result<RetentionPolicy, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "retention", "a table", "[retention]"));
        };
        self.unknown_keys(table, &RETENTION_KEYS, "[retention]");
        let mut policy = RetentionPolicy::default();
        for (key, field) in [
            ("journal_max_entries", &mut policy.journal_max_entries),
            ("runs_keep_last", &mut policy.runs_keep_last),
            ("verdicts_keep_last", &mut policy.verdicts_keep_last),
            ("audits_keep_last", &mut policy.audits_keep_last),
        ] {
            if let Some(value) = table.get(key) {
                *field = cap(value, key)?.map(|cap| cap as u64);
            }
        }
        if let Some(value) = table.get("journal_max_age_days") {
            policy.journal_max_age_days = cap(value, "journal_max_age_days")?;
        }
        if let Some(value) = table.get("projections_compact") {
            let example = "projections_compact = true";
            let wanted = || expected(value, "projections_compact", "true or false", example);
            policy.projections_compact = value.get_ref().as_bool().ok_or_else(wanted)?;
        }
        Ok(policy)
    }

    pub(super) fn data_class(&mut self, value: &Value<'t>) -> Result<DataClassPolicy, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "data_class", "a table", "[data_class]"));
        };
        self.unknown_keys(table, &DATA_CLASS_KEYS, "[data_class]");
        let mut policy = DataClassPolicy::default();
        for (class, patterns) in DataClass::ALL.into_iter().zip(&mut policy.patterns) {
            if let Some(listed) = patterns_of(table, class.key())? {
                *patterns = listed;
            }
        }
        if let Some(value) = table.get("default_class") {
            let names = DataClass::ALL.map(DataClass::token);
            policy.default = match value.get_ref().as_str() {
                Some(name) => DataClass::named(name).ok_or_else(|| Problem {
                    span: value.span(),
                    what: alloc::format!("there is no data class {name:?}"),
                    suggestion: nearest(name, &names),
                })?,
                None => {
                    let example = "default_class = \"PRODUCT\"";
                    return Err(expected(value, "default_class", "a text", example));
                }
            };
        }
        Ok(policy)
    }

    pub(super) fn observe(&mut self, value: &Value<'t>) -> Result<ObservePolicy, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "observe", "a table", "[observe]"));
        };
        self.unknown_keys(table, &OBSERVE_KEYS, "[observe]");
        let mut policy = ObservePolicy::default();
        if let Some(value) = table.get("enabled") {
            let wanted = || expected(value, "enabled", "true or false", "enabled = true");
            policy.enabled = value.get_ref().as_bool().ok_or_else(wanted)?;
        }
        if let Some(value) = table.get("segment_max_bytes") {
            policy.segment_max_bytes =
                cap(value, "segment_max_bytes")?.map_or(u64::MAX, |cap| cap as u64);
        }
        if let Some(value) = table.get("segments_keep_last") {
            policy.segments_keep_last = cap(value, "segments_keep_last")?.map(|cap| cap as u64);
        }
        Ok(policy)
    }

    pub(super) fn scope(&mut self, value: &Value<'t>) -> Result<Scope, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "workspace", "a table", "[workspace]"));
        };
        self.unknown_keys(table, &WORKSPACE_KEYS, "[workspace]");
        match table.get("scope") {
            None => Ok(Scope::default()),
            Some(value) => named(value, "scope", &Scope::NAMES, "scope", Scope::named),
        }
    }
}

/// A list of patterns, or one.
fn patterns_of(table: &DeTable<'_>, key: &str) -> Result<Option<Vec<String>>, Problem> {
    let Some(value) = table.get(key) else { return Ok(None) };
    match value.get_ref().as_str() {
        Some(one) => Ok(Some(Vec::from([one.to_string()]))),
        None => string_list(value, key).map(Some),
    }
}

/// A cap. The original's spellings of "no cap" are -1 and "none".
fn cap(value: &Value<'_>, key: &str) -> Result<Option<f64>, Problem> {
    let none = |text: &str| text.trim().eq_ignore_ascii_case("none");
    if value.get_ref().as_str().is_some_and(none) {
        return Ok(None);
    }
    match number(value) {
        Some(-1.0) => Ok(None),
        Some(cap) if (0.0..=CAP_MAX).contains(&cap) => Ok(Some(cap)),
        _ => Err(Problem {
            span: value.span(),
            what: alloc::format!("{key} must be a number from 0 on, or \"none\""),
            suggestion: alloc::format!("write it like this: {key} = 200"),
        }),
    }
}
