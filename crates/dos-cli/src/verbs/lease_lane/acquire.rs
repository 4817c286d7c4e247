//! `dos lease-lane acquire`: take a lane.

use std::time::Duration;

use dos_core::lane::command::Acquire;
use dos_core::lane::decide::Grant;
use dos_core::lane::{Outcome, Refusal};
use dos_core::timestamp::Timestamp;
use dos_store::clock::Clock;
use serde_json::{Value, json};

use super::{named_process, or_busy, run_id, say_if_created};
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::record;
use crate::verbs::shared::{
    LaneRequest, Printed, decision, duration, leases_argument, lock_wait, with,
};

/// Take a lane, or say who has it
///
/// A grant is durable when this returns. It lasts until it is released, until its --pid ends, or
/// until no heartbeat came for its time to live and five minutes more. The answer holds a fencing
/// token: `lease-lane check` tells whether the hold is still the live one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos lease-lane acquire --lane api --owner alice
  dos lease-lane acquire --lane api --owner alice --pid $$        ends with this shell
  dos lease-lane acquire --lane api --owner alice --wait 10m      wait instead of being refused
  dos lease-lane acquire --owner alice                            any free lane
  dos lease-lane acquire --lane fix-7 --tree 'src/a.rs' --owner alice

Exit codes: 0 granted, 1 refused, 2 the input is wrong or the disk failed, 4 the lock stayed busy.")]
pub struct Args {
    #[command(flatten)]
    request: LaneRequest,
    /// Who will hold it
    #[arg(long)]
    owner: String,
    /// The run that asks [default: $CID_RUN_ID, else $DISPATCH_RUN_ID]
    #[arg(long)]
    run_id: Option<String>,
    /// The loop stamp of the lease [default: the time]
    #[arg(long, default_value = "", hide_default_value = true)]
    loop_ts: String,
    /// Live leases that are recorded elsewhere, as a JSON list
    #[arg(long, value_name = "JSON")]
    leases: Option<String>,
    /// The process whose end is the end of the hold; it must be running on this host
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// How many minutes the lease lasts without a heartbeat [default: 50]
    #[arg(long, value_name = "MINUTES")]
    ttl_minutes: Option<u32>,
    /// Wait this long for the lane instead of being refused (30s, 10m, 2h)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// How often to try for the lock before it counts as busy
    #[arg(long, allow_negative_numbers = true)]
    retries: Option<i64>,
    /// Seconds between tries
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    retry_interval: Option<f64>,
    #[command(flatten)]
    printed: Printed,
}

/// Takes it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let lane = args.request.lane.as_str();
    let acquire = Acquire {
        request: args.request.checked(&workspace.config.policy.lanes)?,
        holder: args.owner.clone(),
        loop_ts: args.loop_ts.clone(),
        run_id: run_id(context, args.run_id.as_deref())?,
        process: named_process(args.pid)?,
        ttl_minutes: args.ttl_minutes,
        elsewhere: match args.leases.as_deref() {
            Some(text) if !text.is_empty() => leases_argument(text)?,
            _ => Vec::new(),
        },
        record_refusal: true,
        parent_id: None,
        worktree: None,
    };
    let lock_wait = lock_wait(args.retries, args.retry_interval)?;
    let referee = context.referee(&workspace);
    let outcome = referee.acquire(&acquire, args.wait, lock_wait);
    say_if_created(&workspace, &referee);
    let outcome = match or_busy(lane, outcome.map_err(anyhow::Error::from))? {
        Ok(outcome) => outcome,
        Err(exit) => return Ok(exit),
    };
    let now = context.clock.now()?;
    let answer = match &outcome {
        Outcome::Granted(grant) => Some(Ok(&grant.admission)),
        Outcome::Refused(refusal) => Some(Err(refusal)),
        _ => None,
    };
    let verdict = answer.map(|answer| {
        let event = record::arbitration(lane, answer, answer.is_ok()).about(&args.owner);
        event.for_run(acquire.run_id.as_deref().unwrap_or_default())
    });
    let (shown, exit) = match outcome {
        Outcome::Granted(grant) => (granted(grant, now), Exit::Yes),
        Outcome::Refused(refusal) => (refused(refusal, now), Exit::No),
        other => anyhow::bail!("an acquire was answered by {other:?}"),
    };
    let mut shown = with(shown, "owner", args.owner.as_str());
    if let Some(run_id) = &acquire.run_id {
        shown = with(shown, "run_id", run_id.as_str());
    }
    output::answer(&shown, args.printed.pretty);
    verdict.into_iter().for_each(|verdict| context.record(&workspace, || verdict));
    Ok(exit)
}

fn granted(grant: Grant, now: Timestamp) -> Value {
    let scavenged: Vec<Value> = grant
        .scavenged
        .iter()
        .map(|(lease, death)| {
            json!({"lane": lease.lane(), "holder": lease.holder(), "reason": death.to_string()})
        })
        .collect();
    if grant.admission.auto_picked {
        output::remark(&format!("took lane {}: {}", grant.admission.lane, grant.admission.reason));
    }
    let mut shown = decision(&Ok(grant.admission), now);
    for (field, value) in [
        ("journaled", json!(true)),
        ("token", json!(grant.token)),
        ("loop_ts", json!(grant.lease.loop_ts())),
        ("scavenged", json!(scavenged)),
    ] {
        shown = with(shown, field, value);
    }
    shown
}

fn refused(refusal: Refusal, now: Timestamp) -> Value {
    output::remark(&refusal.explain(now));
    with(decision(&Err(refusal), now), "journaled", false)
}
