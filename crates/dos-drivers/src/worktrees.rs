//! Work trees that share a state: where those are that leases name, and which were removed.

use std::fs;
use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::journal::LiveSet;
use dos_core::lane::lease::ProcessId;
use dos_core::lane::vitality::ProcessState;
use dos_core::lane::{Lease, WorkTree};
use dos_store::Workspace;
use dos_store::disk::RealDisk;
use dos_store::worktree::{self, MAIN, Place};

/// The work trees that leases of this host name and that were removed.
///
/// The main one goes nowhere without the state. One that git has moved is where git knows it, and the
/// one that this is called from is here, whatever git knows. One that git has locked may be on a disk
/// that is not always there, and one that the process of a lease still works in was moved without
/// git: these count as removed only when git no longer knows them.
pub fn removed(
    workspace: &Workspace,
    live: &LiveSet,
    processes: &[(ProcessId, ProcessState)],
) -> Vec<WorkTree> {
    let here = |lease: &&Lease| lease.host() == Some(workspace.host.as_str());
    let runs = |lease: &Lease| {
        let named = lease.named_process();
        named.is_some_and(|process| processes.contains(&(process, ProcessState::Running)))
    };
    let is_at_work = |lost: &WorkTree| {
        let mut of_it = live.leases().filter(here);
        of_it.any(|lease| lease.work_tree().as_ref() == Some(lost) && runs(lease))
    };
    let mut lost: Vec<WorkTree> = live.leases().filter(here).filter_map(Lease::work_tree).collect();
    lost.sort();
    lost.dedup();
    lost.retain(|it| it.id.as_deref() != Some(MAIN) && has_left(it));
    if !lost.is_empty() {
        let known = known(workspace);
        let ours = workspace.linked.as_ref().and_then(|linked| linked.own.as_ref());
        let may_be_gone = |place: &Place| {
            !place.is_locked && ours != Some(&place.own) && is_missing(place.top.as_str())
        };
        lost.retain(|it| match place_of(it, &known) {
            Some(place) => may_be_gone(place) && !is_at_work(it),
            None => true,
        });
    }
    lost
}

/// Where the holder of a lease works now; `None` when its lease does not say.
pub fn current(workspace: &Workspace, lease: &Lease) -> Option<Utf8PathBuf> {
    let then = lease.work_tree()?;
    if lease.host() == Some(workspace.host.as_str())
        && has_left(&then)
        && let Some(place) = place_of(&then, &known(workspace))
        && !is_missing(place.top.as_str())
    {
        return Some(place.top.clone());
    }
    Some(then.path.into())
}

/// The files that tell the work trees of a repository apart.
pub fn marks(workspace: &Workspace) -> Vec<Utf8PathBuf> {
    repository(workspace).map(|common| worktree::marks(&RealDisk, &common)).unwrap_or_default()
}

fn known(workspace: &Workspace) -> Vec<Place> {
    repository(workspace).map(|common| worktree::all(&RealDisk, &common)).unwrap_or_default()
}

fn repository(workspace: &Workspace) -> Option<Utf8PathBuf> {
    match &workspace.linked {
        Some(linked) => Some(linked.common.clone()),
        None => worktree::family(&RealDisk, &workspace.state),
    }
}

/// A lease that was taken before leases said which work tree it is only says where it was.
fn place_of<'k>(lost: &WorkTree, known: &'k [Place]) -> Option<&'k Place> {
    known.iter().find(|place| match &lost.id {
        Some(id) => *id == place.id,
        None => Utf8Path::new(&lost.path).starts_with(&place.top),
    })
}

/// Is it no longer where it was? Another one may have come to its place.
fn has_left(tree: &WorkTree) -> bool {
    let is_another = |id: &String| {
        let there = worktree::linked(&RealDisk, Utf8Path::new(&tree.path));
        let there = there.filter(|there| there.is_known).and_then(|there| there.id);
        there.is_some_and(|there| worktree::is_marked(&there) && there != *id)
    };
    is_missing(&tree.path) || tree.id.as_ref().is_some_and(is_another)
}

fn is_missing(path: &str) -> bool {
    let looked = fs::symlink_metadata(path);
    Utf8Path::new(path).is_absolute()
        && looked.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}
