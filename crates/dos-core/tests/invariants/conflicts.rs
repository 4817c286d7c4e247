//! Which leases may not be live together: said once more, without the product's pattern algebra.

use dos_core::lane::Lease;

/// Paths that tell apart all trees of these tests.
const PATHS: [&str; 12] = [
    "src/api/x.rs",
    "src/api/y.rs",
    "src/api",
    "src/web/x.rs",
    "src/x.rs",
    "src",
    "docs/api/x.md",
    "docs/x.md",
    "docs",
    "README.md",
    "tools/x",
    "etc/x",
];

/// The overlap policy under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Exact,
    Prefix,
}

/// Does the pattern own the path? Reads only the spellings that these tests use.
fn owns(pattern: &str, path: &str) -> bool {
    if pattern == "**/*" {
        return true;
    }
    match pattern.split_once('*') {
        None => path == pattern || path.starts_with(&format!("{pattern}/")),
        Some((before, "*")) => path.starts_with(before) && path != before.trim_end_matches('/'),
        Some(("", after)) => path.ends_with(after) && !path.contains('/'),
        other => panic!("no test uses {pattern}: {other:?}"),
    }
}

/// A path that both own.
fn shared_path(left: &[String], right: &[String]) -> bool {
    let owned = |tree: &[String], path| tree.iter().any(|pattern| owns(pattern, path));
    PATHS.iter().any(|path| owned(left, path) && owned(right, path))
}

/// More than a third of the newer tree begins like the older one, or some pattern is in both.
fn shared_prefix(newer: &[String], older: &[String]) -> bool {
    let prefix = |pattern: &String| pattern.split('*').next().unwrap_or_default().to_lowercase();
    let older: Vec<String> = older.iter().map(prefix).collect();
    let meets = |ours: &String| {
        older.iter().any(|theirs| ours.starts_with(theirs) || theirs.starts_with(ours.as_str()))
    };
    let newer: Vec<String> = newer.iter().map(prefix).collect();
    let shared = newer.iter().filter(|ours| meets(ours)).count();
    let same = newer.iter().any(|ours| !ours.is_empty() && older.contains(ours));
    same || shared * 3 > newer.len()
}

/// Why the two may not be live at once; `newer` was granted while `older` was held.
pub fn conflict(
    rule: Rule,
    exclusive: &[&str],
    newer: &Lease,
    older: &Lease,
) -> Option<&'static str> {
    let lane = |lease: &Lease| lease.lane().to_lowercase();
    let alone =
        |lease: &Lease| exclusive.iter().any(|name| lane(lease) == *name || lease.kind() == *name);
    let reads = |lease: &Lease| lease.object().get("mode").is_some_and(|mode| mode == "shared");
    let both_read = reads(newer) && reads(older);
    // Leases that hold a tree without a lane have no name to share.
    if !both_read && !lane(newer).is_empty() && lane(newer) == lane(older) {
        return Some("one lane twice");
    }
    if alone(newer) || alone(older) {
        return Some("an exclusive lane has company");
    }
    let (ours, theirs) = (newer.tree(), older.tree());
    // A lease without a tree claims nothing but its name.
    let meet = match rule {
        _ if both_read || ours.is_empty() || theirs.is_empty() => false,
        Rule::Exact => shared_path(ours.patterns(), theirs.patterns()),
        Rule::Prefix => shared_prefix(ours.patterns(), theirs.patterns()),
    };
    meet.then_some("their trees meet")
}
