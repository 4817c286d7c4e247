//! Before a tool runs: may this call run?

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::config::Scope;
use dos_core::hook::guard;
use dos_core::hook::pretool::{self, Asker, Decision, Doings, Evidence};
use dos_core::hook::{Act, Event, GuardPolicy, Strictness};
use dos_core::journal::entry::{self, About};
use dos_core::lane::{Case, Lease};
use dos_core::timestamp::Timestamp;
use dos_core::verdict::VerdictEvent;
use dos_store::clock::Clock;
use dos_store::disk::RealDisk;
use dos_store::snapshot::snapshot_path;
use dos_store::workspace::Environment;
use dos_store::{StoreError, Workspace};

use super::owners::{Elsewhere, Owners};
use super::{Answer, Caller, shell};
use crate::host::{self, Moment, Word};
use crate::process;
use crate::referee::{Referee, View};
use crate::worktrees;

/// The session whose events are made up to see whether the hook runs. Nothing of it is recorded.
pub const CANARY: &str = "dos-doctor-canary";
/// How long a record may wait for the lock. The answer stands without it.
const RECORD_WAIT: Duration = Duration::from_secs(1);

impl<E: Environment> Caller<'_, E> {
    /// Answers a host before a tool runs.
    pub fn pretool(&self, input: &[u8]) -> Answer {
        let nothing = |remark: &str| Answer::because(remark).says(self.pass(Moment::Pre));
        let Some(event) = self.event(input, Moment::Pre) else {
            return nothing("no event of a call that is about to run");
        };
        if event.act == Act::Reads {
            return nothing("the call writes nothing");
        }
        let root = self.root(&self.start(Some(&event)));
        let home = self.variable("HOME").map(Utf8PathBuf::from);
        let folder = self.folder(&event, root.as_deref());
        let seen = shell::seen(&event.act, &folder, home.as_deref(), root.as_deref());
        let mut answer = Answer::default();
        let mut owners = Owners::beside(root.as_deref());
        let mut judged: Vec<Judged> = Vec::new();
        let mut state = None;
        if let Some(root) = &root {
            let workspace = self.open(root).map_err(|error| answer.remarks.push(error.to_string()));
            let workspace = workspace.ok();
            let mut doings = owners.share(&seen, root);
            if let Some(Workspace { config, .. }) = &workspace
                && config.guard.exec != Strictness::Off
            {
                doings.grants = shell::grants(&event.act, &config.exec);
            }
            state = workspace.as_ref().map(|workspace| workspace.state.clone());
            let call = Call { event: &event, root, doings, home: home.as_deref(), is_away: false };
            judged.extend(self.judge(&call, workspace, &mut answer.remarks));
        }
        for root in &owners.others(&seen) {
            let opened = self.open_other(root, state.as_deref());
            let workspace = opened.map_err(|error| answer.remarks.push(error.to_string())).ok();
            let doings = owners.share(&seen, root);
            let call = Call { event: &event, root, doings, home: home.as_deref(), is_away: true };
            judged.extend(self.judge(&call, workspace, &mut answer.remarks));
        }
        if judged.is_empty() && answer.remarks.is_empty() {
            return nothing("nothing here is refereed, or the call writes nothing");
        }
        // A call that is denied did nothing that anybody needs to be warned of.
        let is_denied = |judged: &Judged| matches!(judged.decision, Decision::Deny(_));
        if let Some(at) = judged.iter().position(is_denied) {
            judged = vec![judged.swap_remove(at)];
        }
        let advice = judged.iter().filter_map(|judged| judged.decision.advice());
        let text = advice.map(|advice| advice.text.as_str()).collect::<Vec<_>>().join("\n");
        answer.said = match judged.iter().any(is_denied) {
            true => self.host.say(Word::Deny(&text), Moment::Pre),
            false if text.is_empty() => self.pass(Moment::Pre),
            false => self.host.say(Word::Warn(&text), Moment::Pre),
        };
        for Judged { workspace, decision } in judged {
            if let Some(workspace) = workspace
                && event.session.as_deref() != Some(CANARY)
            {
                let referee = Referee::new(&workspace, self.clock);
                let recorded = self.record(&referee, &event, &decision);
                answer.remarks.extend(recorded.err().map(|error| format!("not recorded: {error}")));
                answer = answer.observed(workspace, verdict(&event, &decision));
            }
        }
        answer
    }

    /// Opens a workspace that the hook was not called for. Variables that name the files of the one
    /// it was called for are those of its work trees too, where they share a state.
    fn open_other(
        &self,
        root: &Utf8Path,
        state: Option<&Utf8Path>,
    ) -> Result<Workspace, StoreError> {
        let environment = Elsewhere(self.environment);
        let other = Workspace::open(&RealDisk, &environment, Some(root), self.current)?;
        match state == Some(other.state.as_path()) {
            true => self.open(root),
            false => Ok(other),
        }
    }

    /// What one workspace says to its share of the call; `None` when there is nothing to be said.
    fn judge(
        &self,
        call: &Call<'_>,
        workspace: Option<Workspace>,
        remarks: &mut Vec<String>,
    ) -> Option<Judged> {
        if call.doings == Doings::default() {
            return None;
        }
        let mut blind = None;
        let view = workspace.as_ref().and_then(|workspace| {
            let view = Referee::new(workspace, self.clock).view();
            view.map_err(|error| blind = Some(error.to_string())).ok()
        });
        remarks.extend(blind.clone());
        let now = view.as_ref().map(|view| view.moment.now).or_else(|| self.clock.now().ok());
        let Some(now) = now else {
            remarks.push("the clock cannot be read".to_string());
            return None;
        };
        let decision = self.decide(call, workspace.as_ref(), view.as_ref(), now);
        let decision = match blind {
            // Silence would say that nobody is in the way.
            Some(error) if decision == Decision::Pass => Decision::Warn(pretool::blind(&error)),
            _ => decision,
        };
        Some(Judged { workspace, decision })
    }

    /// The folder that the agent is in.
    fn folder(&self, event: &Event, root: Option<&Utf8Path>) -> Utf8PathBuf {
        match (&event.cwd, root) {
            (Some(cwd), _) => self.current.join(cwd),
            (None, Some(root)) if !self.current.starts_with(root) => root.to_owned(),
            (None, _) => self.current.to_owned(),
        }
    }

    fn decide(
        &self,
        call: &Call<'_>,
        workspace: Option<&Workspace>,
        view: Option<&View>,
        now: Timestamp,
    ) -> Decision {
        let leases = view.map(View::leases).unwrap_or_default();
        let asker = self.asker(call.event, &leases, view);
        let protected: Vec<&str> = guard::PROTECTED.into_iter().chain(host::protected()).collect();
        let evidence = Evidence {
            doings: &call.doings,
            asker: &asker,
            leases: &leases,
            root: call.root.as_str(),
            worktree_id: workspace.and_then(Workspace::worktree_id),
            is_away: call.is_away,
            home: call.home.map(Utf8Path::as_str),
            protected: &protected,
            machinery: &machinery(call.root, workspace, self.program),
            case: workspace.map_or(Case::default(), |workspace| workspace.config.case),
            now,
        };
        match workspace {
            Some(workspace) => pretool::decide(&evidence, &workspace.config.guard),
            None => pretool::decide(&evidence, &GuardPolicy::default()),
        }
    }

    /// Who calls. Ancestors are looked for only where some lease names a process of this host.
    fn asker(&self, event: &Event, leases: &[&Lease], view: Option<&View>) -> Asker {
        let here = view.map(|view| view.moment.host.as_str());
        let is_named = |lease: &&Lease| lease.host() == here && lease.named_process().is_some();
        let runs = ["CID_RUN_ID", "DISPATCH_RUN_ID"];
        Asker {
            names: event
                .session
                .clone()
                .into_iter()
                .chain(self.variable("DISPATCH_OWNER"))
                .collect(),
            runs: runs.iter().filter_map(|name| self.variable(name)).collect(),
            ancestors: match leases.iter().any(is_named) {
                true => process::ancestors(),
                false => Vec::new(),
            },
        }
    }

    fn record(
        &self,
        referee: &Referee<'_>,
        event: &Event,
        decision: &Decision,
    ) -> Result<(), crate::RefereeError> {
        let (Some(proposal), Some(advice)) = (decision.proposal(), decision.advice()) else {
            return Ok(());
        };
        let loop_ts = self.variable("DISPATCH_LOOP_TS").unwrap_or_default();
        let run_id = self.run_id();
        let about = About {
            lane: advice.lane.as_deref().unwrap_or(&event.tool),
            loop_ts: &loop_ts,
            host: Some(referee.host()),
            run_id: run_id.as_deref(),
        };
        let holder = event.session.as_deref().unwrap_or_default();
        let record = entry::enforce(&about, holder, &event.tool, &proposal);
        referee.record(record, RECORD_WAIT)
    }
}

