//! What is wrong with a configuration or with the store, and what mends it.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::config::Config;
use dos_core::lane::lease::fold;
use dos_core::lane::tree::required_name;
use dos_core::lane::{Lanes, Policy};
use dos_core::timestamp::span;
use dos_store::inspect::LockState;
use serde_json::{Value, json};

use super::text::{counted, plain, shell};
use crate::verbs::journal::Health;

/// A lock that is held for longer than this has something wrong with its holder, in milliseconds.
const STUCK_MILLIS: i64 = 10_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something declared does not hold, or no lane can be taken.
    Error,
    /// Something is not as its author will have meant it.
    Warning,
    /// Worth knowing; `--check` does not count it.
    Note,
}

impl Severity {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The stable word for it.
    pub code: &'static str,
    /// What is wrong.
    pub what: String,
    /// The command or the edit that mends it.
    pub fix: String,
    /// The file that it is in.
    pub file: Option<Utf8PathBuf>,
    /// Line and column in the file, from 1.
    pub place: Option<(usize, usize)>,
}

impl Finding {
    /// A finding that is not in one line of a file.
    pub fn new(severity: Severity, code: &'static str, what: String, fix: String) -> Self {
        Self { severity, code, what, fix, file: None, place: None }
    }

    /// Does `--check` count it?
    pub fn gates(&self) -> bool {
        self.severity != Severity::Note
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "severity": self.severity.token(),
            "code": self.code,
            "what": self.what,
            "fix": self.fix,
            "file": self.file.as_ref().map(|file| file.as_str()),
            "line": self.place.map(|(line, _)| line),
            "column": self.place.map(|(_, column)| column),
        })
    }
}

/// What is wrong with a `dos.toml` that could be read.
pub fn of_config(config: &Config, file: &Utf8Path) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config
        .findings
        .iter()
        .map(|finding| Finding {
            severity: if finding.severe { Severity::Error } else { Severity::Warning },
            code: if finding.severe { "CONFIG_IGNORED" } else { "CONFIG_UNKNOWN_KEY" },
            what: finding.problem.clone(),
            fix: finding.suggestion.clone(),
            file: Some(file.to_owned()),
            place: Some((finding.line, finding.column)),
        })
        .collect();
    if config.lanes_declared {
        let of_lanes = of_lanes(&config.policy);
        findings.extend(
            of_lanes.into_iter().map(|found| Finding { file: Some(file.to_owned()), ..found }),
        );
    }
    findings
}

/// What is wrong with the lanes that were declared.
fn of_lanes(policy: &Policy) -> Vec<Finding> {
    let lanes = &policy.lanes;
    let mut findings = names(lanes);
    findings.extend(without_tree(lanes));
    findings.extend(autopick(lanes));
    findings.extend(aliases(lanes));
    findings.extend(meetings(policy));
    findings
}

fn has(names: &[String], name: &str) -> bool {
    let wanted = fold(name);
    names.iter().any(|candidate| fold(candidate) == wanted)
}

fn has_tree(lanes: &Lanes, name: &str) -> bool {
    let wanted = fold(name);
    lanes.trees.keys().any(|candidate| fold(candidate) == wanted)
}

/// Names that no request can ask for, that are listed twice, or that contradict each other.
fn names(lanes: &Lanes) -> Vec<Finding> {
    let mut findings = Vec::new();
    let trees: Vec<String> = lanes.trees.keys().cloned().collect();
    let lists = [
        ("concurrent", &lanes.concurrent),
        ("exclusive", &lanes.exclusive),
        ("autopick", &lanes.autopick),
        ("trees", &trees),
    ];
    let mut bad = Vec::new();
    for (list, names) in lists {
        for (index, name) in names.iter().enumerate() {
            if let Err(error) = required_name("lane name", name)
                && !bad.contains(name)
            {
                bad.push(name.clone());
                let fix = format!("rename it in `{list}`");
                let what = format!("{error}, so that nobody can ask for it");
                findings.push(Finding::new(Severity::Error, "LANE_NAME", what, fix));
            }
            if has(names.get(..index).unwrap_or_default(), name) {
                let what = format!("lane {name} is in `{list}` twice; case does not count");
                let fix = "remove one of the two".to_string();
                findings.push(Finding::new(Severity::Warning, "LANE_TWICE", what, fix));
            }
        }
    }
    for name in lanes.concurrent.iter().filter(|name| lanes.is_exclusive(name)) {
        let what = format!("lane {name} is both concurrent and exclusive; it runs alone");
        let fix = "remove it from one of the two lists".to_string();
        let code = "LANE_BOTH_CONCURRENT_AND_EXCLUSIVE";
        findings.push(Finding::new(Severity::Error, code, what, fix));
    }
    findings
}

