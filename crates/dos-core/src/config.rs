//! `dos.toml`: the policy of a workspace as data.
//!
//! A table that is malformed is reported with its place and left out as a whole; the others apply.

mod fleet;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::command::{ExecPolicy, Profile};
use crate::data_class::DataClassPolicy;
use crate::fleet::{LivenessPolicy, SupervisePolicy, WorkerPolicy};
use crate::hook::{GuardPolicy, MarkerPolicy, StreamPolicy};
use crate::journal::JournalPolicy;
use crate::lane::overlap::{self, Exact, OverlapPolicy, POLICY_NAMES};
use crate::lane::{Case, Lanes, Policy, Region, Tree};
use crate::retention::RetentionPolicy;
use crate::verdict::ObservePolicy;
use crate::witness::Rules;
use crate::witness::rules::{BadPlace, Place};

mod hook;
mod upkeep;

pub use upkeep::Scope;

/// What a workspace declares, defaults filled in.
pub struct Config {
    /// What decisions go by.
    pub policy: Policy,
    /// Places of files that differ from the default layout, relative to the workspace.
    pub paths: BTreeMap<String, String>,
    /// The part of two trees that may be shared under the overlap policy `prefix`.
    pub ratio_max: f64,
    /// How the journal is kept.
    pub journal: JournalPolicy,
    /// How much of what agents leave behind is kept.
    pub retention: RetentionPolicy,
    /// What kind of data a path holds.
    pub data_class: DataClassPolicy,
    /// What shares one state: a work tree, or all work trees of a repository.
    pub scope: Scope,
    /// When a run moves.
    pub liveness: LivenessPolicy,
    /// How many workers are wanted.
    pub supervise: SupervisePolicy,
    /// How workers are started and stopped.
    pub worker: WorkerPolicy,
    /// Do letters of different case name one file, under the overlap policy `exact`?
    pub case: Case,
    /// Which commands grant arbitrary execution.
    pub exec: ExecPolicy,
    /// What does not count when two states are compared.
    pub state_rules: Rules,
    /// When a turn that waits is held open.
    pub marker: MarkerPolicy,
    /// When a tool repeats itself.
    pub tool_stream: StreamPolicy,
    /// How strict the guard of tool calls is.
    pub guard: GuardPolicy,
    /// Are verdicts recorded, and how are they kept?
    pub observe: ObservePolicy,
    /// Is there a usable `[lanes]` table?
    pub lanes_declared: bool,
    /// What is wrong with the file.
    pub findings: Vec<Finding>,
}

/// Something wrong with `dos.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what stays in force.
    pub problem: String,
    /// What to do.
    pub suggestion: String,
    /// Does it leave out something that was declared?
    pub severe: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, problem, suggestion, .. } = self;
        write!(formatter, "{line}:{column}: {problem}; {suggestion}")
    }
}

/// Tables and keys of `dos.toml` that some part of the system reads.
const TABLES: [&str; 28] = [
    "workspace",
    "journal",
    "lanes",
    "paths",
    "overlap",
    "concurrency_class",
    "stamp",
    "reasons",
    "enumerate",
    "cooldown",
    "supervise",
    "liveness",
    "lifecycle",
    "retention",
    "data_class",
    "exec_capability",
    "marker",
    "tool_stream",
    "guard",
    "observe",
    "hooks",
    "morphology",
    "productivity",
    "tools",
    "data",
    "precursor",
    "state_diff",
    "worker",
];
/// The names under `[paths]`, of which this version reads three.
const PATH_KEYS: [&str; 14] = [
    "lane_journal",
    "archive_lock",
    "execution_state",
    "plans_glob",
    "findings_queue",
    "fanout_runs",
    "dispatch_loops",
    "chained_runs",
    "next_packets",
    "replan_dir",
    "soaks_index",
    "picker_audits",
    "leases_dir",
    "verdict_journal",
];
const LANE_KEYS: [&str; 6] = ["concurrent", "exclusive", "shared", "autopick", "trees", "aliases"];
const OVERLAP_KEYS: [&str; 3] = ["case", "policy", "ratio_max"];
const JOURNAL_KEYS: [&str; 1] = ["chain"];
const EXEC_KEYS: [&str; 2] = ["extra", "profile"];
const STATE_DIFF_KEYS: [&str; 2] = ["ignore", "timestamps"];
const CLASS_KEYS: [&str; 2] = ["name", "max_concurrent"];

impl Config {
    /// The configuration of a workspace without a `dos.toml`.
    pub fn undeclared() -> Self {
        Self::parse("")
    }

