//! The steps that are a tool's own verdict, and the one way to run a tool.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Outcome, judge};

/// What is shown of a tool that failed; the rest is one command away.
const LINES_SHOWN_MAX: usize = 60;

/// The tree that is checked: ours, or a copy of it.
pub(super) struct Workspace {
    pub(super) root: PathBuf,
    /// Where it is built, unless where cargo would. Two trees must not share a target directory:
    /// cargo takes the one's artifacts for the other's when their time stamps allow it.
    pub(super) target_directory: Option<PathBuf>,
}

/// What a tool said.
pub(super) struct Said {
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Said {
    /// Both streams, cut to what a person reads.
    pub(super) fn text(&self) -> String {
        let all = format!("{}{}", self.stdout, self.stderr);
        let mut lines: Vec<&str> = all.lines().filter(|line| !line.trim().is_empty()).collect();
        let left_out = lines.len().saturating_sub(LINES_SHOWN_MAX);
        lines.truncate(LINES_SHOWN_MAX);
        let mut text = lines.join("\n");
        if left_out > 0 {
            text.push_str(&format!("\n... and {left_out} more lines"));
        }
        text
    }

    /// The standard output of a tool that must succeed.
    pub(super) fn expect_success(self, what: &str) -> anyhow::Result<String> {
        if !self.success {
            bail!("`{what}` failed\n{}", self.text());
        }
        Ok(self.stdout)
    }
}

/// Runs a tool in the root of a workspace and waits for it. An error means that it could not be started.
pub(super) fn run(
    workspace: &Workspace,
    program: &str,
    arguments: &[&str],
) -> anyhow::Result<Said> {
    let mut command = Command::new(program);
    if let Some(target_directory) = &workspace.target_directory {
        command.env("CARGO_TARGET_DIR", target_directory);
    }
    let output = command
        .args(arguments)
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .env("CARGO_TERM_COLOR", "never")
        // Set inside a git hook, they would point every copy at this repository.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .with_context(|| format!("cannot start `{program}`"))?;
    Ok(Said {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs cargo in the root of a workspace.
pub(super) fn cargo(workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<Said> {
    run(workspace, "cargo", arguments)
}

/// One member of the workspace, as its manifest describes it.
pub(super) struct Package {
    pub(super) name: String,
    /// The folder that holds the manifest, relative to the root.
    pub(super) folder: PathBuf,
    pub(super) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table, of any kind and for any target.
pub(super) struct Dependency {
    /// The name of the package, whatever the manifest renames it to.
    pub(super) name: String,
    /// `normal`, `dev` or `build`.
    pub(super) kind: String,
    pub(super) default_features: bool,
    pub(super) features: Vec<String>,
    /// Where it lies, if it is not from a registry.
    pub(super) path: Option<String>,
}

/// The members of the workspace, in the order of their names.
pub(super) fn packages(workspace: &Workspace) -> anyhow::Result<Vec<Package>> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1"];
    let stdout = cargo(workspace, &arguments)?.expect_success("cargo metadata --no-deps")?;
    let metadata: Value = serde_json::from_str(&stdout)?;
    let root = metadata["workspace_root"].as_str().context("no workspace_root")?;
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array().context("no packages")? {
        let manifest = Path::new(package["manifest_path"].as_str().context("no manifest_path")?);
        let folder = manifest.parent().unwrap_or(manifest);
        packages.push(Package {
            name: package["name"].as_str().context("no package name")?.to_owned(),
            folder: folder.strip_prefix(root).unwrap_or(folder).to_path_buf(),
            dependencies: package["dependencies"]
                .as_array()
                .context("no dependencies")?
                .iter()
                .map(dependency)
                .collect::<anyhow::Result<_>>()?,
        });
    }
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

fn dependency(value: &Value) -> anyhow::Result<Dependency> {
    let features = value["features"].as_array().context("no features")?;
    Ok(Dependency {
        name: value["name"].as_str().context("no dependency name")?.to_owned(),
        kind: value["kind"].as_str().unwrap_or("normal").to_owned(),
        default_features: value["uses_default_features"].as_bool().unwrap_or(true),
        features: features.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        path: value["path"].as_str().map(str::to_owned),
    })
}

/// The formatting is rustfmt's.
pub(super) fn fmt(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let said = cargo(workspace, &["fmt", "--all", "--check", "--", "--color", "never"])?;
    if !said.success {
        bail!("{}", said.text());
    }
    Ok(Outcome::Passed(String::new()))
}

/// No warning in any package. Each is built alone, so that none leans on features of another.
pub(super) fn clippy(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let packages = packages(workspace)?;
    let mut problems = Vec::new();
    for package in &packages {
        let name = package.name.as_str();
        let flags = ["--all-targets", "--all-features", "--locked", "--", "-D", "warnings"];
        let said = cargo(workspace, &[&["clippy", "--quiet", "-p", name], &flags[..]].concat())?;
        if said.success {
            continue;
        }
        // A package below it is shown once, in its own turn.
        let broken_below = packages.iter().find(|other| {
            other.name != name && said.stderr.contains(&format!("compile `{}`", other.name))
        });
        problems.push(match broken_below {
            Some(other) => format!("{name}: not judged, {} is broken", other.name),
            None => format!("{name}:\n{}", said.text()),
        });
    }
    judge(problems, format!("{} packages, each by itself", packages.len()))
}

/// cargo-deny on bans, licences and sources. Not on advisories: they need the network.
pub(super) fn deny(workspace: &Workspace) -> anyhow::Result<Outcome> {
    if !run(workspace, "cargo", &["deny", "--version"])?.success {
        let skipped = "cargo-deny is not installed: `cargo install cargo-deny --locked`";
        return Ok(Outcome::Skipped(skipped.to_owned()));
    }
    let flags = ["--hide-inclusion-graph", "bans", "licenses", "sources"];
    let said = cargo(workspace, &[&["deny", "--locked", "check"], &flags[..]].concat())?;
    if !said.success {
        bail!("{}", said.text());
    }
    Ok(Outcome::Passed("bans, licences, sources".to_owned()))
}
