//! `dos lease-lane adopt`: take over a lease.

use dos_core::lane::command::Adopt;
use dos_core::lane::{Command, Outcome};
use dos_core::verdict::VerdictEvent;
use dos_store::clock::Clock;
use dos_store::ledger::WAIT_DEFAULT;
use serde_json::{Value, json};

use super::{act, holders, named_process};
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::{JsonAnswer, with};

/// Take over a lease from a dead holder, or from one that is named
///
/// The lease keeps its lane, its tree and its loop stamp; the fencing token changes, so that the
/// former holder's no longer counts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos lease-lane adopt --lane api --owner bob                from a holder that is provably dead
  dos lease-lane adopt --lane api --owner bob --from alice   handed over while alice still lives

Exit codes: 0 adopted, 1 not adopted, 2 the input is wrong, 4 the lock stayed busy.")]
pub struct Args {
    /// The lane
    #[arg(long)]
    lane: String,
    /// The new holder
    #[arg(long)]
    owner: String,
    /// Who must hold it now; without this only a provably dead holder is followed
    #[arg(long)]
    from: Option<String>,
    /// This lease and no other [default: the newest of the lane]
    #[arg(long, default_value = "", hide_default_value = true)]
    loop_ts: String,
    /// The process whose end is the end of the hold; it must be running on this host
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    #[command(flatten)]
    json: JsonAnswer,
}

/// Takes it over.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let adopt = Adopt {
        lane: args.lane.clone(),
        loop_ts: args.loop_ts.clone(),
        holder: args.owner.clone(),
        from: args.from.clone(),
        process: named_process(args.pid)?,
        worktree: None,
    };
    let outcome = match act(context, &args.lane, &Command::Adopt(adopt), WAIT_DEFAULT)? {
        Ok(outcome) => outcome,
        Err(exit) => return Ok(exit),
    };
    let now = context.clock.now()?;
    let shown = json!({"adopted": false, "lane": args.lane, "owner": args.owner});
    let (shown, exit): (Value, Exit) = match outcome {
        Outcome::Adopted(former, token) => {
            let shown = with(with(shown, "adopted", true), "token", token);
            (with(shown, "prev_holder", former.holder()), Exit::Yes)
        }
        Outcome::StillAlive(lease) => {
            let who = holders(std::slice::from_ref(&lease), now);
            let reason = format!("{who} and is not provably dead; name the holder with --from");
            (with(shown, "reason", reason), Exit::No)
        }
        Outcome::NotHeld { holders: others } => {
            (with(shown, "reason", holders(&others, now)), Exit::No)
        }
        other => anyhow::bail!("an adopt was answered by {other:?}"),
    };
    output::answer(&shown, false);
    if let Ok(workspace) = context.quiet_workspace() {
        context.record(&workspace, || {
            let verdict = if exit == Exit::Yes { "adopted" } else { "not_adopted" };
            VerdictEvent::new("adopt", verdict).on_lane(&args.lane).about(&args.owner)
        });
    }
    Ok(exit)
}