    /// Reads the text of a `dos.toml`. Never fails: what is wrong is in `findings`.
    pub fn parse(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = Reader { text, findings: Vec::new(), regions: true };
        let document = reader.document();
        let Overlap { policy: overlap, ratio_max, case } =
            reader.table(&document, "overlap", Reader::overlap).unwrap_or_default();
        reader.regions = overlap.region_case().is_some();
        let lanes = reader.table(&document, "lanes", Reader::lanes);
        let paths = reader.table(&document, "paths", Reader::paths).unwrap_or_default();
        let class_budgets =
            reader.table(&document, "concurrency_class", Reader::classes).unwrap_or_default();
        let chain = reader.table(&document, "journal", Reader::chain).unwrap_or(false);
        let retention = reader.table(&document, "retention", Reader::retention).unwrap_or_default();
        let data_class =
            reader.table(&document, "data_class", Reader::data_class).unwrap_or_default();
        let scope = reader.table(&document, "workspace", Reader::scope).unwrap_or_default();
        let exec = reader.table(&document, "exec_capability", Reader::exec).unwrap_or_default();
        let state_rules =
            reader.table(&document, "state_diff", Reader::state_rules).unwrap_or_default();
        let marker = reader.table(&document, "marker", Reader::marker).unwrap_or_default();
        let tool_stream =
            reader.table(&document, "tool_stream", Reader::tool_stream).unwrap_or_default();
        let guard = reader.table(&document, "guard", Reader::guard).unwrap_or_default();
        let observe = reader.table(&document, "observe", Reader::observe).unwrap_or_default();
        let liveness = reader.table(&document, "liveness", Reader::liveness).unwrap_or_default();
        let supervise = reader.table(&document, "supervise", Reader::supervise).unwrap_or_default();
        let worker = reader.table(&document, "worker", Reader::worker).unwrap_or_default();
        reader.unknown_keys(&document, &TABLES, "dos.toml");
        let lanes_declared = lanes.is_some();
        let mut policy = Policy::new(lanes.unwrap_or_else(Lanes::undeclared), overlap);
        policy.class_budgets = class_budgets;
        let journal = JournalPolicy { chain, max_entries: retention.journal_max_entries };
        let mut findings = reader.findings;
        findings.sort_by_key(|finding| (finding.line, finding.column));
        Self {
            policy,
            paths,
            ratio_max,
            journal,
            retention,
            data_class,
            scope,
            case,
            exec,
            marker,
            tool_stream,
            guard,
            observe,
            liveness,
            supervise,
            worker,
            state_rules,
            lanes_declared,
            findings,
        }
    }
}

type Value<'a> = Spanned<DeValue<'a>>;

/// The `[overlap]` table.
struct Overlap {
    policy: Box<dyn OverlapPolicy>,
    ratio_max: f64,
    case: Case,
}

impl Default for Overlap {
    fn default() -> Self {
        let policy = Box::new(Exact::default());
        Self { policy, ratio_max: overlap::RATIO_MAX, case: Case::default() }
    }
}

struct Reader<'t> {
    text: &'t str,
    findings: Vec<Finding>,
    /// Does the overlap policy compare what patterns stand for?
    regions: bool,
}

/// A problem, where it is, and what to do about it.
struct Problem {
    span: Range<usize>,
    what: String,
    suggestion: String,
}