fn without_tree(lanes: &Lanes) -> Vec<Finding> {
    let is_empty = |name: &&String| lanes.tree(name).is_empty() && !lanes.is_exclusive(name);
    let picked = lanes.autopick.iter().filter(|name| {
        // An entry that is declared nowhere else is another finding.
        !has(&lanes.concurrent, name) && has_tree(lanes, name)
    });
    let tree_only = lanes
        .trees
        .keys()
        .filter(|name| !has(&lanes.concurrent, name) && !has(&lanes.autopick, name));
    let of = |name: &String| {
        let what = format!(
            "lane {name} has no tree: what it would write is unknown, and it is refused beside \
             any other"
        );
        let fix = format!("say what it covers under [lanes.trees]: {name:?} = [\"{name}/**\"]");
        Finding::new(Severity::Error, "LANE_WITHOUT_TREE", what, fix)
    };
    lanes.concurrent.iter().chain(picked).chain(tree_only).filter(is_empty).map(of).collect()
}

fn autopick(lanes: &Lanes) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in &lanes.autopick {
        if lanes.is_exclusive(name) {
            let what = format!("`autopick` lists {name}, which is exclusive");
            let fix =
                format!("remove {name:?} from `autopick`; exclusive lanes are asked for by name");
            findings.push(Finding::new(Severity::Warning, "AUTOPICK_EXCLUSIVE", what, fix));
        } else if !has(&lanes.concurrent, name) && !has_tree(lanes, name) {
            let stands_for = lanes.aliases.iter().find(|(alias, _)| fold(alias) == fold(name));
            let what = format!("`autopick` lists {name}, which is no lane");
            let fix = match stands_for {
                Some((_, lane)) => format!("write {lane:?}, which it is an alias of"),
                None => format!("add {name:?} to `concurrent` and to [lanes.trees], or remove it"),
            };
            findings.push(Finding::new(Severity::Warning, "AUTOPICK_LANE_UNDECLARED", what, fix));
        }
    }
    findings
}

fn aliases(lanes: &Lanes) -> Vec<Finding> {
    let is_lane =
        |name: &str| fold(name) == "global" || lanes.names().any(|known| fold(known) == fold(name));
    let mut findings = Vec::new();
    for (alias, lane) in &lanes.aliases {
        if !is_lane(lane) {
            let what = format!("alias {alias} stands for {lane}, which is no lane");
            let fix = format!("let it stand for one of: {}", known(lanes));
            findings.push(Finding::new(Severity::Warning, "ALIAS_TARGET_UNDECLARED", what, fix));
        } else if is_lane(alias) && fold(alias) != fold(lane) {
            let what = format!("alias {alias} does nothing: there is a lane of that name");
            let fix = "rename the alias, or remove it".to_string();
            findings.push(Finding::new(Severity::Warning, "ALIAS_SHADOWED", what, fix));
        }
    }
    findings
}

fn known(lanes: &Lanes) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in lanes.names() {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    if names.is_empty() { "(none)".to_string() } else { names.join(", ") }
}

/// Concurrent lanes that never run side by side.
fn meetings(policy: &Policy) -> Vec<Finding> {
    let lanes = &policy.lanes;
    let overlap = &policy.conditions.overlap;
    let mut findings = Vec::new();
    let once = |(index, name): &(usize, &String)| {
        !has(lanes.concurrent.get(..*index).unwrap_or_default(), name)
    };
    let beside: Vec<(&String, _)> = lanes
        .concurrent
        .iter()
        .enumerate()
        .filter(once)
        .map(|(_, name)| (name, lanes.tree(name)))
        .filter(|(name, tree)| !lanes.is_exclusive(name) && !tree.is_empty())
        .collect();
    for (index, (name, tree)) in beside.iter().enumerate() {
        for (other, other_tree) in beside.iter().skip(index + 1) {
            let met =
                overlap.meeting(tree, other_tree).or_else(|| overlap.meeting(other_tree, tree));
            if let Some(meeting) = met {
                let what = format!("lanes {name} and {other} never run side by side: {meeting}");
                let fix = "give them trees that do not meet, or make them one lane".to_string();
                findings.push(Finding::new(
                    Severity::Warning,
                    "CONCURRENT_LANES_OVERLAP",
                    what,
                    fix,
                ));
            }
        }
    }
    findings
}

/// Damage in the journal.
pub fn of_journal(health: &Health, journal: &Utf8Path) -> Option<Finding> {
    let shown: Vec<String> = health.corrupt_lines.iter().take(5).map(u64::to_string).collect();
    let more = if health.corrupt > shown.len() as u64 { ", ..." } else { "" };
    (health.corrupt > 0).then(|| Finding {
        file: Some(journal.to_owned()),
        ..Finding::new(
            Severity::Warning,
            "JOURNAL_CORRUPT",
            format!(
                "the journal has {} (at {}{more}), which change no lease",
                counted(health.corrupt, "corrupt line"),
                shown.join(", ")
            ),
            format!(
                "look at them with `dos journal tail 0`; they stay as evidence until, with no agent \
                 at work, you start anew: mv {} {}",
                shell(journal.as_str()),
                shell(&format!("{journal}.damaged"))
            ),
        )
    })
}

