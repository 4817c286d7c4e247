//! `dos lint`: dead policy in `dos.toml`. Reads, and nothing else.

use dos_core::config::Config;
use dos_core::lane::lint::{Severity, lint};
use dos_core::lane::map::LaneMap;
use dos_drivers::git;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::doctor::{counted, plain};

/// Find dead policy: lanes that no request reaches, patterns that match nothing, lanes that meet
///
/// Looks at dos.toml and at the files that git tracks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos lint
  dos lint --strict            in a script: only errors count
  dos lint --json              for programs: kind, severity, subject, detail and fix of each

Exit codes: 0 nothing is wrong, 1 there are errors or warnings (with --strict: errors),
2 there is no such workspace.")]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Exit with 1 for errors only, not for warnings
    #[arg(long)]
    strict: bool,
}

/// One line of the answer.
struct Shown {
    severity: Severity,
    kind: &'static str,
    subject: String,
    detail: String,
    fix: String,
    place: Option<(usize, usize)>,
}

/// Reports.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.quiet_workspace()?;
    context.point_above(&workspace);
    let config = &workspace.config;
    let mut shown = of_file(config);
    let mut files_total = None;
    if config.lanes_declared {
        let files = git::tracked_files(&workspace.root)?;
        files_total = files.as_ref().map(Vec::len);
        let map = LaneMap::draw(&config.policy, files.as_deref());
        shown.extend(lint(&config.policy, &map).into_iter().map(|found| Shown {
            severity: found.severity,
            kind: found.kind,
            subject: found.subject,
            detail: found.detail,
            fix: found.fix,
            place: None,
        }));
    }
    shown.sort_by(|one, other| {
        (one.severity, one.place, &one.subject, one.kind).cmp(&(
            other.severity,
            other.place,
            &other.subject,
            other.kind,
        ))
    });
    let count = |severity| shown.iter().filter(|found| found.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warn));
    if args.json {
        let findings: Vec<Value> = shown.iter().map(Shown::json).collect();
        let counts = json!({"error": errors, "warn": warnings, "info": 0});
        let answer = json!({"findings": findings, "counts": counts, "files_total": files_total});
        output::answer(&answer, false);
    } else if shown.is_empty() {
        output::line(&clean(config.lanes_declared, files_total));
    } else {
        shown.iter().for_each(|found| output::line(&found.line()));
    }
    let wrong = errors > 0 || (warnings > 0 && !args.strict);
    Ok(if wrong { Exit::No } else { Exit::Yes })
}

/// What was looked at, where nothing is wrong.
fn clean(lanes_declared: bool, files_total: Option<usize>) -> String {
    match (lanes_declared, files_total) {
        (false, _) => {
            "clean: no lanes are declared here, so that there was nothing to look at".into()
        }
        (true, None) => {
            "clean: every lane can be reached; there is no git repository, so that the \
                         patterns were not compared with files"
                .into()
        }
        (true, Some(0)) => {
            "clean: every lane can be reached; git tracks no file here, so that the \
                            patterns were not compared with any"
                .into()
        }
        (true, Some(count)) => format!(
            "clean: every lane can be reached, and every pattern matches one of {}",
            counted(count as u64, "file")
        ),
    }
}

/// What is wrong with the file before any lane is looked at.
fn of_file(config: &Config) -> Vec<Shown> {
    let findings = config.findings.iter();
    findings
        .map(|finding| Shown {
            severity: if finding.severe { Severity::Error } else { Severity::Warn },
            kind: if finding.severe { "CONFIG_IGNORED" } else { "CONFIG_UNKNOWN_KEY" },
            subject: "dos.toml".to_string(),
            detail: finding.problem.clone(),
            fix: finding.suggestion.clone(),
            place: Some((finding.line, finding.column)),
        })
        .collect()
}

impl Shown {
    fn line(&self) -> String {
        let place = match self.place {
            Some((line, column)) => format!("dos.toml:{line}:{column}: "),
            None => "dos.toml: ".to_string(),
        };
        let Self { kind, detail, fix, .. } = self;
        plain(&format!("{place}{} {kind}: {detail}; {fix}", self.severity.token()))
    }

    fn json(&self) -> Value {
        json!({
            "kind": self.kind,
            "severity": self.severity.token(),
            "subject": self.subject,
            "detail": self.detail,
            "fix": self.fix,
            "line": self.place.map(|(line, _)| line),
            "column": self.place.map(|(_, column)| column),
        })
    }
}
