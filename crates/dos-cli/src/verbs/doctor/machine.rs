//! The machine around the workspace: the home registry, what is to be tidied, the clock.

use dos_core::json::Object;
use dos_core::lane::Lease;
use dos_core::registry::text;
use dos_core::retention::{JournalSize, Past};
use dos_core::timestamp::{Timestamp, span};
use dos_store::clock::RealClock;
use dos_store::disk::RealDisk;
use dos_store::home::Home;
use dos_store::inspect::{LockState, inspect_lock};
use dos_store::journal::History;
use dos_store::ledger::WAIT_DEFAULT;
use dos_store::registry::{Registry, Told};
use dos_store::{StoreError, Workspace};

use super::findings::{Finding, Severity};
use super::gather::Opened;
use super::text::{counted, plain, shell};
use crate::context::Context;
use crate::verbs::reap::journal_size;

/// A stamp that is further ahead than this was written by another clock, in milliseconds.
const AHEAD_MILLIS: i64 = 60_000;

/// What there is to say of the home registry.
pub fn registry(context: &Context, opened: &Opened, now: Timestamp) -> Vec<Finding> {
    let workspace = &opened.workspace;
    let mut found = Vec::new();
    match &workspace.home {
        None => {
            let error = StoreError::NoHome;
            let what = format!("{error}; `dos projects` does not know this workspace");
            found.push(Finding::new(Severity::Note, "REGISTRY_NONE", what, error.hint()));
        }
        Some(home) => index(context, workspace, home, now, &mut found),
    }
    if let Some(error) = workspace.card_trouble(&RealDisk) {
        let why = std::error::Error::source(&error).map(|why| format!(": {why}"));
        let what = format!("{error}{}; the home registry is told nothing", why.unwrap_or_default());
        let fix = "move it away, or let this user read it: the next write makes a new one";
        found.push(Finding::new(Severity::Warning, "CARD_UNREADABLE", what, fix.to_string()));
    }
    found
}

/// What there is to say of the journal and its leases: what is to be tidied, and the clock.
pub fn store(context: &Context, opened: &Opened, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(journal(context, &opened.workspace, now));
    if !opened.dead.is_empty() {
        let what = format!(
            "{} of a holder that is gone; it stands in nobody's way",
            counted(opened.dead.len() as u64, "lease")
        );
        let fix = "take them away: dos lease-lane reap".to_string();
        found.push(Finding::new(Severity::Note, "LEASES_LAPSED", what, fix));
    }
    found.extend(clock(opened.live.iter(), now));
    found
}

fn index(
    context: &Context,
    workspace: &Workspace,
    home: &Home,
    now: Timestamp,
    found: &mut Vec<Finding>,
) {
    let registry = context.registry(home);
    let read = registry.rows(&home.index()).and_then(|index| {
        let decisions = registry.rows(&home.decisions())?;
        Ok((index.corrupt + decisions.corrupt, registry.projects()?))
    });
    let (corrupt, projects) = match read {
        Ok(read) => read,
        Err(error) => {
            let code = "REGISTRY_UNREADABLE";
            found.push(Finding::new(Severity::Warning, code, error.to_string(), error.hint()));
            return;
        }
    };
    if corrupt > 0 {
        let what =
            format!("the home registry {} has {}", home.folder, counted(corrupt, "corrupt line"));
        let fix = "make it anew from the projects: dos reindex".to_string();
        found.push(Finding::new(Severity::Warning, "REGISTRY_CORRUPT", what, fix));
    }
    let is_gone = |root: &&str| !std::path::Path::new(root).is_dir();
    let roots = projects.iter().filter_map(|row| text(row, "root"));
    let gone = roots.filter(is_gone).count();
    if gone > 0 {
        let what = format!("{} of the {} in the home registry gone", gone, projects.len());
        let fix = "drop them: dos reindex --prune".to_string();
        found.push(Finding::new(Severity::Note, "REGISTRY_STALE", what, fix));
    }
    if is_behind(workspace, home, &registry, &projects) {
        let what = "the home registry has not been told of this workspace".to_string();
        let fix = "tell it: dos doctor --fix".to_string();
        found.push(Finding::new(Severity::Note, "REGISTRY_BEHIND", what, fix));
    }
    let lock = home.lock();
    let state =
        inspect_lock(&RealDisk, &lock, now, |pid| dos_drivers::process::identify(pid).is_some());
    if let Ok(LockState::Foreign { holder, stale_in_millis }) = state
        && holder.age_millis.abs() > AHEAD_MILLIS
    {
        let what = format!("the home registry's lock is held by {} for long", plain(&holder.owner));
        let fix = format!(
            "it is taken away in {}; sooner, if its holder is gone: rm {}",
            span(stale_in_millis),
            shell(lock.as_str())
        );
        found.push(Finding::new(Severity::Warning, "REGISTRY_LOCK_STUCK", what, fix));
    }
}

