//! `dos lease-lane`: take, keep and give back lanes.

mod acquire;
mod adopt;
mod check;
mod heartbeat;
mod live;
mod reap;
mod release;
mod spawn;

use std::time::Duration;

use anyhow::Context as _;
use dos_core::lane::command::Claim;
use dos_core::lane::lease::ProcessId;
use dos_core::lane::{Command, Lease, Outcome};
use dos_core::timestamp::Timestamp;
use dos_drivers::{Referee, process};
use dos_store::Workspace;
use serde_json::Value;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Take, keep and give back lanes
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    Acquire(acquire::Args),
    Adopt(adopt::Args),
    Check(check::Args),
    Heartbeat(heartbeat::Args),
    Live(live::Args),
    Reap(reap::Args),
    Release(release::Args),
    Spawn(spawn::Args),
}

impl Verb {
    /// Runs it.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Acquire(args) => acquire::run(context, args),
            Self::Adopt(args) => adopt::run(context, args),
            Self::Check(args) => check::run(context, args),
            Self::Heartbeat(args) => heartbeat::run(context, args),
            Self::Live(args) => live::run(context, args),
            Self::Reap(args) => reap::run(context, args),
            Self::Release(args) => release::run(context, args),
            Self::Spawn(args) => spawn::run(context, args),
        }
    }
}

/// A lease as its holder names it.
#[derive(Debug, clap::Args)]
struct HeldLane {
    /// The lane
    #[arg(long)]
    lane: String,
    /// Who holds it
    #[arg(long)]
    owner: String,
    /// This lease and no other [default: the newest of the lane]
    #[arg(long, default_value = "", hide_default_value = true)]
    loop_ts: String,
}

impl HeldLane {
    fn claim(&self) -> Claim {
        Claim { lane: self.lane.clone(), loop_ts: self.loop_ts.clone(), holder: self.owner.clone() }
    }
}

/// Carries out a command in the workspace. A busy lock is answered here, with its own exit code.
pub fn act(
    context: &Context,
    lane: &str,
    command: &Command,
    lock_wait: Duration,
) -> anyhow::Result<Result<Outcome, Exit>> {
    let workspace = context.workspace()?;
    let referee = context.referee(&workspace);
    let outcome = referee.act(command, lock_wait);
    say_if_created(&workspace, &referee);
    or_busy(lane, outcome.map_err(anyhow::Error::from))
}

/// Says once, to whoever made the first write of a workspace, what that created.
pub fn say_if_created(workspace: &Workspace, referee: &Referee<'_>) {
    if referee.created_folder() {
        let folder = workspace.dot_dos();
        output::note(&format!("dos: created {folder} for its journal; git ignores it"));
    }
}

/// Answers a busy lock with its own exit code.
pub fn or_busy<T>(lane: &str, result: anyhow::Result<T>) -> anyhow::Result<Result<T, Exit>> {
    match result {
        Err(error) if output::is_busy(&error) => Ok(Err(output::busy(lane, &error))),
        other => other.map(Ok),
    }
}

/// The run that asks: the flag, else `CID_RUN_ID`, else `DISPATCH_RUN_ID`.
fn run_id(context: &Context, flag: Option<&str>) -> anyhow::Result<Option<String>> {
    match flag.map(str::trim).filter(|flag| !flag.is_empty()) {
        Some(flag) => Ok(Some(flag.to_string())),
        None => context.first_variable(&["CID_RUN_ID", "DISPATCH_RUN_ID"]),
    }
}

/// The identity of a process that the caller names; it must be running.
fn named_process(pid: Option<u32>) -> anyhow::Result<Option<ProcessId>> {
    pid.map(|pid| {
        process::identify(pid).with_context(|| {
            format!(
                "--pid {pid}: no such process is running on this host, so it cannot hold a lane"
            )
        })
    })
    .transpose()
}

/// Who holds the lane instead, for an answer that is no.
fn holders(leases: &[Lease], now: Timestamp) -> String {
    let sentences: Vec<String> = leases
        .iter()
        .map(|lease| {
            let holder = lease.holder().unwrap_or("(nobody named)");
            let since = lease.acquired_at().map(|since| {
                format!(" for {}", dos_core::timestamp::span(now.millis_since(since)))
            });
            format!("{holder} holds {}{}", lease.lane(), since.unwrap_or_default())
        })
        .collect();
    match sentences.is_empty() {
        true => "nobody holds it".to_string(),
        false => sentences.join("; "),
    }
}

/// Leases as a JSON list of the objects that the journal holds.
fn leases_json<'a>(leases: impl Iterator<Item = &'a Lease>) -> Value {
    leases.map(|lease| Value::Object(lease.object().clone())).collect()
}
