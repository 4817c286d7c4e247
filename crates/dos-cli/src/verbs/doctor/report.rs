//! The report as text and as JSON.

use camino::Utf8Path;
use dos_core::command::Profile;
use dos_core::lane::lease::fold;
use dos_core::lane::overlap::{POLICY_NAMES, RATIO_MAX};
use dos_core::lane::vitality::lapses_at;
use dos_core::lane::{Case, Lanes, Lease};
use dos_core::timestamp::span;
use dos_store::inspect::LockState;
use dos_store::lock::TTL_MILLIS;
use serde_json::{Map, Value, json};

use super::findings::{Finding, Severity, since};
use super::gather::{Opened, Report};
use super::hooks::WiredHost;
use super::lanes_json;
use super::text::{aligned, bytes, counted, plain, shell};
use crate::exit::{CONTRACTS, Contract};
use crate::output::{Paint, paint};
use crate::verbs::exit_codes;

/// Most patterns of one tree that the table shows.
const PATTERNS_SHOWN: usize = 4;
const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Report {
    /// The lines for people.
    pub fn lines(&self, colour: bool) -> Vec<String> {
        let heading = |text: &str| paint(text, Paint::Bold, colour);
        let mut lines = vec![heading(&format!("dos {VERSION}"))];
        lines.extend(aligned(&self.facts(), 0));
        if let Some(opened) = &self.opened {
            lines.push(String::new());
            lines.push(heading("lanes"));
            lines.extend(aligned(&opened.lanes(), 2));
            if !opened.live.is_empty() {
                lines.push(String::new());
                lines.push(heading(&format!("live ({})", opened.live.len())));
                let rows = opened.live.iter().map(|lease| self.live_row(lease));
                lines.extend(aligned(&rows.collect::<Vec<_>>(), 2));
            }
            if !opened.dead.is_empty() {
                lines.push(String::new());
                lines.push(heading(&format!("dead ({})", opened.dead.len())));
                lines.extend(opened.dead_lines());
            }
        }
        if !self.hosts.is_empty() {
            lines.push(String::new());
            lines.push(heading("hooks"));
            let rows: Vec<Vec<String>> = self.hosts.iter().map(WiredHost::row).collect();
            lines.extend(aligned(&rows, 2));
        }
        lines.push(String::new());
        lines.extend(self.finding_lines(colour));
        lines
    }

    /// What there is, one row each.
    fn facts(&self) -> Vec<Vec<String>> {
        let git = if self.git { "a git work tree" } else { "not in a git work tree" };
        let config = match (self.has_config, &self.opened) {
            (false, _) => "none; the defaults apply".to_string(),
            (true, None) => "cannot be read".to_string(),
            (true, Some(opened)) => match opened.workspace.config.findings.len() {
                0 => "dos.toml".to_string(),
                count => format!("dos.toml, {}", counted(count as u64, "finding")),
            },
        };
        let mut rows = vec![
            row("workspace", &format!("{} ({git})", self.root)),
            row("configuration", &config),
        ];
        rows.extend(self.opened.iter().flat_map(|opened| opened.facts(&self.root)));
        rows
    }

    fn live_row(&self, lease: &Lease) -> Vec<String> {
        let since = lease.acquired_at().map(|since| span(self.now.millis_since(since)));
        let end = match lapses_at(lease) {
            Some(end) => format!("lapses in {} if silent", span(end.millis_since(self.now))),
            None => "never lapses: it has no stamp".to_string(),
        };
        let process = lease.named_process().map(|process| format!("process {}", process.pid));
        vec![
            plain(&lease.lane()),
            format!("held by {}", holder(lease)),
            format!("on {}", plain(lease.host().unwrap_or("(no host named)"))),
            since.map_or(String::new(), |since| format!("for {since}")),
            end,
            process.unwrap_or_default(),
        ]
    }

    fn finding_lines(&self, colour: bool) -> Vec<String> {
        if self.findings.is_empty() {
            return vec![paint("no findings", Paint::Green, colour)];
        }
        self.findings.iter().map(|finding| finding.line(&self.root, colour)).collect()
    }

    /// The object for programs.
    pub fn json(&self) -> Map<String, Value> {
        let contracts: Vec<&Contract> = CONTRACTS.iter().collect();
        let findings: Value = self.findings.iter().map(Finding::json).collect();
        let config = self.root.join("dos.toml");
        let mut object = Map::new();
        object.insert("dos_version".to_string(), VERSION.into());
        object.insert("workspace".to_string(), self.root.as_str().into());
        object.insert("git".to_string(), self.git.into());
        object.insert("configured".to_string(), self.has_config.into());
        object.insert("exit_codes".to_string(), exit_codes::table(&contracts));
        object.insert("findings".to_string(), findings);
        let hosts: Value = self.hosts.iter().map(WiredHost::json).collect();
        object.insert("hosts".to_string(), hosts);
        object.insert(
            "paths".to_string(),
            json!({"root": self.root.as_str(), "config": config.as_str()}),
        );
        if let Some(opened) = &self.opened
            && let Value::Object(more) = self.opened_json(opened)
        {
            object.extend(more);
        }
        object
    }

    fn opened_json(&self, opened: &Opened) -> Value {
        let workspace = &opened.workspace;
        let config = &workspace.config;
        let conditions = &config.policy.conditions;
        let own = conditions.predicates.iter().map(|predicate| predicate.name());
        let predicates: Vec<&str> = std::iter::once("disjointness").chain(own).collect();
        let live: Value = opened.live.iter().map(|lease| self.lease_json(lease)).collect();
        let dead = opened.dead.iter().map(|(lease, death)| {
            let mut object = self.lease_json(lease);
            if let Some(fields) = object.as_object_mut() {
                fields.insert("proof".to_string(), death.token().into());
                fields.insert("why".to_string(), death.to_string().into());
            }
            object
        });
        json!({
            "paths": {
                "root": self.root.as_str(),
                "config": self.root.join("dos.toml").as_str(),
                "journal": workspace.journal.as_str(),
                "lock": workspace.lock.as_str(),
                "archive_lock": workspace.archive_lock.as_str(),
            },
            "lanes": lanes_json(&config.policy.lanes),
            "aliases": config.policy.lanes.aliases,
            "class_budgets": config.policy.class_budgets,
            "overlap_policy": {
                "active": conditions.overlap.name(),
                "case": conditions.overlap.region_case().map(Case::name),
                "available": POLICY_NAMES,
                "ratio_max": config.ratio_max,
            },
            "exec_capability": {
                "profile": config.exec.profile.name(),
                "available": Profile::NAMES,
                "extra": config.exec.extra,
            },
            "admission_predicates": predicates,
            "journal": opened.journal_json(),
            "verdicts": opened.verdicts.as_ref().map(|verdicts| verdicts.json(workspace)),
            "live": live,
            "dead": dead.collect::<Value>(),
            "lock": lock_json(opened.lock.as_ref()),
            "archive_lock": opened.archive_lock.as_ref().map(|holder| json!({
                "held": holder.is_some(),
                "owner": holder.as_ref().map(|holder| &holder.owner),
                "age_seconds": holder.as_ref().map(|holder| holder.age_millis / 1000),
            })),
            "host_id": workspace.host,
            "network_file_system": opened.network,
            "writable": opened.writable,
            "journal_ignored_by_git": opened.ignored,
        })
    }

    fn lease_json(&self, lease: &Lease) -> Value {
        let end = lapses_at(lease);
        json!({
            "lane": lease.lane(),
            "lane_kind": lease.kind(),
            "loop_ts": lease.loop_ts(),
            "holder": lease.holder(),
            "host_id": lease.host(),
            "run_id": lease.run_id(),
            "pid": lease.named_process().map(|process| process.pid),
            "token": lease.token(),
            "tree": lease.tree().to_json(),
            "held_seconds": lease.acquired_at().map(|since| self.now.millis_since(since) / 1000),
            "lapses_at": end.map(|end| end.to_string()),
            "lapses_in_seconds": end.map(|end| end.millis_since(self.now) / 1000),
        })
    }
}