fn expected(value: &Value<'_>, name: &str, wanted: &str, example: &str) -> Problem {
    Problem {
        span: value.span(),
        what: format!("{name} must be {wanted}, not {}", article(value.get_ref().type_str())),
        suggestion: format!("write it like this: {example}"),
    }
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> DeTable<'t> {
        match DeTable::parse(self.text) {
            Ok(document) => document.into_inner(),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let what = format!("dos.toml is no valid TOML ({})", error.message());
                let suggestion = "mend this line; until then the defaults apply".to_string();
                self.report(Problem { span, what, suggestion }, true);
                DeTable::new()
            }
        }
    }

    /// Reads one top-level table; a malformed one is reported and counts as absent.
    fn table<T>(
        &mut self,
        document: &DeTable<'t>,
        name: &str,
        read: impl FnOnce(&mut Self, &Value<'t>) -> Result<T, Problem>,
    ) -> Option<T> {
        let value = document.get(name)?;
        match read(self, value) {
            Ok(read) => Some(read),
            Err(problem) => {
                let what = format!("ignoring [{name}]: {}", problem.what);
                self.report(Problem { what, ..problem }, true);
                None
            }
        }
    }

    fn lanes(&mut self, value: &Value<'t>) -> Result<Lanes, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "lanes", "a table", "[lanes]"));
        };
        self.unknown_keys(table, &LANE_KEYS, "[lanes]");
        let names = |key: &str| match table.get(key) {
            Some(value) => string_list(value, key),
            None => Ok(Vec::new()),
        };
        let mut trees = BTreeMap::new();
        if let Some(value) = table.get("trees") {
            let Some(declared) = value.get_ref().as_table() else {
                return Err(expected(value, "trees", "a table", "[lanes.trees]"));
            };
            for (lane, patterns) in declared {
                let lane = lane.get_ref().to_string();
                trees.insert(lane.clone(), self.tree(&lane, patterns)?);
            }
        }
        Ok(Lanes {
            concurrent: names("concurrent")?,
            exclusive: names("exclusive")?,
            shared: names("shared")?,
            autopick: names("autopick")?,
            trees,
            aliases: table.get("aliases").map_or(Ok(BTreeMap::new()), |v| self.strings(v))?,
        })
    }

    /// A pattern that cannot be read is reported, and stays: it may name any file. Comments go.
    fn tree(&mut self, lane: &str, value: &Value<'t>) -> Result<Tree, Problem> {
        let patterns = string_list(value, lane)?;
        let region = Region::read(&patterns, Case::default());
        let items = value.get_ref().as_array().into_iter().flat_map(|items| items.iter());
        for error in region.errors() {
            let place = items.clone().find(|item| item.get_ref().as_str() == Some(&error.pattern));
            let span = place.map_or(value.span(), |item| item.span());
            let what = format!("lane {lane}: {error}");
            let stands = match error.pattern.trim_start().starts_with('!') {
                _ if !self.regions => "the policy `prefix` compares its text, whatever it means",
                true => "until it is mended it takes nothing away",
                false => "until it is mended it counts as the whole repository",
            };
            self.report(Problem { span, what, suggestion: stands.to_string() }, true);
        }
        Ok(match region.errors().next() {
            Some(_) => Tree::new(patterns),
            None => region.clauses().iter().map(|clause| clause.text().to_string()).collect(),
        })
    }

    fn overlap(&mut self, value: &Value<'t>) -> Result<Overlap, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "overlap", "a table", "[overlap]"));
        };
        self.unknown_keys(table, &OVERLAP_KEYS, "[overlap]");
        let mut ratio_max = overlap::RATIO_MAX;
        if let Some(value) = table.get("ratio_max") {
            ratio_max = number(value)
                .filter(|ratio| *ratio > 0.0 && *ratio <= 1.0)
                .ok_or_else(|| expected_ratio(value))?;
        }
        let case = match table.get("case") {
            None => Case::default(),
            Some(value) => named(value, "case", &Case::NAMES, "rule of case", Case::named)?,
        };
        let policy: Box<dyn OverlapPolicy> = match table.get("policy") {
            None => Box::new(Exact { case }),
            Some(value) => {
                let policy = |name: &str| overlap::policy_named(name, case, ratio_max);
                named(value, "policy", &POLICY_NAMES, "overlap policy", policy)?
            }
        };
        Ok(Overlap { policy, ratio_max, case })
    }

    fn classes(&mut self, value: &Value<'t>) -> Result<BTreeMap<String, u32>, Problem> {
        let example = "[[concurrency_class]]";
        let Some(list) = value.get_ref().as_array() else {
            return Err(expected(value, "concurrency_class", "a list of tables", example));
        };
        let mut budgets = BTreeMap::new();
        for item in list.iter() {
            let Some(table) = item.get_ref().as_table() else {
                return Err(expected(item, "a concurrency class", "a table", example));
            };
            self.unknown_keys(table, &CLASS_KEYS, example);
            let name = table.get("name").and_then(|name| name.get_ref().as_str());
            let most = table.get("max_concurrent").and_then(number);
            let whole = most.filter(|most| *most >= 0.0 && *most <= 1e6 && *most % 1.0 == 0.0);
            match (name.filter(|name| !name.is_empty()), whole) {
                (Some(name), Some(most)) => budgets.insert(name.to_string(), most as u32),
                _ => {
                    return Err(Problem {
                        span: item.span(),
                        what: "a class needs a name and a whole max_concurrent".to_string(),
                        suggestion: "write name = \"cluster\" and max_concurrent = 4".to_string(),
                    });
                }
            };
        }
        Ok(budgets)
    }

    fn exec(&mut self, value: &Value<'t>) -> Result<ExecPolicy, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "exec_capability", "a table", "[exec_capability]"));
        };
        self.unknown_keys(table, &EXEC_KEYS, "[exec_capability]");
        let profile = match table.get("profile") {
            None => Profile::default(),
            Some(value) => named(value, "profile", &Profile::NAMES, "profile", Profile::named)?,
        };
        let extra =
            table.get("extra").map_or(Ok(Vec::new()), |value| string_list(value, "extra"))?;
        Ok(ExecPolicy { profile, extra: Vec::new() }.with_extra(extra))
    }

    fn chain(&mut self, value: &Value<'t>) -> Result<bool, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "journal", "a table", "[journal]"));
        };
        self.unknown_keys(table, &JOURNAL_KEYS, "[journal]");
        match table.get("chain").map(|value| (value, value.get_ref().as_bool())) {
            None => Ok(false),
            Some((_, Some(chain))) => Ok(chain),
            Some((value, None)) => Err(expected(value, "chain", "true or false", "chain = true")),
        }
    }

    fn state_rules(&mut self, value: &Value<'t>) -> Result<Rules, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "state_diff", "a table", "[state_diff]"));
        };
        self.unknown_keys(table, &STATE_DIFF_KEYS, "[state_diff]");
        let places = |key: &str| {
            let Some(value) = table.get(key) else { return Ok(Vec::new()) };
            let bad = |error: BadPlace| Problem {
                span: value.span(),
                what: format!("{key}: {error}"),
                suggestion: format!("write it like this: {key} = [\"updated_at\"]"),
            };
            let texts = string_list(value, key)?;
            texts.iter().map(|text| Place::parse(text).map_err(bad)).collect()
        };
        Ok(Rules { ignore: places("ignore")?, timestamps: places("timestamps")? })
    }

    fn paths(&mut self, value: &Value<'t>) -> Result<BTreeMap<String, String>, Problem> {
        if let Some(table) = value.get_ref().as_table() {
            self.unknown_keys(table, &PATH_KEYS, "[paths]");
        }
        self.strings(value)
    }

    fn strings(&mut self, value: &Value<'t>) -> Result<BTreeMap<String, String>, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, "this", "a table of texts", "name = \"value\""));
        };
        let mut found = BTreeMap::new();
        for (key, value) in table {
            let key = key.get_ref().to_string();
            let Some(text) = value.get_ref().as_str() else {
                return Err(expected(value, &key, "a text", &format!("{key} = \"...\"")));
            };
            found.insert(key, text.to_string());
        }
        Ok(found)
    }

    fn unknown_keys(&mut self, table: &DeTable<'t>, known: &[&str], place: &str) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let what = format!("{place} has no key {name:?}; it does nothing");
                let suggestion = nearest(name, known);
                self.report(Problem { span: key.span(), what, suggestion }, false);
            }
        }
    }

    fn report(&mut self, problem: Problem, severe: bool) {
        let before = self.text.get(..problem.span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.findings.push(Finding {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            problem: problem.what,
            suggestion: problem.suggestion,
            severe,
        });
    }
}

