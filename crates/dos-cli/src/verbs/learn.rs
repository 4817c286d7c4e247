//! `dos learn`: what the overrides of all projects say when they are counted.

use dos_core::registry::{Axis, learn};
use serde_json::{Value, json};

use super::doctor::plain;
use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Count the overrides of all projects
///
/// An override is a refusal that somebody forced (`dos arbitrate --force`). Reads the log in the home
/// registry and nothing else.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos learn wedge-hotspots             which projects have most
  dos learn lane-refusals              which lanes are forced most
  dos learn oracle-calibration --json  by the category of the reason

Exit codes: 0 the tally is there, even if it is empty; 2 there is no home registry.")]
pub struct Args {
    /// What to count by
    #[arg(value_enum)]
    axis: Counted,
    /// Print a JSON list of groups and counts
    #[arg(long)]
    json: bool,
}

/// What to count by.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Counted {
    WedgeHotspots,
    LaneRefusals,
    OracleCalibration,
}

/// Counts.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let axis = match args.axis {
        Counted::WedgeHotspots => Axis::WedgeHotspots,
        Counted::LaneRefusals => Axis::LaneRefusals,
        Counted::OracleCalibration => Axis::OracleCalibration,
    };
    let home = context.home()?;
    let tally = learn(&context.registry(&home).decisions()?, axis);
    if args.json {
        let rows = tally.iter().map(|(group, count)| json!({"group": group, "count": count}));
        output::answer(&rows.collect::<Value>(), true);
    } else if tally.is_empty() {
        output::line(&format!("no overrides to count ({})", home.folder));
    } else {
        output::line(&format!("  {}", axis.token()));
        for (group, count) in &tally {
            output::line(&format!("  {count:>5}  {}", plain(group)));
        }
    }
    Ok(Exit::Yes)
}