impl Opened {
    fn facts(&self, root: &Utf8Path) -> Vec<Vec<String>> {
        let config = &self.workspace.config;
        let policy = &config.policy;
        let overlap = match policy.conditions.overlap.name() {
            "prefix" => format!(
                "prefix: up to {:.0} % of the requested patterns may meet",
                config.ratio_max.min(RATIO_MAX) * 100.0
            ),
            "exact" => format!(
                "exact: no file may belong to two lanes that are held; case {}",
                if config.case == Case::Insensitive { "does not count" } else { "counts" }
            ),
            other => other.to_string(),
        };
        let budgets = policy.class_budgets.iter().map(|(kind, most)| match most {
            0 => format!("{kind} without a bound"),
            _ => format!("{kind} at most {most}"),
        });
        let aliases = policy.lanes.aliases.iter().map(|(alias, lane)| format!("{alias} -> {lane}"));
        let network = match self.network {
            Some(kind) => format!("network file system ({kind})"),
            None => "local file system".to_string(),
        };
        let writable = if self.writable { "writable" } else { "not writable" };
        let ignored = match self.ignored {
            None => "",
            Some(true) => ", ignored by git",
            Some(false) => ", not ignored by git",
        };
        let mut rows = vec![row("overlap policy", &overlap)];
        let extra = config.exec.extra.iter().map(|program| format!(", {program}"));
        let exec = format!("profile {}{}", config.exec.profile.name(), extra.collect::<String>());
        rows.push(row("exec capability", &exec));
        rows.extend(list_row("class budgets", budgets));
        rows.extend(list_row("aliases", aliases));
        rows.push(row("journal", &self.journal_text(root)));
        rows.extend(self.verdicts.as_ref().map(|verdicts| row("verdicts", &verdicts.text())));
        rows.push(row("lane lock", &lock_text(self.lock.as_ref())));
        rows.push(row("archive lock", &self.archive_text()));
        rows.push(row("storage", &format!("{network}, {writable}{ignored}")));
        rows.push(row("host", &self.workspace.host));
        rows
    }

