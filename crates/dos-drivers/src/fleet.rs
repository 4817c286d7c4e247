//! The fleet as it is now: journal, process table and git brought together, in one view.

use dos_core::fleet::liveness::{Progress, Verdict, classify};
use dos_core::fleet::supervisor::{Crew, Event, Rules, Worker};
use dos_core::fleet::view::{Recent, Seen, commits_since, needs_commits};
use dos_core::fleet::{CommitId, FleetView};
use dos_core::journal::Freshness;
use dos_core::lane::Lease;
use dos_core::lane::lease::LeaseKey;
use dos_core::lane::vitality::{Death, ProcessState, proof_of_death};
use dos_core::timestamp::Timestamp;
use dos_store::Workspace;

use crate::git;
use crate::process;
use crate::referee::{Referee, RefereeError, View};
use crate::worker_log::WorkerLog;

/// How much of the journal's end is read for intents and refusals, in bytes.
const RECENT_BYTES: u64 = 1024 * 1024;

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
    Ok(FleetView::of(seen, &config.liveness, &config.policy))
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
    let mut fold = Freshness::new(run.lease.clone(), run.started_ms, now.millis());
    if run.lease.is_some() {
        referee.ledger().log().scan(|line| fold.line(line.bytes, line.complete))?;
    }
    let commits = run.start.as_ref().and_then(|start| git::count_since(&workspace.root, start));
    let progress = Progress {
        run_started_ms: run.started_ms,
        now_ms: now.millis(),
        commits_since_start: commits.unwrap_or(0),
        journal_events_since: fold.events_since_start,
        last_heartbeat_age_ms: run.beat_age_ms.or(fold.newest_beat_age_ms()),
        process_alive: run.process_alive,
    };
    Ok(classify(&progress, &workspace.config.liveness))
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
    for gone in ended(&crew) {
        let event = Event::Ended { run_id: gone, at: view.now, asked: true };
        crew.apply(&event, &workspace.config.worker);
    }
    Ok(crew)
}

/// The runs whose process is gone, and those of which nothing can be told: they are not of this boot.
pub fn ended(crew: &Crew) -> Vec<String> {
    let workers: Vec<&Worker> = crew.workers().collect();
    let named = workers.iter().map(|worker| (worker.process.clone(), Some(worker.started)));
    let states = process::states(named.collect());
    let runs = |worker: &&&Worker| {
        let running = (worker.process.clone(), ProcessState::Running);
        states.contains(&running)
    };
    workers.iter().filter(|worker| !runs(worker)).map(|worker| worker.run_id.clone()).collect()
}