/// The decision as the verdict journal has it.
fn verdict(event: &Event, decision: &Decision) -> VerdictEvent {
    let token = match decision {
        Decision::Pass => "ALLOW",
        Decision::Warn(_) => "WARN",
        Decision::Deny(_) => "BLOCK",
    };
    let row = VerdictEvent::new("pretool", token).about(&event.tool);
    let row = match decision.advice() {
        Some(advice) => row
            .on_lane(advice.lane.as_deref().unwrap_or_default())
            .with("reason_class", advice.reason_class),
        None => row,
    };
    match &event.session {
        Some(session) => row.with("session", session.as_str()),
        None => row,
    }
}

/// A call, and its share in one workspace.
struct Call<'a> {
    event: &'a Event,
    root: &'a Utf8Path,
    doings: Doings,
    home: Option<&'a Utf8Path>,
    is_away: bool,
}

/// What one workspace says.
struct Judged {
    workspace: Option<Workspace>,
    decision: Decision,
}

/// The referee's own files, wherever they are, and the program itself.
fn machinery(
    root: &Utf8Path,
    workspace: Option<&Workspace>,
    program: Option<&Utf8Path>,
) -> Vec<String> {
    let mut files: Vec<Utf8PathBuf> = Vec::new();
    if let Some(workspace) = workspace {
        let snapshot = snapshot_path(&workspace.journal);
        files.extend(
            [
                &workspace.journal,
                &snapshot,
                &workspace.lock,
                &workspace.archive_lock,
                &workspace.verdicts,
            ]
            .map(Utf8PathBuf::clone),
        );
        if workspace.config.scope == Scope::Repository {
            files.extend(worktrees::marks(workspace));
        }
    }
    let folder = root.join(".dos");
    files.extend(folder.canonicalize_utf8().ok().filter(|real| *real != folder));
    files.extend(program.map(Utf8Path::to_owned));
    files.into_iter().map(Utf8PathBuf::into_string).collect()
}
