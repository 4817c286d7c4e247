//! `dos liveness`: does a run move?

use anyhow::Context as _;
use dos_core::fleet::run_id::millis_of;
use dos_core::fleet::{CommitId, Liveness};
use dos_core::lane::lease::LeaseKey;
use dos_core::timestamp::Timestamp;
use dos_drivers::fleet::{Run, judge};
use dos_drivers::process;
use dos_store::clock::Clock;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::record;

/// Say whether a run moves, by git, the journal and the process table
///
/// ADVANCING: it has committed, or its lease has changed, or it beats and is young. SPINNING: it
/// beats, and nothing has moved for the grace time. STALLED: it shows no sign of life. The windows
/// are those of [liveness] in dos.toml.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos liveness --run-id \"$CID_RUN_ID\" --start-sha \"$(git rev-parse HEAD)\"
  dos liveness --run-id RID-1M89PYD52D6YY80 --lane api --loop-ts 2026-01-10T12:00:00Z --pid 4242

Exit codes: 0 ADVANCING, 3 SPINNING, 4 STALLED, 2 the input is wrong.")]
pub struct Args {
    /// The run; the time that it began is in its id
    #[arg(long, value_name = "RID")]
    run_id: String,
    /// The commit that it began at: later ones on HEAD are progress
    #[arg(long, default_value = "", hide_default_value = true, value_name = "SHA")]
    start_sha: String,
    /// The time of the verdict, in milliseconds since the epoch [default: now]
    #[arg(long, value_name = "MS")]
    now_ms: Option<i64>,
    /// How old its newest beat is, from elsewhere than the journal
    #[arg(long, value_name = "MS")]
    last_heartbeat_age_ms: Option<u32>,
    /// The lane of its lease; counts together with --loop-ts
    #[arg(long, default_value = "", hide_default_value = true)]
    lane: String,
    /// The loop stamp of its lease
    #[arg(long, default_value = "", hide_default_value = true)]
    loop_ts: String,
    /// Its process: one that is gone does not beat
    #[arg(long)]
    pid: Option<u32>,
    /// The host of that process; nothing is concluded about a process of another host
    #[arg(long, default_value = "", hide_default_value = true)]
    host_id: String,
    /// Do not look at the process table
    #[arg(long)]
    no_proc: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Judges it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let started_ms = started(&args.run_id)?;
    let now = match args.now_ms {
        Some(millis) => Timestamp::from_millis(millis).context("--now-ms")?,
        None => context.clock.now()?,
    };
    let here = args.host_id.is_empty() || args.host_id == workspace.host;
    let named = !args.lane.is_empty() && !args.loop_ts.is_empty();
    let lease = LeaseKey { lane: args.lane.clone(), loop_ts: args.loop_ts.clone() };
    let run = Run {
        started_ms,
        start: start(&args.start_sha)?,
        lease: named.then_some(lease),
        beat_age_ms: args.last_heartbeat_age_ms.map(i64::from),
        process_alive: args.pid.filter(|_| here && !args.no_proc).and_then(process::is_running),
    };
    let verdict = judge(&workspace, &context.referee(&workspace), &run, now)?;
    match args.json {
        true => output::answer(&verdict.to_json(), false),
        false => output::line(&format!("{}  {verdict}", verdict.liveness.token())),
    }
    context.record(&workspace, || record::liveness(&args.run_id, &args.lane, &verdict));
    Ok(match verdict.liveness {
        Liveness::Advancing => Exit::Yes,
        Liveness::Spinning => Exit::Spinning,
        Liveness::Stalled => Exit::Stalled,
    })
}

/// When the run began.
pub fn started(run_id: &str) -> anyhow::Result<i64> {
    millis_of(run_id).with_context(|| {
        format!("{run_id:?} is no run id; `dos run-id mint NAME` makes one (RID- and 15 digits)")
    })
}

/// The commit that a run began at, where one is given.
pub fn start(text: &str) -> anyhow::Result<Option<CommitId>> {
    Ok(Some(text).filter(|text| !text.is_empty()).map(CommitId::parse).transpose()?)
}
