//! What a host asks before and after each call of a tool, and at each stop: evidence gathered, the
//! core asked, the answer put into the host's words.
//!
//! Whatever fails here lets the agent go on, except what was proved before it failed.

mod event;
mod marker;
mod owners;
mod posttool;
mod pretool;
pub mod resolve;
mod shell;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::hook::Event;
use dos_core::verdict::VerdictEvent;
use dos_store::Workspace;
use dos_store::clock::RealClock;
use dos_store::disk::RealDisk;
use dos_store::workspace::Environment;
use serde_json::Value;

pub use marker::MarkerCall;
pub use pretool::CANARY;

use crate::host::{Host, Moment, Word};

/// A hook that was called.
pub struct Caller<'a, E> {
    /// The environment.
    pub environment: &'a E,
    /// The clock.
    pub clock: RealClock,
    /// The folder that the hook runs in.
    pub current: &'a Utf8Path,
    /// The program that runs.
    pub program: Option<&'a Utf8Path>,
    /// The workspace that the command line names.
    pub workspace: Option<&'a Utf8Path>,
    /// The session that the command line names.
    pub session: Option<&'a str>,
    /// The host.
    pub host: &'static dyn Host,
}

/// What a hook answers.
#[derive(Default)]
pub struct Answer {
    /// What goes to standard output; `None` for nothing.
    pub said: Option<Value>,
    /// Why it is so, for people who ask for it.
    pub remarks: Vec<String>,
    /// What was judged, for whoever records verdicts.
    pub verdicts: Vec<Observed>,
}

/// A verdict, and the workspace in which it was reached.
pub struct Observed {
    /// The workspace.
    pub workspace: Workspace,
    /// The verdict.
    pub verdict: VerdictEvent,
}

impl Answer {
    fn because(remark: impl Into<String>) -> Self {
        Self { remarks: vec![remark.into()], ..Self::default() }
    }

    fn says(mut self, said: Option<Value>) -> Self {
        self.said = said;
        self
    }

    fn observed(mut self, workspace: Workspace, verdict: VerdictEvent) -> Self {
        self.verdicts.push(Observed { workspace, verdict: verdict.of_sensor() });
        self
    }
}

/// Where the journal is, in other words: a folder that holds one of these is a workspace.
const SIGNS: [&str; 2] = ["dos.toml", ".dos/lane-journal.jsonl"];

impl<E: Environment> Caller<'_, E> {
    /// Reads the event; `None` when there is none for this moment.
    fn event(&self, input: &[u8], moment: Moment) -> Option<Event> {
        let mut event = self.host.event(&event::read(input)?, moment)?;
        if let Some(session) = self.session.filter(|session| !session.trim().is_empty()) {
            event.session = Some(session.to_string());
        }
        Some(event)
    }

    /// Nothing to say.
    fn pass(&self, moment: Moment) -> Option<Value> {
        self.host.say(Word::Pass, moment)
    }

    /// The value of a variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<String> {
        let value = self.environment.variable(name).ok().flatten()?;
        (!value.trim().is_empty()).then(|| value.trim().to_string())
    }

    /// The run that this session belongs to.
    fn run_id(&self) -> Option<String> {
        self.variable("CID_RUN_ID").or_else(|| self.variable("DISPATCH_RUN_ID"))
    }

    /// The folder that the search for a workspace starts in: the one that was named, else the one that
    /// the agent is in.
    fn start(&self, event: Option<&Event>) -> Utf8PathBuf {
        let named = self.workspace.map(Utf8Path::to_owned);
        let named = named.or_else(|| self.variable("DISPATCH_WORKSPACE").map(Utf8PathBuf::from));
        let agents = || {
            let folder = self.current.join(event?.cwd.as_ref()?);
            folder.is_dir().then_some(folder)
        };
        match named {
            Some(named) => self.current.join(named),
            None => agents().unwrap_or_else(|| self.current.to_owned()),
        }
    }

    /// The root of the workspace: the start, or the nearest folder above it that is one. `None` when
    /// nothing here is refereed.
    fn root(&self, start: &Utf8Path) -> Option<Utf8PathBuf> {
        let start = start.canonicalize_utf8().ok()?;
        let is_root = |folder: &&Utf8Path| SIGNS.iter().any(|sign| folder.join(sign).exists());
        if let Some(root) = start.ancestors().find(is_root) {
            return Some(root.to_owned());
        }
        let elsewhere = ["DISPATCH_LANE_JOURNAL_PATH", "JOB_LANE_JOURNAL_PATH"]
            .iter()
            .any(|name| self.variable(name).is_some());
        (elsewhere || start.join(".dos").is_dir()).then_some(start)
    }

    fn open(&self, root: &Utf8Path) -> Result<Workspace, dos_store::StoreError> {
        Workspace::open(&RealDisk, self.environment, Some(root), self.current)
    }
}
