//! Rules about the text of files, for what no other tool looks at.

use anyhow::Context as _;

use super::tools::{Workspace, run};
use super::{Outcome, judge};

/// Longer files are two files. A ratchet: it may go down.
const LINES_MAX: usize = 600;

/// A ceiling on the packages in Cargo.lock. Raise it in the change that needs it, and say why there.
/// ratatui and crossterm, for the screen of `dos top`, bring 44, ten of which are not built here; ureq and
/// flate2, for exports, bring 13.
const LOCKED_PACKAGES_MAX: usize = 226;

/// Folders of the machine that this was written on. In two pieces, for this file is read too.
const MACHINE_PATHS: &[&str] = &[
    concat!("/work", "/main"),
    concat!("/work", "/shared"),
    concat!("/roo", "t/"),
    concat!("/hom", "e/"),
];

/// Left behind by someone who meant to come back.
const UNFINISHED: &[&str] = &[concat!("todo", "!("), concat!("unimplemented", "!(")];

/// One file that git tracks or would track.
struct File {
    /// Relative to the root.
    path: String,
    bytes: Vec<u8>,
}

/// Every file keeps every rule.
pub(super) fn tidy(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let files = files(workspace)?;
    let mut problems = Vec::new();
    for file in &files {
        if file.path.ends_with(".rs") {
            source(file, &mut problems);
        }
        if file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml") {
            lints_inherited(file, &mut problems);
        }
        one_clippy_configuration(file, &mut problems);
        machine_paths(file, &mut problems);
        if file.path == "Cargo.lock" {
            locked_packages(file, &mut problems);
        }
    }
    judge(problems, format!("{} files", files.len()))
}

/// The paths that git tracks or would track, relative to the root, in the order of their names.
pub(super) fn paths(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = run(workspace, "git", &arguments)?.expect_success("git ls-files")?;
    let mut paths: Vec<String> =
        listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    // A file that is deleted but not yet staged is still listed.
    paths.retain(|path| workspace.root.join(path).is_file());
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn files(workspace: &Workspace) -> anyhow::Result<Vec<File>> {
    let read = |path: String| {
        let bytes = std::fs::read(workspace.root.join(&path))
            .with_context(|| format!("cannot read {path}"));
        bytes.map(|bytes| File { path, bytes })
    };
    paths(workspace)?.into_iter().map(read).collect()
}

fn source(file: &File, problems: &mut Vec<String>) {
    let path = &file.path;
    let text = String::from_utf8_lossy(&file.bytes);
    let in_crates = path.starts_with("crates/");
    if !text.starts_with("//!") {
        problems.push(format!("{path}: does not start with `//!` and its purpose"));
    }
    let mut previous = "";
    for (line, number) in text.lines().zip(1..) {
        if in_crates && (line.contains("#[allow(") || line.contains("#![allow(")) {
            problems
                .push(format!("{path}:{number}: `allow`, use `#[expect(.., reason = \"..\")]`"));
        }
        let std_for_tests = previous.trim() == "#[cfg(test)]";
        if path.starts_with("crates/dos-core/") && names_std(line) && !std_for_tests {
            problems.push(format!("{path}:{number}: std without `#[cfg(test)]` on the line above"));
        }
        for word in UNFINISHED.iter().filter(|word| line.contains(*word)) {
            problems.push(format!("{path}:{number}: `{word}`"));
        }
        previous = line;
    }
    let line_count = text.lines().count();
    if in_crates && line_count > LINES_MAX {
        problems.push(format!("{path}: {line_count} lines, more than {LINES_MAX}"));
    }
}

fn names_std(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split_whitespace().collect::<Vec<_>>().join(" ").contains("extern crate std")
}

fn lints_inherited(file: &File, problems: &mut Vec<String>) {
    let text = String::from_utf8_lossy(&file.bytes);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let inherited = lines.any(|line| line == "[lints]") && lines.next() == Some("workspace = true");
    if !inherited {
        problems.push(format!("{}: has no `[lints] workspace = true`", file.path));
    }
}

/// A second one would replace the root's bans for its crate.
fn one_clippy_configuration(file: &File, problems: &mut Vec<String>) {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let configures = name == "clippy.toml" || name == ".clippy.toml";
    if configures && file.path != "clippy.toml" {
        problems.push(format!("{}: a second clippy.toml silences the root's", file.path));
    }
}

fn machine_paths(file: &File, problems: &mut Vec<String>) {
    if file.path.starts_with("fixtures/vectors/") || file.path == "Cargo.lock" {
        return;
    }
    let text = String::from_utf8_lossy(&file.bytes);
    for (line, number) in text.lines().zip(1..) {
        for needle in MACHINE_PATHS {
            // `crates/home/` is not a path of this machine.
            let absolute = |(at, _): (usize, &str)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|it| it.is_alphanumeric() || "_-.})".contains(it))
            };
            if line.match_indices(needle).any(absolute) {
                problems.push(format!("{}:{number}: a path of one machine, {needle}", file.path));
            }
        }
    }
}

fn locked_packages(file: &File, problems: &mut Vec<String>) {
    let text = String::from_utf8_lossy(&file.bytes);
    let count = text.lines().filter(|line| *line == "[[package]]").count();
    if count > LOCKED_PACKAGES_MAX {
        problems.push(format!("Cargo.lock: {count} packages, more than {LOCKED_PACKAGES_MAX}"));
    }
}
