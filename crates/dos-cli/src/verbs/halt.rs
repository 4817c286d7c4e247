//! `dos halt`: record that a run is to stop.

use dos_core::lane::command::Halt;
use dos_core::lane::{Command, Outcome};
use dos_core::verdict::VerdictEvent;
use dos_store::clock::Clock;
use dos_store::disk::RealDisk;
use dos_store::intents::Suspend;
use dos_store::ledger::WAIT_DEFAULT;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::lease_lane::act;
use crate::verbs::liveness::{start, started};
use crate::verbs::shared::{Printed, with};

/// Record that a run is to stop; stops nothing itself
///
/// The handle is anything that whoever stops the run understands: a process number, a container.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos halt --handle 4242 --reason 'spinning for an hour'
  dos halt --handle build-7 --lane api --command 'docker stop build-7'

Exit codes: 0 recorded, 2 the input is wrong, 4 the lock stayed busy.")]
pub struct Args {
    /// What is to stop
    #[arg(long)]
    handle: String,
    /// The lane it works on
    #[arg(long, default_value = "", hide_default_value = true)]
    lane: String,
    /// The loop stamp of its lease
    #[arg(long, default_value = "", hide_default_value = true)]
    loop_ts: String,
    /// Who decided
    #[arg(long, default_value = "", hide_default_value = true)]
    owner: String,
    /// Why
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    /// The run
    #[arg(long)]
    run_id: Option<String>,
    /// How to stop it; recorded, never run
    #[arg(long)]
    command: Option<String>,
    /// Park the run as well, so that it can be gone on with: a SUSPEND in its intent ledger
    #[arg(long)]
    resumable: bool,
    /// With --resumable: the commit to go on from
    #[arg(long, default_value = "", hide_default_value = true, value_name = "SHA")]
    resume_sha: String,
    #[command(flatten)]
    printed: Printed,
}

/// Records it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let suspends = args.suspends()?;
    let halt = Halt {
        handle: args.handle.clone(),
        lane: args.lane.clone(),
        loop_ts: args.loop_ts.clone(),
        owner: args.owner.clone(),
        reason: args.reason.clone(),
        run_id: args.run_id.clone().filter(|run_id| !run_id.is_empty()),
        command: args.command.clone().filter(|command| !command.is_empty()),
    };
    let outcome = match act(context, &args.lane, &Command::Halt(halt), WAIT_DEFAULT)? {
        Ok(outcome) => outcome,
        Err(exit) => return Ok(exit),
    };
    let (lane, loop_ts) = match &outcome {
        Outcome::Recorded { lane, loop_ts, .. } => (lane.as_str(), loop_ts.as_str()),
        _ => ("", ""),
    };
    let answer = json!({
        "recorded": true,
        "handle": args.handle,
        "command": args.command.as_deref().filter(|command| !command.is_empty()),
        "lane": lane,
        "loop_ts": loop_ts,
    });
    let answer = if args.resumable { suspended(context, args, suspends, answer)? } else { answer };
    output::answer(&answer, args.printed.pretty);
    if let Ok(workspace) = context.quiet_workspace() {
        context.record(&workspace, || {
            let run_id = args.run_id.as_deref().unwrap_or_default();
            VerdictEvent::new("halt", "HALT").on_lane(lane).for_run(run_id).about(&args.handle)
        });
    }
    Ok(Exit::Yes)
}

impl Args {
    /// The run to park; an id that is none names no folder.
    fn suspends(&self) -> anyhow::Result<Option<&str>> {
        start(&self.resume_sha)?;
        let run_id = self.run_id.as_deref().map(str::trim).filter(|run_id| !run_id.is_empty());
        let run_id = run_id.filter(|_| self.resumable);
        run_id.map(|run_id| started(run_id).map(|_| run_id)).transpose()
    }
}

/// Parks the run, and adds what became of that to the answer.
fn suspended(
    context: &Context,
    args: &Args,
    run_id: Option<&str>,
    answer: Value,
) -> anyhow::Result<Value> {
    let Some(run_id) = run_id else {
        let note = "--resumable needs --run-id: the halt is recorded, and nothing is parked";
        return Ok(with(with(answer, "suspended", false), "suspend_note", note));
    };
    let reason = match (args.reason.is_empty(), args.owner.is_empty()) {
        (false, _) => args.reason.clone(),
        (true, false) => format!("resumable-halt:{}", args.owner),
        (true, true) => "resumable-halt".to_string(),
    };
    let now = context.clock.now()?;
    let suspend = Suspend { run_id, reason: &reason, resume_sha: &args.resume_sha, now };
    suspend.record(&context.quiet_workspace()?, &RealDisk, &context.clock)?;
    let note = format!("run {run_id} is parked: a SUSPEND is in its intent ledger");
    Ok(with(with(answer, "suspended", true), "suspend_note", note))
}