    fn journal_text(&self, root: &Utf8Path) -> String {
        let path = &self.workspace.journal;
        let shown = path.strip_prefix(root).unwrap_or(path);
        let Some(health) = &self.journal else {
            return format!("{shown}: cannot be read");
        };
        if health.bytes == 0 {
            return format!("{shown}: empty");
        }
        let mut text =
            format!("{shown}: {}, {}", counted(health.records, "record"), bytes(health.bytes));
        if health.corrupt > 0 {
            text.push_str(&format!(", {}", counted(health.corrupt, "corrupt line")));
        }
        if health.torn_tail {
            text.push_str(", an unfinished last line (harmless: the next write closes it)");
        }
        text
    }

    fn archive_text(&self) -> String {
        match &self.archive_lock {
            None => "cannot be read".to_string(),
            Some(None) => "free".to_string(),
            Some(Some(holder)) => {
                let who = if holder.owner.is_empty() { "(nobody named)" } else { &holder.owner };
                let stale = match holder.age_millis >= TTL_MILLIS {
                    true => "; stale: the next who asks gets it",
                    false => "",
                };
                format!("held by {} for {}{stale}", plain(who), span(holder.age_millis))
            }
        }
    }

    /// One row for each lane: name, what it is, what it covers, who has it.
    fn lanes(&self) -> Vec<Vec<String>> {
        let lanes = &self.workspace.config.policy.lanes;
        let mut names: Vec<&String> = Vec::new();
        for name in lanes.names() {
            if !names.iter().any(|known| fold(known) == fold(name)) {
                names.push(name);
            }
        }
        if names.is_empty() {
            return vec![vec!["(none)".to_string()]];
        }
        let row = |name: &&String| {
            let patterns = lanes.tree(name);
            let patterns = patterns.patterns();
            let mut tree: Vec<String> =
                patterns.iter().take(PATTERNS_SHOWN).map(|text| plain(text)).collect();
            if let Some(more) = patterns.len().checked_sub(PATTERNS_SHOWN).filter(|more| *more > 0)
            {
                tree.push(format!("and {more} more"));
            }
            let tree = if tree.is_empty() { "(no tree)".to_string() } else { tree.join(", ") };
            let holders: Vec<String> = self
                .live
                .iter()
                .filter(|lease| fold(&lease.lane()) == fold(name))
                .map(|lease| format!("held by {}", holder(lease)))
                .collect();
            vec![plain(name), kind(lanes, name), tree, holders.join(", ")]
        };
        names.iter().map(row).collect()
    }

