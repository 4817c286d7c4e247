//! Before a tool runs: may this call run?

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::hook::guard;
use dos_core::hook::pretool::{self, Asker, Decision, Doings, Evidence};
use dos_core::hook::{Act, Event, GuardPolicy, Strictness};
use dos_core::journal::entry::{self, About};
use dos_core::lane::{Case, Lease};
use dos_core::timestamp::Timestamp;
use dos_store::Workspace;
use dos_store::clock::Clock;
use dos_store::snapshot::snapshot_path;
use dos_store::workspace::Environment;

use super::{Answer, Caller, shell};
use crate::host::{self, Moment, Word};
use crate::process;
use crate::referee::{Referee, View};

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
        let Some(root) = self.root(&self.start(Some(&event))) else {
            return nothing("nothing here is refereed");
        };
        if event.act == Act::Reads {
            return nothing("the call writes nothing");
        }
        let home = self.variable("HOME").map(Utf8PathBuf::from);
        let folder = self.folder(&event, &root);
        let mut doings = shell::doings(&event.act, &folder, home.as_deref(), &root);
        let mut answer = Answer::default();
        let workspace = self.open(&root).map_err(|error| answer.remarks.push(error.to_string()));
        if let Ok(Workspace { config, .. }) = &workspace
            && config.guard.exec != Strictness::Off
        {
            doings.grants = shell::grants(&event.act, &config.exec);
        }
        if doings == Doings::default() {
            return nothing("the call writes nothing");
        }
        let referee = workspace.as_ref().ok().map(|workspace| Referee::new(workspace, self.clock));
        let view = referee.as_ref().and_then(|referee| {
            referee.view().map_err(|error| answer.remarks.push(error.to_string())).ok()
        });
        let now = view.as_ref().map(|view| view.moment.now).or_else(|| self.clock.now().ok());
        let Some(now) = now else {
            return nothing("the clock cannot be read");
        };
        let case = Gathered { root: &root, home: home.as_deref(), doings: &doings, now };
        let decision = self.decide(&event, &case, workspace.as_ref().ok(), view.as_ref());
        answer.said = match &decision {
            Decision::Pass => self.pass(Moment::Pre),
            Decision::Warn(advice) => self.host.say(Word::Warn(&advice.text), Moment::Pre),
            Decision::Deny(advice) => self.host.say(Word::Deny(&advice.text), Moment::Pre),
        };
        if let Some(referee) = referee.filter(|_| event.session.as_deref() != Some(CANARY)) {
            let recorded = self.record(&referee, &event, &decision);
            answer.remarks.extend(recorded.err().map(|error| format!("not recorded: {error}")));
        }
        answer
    }

    /// The folder that the agent is in.
    fn folder(&self, event: &Event, root: &Utf8Path) -> Utf8PathBuf {
        match &event.cwd {
            Some(cwd) => self.current.join(cwd),
            None if self.current.starts_with(root) => self.current.to_owned(),
            None => root.to_owned(),
        }
    }

    fn decide(
        &self,
        event: &Event,
        gathered: &Gathered<'_>,
        workspace: Option<&Workspace>,
        view: Option<&View>,
    ) -> Decision {
        let leases = view.map(View::leases).unwrap_or_default();
        let asker = self.asker(event, &leases, view);
        let protected: Vec<&str> = guard::PROTECTED.into_iter().chain(host::protected()).collect();
        let evidence = Evidence {
            doings: gathered.doings,
            asker: &asker,
            leases: &leases,
            root: gathered.root.as_str(),
            home: gathered.home.map(Utf8Path::as_str),
            protected: &protected,
            machinery: &machinery(gathered.root, workspace, self.program),
            case: workspace.map_or(Case::default(), |workspace| workspace.config.case),
            now: gathered.now,
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

/// What was gathered of a call.
struct Gathered<'a> {
    root: &'a Utf8Path,
    home: Option<&'a Utf8Path>,
    doings: &'a Doings,
    now: Timestamp,
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
            [&workspace.journal, &snapshot, &workspace.lock, &workspace.archive_lock]
                .map(Utf8PathBuf::clone),
        );
    }
    let folder = root.join(".dos");
    files.extend(folder.canonicalize_utf8().ok().filter(|real| *real != folder));
    files.extend(program.map(Utf8Path::to_owned));
    files.into_iter().map(Utf8PathBuf::into_string).collect()
}
