//! `dos lease-lane reap`: free the leases of holders that are provably dead.

use dos_core::lane::lease::fold;
use dos_core::lane::{Command, Outcome};
use dos_drivers::fleet;
use dos_store::ledger::WAIT_DEFAULT;
use serde_json::{Value, json};

use super::{or_busy, say_if_created};
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::JsonAnswer;

/// Free the leases of holders that are provably dead
///
/// Dead is a holder whose process is gone from this host, or who has been silent for its time to live
/// and five minutes more. Nobody else's lease is touched. Each one that is freed is recorded as a
/// SCAVENGE with the proof.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos lease-lane reap --dry-run                what would be freed, and why
  dos lease-lane reap --lane api

Exit codes: 0 something was freed, or would be; 1 nobody is provably dead; 2 the input is wrong; 4 the
lock stayed busy.")]
pub struct Args {
    /// This lane and no other
    #[arg(long)]
    lane: Option<String>,
    /// Free nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    json: JsonAnswer,
}

/// Frees them.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let referee = context.referee(&workspace);
    let view = referee.view()?;
    let lanes = &workspace.config.policy.lanes;
    let wanted = args.lane.as_deref().map(|lane| [fold(lane), fold(lanes.resolve(lane))]);
    let mut reaped: Vec<Value> = Vec::new();
    for (lease, proof) in fleet::provably_dead(&view) {
        if wanted.as_ref().is_some_and(|names| !names.contains(&fold(&lease.lane()))) {
            continue;
        }
        let mut shown = json!({
            "lane": lease.lane(),
            "loop_ts": lease.loop_ts(),
            "holder": lease.holder(),
            "token": lease.token(),
            "proof": proof.token(),
            "reason": proof.to_string(),
        });
        if !args.dry_run {
            let key = lease.key();
            let scavenge =
                Command::Scavenge { lane: key.lane, loop_ts: key.loop_ts, ended_run: None };
            let outcome = referee.act(&scavenge, WAIT_DEFAULT).map_err(anyhow::Error::from);
            say_if_created(&workspace, &referee);
            match or_busy(&lease.lane(), outcome)? {
                Ok(Outcome::Done(_)) => {}
                // It has come back to life, or somebody else was faster.
                Ok(_) => continue,
                Err(exit) => return Ok(exit),
            }
            shown = crate::verbs::shared::with(shown, "journaled", true);
        }
        reaped.push(shown);
    }
    let exit = if reaped.is_empty() { Exit::No } else { Exit::Yes };
    output::answer(&json!({"reaped": reaped, "dry_run": args.dry_run}), false);
    Ok(exit)
}