    fn dead_lines(&self) -> Vec<String> {
        let lines = self.dead.iter().map(|(lease, death)| {
            format!("  {} of {}: {death}", plain(&lease.lane()), holder(lease))
        });
        let lane = self.dead.first().map(|(lease, _)| shell(&lease.lane()));
        let remark = lane.map(|lane| {
            format!(
                "  They stand in nobody's way: the next acquire frees them, for example\n  \
                 dos lease-lane acquire --lane {lane} --owner NAME"
            )
        });
        lines.chain(remark).collect()
    }

    fn journal_json(&self) -> Value {
        match &self.journal {
            None => Value::Null,
            Some(health) => json!({
                "path": self.workspace.journal.as_str(),
                "records": health.records,
                "corrupt": health.corrupt,
                "corrupt_lines": health.corrupt_lines,
                "seq_out_of_order": health.out_of_order,
                "torn_tail": health.torn_tail,
                "bytes": health.bytes,
            }),
        }
    }
}

impl Finding {
    /// `error: dos.toml:3:1: what; fix`, all on one line.
    pub fn line(&self, root: &Utf8Path, colour: bool) -> String {
        let (paint_with, word) = match self.severity {
            Severity::Error => (Paint::Red, "error"),
            Severity::Warning => (Paint::Yellow, "warning"),
            Severity::Note => (Paint::Bold, "note"),
        };
        let place = match (&self.file, self.place) {
            (Some(file), Some((line, column))) => {
                format!("{}:{line}:{column}: ", file.strip_prefix(root).unwrap_or(file))
            }
            _ => String::new(),
        };
        let word = paint(word, paint_with, colour);
        format!("{word}: {place}{}; {}", plain(&self.what), plain(&self.fix))
    }
}

fn row(name: &str, text: &str) -> Vec<String> {
    vec![name.to_string(), plain(text)]
}

fn list_row(name: &str, entries: impl Iterator<Item = String>) -> Option<Vec<String>> {
    let entries: Vec<String> = entries.collect();
    (!entries.is_empty()).then(|| row(name, &entries.join(", ")))
}

fn holder(lease: &Lease) -> String {
    plain(lease.holder().unwrap_or("(nobody named)"))
}

fn kind(lanes: &Lanes, name: &str) -> String {
    let place = lanes.autopick.iter().position(|entry| fold(entry) == fold(name));
    let kind = match (lanes.is_exclusive(name), lanes.is_concurrent(name)) {
        (true, _) => "exclusive",
        (false, true) if lanes.is_shared(name) => "shared",
        (false, true) => "concurrent",
        (false, false) => "by name only",
    };
    match place {
        Some(index) if kind != "exclusive" => format!("{kind}, pick {}", index + 1),
        _ => kind.to_string(),
    }
}

fn lock_text(state: Option<&LockState>) -> String {
    let Some(state) = state else {
        return "cannot be read".to_string();
    };
    let Some(holder) = state.holder() else {
        return "free".to_string();
    };
    let owner = if holder.owner.is_empty() { "(nobody named)" } else { &holder.owner };
    let (owner, age) = (plain(owner), span(holder.age_millis));
    match state {
        LockState::Free => "free".to_string(),
        LockState::Held(_) => format!("held by {owner} {}", since(holder.age_millis)),
        LockState::Leftover(_) => {
            format!("free (a leftover of {owner}, {age} old, which the next writer replaces)")
        }
        LockState::Stale(_) => {
            format!("free (a stale lock of {owner}, {age} old, which the next writer takes away)")
        }
        LockState::Foreign { stale_in_millis, .. } => {
            let rest = span(*stale_in_millis);
            let since = since(holder.age_millis);
            format!("held by another program, {owner}, {since}; stale in {rest}")
        }
    }
}

fn lock_json(state: Option<&LockState>) -> Value {
    let Some(state) = state else { return Value::Null };
    let holder = state.holder();
    let stale_in = match state {
        LockState::Foreign { stale_in_millis, .. } => Some(stale_in_millis / 1000),
        _ => None,
    };
    json!({
        "state": state.token(),
        "owner": holder.map(|holder| &holder.owner),
        "pid": holder.and_then(|holder| holder.pid),
        "age_seconds": holder.map(|holder| holder.age_millis / 1000),
        "stale_in_seconds": stale_in,
    })
}
