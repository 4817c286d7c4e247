//! Work trees that share a state: which of those that leases name were removed.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use camino::Utf8Path;
use dos_core::lane::Lease;
use dos_store::Workspace;
use dos_store::disk::RealDisk;
use dos_store::worktree;

/// The work trees that leases of this host name and that were removed. One that git has locked may
/// be on a disk that is not always there: it counts as removed only when git no longer knows it.
pub fn removed<'a>(workspace: &Workspace, leases: impl Iterator<Item = &'a Lease>) -> Vec<String> {
    let here = |lease: &&Lease| lease.host() == Some(workspace.host.as_str());
    let named: BTreeSet<&str> = leases.filter(here).filter_map(Lease::worktree).collect();
    let missing = |path: &&str| {
        let looked = fs::symlink_metadata(path);
        Utf8Path::new(path).is_absolute()
            && looked.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    let missing: Vec<&str> = named.into_iter().filter(missing).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let main = workspace.linked.as_ref().map_or(&workspace.state, |linked| &linked.main);
    let known = worktree::all(&RealDisk, main);
    let is_locked = |path: &str| {
        known.iter().any(|(top, locked)| *locked && Utf8Path::new(path).starts_with(top))
    };
    missing.into_iter().filter(|path| !is_locked(path)).map(str::to_string).collect()
}