/// Is there something to know of this workspace that the registry does not?
fn is_behind(
    workspace: &Workspace,
    home: &Home,
    registry: &Registry<'_, RealDisk, RealClock>,
    projects: &[Object],
) -> bool {
    workspace.journal.exists()
        && !home.leaves_out(&workspace.state)
        && !registry.has(projects, workspace)
}

fn journal(context: &Context, workspace: &Workspace, now: Timestamp) -> Option<Finding> {
    let past = past(context, workspace, now)?;
    let what = format!("the journal is to be compacted: {past}");
    let fix = "dos reap --journal --apply".to_string();
    Some(Finding::new(Severity::Note, "JOURNAL_PAST_CAPS", what, fix))
}

fn past(context: &Context, workspace: &Workspace, now: Timestamp) -> Option<Past> {
    let size: JournalSize = journal_size(&context.referee(workspace)).ok()?;
    size.past(&workspace.config.retention, now)
}

/// A lease that was taken in a time to come: some clock was wrong, then or now.
fn clock<'a>(leases: impl Iterator<Item = &'a Lease>, now: Timestamp) -> Option<Finding> {
    let ahead = leases
        .filter_map(|lease| Some((lease, lease.newest_stamp()?.millis_since(now))))
        .filter(|(_, ahead)| *ahead > AHEAD_MILLIS)
        .max_by_key(|(_, ahead)| *ahead)?;
    let (lease, millis) = ahead;
    let what = format!(
        "the lease of lane {} shows a sign of life {} from now: a clock is wrong, and the lease \
         lasts so much longer",
        plain(&lease.lane()),
        span(millis)
    );
    let fix = "set the clock; if its holder is gone, give the lane back under its name: dos \
               lease-lane release"
        .to_string();
    Some(Finding::new(Severity::Warning, "CLOCK_BEHIND", what, fix))
}

/// Does what is safe: tells the registry, makes it anew where it is damaged, compacts the journal.
/// Returns what was done.
pub fn fix(context: &Context) -> anyhow::Result<Vec<String>> {
    use dos_store::clock::Clock;
    let workspace = context.quiet_workspace()?;
    workspace.trusted()?;
    let now = context.clock.now()?;
    let mut done = Vec::new();
    if let Some(home) = &workspace.home {
        let registry = context.registry(home);
        let damage =
            registry.rows(&home.index())?.corrupt + registry.rows(&home.decisions())?.corrupt;
        if damage > 0 {
            registry.reindex(false, &[])?;
            done.push("the home registry was made anew".to_string());
        }
        if is_behind(&workspace, home, &registry, &registry.projects()?)
            && matches!(workspace.tell_again(&RealDisk, &context.clock)?, Told::Now)
        {
            done.push("the home registry was told of this workspace".to_string());
        }
    }
    if past(context, &workspace, now).is_some() {
        let history = History::Archive { may_copy: true };
        context.referee(&workspace).compact(WAIT_DEFAULT, history)?;
        done.push("the journal was compacted; its history is in the archive".to_string());
    }
    Ok(done)
}
