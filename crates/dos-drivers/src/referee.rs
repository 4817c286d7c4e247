//! The lane desk: gathers the evidence, lets the core decide, makes the decision durable.
//!
//! Every verb, hook and driver asks here, so that they all see one and the same view of who is live.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

use dos_core::config::Scope;
use dos_core::journal::LiveSet;
use dos_core::journal::entry::Record;
use dos_core::lane::command::{Acquire, Adopt};
use dos_core::lane::decide::{DecideError, live_leases};
use dos_core::lane::vitality::lapses_at;
use dos_core::lane::{
    Admission, Command, Lease, Moment, Outcome, Policy, Refusal, Request, WorkTree, arbitrate,
    decide,
};
use dos_core::limits;
use dos_core::timestamp::OutOfRange;
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::RealDisk;
use dos_store::journal::{Compacted, History};
use dos_store::{Ledger, StoreError, Workspace, worktree};

use crate::process;
use crate::watch::Watch;
use crate::worktrees;

/// How often a waiter looks at the process table: the death of a process changes no file.
const PROCESS_POLL: Duration = Duration::from_millis(500);
/// How often a waiter looks when the system gives it no watch.
const BLIND_POLL: Duration = Duration::from_millis(50);

/// A failure; nothing was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum RefereeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The command cannot be decided.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The clock cannot be written down.
    #[error(transparent)]
    Clock(#[from] OutOfRange),
}

/// One workspace, its ledger and its policy.
pub struct Referee<'a> {
    workspace: &'a Workspace,
    ledger: Ledger<RealDisk, RealClock>,
    created: Cell<bool>,
}

/// What a waiter has to expect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outlook {
    /// The request would be granted now.
    Now,
    /// Nothing but a change of the journal can change the answer for that long.
    NotBefore(Duration),
    /// Waiting cannot help, or the time is over.
    Final,
}

/// Who is live, at one moment.
pub struct View {
    /// The bare fold of the journal.
    pub live: LiveSet,
    /// The evidence it was judged by.
    pub moment: Moment,
}

impl View {
    /// The leases that count: those whose holder is not provably dead.
    pub fn leases(&self) -> Vec<&Lease> {
        live_leases(&self.live, &self.moment)
    }
}