/// How long a lock has been held, as it says.
pub fn since(age_millis: i64) -> String {
    match age_millis < -STUCK_MILLIS {
        true => "since a time that is yet to come".to_string(),
        false => format!("for {}", span(age_millis)),
    }
}

/// A lock that keeps every writer waiting.
pub fn of_lock(state: &LockState, lock: &Utf8Path) -> Option<Finding> {
    let holder = state
        .holder()
        .filter(|holder| holder.age_millis > STUCK_MILLIS || holder.age_millis < -STUCK_MILLIS)?;
    let since = since(holder.age_millis);
    let who = if holder.owner.is_empty() { "nobody who says so" } else { &holder.owner };
    let what = format!("the lane lock is held by {} {since}; every writer waits", plain(who));
    let process = holder.pid.map(|pid| format!("process {pid}"));
    let fix = match state {
        LockState::Held(_) => format!(
            "see what {} does, and end it if it hangs; its lock is then free at once",
            process.unwrap_or_else(|| "its process".to_string())
        ),
        LockState::Foreign { stale_in_millis, .. } => format!(
            "it is taken away in {}; sooner, if {} is gone: rm {}",
            span(*stale_in_millis),
            process.unwrap_or_else(|| "its holder".to_string()),
            shell(lock.as_str())
        ),
        // The next writer takes these away without being asked.
        LockState::Free | LockState::Leftover(_) | LockState::Stale(_) => return None,
    };
    let finding = Finding::new(Severity::Warning, "LOCK_STUCK", what, fix);
    Some(Finding { file: Some(lock.to_owned()), ..finding })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dos_store::inspect::LockHolder;

    fn codes(text: &str) -> Vec<&'static str> {
        let findings = of_config(&Config::parse(text), Utf8Path::new("dos.toml"));
        findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_configuration_that_is_meant_well_has_no_findings() {
        let text = "[lanes]\nconcurrent = [\"a\", \"b\"]\nexclusive = [\"global\"]\n\
                    autopick = [\"b\", \"a\"]\naliases = {alpha = \"A\", all = \"global\"}\n\
                    [lanes.trees]\na = [\"a/**\"]\nb = [\"b/**\"]\nglobal = [\"**/*\"]\n";
        assert_eq!(codes(text), [""; 0]);
        assert_eq!(codes(""), [""; 0]);
    }

    #[test]
    fn each_slip_in_the_lanes_is_found() {
        let cases = [
            ("concurrent = [\"a\"]", "LANE_WITHOUT_TREE"),
            ("concurrent = [\" a\"]\ntrees = {\" a\" = [\"a\"]}", "LANE_NAME"),
            ("concurrent = [\"a\", \"A\"]\ntrees = {a = [\"a\"]}", "LANE_TWICE"),
            (
                "concurrent = [\"a\"]\nexclusive = [\"A\"]\ntrees = {a = [\"a\"]}",
                "LANE_BOTH_CONCURRENT_AND_EXCLUSIVE",
            ),
            ("exclusive = [\"x\"]\nautopick = [\"x\"]", "AUTOPICK_EXCLUSIVE"),
            ("autopick = [\"x\"]", "AUTOPICK_LANE_UNDECLARED"),
            ("exclusive = [\"x\"]\naliases = {y = \"z\"}", "ALIAS_TARGET_UNDECLARED"),
            ("exclusive = [\"x\", \"y\"]\naliases = {y = \"x\"}", "ALIAS_SHADOWED"),
            (
                "concurrent = [\"a\", \"b\"]\ntrees = {a = [\"x/**\"], b = [\"*/y\"]}",
                "CONCURRENT_LANES_OVERLAP",
            ),
            ("concurrent = \"a\"", "CONFIG_IGNORED"),
            ("concurent = []", "CONFIG_UNKNOWN_KEY"),
        ];
        for (lanes, code) in cases {
            assert_eq!(codes(&format!("[lanes]\n{lanes}\n")), [code], "{lanes}");
        }
    }

    #[test]
    fn places_are_kept() {
        let config = Config::parse("[overlap]\npolicy = \"exakt\"\n");
        let finding = of_config(&config, Utf8Path::new("dos.toml")).remove(0);
        assert_eq!(finding.place, Some((2, 10)));
        assert_eq!(finding.severity, Severity::Error);
    }

    #[test]
    fn only_a_lock_that_lasts_is_stuck() {
        let holder = |age_millis| LockHolder { owner: "x".into(), pid: Some(7), age_millis };
        let path = Utf8Path::new("lock");
        let found = |state: LockState| of_lock(&state, path).is_some();
        assert!(found(LockState::Held(holder(60_000))));
        assert!(!found(LockState::Held(holder(500))));
        assert!(found(LockState::Foreign { holder: holder(60_000), stale_in_millis: 240_000 }));
        assert!(found(LockState::Foreign { holder: holder(-60_000), stale_in_millis: 360_000 }));
        assert!(!found(LockState::Leftover(holder(60_000))));
        assert!(!found(LockState::Stale(holder(600_000))));
        assert!(!found(LockState::Free));
    }
}
