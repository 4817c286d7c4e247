//! `dos top`: the fleet on a screen, live. Reads, and nothing else.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::ensure;
use camino::Utf8PathBuf;
use dos_core::fleet::past::History;
use dos_drivers::{fleet, git};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::tui::app::App;
use crate::tui::rows::Fleet;
use crate::tui::{print, screen};
use crate::verbs::shared::duration;

/// How wide the text is where nobody says how wide.
const WIDTH_DEFAULT: usize = 100;
/// Most commits that are shown.
const COMMITS_MAX: usize = 10;

/// Show the fleet on a screen, live: lanes, holders, who moves, what was refused
///
/// The lanes with their holders and whether they move, workers on their way, the last refusals and the
/// last commits: the same view that `loop` and `supervise` go by. It looks again when the journal
/// changes, and every --interval. It writes nothing. Where there is no terminal it prints once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Keys: ? shows them all; arrows select, Enter looks into a lane, / filters, s sorts, q quits.

Examples:
  dos top
  dos top --once                      print it, and be done
  dos top --once | grep STALLED
  dos top --json | jq -r '.lanes[] | select(.state == \"DEAD\") | .lane'

Exit codes: 0 it was shown, 2 the input is wrong or the workspace cannot be read.")]
pub struct Args {
    /// Print the fleet as text and end
    #[arg(long)]
    once: bool,
    /// Print the fleet as one JSON object and end
    #[arg(long)]
    json: bool,
    /// The time between two looks when nothing changes
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    interval: Duration,
}

/// Shows.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    ensure!(!args.interval.is_zero(), "--interval must be above 0");
    // What is wrong is told before a screen hides it.
    context.workspace()?;
    if args.json {
        output::answer(&look(context)?.to_json(), false);
        return Ok(Exit::Yes);
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !args.once && terminal {
        screen::run(context, args.interval)?;
        return Ok(Exit::Yes);
    }
    let mut app = App::new();
    app.update(Ok(look(context)?));
    let width = output::width(&context.environment)?.unwrap_or(WIDTH_DEFAULT);
    let colour = output::wants_colour(context.first_variable(&["NO_COLOR"])?);
    print::lines(&app, width, colour).iter().for_each(|line| output::line(line));
    Ok(Exit::Yes)
}

/// The fleet now. The workspace is opened anew: it may have changed, vanished and come back.
pub fn look(context: &Context) -> anyhow::Result<Fleet> {
    let workspace = context.quiet_workspace()?;
    let referee = context.referee(&workspace);
    let view = fleet::look(&workspace, &referee, None)?;
    let commits = git::newest(&workspace.root, COMMITS_MAX);
    let initialized = workspace.journal.exists() || workspace.root.join("dos.toml").exists();
    let lanes = &workspace.config.policy.lanes;
    Ok(Fleet::of(workspace.root.as_str(), initialized, view, commits, lanes))
}

/// What happened on a lane.
pub fn history(context: &Context, lane: &str) -> anyhow::Result<History> {
    let workspace = context.quiet_workspace()?;
    Ok(fleet::history(&context.referee(&workspace), lane)?)
}

/// The journal, while there is a workspace.
pub fn journal(context: &Context) -> Option<Utf8PathBuf> {
    context.quiet_workspace().ok().map(|workspace| workspace.journal)
}
