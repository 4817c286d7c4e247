//! `dos watch`: look at runs again and again, and propose to halt those that do not move.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use dos_core::fleet::Liveness;
use dos_core::fleet::run_id::millis_of;
use dos_core::fleet::watchdog::{Proposals, WatchPolicy};
use dos_core::timestamp::Timestamp;
use dos_core::verdict::VerdictEvent;
use dos_drivers::signals::{ENDING, Signals};
use dos_drivers::watchdog::{self, Round, Tracked};
use dos_store::Workspace;
use dos_store::clock::Clock;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::record::{self, Standing};
use crate::verbs::liveness::start;

/// Watch runs, and propose to halt those that spin or hang
///
/// A proposal is a HALT in the journal, with the command that would stop the run; nothing is stopped.
/// One that stands is not made again before --repropose-ms.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos watch --discover                            every live lease that names its run, once
  dos watch --discover --watch --interval 60      again and again
  dos watch --track RID-1M89PYD52D6YY80:$START:api:2026-01-10T12:00:00Z:4242 --command 'kill 4242'

Exit codes: 0 they were looked at, 2 the input is wrong, 4 the lock stayed busy.")]
pub struct Args {
    /// A run: its id, then start commit, lane, loop stamp and handle, as far as known
    #[arg(long, value_name = "RID[:SHA[:LANE[:LOOP_TS[:HANDLE]]]]")]
    track: Vec<String>,
    /// Every live lease that names its run as well
    #[arg(long)]
    discover: bool,
    /// Leave stalled runs alone that are younger than this
    #[arg(long, value_name = "MS")]
    budget_ms: Option<u32>,
    /// The command that would stop the runs; recorded, never run
    #[arg(long)]
    command: Option<String>,
    /// How long a proposal stands [default: half an hour]
    #[arg(long, value_name = "MS")]
    repropose_ms: Option<u32>,
    /// Look again and again, until interrupted
    #[arg(long)]
    watch: bool,
    /// Look so many times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_ticks: Option<u64>,
    /// Seconds between looks
    #[arg(long, default_value_t = 300.0, value_name = "SECONDS")]
    interval: f64,
    /// The time of the verdicts, in milliseconds since the epoch [default: now]
    #[arg(long, value_name = "MS")]
    now_ms: Option<i64>,
    /// Print one JSON object for each look
    #[arg(long)]
    json: bool,
}

/// Watches.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let interval = Duration::try_from_secs_f64(args.interval).context("--interval")?;
    let again = args.watch || args.max_ticks.is_some();
    ensure!(!again || !interval.is_zero(), "--interval must be above 0");
    if args.track.is_empty() && !args.discover {
        bail!(
            "which runs? Give --track RID, or --discover for every live lease that names its run"
        );
    }
    let tracked: Vec<Tracked> =
        args.track.iter().map(|spec| tracked(spec)).collect::<anyhow::Result<_>>()?;
    let at = args.now_ms.map(Timestamp::from_millis).transpose().context("--now-ms")?;
    let workspace = context.workspace()?;
    let referee = context.referee(&workspace);
    let usual = WatchPolicy::default();
    let policy = WatchPolicy {
        budget_ms: args.budget_ms.map(i64::from),
        repropose_ms: args.repropose_ms.map_or(usual.repropose_ms, i64::from),
    };
    let signals = again.then(|| Signals::on(&ENDING)).transpose()?;
    let mut proposals = Proposals::default();
    let mut standing = Standing::default();
    let mut left = args.max_ticks.unwrap_or(u64::MAX);
    loop {
        let round = Round {
            tracked: &tracked,
            discover: args.discover,
            policy,
            command: args.command.as_deref().filter(|command| !command.is_empty()),
            now: at.map_or_else(|| context.clock.now(), Ok)?,
        };
        let seen = watchdog::look(&workspace, &referee, &round, &mut proposals)?;
        match args.json {
            true => output::answer(&object(&seen), false),
            false => lines(&seen, &round).iter().for_each(|line| output::line(line)),
        }
        record(context, &workspace, &seen, &mut standing);
        left -= 1;
        let Some(signals) = signals.as_ref().filter(|_| left > 0) else { return Ok(Exit::Yes) };
        signals.wait(&[], interval);
        if !signals.taken().is_empty() {
            return Ok(Exit::Yes);
        }
    }
}

