//! `dos run`: run a command while holding a lane.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use camino::Utf8Path;
use dos_core::fleet::run_id::{RunId, mint};
use dos_core::lane::command::Acquire;
use dos_core::lane::vitality::TTL_MILLIS_DEFAULT;
use dos_core::lane::{Admission, Refusal};
use dos_core::limits::TTL_MINUTES_MAX;
use dos_drivers::runner::{self, Ended, Errand, Talk};
use dos_store::Workspace;
use dos_store::clock::Clock;

use super::lease_lane::{or_busy, say_if_created};
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::record;
use crate::verbs::shared::{LaneRequest, decision, duration};

/// The longest time between two beats.
const BEAT_MAX: Duration = Duration::from_secs(60);
/// Stamps have seconds: more beats say no more.
const BEAT_MIN: Duration = Duration::from_secs(1);

/// Run a command while holding a lane
///
/// Takes the lane, starts the command, beats while it runs, gives the lane back when it ends, and exits
/// with its code (128 and the signal's number when a signal ended it). Without --lane any free lane is
/// taken. The command finds its lane in DISPATCH_LANE, its fencing token in DISPATCH_TOKEN, its name as
/// a holder in DISPATCH_OWNER, and its run in CID_RUN_ID. Signals are passed on to it. When `dos run`
/// is killed, the command is asked to end (SIGTERM); it holds the lane until it has.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos run --lane api -- ./agent.sh --fix
  dos run --lane api --wait 10m -- make test
  dos run -- sh -c 'cd $DISPATCH_LANE && ./work'          any free lane
  dos run --lane api --on-lost stop -- ./agent.sh         stop it when somebody else gets the lane

Exit codes: those of the command; 1 with the refusal when the lane is taken, 2 the input is wrong or the
disk failed, 4 the lock stayed busy, 126 it cannot be run, 127 there is no such command.")]
pub struct Args {
    #[command(flatten)]
    request: LaneRequest,
    /// Who holds it [default: $DISPATCH_OWNER, else this host and process]
    #[arg(long, default_value = "", hide_default_value = true)]
    owner: String,
    /// Wait this long for the lane instead of being refused (30s, 10m, 2h)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// How long the lane stays held without a beat, in whole minutes rounded up [default: 50m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    ttl: Option<Duration>,
    /// What to do when the lease is lost while the command runs
    #[arg(long, value_name = "WHAT", value_parser = ["warn", "stop"], default_value = "warn")]
    on_lost: String,
    /// Print a refusal as one JSON object
    #[arg(long)]
    json: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let run = child_run(context, &args.command)?;
    let pid = std::process::id();
    let inherited = context.first_variable(&["DISPATCH_OWNER"])?.unwrap_or_default();
    let holder = [args.owner.clone(), inherited, format!("{}:{pid}", workspace.host)];
    let holder = holder.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let ttl_minutes = args.ttl.map(minutes).transpose()?;
    let ttl = ttl_minutes.map_or(TTL_MILLIS_DEFAULT, |minutes| i64::from(minutes) * 60_000);
    let shortest = (ttl / 4).min(workspace.config.liveness.spin_ms / 3);
    let beat = Duration::from_millis(u64::try_from(shortest).unwrap_or(0));
    let errand = Errand {
        acquire: Acquire {
            request: args.request.checked(&workspace.config.policy.lanes)?,
            holder,
            run_id: Some(run.run_id.clone()),
            parent_id: run.parent_id.clone(),
            ttl_minutes,
            record_refusal: true,
            ..Acquire::default()
        },
        wait: args.wait,
        beat: beat.clamp(BEAT_MIN, BEAT_MAX),
        stop_when_lost: args.on_lost == "stop",
        folder: &context.current,
        command: &args.command,
        variables: lineage(&run, workspace.root.as_str()),
    };
    let referee = context.referee(&workspace);
    let lane = args.request.lane.clone();
    let mut say = |talk: Talk| {
        talk_about(&lane, &talk);
        if let Talk::Taken(grant) = &talk {
            record(context, &workspace, &lane, Ok(&grant.admission), &run);
        }
    };
    let ended = runner::run(&referee, context.clock, errand, &mut say);
    say_if_created(&workspace, &referee);
    match or_busy(&args.request.lane, ended.map_err(anyhow::Error::from))? {
        Err(exit) => Ok(exit),
        Ok(Ended::With(code)) => Ok(Exit::Of(code)),
        Ok(Ended::Refused(refusal)) => {
            let now = context.clock.now()?;
            match args.json {
                true => output::answer(&decision(&Err(refusal.clone()), now), false),
                false => output::note(&format!("dos run: {}", refusal.explain(now))),
            }
            record(context, &workspace, &lane, Err(&refusal), &run);
            Ok(Exit::No)
        }
    }
}

fn record(
    context: &Context,
    workspace: &Workspace,
    lane: &str,
    answer: Result<&Admission, &Refusal>,
    run: &RunId,
) {
    context.record(workspace, || {
        record::arbitration(lane, answer, answer.is_ok()).for_run(&run.run_id)
    });
}

/// A run that this one's command is, as a child of the run that we are part of.
fn child_run(context: &Context, command: &[String]) -> anyhow::Result<RunId> {
    let program = command.first().map_or("", String::as_str);
    let name = Utf8Path::new(program).file_name().unwrap_or("run");
    let parent = context.first_variable(&["CID_RUN_ID"])?;
    let root = context.first_variable(&["CID_ROOT_ID"])?.or(parent.clone());
    let entropy = getrandom::u64().context("the system gives no random bytes")?;
    Ok(mint(name, parent.as_deref(), root.as_deref(), context.clock.now()?, entropy)?)
}

/// What tells a command which run it is, and of whom.
fn lineage(run: &RunId, root: &str) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
    let mut pairs = run.lineage();
    pairs.push(pair("DISPATCH_WORKSPACE", root));
    pairs
}

fn minutes(ttl: Duration) -> anyhow::Result<u32> {
    let minutes = ttl.as_secs().div_ceil(60).max(1);
    let minutes = u32::try_from(minutes).unwrap_or(u32::MAX);
    ensure!(minutes <= TTL_MINUTES_MAX, "--ttl must be at most {TTL_MINUTES_MAX} minutes");
    Ok(minutes)
}

fn talk_about(lane: &str, talk: &Talk) {
    match talk {
        Talk::Taken(grant) => {
            let taken = grant.lease.lane();
            if taken != lane {
                output::remark(&format!("dos run: took lane {taken}: {}", grant.admission.reason));
            }
        }
        Talk::NoBeat(why) => output::note(&format!(
            "dos run: warning: no beat could be recorded ({why}); the command runs on, and it is tried \
             again"
        )),
        Talk::BeatsAgain => output::note("dos run: beats are recorded again"),
        Talk::Lost(why, true) => {
            output::note(&format!("dos run: the lease is lost: {why}; stopping the command"));
        }
        Talk::Lost(why, false) => output::note(&format!(
            "dos run: warning: the lease is lost: {why}; the command has no lane any more"
        )),
        Talk::NotReleased(why) => output::note(&format!(
            "dos run: warning: the lane could not be given back ({why}); it counts as free, for the \
             command's process has ended"
        )),
    }
}
