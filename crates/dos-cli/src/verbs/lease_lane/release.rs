//! `dos lease-lane release`: give a lease back.

use dos_core::lane::{Command, Outcome};
use dos_store::clock::Clock;
use dos_store::ledger::WAIT_DEFAULT;
use serde_json::json;

use super::{HeldLane, act, holders};
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::{JsonAnswer, with};

/// Give a lease back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  dos lease-lane release --lane api --owner alice

Exit codes: 0 released, 1 not held by this owner, 2 the input is wrong, 4 the lock stayed busy.")]
pub struct Args {
    #[command(flatten)]
    held: HeldLane,
    #[command(flatten)]
    json: JsonAnswer,
}

/// Gives it back.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let claim = args.held.claim();
    let outcome = match act(context, &args.held.lane, &Command::Release(claim), WAIT_DEFAULT)? {
        Ok(outcome) => outcome,
        Err(exit) => return Ok(exit),
    };
    let released = matches!(outcome, Outcome::Done(_));
    let mut shown = json!({"released": released, "lane": args.held.lane, "owner": args.held.owner});
    if let Outcome::NotHeld { holders: others } = &outcome {
        let now = context.clock.now()?;
        shown = with(shown, "reason", holders(others, now));
    }
    output::answer(&shown, false);
    Ok(if released { Exit::Yes } else { Exit::No })
}
