//! The fleet as it is now: journal, process table and git brought together, in one view.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use dos_core::fleet::liveness::{Progress, Verdict, classify};
use dos_core::fleet::past::History;
use dos_core::fleet::supervisor::{Crew, Event, Rules, Worker};
use dos_core::fleet::view::{Recent, Seen, commits_since, needs_commits};
use dos_core::fleet::{CommitId, FleetView};
use dos_core::journal::Freshness;
use dos_core::journal::decode::{Effect, Line, decode_line};
use dos_core::lane::Lease;
use dos_core::lane::lease::{LeaseKey, ProcessId};
use dos_core::lane::vitality::{Death, ProcessState, proof_of_death};
use dos_core::timestamp::Timestamp;
use dos_store::Workspace;

use crate::git;
use crate::process;
use crate::referee::{Referee, RefereeError, View};
use crate::worker_log::WorkerLog;
use crate::worktrees;

/// How much of the journal's end is read for intents and refusals, in bytes.
pub(crate) const RECENT_BYTES: u64 = 1024 * 1024;

/// Who holds what, and does it move? Of the referee's one view of who is live. `at` stands for the
/// clock. Writes nothing, locks nothing.
pub fn look(
    workspace: &Workspace,
    referee: &Referee<'_>,
    at: Option<Timestamp>,
) -> Result<FleetView, RefereeError> {
    let config = &workspace.config;
    let mut recent = Recent::default();
    // Before the leases: an intent is not shown beside the lease that came of it.
    referee.ledger().log().scan_tail(RECENT_BYTES, |line| recent.line(line.bytes))?;
    let mut view = referee.view()?;
    if let Some(at) = at {
        view.moment.now = at;
    }
    let coming = recent.intents.values();
    let coming = coming.filter_map(|intent| Some((intent.process.clone()?, Some(intent.at))));
    view.moment.processes.extend(process::states(coming.collect()));
    let halt_after = config.supervise.spin_halt_after_ms.unwrap_or(0);
    let commits = match needs_commits(&view.live, &view.moment, &config.liveness) {
        true => {
            let since = commits_since(&view.moment, &config.liveness, halt_after);
            git::recent(&workspace.root, since)
        }
        false => Vec::new(),
    };
    let seen = Seen { live: &view.live, moment: &view.moment, recent, commits };
    let mut fleet = FleetView::of(seen, &config.liveness, &config.policy);
    for holder in &mut fleet.holders {
        let now = worktrees::current(workspace, &holder.lease);
        holder.worktree = now.map(Utf8PathBuf::into_string);
    }
    Ok(fleet)
}

/// What the end of the journal tells of one lane, oldest first. Writes nothing, locks nothing.
pub fn history(referee: &Referee<'_>, lane: &str) -> Result<History, RefereeError> {
    let mut history = History::of(lane);
    referee.ledger().log().scan_tail(RECENT_BYTES, |line| history.line(line.bytes))?;
    Ok(history)
}

/// One run, as whoever asks knows it.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// When it began.
    pub started_ms: i64,
    /// The commit that it began at.
    pub start: Option<CommitId>,
    /// Its lease.
    pub lease: Option<LeaseKey>,
    /// The age of its newest beat from elsewhere, instead of the journal's.
    pub beat_age_ms: Option<i64>,
    /// Does its process run?
    pub process_alive: Option<bool>,
}

/// Does the run move?
pub fn judge(
    workspace: &Workspace,
    referee: &Referee<'_>,
    run: &Run,
    now: Timestamp,
) -> Result<Verdict, RefereeError> {
    let folds = fresh(referee, std::slice::from_ref(run), now)?;
    let fold = folds.into_iter().next();
    let fold = fold.unwrap_or_else(|| Freshness::new(None, run.started_ms, now.millis()));
    Ok(verdict(workspace, run, &fold, now))
}

/// The same for many runs, with one look at the journal.
pub fn judge_all(
    workspace: &Workspace,
    referee: &Referee<'_>,
    runs: &[Run],
    now: Timestamp,
) -> Result<Vec<Verdict>, RefereeError> {
    let folds = fresh(referee, runs, now)?;
    let pairs = runs.iter().zip(&folds);
    Ok(pairs.map(|(run, fold)| verdict(workspace, run, fold, now)).collect())
}

