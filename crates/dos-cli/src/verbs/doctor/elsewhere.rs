//! The other projects of this machine: what is wrong with each of them.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::registry::FolderId;
use dos_core::registry::text;
use dos_store::workspace::Environment as _;
use serde_json::{Value, json};

use super::findings::Finding;
use super::gather::{Report, Scope};
use super::text::counted;
use crate::context::Context;
use crate::output::{Paint, paint};

/// These would lead every project to the files of one.
const ONE_FOR_ALL: [&str; 5] = [
    "DISPATCH_LANE_JOURNAL_PATH",
    "JOB_LANE_JOURNAL_PATH",
    "DISPATCH_LANE_LEASE_LOCK_PATH",
    "DISPATCH_ARCHIVE_LOCK_PATH",
    "DISPATCH_VERDICT_JOURNAL_PATH",
];

/// Which folder it is, whatever its name.
fn folder_id(folder: &Utf8Path) -> Option<FolderId> {
    let seen = std::fs::metadata(folder).ok().filter(std::fs::Metadata::is_dir)?;
    Some((seen.dev(), seen.ino()))
}

/// What was found in the projects that the home registry has, without the workspace itself.
pub struct Elsewhere {
    /// How many were looked at.
    looked_at: usize,
    /// Those with findings.
    projects: Vec<(Utf8PathBuf, Vec<Finding>)>,
}

impl Elsewhere {
    /// Looks at each in turn, as at the workspace, but for its hooks, which would have to be run.
    pub fn gather(context: &Context, here: &Report) -> anyhow::Result<Self> {
        for name in ONE_FOR_ALL {
            anyhow::ensure!(
                context.environment.variable(name)?.unwrap_or_default().is_empty(),
                "{name} names one file for all projects; unset it to look at each"
            );
        }
        let home = context.home()?;
        let mut elsewhere = Self { looked_at: 0, projects: Vec::new() };
        let mut seen: BTreeSet<FolderId> = [Some(here.root.as_path()), here.state()]
            .into_iter()
            .flatten()
            .filter_map(folder_id)
            .collect();
        for row in context.registry(&home).projects()? {
            let Some(root) = text(&row, "root").map(Utf8PathBuf::from) else { continue };
            // What is gone is told of the registry.
            let is_new = folder_id(&root).is_some_and(|folder| seen.insert(folder));
            if !root.is_absolute() || !is_new {
                continue;
            }
            let there = Context::of_process(Some(root.clone()), false)?;
            let report = Report::gather(&there, Scope::Another)?;
            // A work tree that shares its state with one that was looked at is no project of its own.
            let shared = report.state().filter(|state| *state != report.root).and_then(folder_id);
            if shared.is_some_and(|folder| !seen.insert(folder)) {
                continue;
            }
            elsewhere.looked_at += 1;
            let findings = report.findings;
            if !findings.is_empty() {
                elsewhere.projects.push((root, findings));
            }
        }
        Ok(elsewhere)
    }

    /// All findings.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.projects.iter().flat_map(|(_, findings)| findings)
    }

    /// The lines for people.
    pub fn lines(&self, colour: bool) -> Vec<String> {
        let looked_at = counted(self.looked_at as u64, "other project");
        let in_order = self.looked_at - self.projects.len();
        let heading =
            format!("elsewhere ({looked_at} on this machine, {in_order} without findings)");
        let mut lines = vec![String::new(), paint(&heading, Paint::Bold, colour)];
        for (root, findings) in &self.projects {
            lines.push(format!("  in {}:", super::shell(root.as_str())));
            lines.extend(findings.iter().map(|found| format!("    {}", found.line(root, colour))));
        }
        lines
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let projects = self.projects.iter().map(|(root, findings)| {
            let findings: Value = findings.iter().map(Finding::json).collect();
            json!({"root": root.as_str(), "findings": findings})
        });
        json!({"looked_at": self.looked_at, "projects": projects.collect::<Value>()})
    }
}
