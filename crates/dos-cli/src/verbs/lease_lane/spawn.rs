//! `dos lease-lane spawn`: record the intent to take a lane.

use dos_core::lane::command::Spawn;
use dos_core::lane::{Command, Outcome};
use dos_store::ledger::WAIT_DEFAULT;
use serde_json::json;

use super::{act, run_id};
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::JsonAnswer;

/// Record the intent to take a lane; takes nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  dos lease-lane spawn --lane api --owner launcher --reason 'nightly build'

Exit codes: 0 recorded, 2 the input is wrong, 4 the lock stayed busy.")]
pub struct Args {
    /// The lane
    #[arg(long)]
    lane: String,
    /// Who will hold it [default: this host and process]
    #[arg(long, default_value = "", hide_default_value = true)]
    owner: String,
    /// The loop stamp of the lease to come [default: the time]
    #[arg(long, default_value = "", hide_default_value = true)]
    loop_ts: String,
    /// The run [default: $CID_RUN_ID, else $DISPATCH_RUN_ID]
    #[arg(long)]
    run_id: Option<String>,
    /// Why
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    json: JsonAnswer,
}

/// Records it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let pid = std::process::id();
    let holder = match args.owner.is_empty() {
        true => format!("{}:{pid}", context.quiet_workspace()?.host),
        false => args.owner.clone(),
    };
    let spawn = Spawn {
        lane: args.lane.clone(),
        loop_ts: args.loop_ts.clone(),
        holder,
        run_id: run_id(context, args.run_id.as_deref())?,
        pid: Some(pid),
        process: None,
        reason: args.reason.clone(),
    };
    let outcome = match act(context, &args.lane, &Command::Spawn(spawn), WAIT_DEFAULT)? {
        Ok(outcome) => outcome,
        Err(exit) => return Ok(exit),
    };
    if let Outcome::Recorded { lane, loop_ts, who } = outcome {
        let shown = json!({"recorded": true, "lane": lane, "loop_ts": loop_ts, "holder": who});
        output::answer(&shown, false);
    }
    Ok(Exit::Yes)
}