fn string_list(value: &Value<'_>, name: &str) -> Result<Vec<String>, Problem> {
    let example = format!("{name} = [\"...\"]");
    let Some(items) = value.get_ref().as_array() else {
        return Err(expected(value, name, "a list of texts", &example));
    };
    items
        .iter()
        .map(|item| match item.get_ref().as_str() {
            Some(text) => Ok(text.to_string()),
            None => Err(expected(item, &format!("each entry of {name}"), "a text", &example)),
        })
        .collect()
}

/// What a key's text names; the first of the names applies when it names nothing.
fn named<T>(
    value: &Value<'_>,
    key: &str,
    names: &[&str],
    what: &str,
    choose: impl Fn(&str) -> Option<T>,
) -> Result<T, Problem> {
    let default = names.first().copied().unwrap_or_default();
    let Some(name) = value.get_ref().as_str() else {
        return Err(expected(value, key, "a text", &format!("{key} = {default:?}")));
    };
    choose(name).ok_or_else(|| Problem {
        span: value.span(),
        what: format!("there is no {what} {name:?}, so that {default:?} applies"),
        suggestion: nearest(name, names),
    })
}

fn number(value: &Value<'_>) -> Option<f64> {
    match value.get_ref() {
        DeValue::Integer(whole) => {
            i64::from_str_radix(whole.as_str(), whole.radix()).ok().map(|whole| whole as f64)
        }
        DeValue::Float(fraction) => fraction.as_str().parse().ok(),
        _ => None,
    }
}

fn expected_ratio(value: &Value<'_>) -> Problem {
    Problem {
        span: value.span(),
        what: "ratio_max must be a number above 0 and at most 1".to_string(),
        suggestion: "write it like this: ratio_max = 0.33".to_string(),
    }
}

/// "did you mean" for a name with up to two slips, else the list of what there is.
fn nearest(name: &str, known: &[&str]) -> String {
    let close = known.iter().map(|candidate| (slips(name, candidate), candidate)).min();
    match close {
        Some((distance, candidate)) if distance <= 2 => format!("did you mean {candidate:?}?"),
        _ => format!("known: {}", known.join(", ")),
    }
}

/// Edit distance: how many characters must be added, dropped or replaced.
fn slips(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, character) in left.chars().enumerate() {
        let mut next = Vec::from([index + 1]);
        for ((diagonal, above), other) in row.iter().zip(row.iter().skip(1)).zip(&right) {
            let replaced = diagonal + usize::from(character != *other);
            let before = next.last().copied().unwrap_or(usize::MAX - 1);
            next.push(replaced.min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