impl<'a> Referee<'a> {
    /// The referee of a workspace.
    pub fn new(workspace: &'a Workspace, clock: RealClock) -> Self {
        Self { workspace, ledger: workspace.ledger(RealDisk, clock), created: Cell::new(false) }
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger<RealDisk, RealClock> {
        &self.ledger
    }

    /// The name that this host goes by in leases.
    pub fn host(&self) -> &str {
        &self.workspace.host
    }

    /// Did this referee create the workspace's `.dos` folder?
    pub fn created_folder(&self) -> bool {
        self.created.get()
    }

    /// Who is live now. Writes nothing, locks nothing.
    pub fn view(&self) -> Result<View, RefereeError> {
        self.workspace.trusted()?;
        let live = self.ledger.read()?;
        let moment = self.moment(&live)?;
        Ok(View { live, moment })
    }

    /// What the answer to a request would be, against these leases or those that are live now.
    pub fn arbitrate(
        &self,
        request: &Request,
        instead: Option<&[Lease]>,
        policy: &Policy,
    ) -> Result<(Result<Admission, Refusal>, Moment), RefereeError> {
        let view = match instead {
            Some(_) => {
                let live = LiveSet::default();
                View { moment: self.moment(&live)?, live }
            }
            None => self.view()?,
        };
        let leases = match instead {
            Some(leases) => leases.iter().collect(),
            None => view.leases(),
        };
        Ok((arbitrate(request, &leases, policy, None), view.moment))
    }

    /// Decides a command and makes the decision durable.
    pub fn act(&self, command: &Command, lock_wait: Duration) -> Result<Outcome, RefereeError> {
        let policy = &self.workspace.config.policy;
        command.check().map_err(DecideError::from)?;
        self.prepare()?;
        let command = &self.placed(command);
        let outcome = self.ledger.transact(lock_wait, |live| -> Result<_, RefereeError> {
            let decision = decide(live, command, &self.moment(live)?, policy)?;
            Ok((decision.entries, decision.outcome))
        })?;
        self.tell();
        Ok(outcome)
    }

    /// Appends a record that decides nothing, durably.
    pub fn record(&self, record: Record, lock_wait: Duration) -> Result<(), RefereeError> {
        self.prepare()?;
        let now = self.ledger.clock().now()?;
        self.ledger.transact(lock_wait, |live| {
            let seq = live.next_seq();
            match seq > limits::SEQ_MAX {
                true => Err(DecideError::SequenceExhausted.into()),
                false => Ok((vec![record.stamped(seq, now)], ())),
            }
        })
    }

    /// Runs `act` on the leases that count, while nobody else takes or gives back a lane. Appends
    /// nothing.
    pub fn alone<T>(
        &self,
        lock_wait: Duration,
        act: impl FnOnce(&[&Lease]) -> Result<T, StoreError>,
    ) -> Result<T, RefereeError> {
        self.prepare()?;
        self.ledger.transact(lock_wait, |live| {
            let moment = self.moment(live)?;
            Ok((Vec::new(), act(&live_leases(live, &moment))?))
        })
    }

    /// Puts what stands for the journal in its place.
    pub fn compact(
        &self,
        lock_wait: Duration,
        history: History,
    ) -> Result<Compacted, RefereeError> {
        self.prepare()?;
        let compacted = self.ledger.compact(lock_wait, history)?;
        self.tell();
        Ok(compacted)
    }

    /// Makes a journal whose sync failed usable again, as [`Ledger::repair`] says.
    pub fn repair(&self, lock_wait: Duration, force: bool) -> Result<Option<u64>, RefereeError> {
        self.prepare()?;
        Ok(self.ledger.repair(lock_wait, force)?)
    }

    /// Tells the home registry of the workspace, once the record is safe. What it is not told now it
    /// is told by a later write; `dos doctor` says so.
    fn tell(&self) {
        let _ = self.workspace.tell(&RealDisk, self.ledger.clock());
    }

    /// The command with the work tree in it that its holder works in, where several share a state.
    fn placed<'c>(&self, command: &'c Command) -> Cow<'c, Command> {
        if self.workspace.config.scope == Scope::Worktree {
            return Cow::Borrowed(command);
        }
        let mut command = command.clone();
        match &mut command {
            Command::Acquire(Acquire { worktree, .. }) | Command::Adopt(Adopt { worktree, .. }) => {
                worktree.get_or_insert_with(|| WorkTree {
                    path: self.workspace.root.to_string(),
                    id: self.worktree_id(),
                });
            }
            _ => {}
        }
        Cow::Owned(command)
    }

    /// Which work tree this is, marked so that it is known when it was moved; `None` where no mark can
    /// be written.
    fn worktree_id(&self) -> Option<String> {
        match self.workspace.linked.as_ref().and_then(|linked| linked.own.as_ref()) {
            Some(own) => worktree::identified(&RealDisk, own),
            None => self.workspace.worktree_id().map(str::to_string),
        }
    }

    /// Makes the folders of journal and lock.
    fn prepare(&self) -> Result<(), RefereeError> {
        for file in [&self.workspace.lock, &self.workspace.journal] {
            if self.workspace.prepare_write(&RealDisk, file)? {
                self.created.set(true);
            }
        }
        Ok(())
    }

    /// Asks for a lane until it is granted, or `wait` has passed, or waiting cannot help. While the
    /// answer is no, nothing is locked; a REFUSE is recorded once, at the end.
    pub fn acquire(
        &self,
        acquire: &Acquire,
        wait: Option<Duration>,
        lock_wait: Duration,
    ) -> Result<Outcome, RefereeError> {
        acquire.check().map_err(DecideError::from)?;
        let clock = self.ledger.clock();
        let deadline = clock.elapsed().saturating_add(wait.unwrap_or_default());
        // Before the first look: a change between look and wait is not missed.
        let watch = wait.and_then(|_| Watch::on(&self.workspace.journal));
        loop {
            let left = deadline.saturating_sub(clock.elapsed());
            let outlook = if left.is_zero() { Outlook::Final } else { self.outlook(acquire)? };
            if let Outlook::NotBefore(span) = outlook {
                let span = span.min(left);
                match &watch {
                    Some(watch) => watch.wait(span),
                    None => clock.sleep(span.min(BLIND_POLL)),
                }
                continue;
            }
            let last = outlook == Outlook::Final;
            let record_refusal = last && acquire.record_refusal;
            let attempt = Command::Acquire(Acquire { record_refusal, ..acquire.clone() });
            let outcome = self.act(&attempt, lock_wait)?;
            if last || !matches!(outcome, Outcome::Refused(_)) {
                return Ok(outcome);
            }
        }
    }

    /// What a waiter has to expect.
    fn outlook(&self, acquire: &Acquire) -> Result<Outlook, RefereeError> {
        let view = self.view()?;
        let leases: Vec<&Lease> = view.leases().into_iter().chain(&acquire.elsewhere).collect();
        let policy = &self.workspace.config.policy;
        match arbitrate(&acquire.request, &leases, policy, None) {
            Ok(_) => return Ok(Outlook::Now),
            Err(refusal) if leases.is_empty() || !refusal.may_pass() => return Ok(Outlook::Final),
            Err(_) => {}
        }
        let lapse = view.leases().into_iter().filter_map(lapses_at).min();
        let until_lapse = lapse.map_or(i64::MAX, |end| end.millis_since(view.moment.now));
        let until_lapse = u64::try_from(until_lapse.max(0)).unwrap_or(0).saturating_add(1);
        let names_process = leases.iter().any(|lease| lease.named_process().is_some());
        let most = if names_process { PROCESS_POLL } else { Duration::from_secs(60) };
        Ok(Outlook::NotBefore(Duration::from_millis(until_lapse).min(most)))
    }

    fn moment(&self, live: &LiveSet) -> Result<Moment, RefereeError> {
        let host = self.workspace.host.clone();
        let processes = process::evidence(live.leases(), &host);
        let worktrees_gone = worktrees::removed(self.workspace, live, &processes);
        Ok(Moment { now: self.ledger.clock().now()?, host, processes, worktrees_gone })
    }
}
