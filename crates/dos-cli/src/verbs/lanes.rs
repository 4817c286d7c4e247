//! `dos lanes`: the lane map of a workspace. Reads, and nothing else.

mod dot;
mod text;

use dos_core::lane::Case;
use dos_core::lane::map::{LaneMap, LaneMeeting};
use dos_drivers::git;
use dos_store::Workspace;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Draw the lane map: what each lane owns, which lanes meet, what nobody owns
///
/// The files are those that git tracks; outside of git the map shows the lanes alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos lanes
  dos lanes --json                             for programs: every lane, meeting and unowned file
  dos lanes --dot | dot -Tsvg > lanes.svg      a picture: lanes that meet are joined by a line

Exit codes: 0 the map is there, 2 there is no such workspace, or git failed.")]
pub struct Args {
    /// Print one JSON object
    #[arg(long, conflicts_with = "dot")]
    json: bool,
    /// Print a graph for Graphviz
    #[arg(long)]
    dot: bool,
}

/// Draws.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    context.point_above(&workspace);
    let files = git::tracked_files(&workspace.root)?;
    let map = LaneMap::draw(&workspace.config.policy, files.as_deref());
    if args.json {
        output::answer(&answer(&workspace, &map), false);
    } else if args.dot {
        output::raw(dot::graph(&map).as_bytes());
    } else {
        let colour = output::wants_colour(context.first_variable(&["NO_COLOR"])?);
        let look = text::Look { colour, width: output::width(&context.environment)? };
        text::lines(&workspace.root, &map, look).iter().for_each(|line| output::line(line));
    }
    Ok(Exit::Yes)
}

fn answer(workspace: &Workspace, map: &LaneMap) -> Value {
    let overlap = &workspace.config.policy.conditions.overlap;
    let counted = map.files_total.is_some();
    let lane = |lane: &dos_core::lane::map::MappedLane| {
        json!({
            "lane": lane.name,
            "role": lane.role.token(),
            "tree": lane.tree.patterns(),
            "files": counted.then_some(lane.files),
            "idle_patterns": counted.then_some(&lane.idle),
        })
    };
    let meeting = |meeting: &LaneMeeting| {
        let LaneMeeting { left, right, meeting, files, file } = meeting;
        json!({
            "lanes": [name(map, *left), name(map, *right)],
            "patterns": [meeting.requested, meeting.held],
            "witness": meeting.witness,
            "doubt": meeting.doubt.map(|doubt| doubt.token()),
            "files": counted.then_some(files),
            "file": file,
        })
    };
    json!({
        "policy": overlap.name(),
        "case": overlap.region_case().map(Case::name),
        "lanes": map.lanes.iter().map(lane).collect::<Vec<_>>(),
        "meetings": map.meetings.iter().map(meeting).collect::<Vec<_>>(),
        "meetings_total": map.meetings_complete.then_some(map.meetings.len()),
        "files_total": map.files_total,
        "unowned": counted.then_some(&map.unowned),
        "exclusive_only": counted.then_some(&map.exclusive_only),
    })
}

/// The name of a lane, by its place in the map.
fn name(map: &LaneMap, place: usize) -> &str {
    map.lanes.get(place).map_or("", |lane| &lane.name)
}