/// What the journal tells of each of these runs.
fn fresh(
    referee: &Referee<'_>,
    runs: &[Run],
    now: Timestamp,
) -> Result<Vec<Freshness>, RefereeError> {
    let fold = |run: &Run| Freshness::new(run.lease.clone(), run.started_ms, now.millis());
    let mut folds: Vec<Freshness> = runs.iter().map(fold).collect();
    let mut by_lease: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (place, lease) in
        runs.iter().enumerate().filter_map(|(p, run)| Some((p, run.lease.as_ref()?)))
    {
        by_lease.entry((&lease.lane, &lease.loop_ts)).or_default().push(place);
    }
    if by_lease.is_empty() {
        return Ok(folds);
    }
    referee.ledger().log().scan(|line| {
        let decoded = decode_line(line.bytes, line.complete);
        let key = match &decoded {
            Line::Entry(entry) => match &entry.effect {
                Effect::Hold(key, _) | Effect::Drop(key) | Effect::Beat(key, _) => Some(key),
                Effect::Transfer(..) => return,
                Effect::None | Effect::Reset(_) => None,
            },
            _ => None,
        };
        let Some(key) = key else {
            folds.iter_mut().for_each(|fold| fold.decoded(&decoded, line.bytes));
            return;
        };
        for place in by_lease.get(&(key.lane.as_ref(), key.loop_ts.as_ref())).into_iter().flatten()
        {
            if let Some(fold) = folds.get_mut(*place) {
                fold.decoded(&decoded, line.bytes);
            }
        }
    })?;
    Ok(folds)
}

fn verdict(workspace: &Workspace, run: &Run, fold: &Freshness, now: Timestamp) -> Verdict {
    let commits = run.start.as_ref().and_then(|start| git::count_since(&workspace.root, start));
    let progress = Progress {
        run_started_ms: run.started_ms,
        now_ms: now.millis(),
        commits_since_start: commits.unwrap_or(0),
        journal_events_since: fold.events_since_start,
        last_heartbeat_age_ms: run.beat_age_ms.or(fold.newest_beat_age_ms()),
        process_alive: run.process_alive,
    };
    classify(&progress, &workspace.config.liveness)
}

/// The leases of the journal whose holders are provably dead, each with its proof.
pub fn provably_dead(view: &View) -> impl Iterator<Item = (&Lease, Death)> {
    let leases = view.live.leases();
    leases.filter_map(|lease| Some((lease, proof_of_death(lease, &view.moment)?)))
}

/// What a plan for this workspace goes by.
pub fn rules(workspace: &Workspace) -> Rules<'_> {
    let config = &workspace.config;
    Rules {
        policy: &config.policy,
        supervise: &config.supervise,
        liveness: &config.liveness,
        worker: &config.worker,
    }
}

/// The workers of this workspace's supervisor, as far as its log and the process table tell.
pub fn crew(workspace: &Workspace, view: &FleetView) -> Result<Crew, RefereeError> {
    let mut crew = WorkerLog::of(workspace).crew(&workspace.config.worker)?;
    for (run_id, proven) in out_of_sight(&crew) {
        let event = Event::Ended { run_id, at: view.now, asked: true, proven };
        crew.apply(&event, &workspace.config.worker);
    }
    Ok(crew)
}

/// The runs whose process does not run here, each with whether that proves its end. One of another
/// machine, or of another process namespace, is only out of sight.
pub fn out_of_sight(crew: &Crew) -> Vec<(String, bool)> {
    let workers: Vec<&Worker> = crew.workers().collect();
    let named = workers.iter().map(|worker| (worker.process.clone(), Some(worker.started)));
    let states: BTreeMap<ProcessId, ProcessState> =
        process::states(named.collect()).into_iter().collect();
    let out = workers.into_iter().filter_map(|worker| match states.get(&worker.process) {
        Some(ProcessState::Running) => None,
        Some(ProcessState::Gone) => Some((worker.run_id.clone(), true)),
        None => Some((worker.run_id.clone(), false)),
    });
    out.collect()
}