/// Records what is new.
fn record(
    context: &Context,
    workspace: &Workspace,
    seen: &watchdog::Seen,
    standing: &mut Standing,
) {
    let verdicts =
        seen.verdicts.iter().map(|(run, verdict)| (run.clone(), verdict.liveness.token()));
    for (run, _) in standing.renew(verdicts) {
        if let Some(verdict) = seen.verdicts.get(&run) {
            context.record(workspace, || record::liveness(&run, "", verdict));
        }
    }
    for run in &seen.proposed {
        context.record(workspace, || VerdictEvent::new("watch", "PROPOSE_HALT").for_run(run));
    }
}

/// Reads `RID[:SHA[:LANE[:LOOP_TS[:HANDLE]]]]`. A loop stamp may be a time, colons and all.
fn tracked(spec: &str) -> anyhow::Result<Tracked> {
    let mut fields = spec.splitn(4, ':').map(str::trim);
    let mut next = || fields.next().unwrap_or_default();
    let (run_id, start_sha, lane, rest) = (next(), next(), next(), next());
    ensure!(!run_id.is_empty(), "--track {spec:?} names no run");
    let whole_time =
        rest.match_indices('Z').map(|(at, _)| rest.split_at(at + 1)).find(|(time, rest)| {
            Timestamp::parse(time).is_some() && (rest.is_empty() || rest.starts_with(':'))
        });
    let (loop_ts, handle) = match whole_time {
        Some((time, rest)) => (time, rest.trim_start_matches(':')),
        None => rest.split_once(':').unwrap_or((rest, "")),
    };
    Ok(Tracked {
        started_ms: millis_of(run_id),
        run_id: run_id.to_string(),
        start: start(start_sha)?,
        lane: lane.to_string(),
        loop_ts: loop_ts.trim().to_string(),
        handle: handle.trim().to_string(),
    })
}

fn object(seen: &watchdog::Seen) -> Value {
    let verdicts: Map<String, Value> = seen
        .verdicts
        .iter()
        .map(|(run, verdict)| (run.clone(), verdict.liveness.token().into()))
        .collect();
    json!({
        "watched": seen.verdicts.len() + seen.skipped.len(),
        "verdicts": verdicts,
        "proposed_halts": seen.proposed,
        "advancing": of(seen, Liveness::Advancing),
        "spinning": of(seen, Liveness::Spinning),
        "stalled_within_budget": seen.within_budget,
        "skipped": seen.skipped,
    })
}

fn of(seen: &watchdog::Seen, liveness: Liveness) -> Vec<&String> {
    let alike = seen.verdicts.iter().filter(|(_, verdict)| verdict.liveness == liveness);
    alike.map(|(run, _)| run).collect()
}

fn lines(seen: &watchdog::Seen, round: &Round<'_>) -> Vec<String> {
    let count = seen.verdicts.len() + seen.skipped.len();
    let mut lines = vec![format!(
        "WATCH {count} run(s): {} advancing, {} spinning, {} halt proposed",
        of(seen, Liveness::Advancing).len(),
        of(seen, Liveness::Spinning).len(),
        seen.proposed.len()
    )];
    for (run, verdict) in &seen.verdicts {
        let token = verdict.liveness.token();
        if seen.proposed.contains(run) {
            let command = round.command.unwrap_or("(no command was given)");
            lines.push(format!("  HALT proposed: {run} ({token}: {verdict}) -- run: {command}"));
        } else {
            lines.push(format!("  {run} {token}: {verdict}"));
        }
    }
    lines.extend(seen.skipped.iter().map(|run| format!("  {run} is no run id; skipped")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_stamp_may_be_a_time() {
        let fields = |spec: &str| {
            let run = tracked(spec).unwrap();
            [run.run_id, run.lane, run.loop_ts, run.handle].join("|")
        };
        assert_eq!(fields("RID-1"), "RID-1|||");
        assert_eq!(fields("R:abcd:api:t1:4242"), "R|api|t1|4242");
        assert_eq!(fields("R::api:2026-01-10T12:00:00Z"), "R|api|2026-01-10T12:00:00Z|");
        assert_eq!(fields("R::api:2026-01-10T12:00Z:box:7"), "R|api|2026-01-10T12:00Z|box:7");
        assert!(tracked(":x").is_err());
        assert!(tracked("R:--output=x").is_err());
    }
}
