//! `dos halt`: record that a run is to stop.

use dos_core::lane::command::Halt;
use dos_core::lane::{Command, Outcome};
use dos_store::ledger::WAIT_DEFAULT;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::lease_lane::act;
use crate::verbs::shared::Printed;

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
    #[command(flatten)]
    printed: Printed,
}

/// Records it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
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
    output::answer(&answer, args.printed.pretty);
    Ok(Exit::Yes)
}
