//! `dos arbitrate`: what the answer to a request would be. Changes nothing but, under `--force`,
//! the record of what was overridden.

use anyhow::{Context as _, bail};
use dos_core::lane::Policy;
use dos_store::decisions::Override;
use dos_store::disk::RealDisk;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::record;
use crate::verbs::shared::{LaneRequest, Printed, decision, leases_argument, with};

/// Say whether a lane may be taken now; changes nothing
///
/// The same decision as `lease-lane acquire`, without taking anything.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos arbitrate --lane api
  dos arbitrate --tree 'src/api/**' 'docs/api.md'
  dos arbitrate --leases '[]' --lane api        as if nothing were held

Exit codes: 0 it may be taken, 1 it may not, 2 the question is wrong.")]
pub struct Args {
    #[command(flatten)]
    request: LaneRequest,
    /// Answer for these live leases instead of the journal's, as a JSON list
    #[arg(long, value_name = "JSON")]
    leases: Option<String>,
    /// Skip every check but that for a live exclusive lane; what this overrides is recorded
    #[arg(long)]
    force: bool,
    /// At most N live leases of a kind when the lane is picked for you; goes before dos.toml
    #[arg(long, value_name = "KIND=N")]
    class_budget: Vec<String>,
    #[command(flatten)]
    printed: Printed,
    /// How to print: text or json, which are the same here
    #[arg(long, value_parser = ["text", "json"])]
    output: Option<String>,
    /// Add what to do next
    #[arg(long)]
    explain: bool,
}

/// Answers.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let mut workspace = context.workspace()?;
    add_budgets(&args.class_budget, &mut workspace.config.policy)?;
    let mut request = args.request.checked(&workspace.config.policy.lanes)?;
    request.force = args.force;
    let instead = match args.leases.as_deref() {
        Some(text) if !text.is_empty() => Some(leases_argument(text)?),
        _ => None,
    };
    let referee = context.referee(&workspace);
    let policy = &workspace.config.policy;
    let (answer, moment) = referee.arbitrate(&request, instead.as_deref(), policy)?;
    let mut shown = decision(&answer, moment.now);
    if args.explain {
        let next = match &answer {
            Ok(admission) => format!("GO: take lane {} and work.", admission.lane),
            Err(refusal) => format!("STOP: {}", refusal.next_step()),
        };
        shown = with(shown, "interpretation", next);
    }
    output::answer(&shown, args.printed.pretty);
    context.record(&workspace, || {
        let event = record::arbitration(&request.lane, answer.as_ref(), false);
        if args.force { event.with("forced", true) } else { event }
    });
    if args.force && answer.is_ok() {
        request.force = false;
        let (unforced, _) = referee.arbitrate(&request, instead.as_deref(), policy)?;
        if unforced.is_err() {
            let lane = request.lane.as_str();
            Override { lane, now: moment.now }
                .record(&workspace, &RealDisk, &context.clock)
                .context("failed to record the override")?;
        }
    }
    Ok(if answer.is_ok() { Exit::Yes } else { Exit::No })
}

fn add_budgets(budgets: &[String], policy: &mut Policy) -> anyhow::Result<()> {
    for text in budgets {
        let Some((kind, most)) = text.split_once('=') else {
            bail!("--class-budget {text:?} is no KIND=N");
        };
        let most = most.trim().parse().with_context(|| {
            format!("--class-budget {text:?}: N must be a whole number from 0 on")
        })?;
        match kind.trim() {
            "" => bail!("--class-budget {text:?} names no kind"),
            kind => policy.class_budgets.insert(kind.to_string(), most),
        };
    }
    Ok(())
}
