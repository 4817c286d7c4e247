//! `dos supervise`: keep workers alive.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use dos_core::fleet::run_id::mint;
use dos_core::fleet::supervise::{LAUNCH_TEMPLATE_DEFAULT, Plan, SupervisePolicy};
use dos_core::timestamp::span;
use dos_core::verdict::VerdictEvent;
use dos_drivers::supervisor::{self, Orders, SuperviseError, Talk};
use dos_store::clock::Clock;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::record::Standing;
use crate::verbs::shared::duration;

/// Keep workers alive, one on each lane, as many as are wanted
///
/// Looks at the journal, git and the process table, starts workers on free lanes, stops workers that
/// show no sign of life and frees what they held, lets lanes rest whose workers die at once, and flags
/// those that spin, whom it never stops. A worker takes its lane itself: give it DISPATCH_LANE and
/// DISPATCH_OWNER, or start it with `dos run --lane {lane} -- ...`. What it prints is in
/// .dos/runs/RUN/worker.log. Killed, it leaves its workers running, and the next one goes on with them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos supervise --target 4 --worker 'dos run --lane {lane} -- ./agent.sh {lane}'
  dos supervise --interval 5s --detach                leaves the workers running when it ends
  dos loop                                            what it would do

Exit codes: 0 it was told to end and did, 1 another one is at work, 2 the input is wrong or the disk
failed.")]
pub struct Args {
    /// How many workers are wanted [default: that of [supervise] in dos.toml]
    #[arg(long)]
    target: Option<u32>,
    /// How many workers may share the lanes that are picked automatically
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    max_concurrency: Option<u32>,
    /// The time between two looks; the end of a worker is looked at at once
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    interval: Duration,
    /// End after so many looks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_ticks: Option<u64>,
    /// How a worker is started [default: worker_launch_template of [supervise]]
    ///
    /// Split into words as a shell does, and run without one; `{lane}` stands for the lane.
    #[arg(long, value_name = "COMMAND")]
    worker: Option<String>,
    /// Leave the workers running at the end
    #[arg(long)]
    detach: bool,
    /// Print one JSON object for each event
    #[arg(long)]
    json: bool,
}

/// Supervises.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    ensure!(!args.interval.is_zero(), "--interval must be above 0");
    let workspace = context.workspace()?;
    let declared = &workspace.config.supervise;
    let supervise = SupervisePolicy {
        target: args.target.map_or(declared.target, u64::from),
        max_concurrency: args.max_concurrency.map(u64::from).or(declared.max_concurrency),
        ..declared.clone()
    };
    let parent = context.first_variable(&["CID_RUN_ID"])?;
    let root = context.first_variable(&["CID_ROOT_ID"])?.or(parent.clone());
    let entropy = getrandom::u64().context("the system gives no random bytes")?;
    let now = context.clock.now()?;
    let orders = Orders {
        command: words(args.worker.as_deref(), &declared.worker_launch_template)?,
        supervise,
        interval: args.interval,
        looks_max: args.max_ticks,
        detach: args.detach,
        run: mint("dos-supervise", parent.as_deref(), root.as_deref(), now, entropy)?,
    };
    let mut told = Told::default();
    let mut standing = Standing::default();
    let mut say = |talk: Talk| {
        match args.json {
            true => output::answer(&object(&talk), false),
            false => told.lines(&talk).iter().for_each(|line| output::line(line)),
        }
        for verdict in verdicts(&talk, &mut standing) {
            context.record(&workspace, || verdict);
        }
    };
    match supervisor::run(&workspace, context.clock, &orders, &mut say) {
        Ok(()) => Ok(Exit::Yes),
        Err(error @ SuperviseError::Another { .. }) => {
            output::note(&format!("dos supervise: {error}"));
            Ok(Exit::No)
        }
        Err(error) => Err(error.into()),
    }
}

/// The program and its arguments.
fn words(given: Option<&str>, declared: &str) -> anyhow::Result<Vec<String>> {
    let template = given.unwrap_or(declared);
    if template == LAUNCH_TEMPLATE_DEFAULT {
        bail!(
            "how is a worker started? Give --worker 'dos run --lane {{lane}} -- ./agent.sh', or set \
             worker_launch_template under [supervise] in dos.toml"
        );
    }
    let words = shlex::split(template).filter(|words| !words.is_empty());
    words.with_context(|| format!("{template:?} is no command: is a quote left open?"))
}

