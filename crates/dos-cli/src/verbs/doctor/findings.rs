//! What is wrong with a configuration or with the store, and what mends it.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::config::Config;
use dos_core::lane::lint;
use dos_core::lane::map::LaneMap;
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
        let policy = &config.policy;
        let found = lint::lint(policy, &LaneMap::draw(policy, None)).into_iter().map(|found| {
            let severity = match found.severity {
                lint::Severity::Error => Severity::Error,
                lint::Severity::Warn => Severity::Warning,
            };
            let finding = Finding::new(severity, found.kind, found.detail, found.fix);
            Finding { file: Some(file.to_owned()), ..finding }
        });
        findings.extend(found);
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
    fn what_is_wrong_with_the_file_and_with_its_lanes_is_found() {
        for (lanes, code) in [
            ("exclusive = [\"x\"]", None),
            ("concurrent = [\"a\"]", Some("LANE_WITHOUT_TREE")),
            ("exclusive = [\"x\"]\nautopick = [\"x\"]", Some("AUTOPICK_EXCLUSIVE")),
            ("concurrent = \"a\"", Some("CONFIG_IGNORED")),
            ("concurent = []", Some("CONFIG_UNKNOWN_KEY")),
        ] {
            let found = codes(&format!("[lanes]\n{lanes}\n"));
            assert_eq!(found, code.into_iter().collect::<Vec<_>>(), "{lanes}");
        }
        assert_eq!(codes(""), [""; 0]);
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
