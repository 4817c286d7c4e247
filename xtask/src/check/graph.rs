//! The direction of the crate graph: a table of the edges that may exist.

use std::path::Path;

use super::tools::{Package, Workspace, packages};
use super::{Outcome, judge};

/// One row of the table.
struct Member {
    name: &'static str,
    folder: &'static str,
    /// The members that it may depend on, in any way: cargo itself accepts a development
    /// dependency of dos-core on dos-store, and tests that need it are in the wrong crate.
    may_use: &'static [&'static str],
}

/// The whole workspace.
const EDGES: &[Member] = &[
    Member { name: "dos-core", folder: "crates/dos-core", may_use: &[] },
    Member { name: "dos-store", folder: "crates/dos-store", may_use: &["dos-core"] },
    Member {
        name: "dos-drivers",
        folder: "crates/dos-drivers",
        may_use: &["dos-core", "dos-store"],
    },
    Member {
        name: "dos-cli",
        folder: "crates/dos-cli",
        may_use: &["dos-core", "dos-store", "dos-drivers"],
    },
    Member { name: "dos-crash", folder: "crash", may_use: &["dos-core", "dos-store"] },
    Member {
        name: "dos-tests",
        folder: "tests",
        may_use: &["dos-core", "dos-store", "dos-drivers", "dos-cli"],
    },
    Member { name: "xtask", folder: "xtask", may_use: &[] },
];

/// Every member is in the table, and so is every edge between two members.
pub(super) fn edges(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let packages = packages(workspace)?;
    let mut problems = Vec::new();
    let mut edge_count = 0;
    for package in &packages {
        let Some(member) = EDGES.iter().find(|member| member.name == package.name) else {
            problems.push(format!("{}: a member that is not in the table", package.name));
            continue;
        };
        if package.folder != Path::new(member.folder) {
            problems.push(format!("{}: is not in {}", package.name, member.folder));
        }
        edge_count += edges_of(package, member, &packages, &mut problems);
    }
    for member in EDGES {
        if !packages.iter().any(|package| package.name == member.name) {
            problems.push(format!("{}: in the table, but not a member", member.name));
        }
    }
    judge(problems, format!("{} members, {edge_count} edges", packages.len()))
}

/// Judges the edges of one member and returns how many there are.
fn edges_of(
    package: &Package,
    member: &Member,
    packages: &[Package],
    problems: &mut Vec<String>,
) -> usize {
    let mut edge_count = 0;
    for dependency in &package.dependencies {
        let inside = packages.iter().any(|other| other.name == dependency.name);
        if !inside && dependency.path.is_none() {
            continue;
        }
        edge_count += 1;
        if !member.may_use.contains(&dependency.name.as_str()) {
            problems.push(format!(
                "{} -> {} ({} dependency): not in the table",
                package.name, dependency.name, dependency.kind
            ));
        }
    }
    edge_count
}
