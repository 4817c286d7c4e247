//! `dos lease-lane heartbeat`: show a sign of life.

use anyhow::ensure;
use dos_core::lane::{Command, Outcome};
use dos_store::clock::Clock;
use dos_store::ledger::WAIT_DEFAULT;
use serde_json::json;

use super::{HeldLane, act, holders};
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::{JsonAnswer, with};

/// Show a sign of life for a lease
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos lease-lane heartbeat --lane api --owner alice
  dos lease-lane heartbeat --lane api --owner alice --coalesce-within-s 60   at most one a minute

Exit codes: 0 beaten, 1 not held by this owner, 2 the input is wrong, 4 the lock stayed busy.")]
pub struct Args {
    #[command(flatten)]
    held: HeldLane,
    /// Write nothing when the last sign of life is younger than this
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, allow_negative_numbers = true)]
    coalesce_within_s: f64,
    #[command(flatten)]
    json: JsonAnswer,
}

/// Beats.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let seconds = args.coalesce_within_s;
    ensure!(seconds.is_finite(), "--coalesce-within-s must be a number of seconds");
    let claim = args.held.claim();
    let coalesce_millis = (seconds.clamp(0.0, 1e9) * 1000.0) as i64;
    let command = Command::Heartbeat { claim, coalesce_millis };
    let outcome = match act(context, &args.held.lane, &command, WAIT_DEFAULT)? {
        Ok(outcome) => outcome,
        Err(exit) => return Ok(exit),
    };
    let beat = matches!(outcome, Outcome::Done(_) | Outcome::Coalesced(_));
    let mut shown = json!({"beat": beat, "lane": args.held.lane, "owner": args.held.owner});
    if let Outcome::NotHeld { holders: others } = &outcome {
        let now = context.clock.now()?;
        shown = with(shown, "reason", holders(others, now));
    }
    output::answer(&shown, false);
    Ok(if beat { Exit::Yes } else { Exit::No })
}