fn object(talk: &Talk) -> Value {
    match talk {
        Talk::Planned(plan) => json!({
            "event": "planned",
            "verdict": plan.verdict.token(),
            "alive": plan.alive,
            "admissible": plan.admissible,
            "target": plan.target,
            "reason": plan.reason,
            "spawn": lanes(&plan.spawn),
            "reap": lanes(&plan.reap),
            "flag": lanes(&plan.flag),
            "proposed_halt": lanes(&plan.proposed_halt),
        }),
        Talk::Started(lane, run, pid) => {
            json!({"event": "started", "lane": lane, "run_id": run, "pid": pid})
        }
        Talk::Adopted(lane, run, pid) => {
            json!({"event": "adopted", "lane": lane, "run_id": run, "pid": pid})
        }
        Talk::NotStarted(lane, why) => {
            json!({"event": "not_started", "lane": lane, "reason": why})
        }
        Talk::Asked(run, why) => json!({"event": "asked", "run_id": run, "reason": why.text()}),
        Talk::Killed(run) => json!({"event": "killed", "run_id": run}),
        Talk::Ended(lane, run, how, rest) => json!({
            "event": "ended",
            "lane": lane,
            "run_id": run,
            "how": how,
            "rests_ms": rest,
        }),
        Talk::Freed(lane, holder) => json!({"event": "freed", "lane": lane, "holder": holder}),
        Talk::Failed(why) => json!({"event": "failed", "reason": why}),
    }
}

fn lanes(plans: &[dos_core::fleet::supervise::LanePlan]) -> Value {
    plans.iter().map(|plan| Value::from(plan.lane.as_str())).collect()
}

/// What was decided, as the verdict journal has it. Of a plan, what the last one did not say.
fn verdicts(talk: &Talk, standing: &mut Standing) -> Vec<VerdictEvent> {
    let row = |verdict: &str| VerdictEvent::new("supervise", verdict);
    match talk {
        Talk::Planned(plan) => {
            let lanes = [&plan.reap, &plan.flag, &plan.proposed_halt].into_iter().flatten();
            let lanes = lanes.map(|lane| (lane.lane.clone(), lane.disposition.token()));
            let whole = (String::new(), plan.verdict.token());
            let new = standing.renew(lanes.chain([whole]));
            let told = |(lane, verdict): (String, &'static str)| match lane.is_empty() {
                false => row(verdict).on_lane(&lane),
                true => row(verdict)
                    .with("alive", plan.alive)
                    .with("target", plan.target)
                    .with("admissible", plan.admissible),
            };
            new.into_iter().map(told).collect()
        }
        Talk::Asked(run, why) => vec![row(why.token()).for_run(run)],
        Talk::Killed(run) => vec![row("KILLED").for_run(run)],
        _ => Vec::new(),
    }
}

/// What people have been told, and need not be told again.
#[derive(Default)]
struct Told {
    plan: String,
    /// The lanes that are still wanted and could not be given a worker.
    not_started: BTreeSet<String>,
}

impl Told {
    /// Lines for people.
    fn lines(&mut self, talk: &Talk) -> Vec<String> {
        let line = match talk {
            Talk::Planned(plan) => {
                self.not_started
                    .retain(|lane| plan.spawn.iter().any(|wanted| wanted.lane == *lane));
                let told = told(plan);
                if told == self.plan {
                    return Vec::new();
                }
                self.plan.clone_from(&told);
                return told.lines().map(str::to_string).collect();
            }
            Talk::NotStarted(lane, why) => match self.not_started.insert(lane.clone()) {
                true => format!("not started on {lane}: {why}"),
                false => return Vec::new(),
            },
            Talk::Started(lane, run, pid) => format!("started {run} on {lane} (process {pid})"),
            Talk::Adopted(lane, run, pid) => format!("adopted {run} on {lane} (process {pid})"),
            Talk::Asked(run, why) => format!("asked {run} to end: {}", why.text()),
            Talk::Killed(run) => format!("killed {run}"),
            Talk::Ended(lane, run, how, None) => format!("{run} on {lane} ended: {how}"),
            Talk::Ended(lane, run, how, Some(rest)) => {
                let rest = span(*rest);
                format!("{run} on {lane} ended early: {how}; the lane rests for {rest}")
            }
            Talk::Freed(lane, holder) => format!("freed {lane}, which {holder} held"),
            Talk::Failed(why) => format!("failed, and will be tried again: {why}"),
        };
        vec![line]
    }
}

fn told(plan: &Plan) -> String {
    let Plan { verdict, alive, target, admissible, .. } = plan;
    let mut told = format!("{}: alive {alive}/{target}, admissible {admissible}", verdict.token());
    for plan in &plan.flag {
        told.push_str(&format!("\nflag {}: {}", plan.lane, plan.reason));
    }
    for plan in &plan.proposed_halt {
        told.push_str(&format!(
            "\npropose-halt {0}; to decide so: dos halt --handle <run> --lane {0}",
            plan.lane
        ));
    }
    told
}
