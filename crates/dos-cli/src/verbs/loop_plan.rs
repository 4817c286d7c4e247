//! `dos loop`: what a supervisor would do now. Reads, and nothing else.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use dos_core::fleet::supervise::{
    LAUNCH_TEMPLATE_DEFAULT, LanePlan, Plan, Roster, SupervisePolicy,
};
use dos_core::fleet::supervisor::Rules;
use dos_core::timestamp::Timestamp;
use dos_drivers::fleet;
use dos_drivers::signals::{ENDING, Signals};
use dos_store::Workspace;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Plan the fleet: which workers to start, which lanes to free, whom to look at
///
/// Prints a plan and does nothing about it; `dos supervise` does. The target is that of [supervise]
/// in dos.toml.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos loop
  dos loop --target 4 --json
  dos loop --watch --interval 5

Exit codes: 0 the plan is there, 2 the input is wrong.")]
pub struct Args {
    /// How many workers are wanted
    #[arg(long)]
    target: Option<u32>,
    /// How many workers may share the lanes that are picked automatically
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    max_concurrency: Option<u32>,
    /// Plan again and again, until interrupted
    #[arg(long)]
    watch: bool,
    /// Seconds between plans
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS")]
    interval: f64,
    /// The time of the plan, in milliseconds since the epoch [default: now]
    #[arg(long, value_name = "MS")]
    now_ms: Option<i64>,
    /// Print one JSON object for each plan
    #[arg(long)]
    json: bool,
}

/// Plans.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let interval = Duration::try_from_secs_f64(args.interval).context("--interval")?;
    ensure!(!args.watch || !interval.is_zero(), "--interval must be above 0");
    let at = args.now_ms.map(Timestamp::from_millis).transpose().context("--now-ms")?;
    let workspace = context.workspace()?;
    let policy = SupervisePolicy {
        target: args.target.map_or(workspace.config.supervise.target, u64::from),
        max_concurrency: args
            .max_concurrency
            .map(u64::from)
            .or(workspace.config.supervise.max_concurrency),
        ..workspace.config.supervise.clone()
    };
    let signals = args.watch.then(|| Signals::on(&ENDING)).transpose()?;
    loop {
        let (plan, roster) = plan(context, &workspace, &policy, at)?;
        match args.json {
            true => output::answer(&plan.to_json(&roster), false),
            false => lines(&plan, &policy).iter().for_each(|line| output::line(line)),
        }
        let Some(signals) = &signals else { return Ok(Exit::Yes) };
        signals.wait(&[], interval);
        if !signals.taken().is_empty() {
            return Ok(Exit::Yes);
        }
    }
}

fn plan(
    context: &Context,
    workspace: &Workspace,
    policy: &SupervisePolicy,
    at: Option<Timestamp>,
) -> anyhow::Result<(Plan, Roster)> {
    let referee = context.referee(workspace);
    let view = fleet::look(workspace, &referee, at)?;
    let rules = Rules { supervise: policy, ..fleet::rules(workspace) };
    let crew = fleet::crew(workspace, &view)?;
    Ok(crew.plan(&view, &rules))
}

/// The plan for people.
fn lines(plan: &Plan, policy: &SupervisePolicy) -> Vec<String> {
    let Plan { verdict, alive, target, admissible, .. } = plan;
    let verdict = verdict.token();
    let mut lines = vec![
        format!("SUPERVISE {verdict}: alive {alive}/{target}, admissible {admissible}"),
        plan.reason.clone(),
    ];
    let row = |word: &str, plan: &LanePlan| format!("{word} {}  ({})", plan.lane, plan.reason);
    let run = |plan: &LanePlan| policy.launch_command(&plan.lane);
    lines.extend(
        plan.spawn.iter().map(|plan| format!("spawn {}  -- run: {}", plan.lane, run(plan))),
    );
    if policy.worker_launch_template == LAUNCH_TEMPLATE_DEFAULT && !plan.spawn.is_empty() {
        lines.push(
            "(that is a command of an agent host; for one that a shell runs, set worker_launch_template \
             under [supervise] in dos.toml)"
                .to_string(),
        );
    }
    lines.extend(plan.reap.iter().map(|plan| row("reap", plan)));
    lines.extend(plan.flag.iter().map(|plan| row("flag", plan)));
    lines.extend(plan.proposed_halt.iter().map(|plan| {
        let halt = format!("dos halt --handle <run> --lane {}", plan.lane);
        format!("{}; to decide so: {halt}", row("propose-halt", plan))
    }));
    lines
}
