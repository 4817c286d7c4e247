//! `dos overlap`: can two trees touch one file? And at which path. Reads `dos.toml`, and nothing else.

use dos_core::lane::overlap::Meeting;
use dos_core::lane::tree::checked_tree;
use dos_core::lane::{Case, Tree};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Say whether two trees can touch one file, and where
///
/// Judges as a request would be judged in this workspace: under its overlap policy and its rule of
/// case. The path that is named is a shortest one that both trees own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos overlap 'src/**/*.rs' --with 'src/**/*.md'           they never meet
  dos overlap 'src/api/**' --with src/api/v1 docs          where two trees meet
  dos overlap 'src/**' '!src/gen/**' --with 'src/gen/**'   what is taken away is free

Exit codes: 0 they do not meet, 1 they meet or may meet, 2 a pattern cannot be read.")]
pub struct Args {
    /// The patterns of the first tree
    #[arg(required = true, value_name = "PATTERN")]
    first: Vec<String>,
    /// The patterns of the second tree
    #[arg(long = "with", required = true, num_args = 1.., value_name = "PATTERN")]
    second: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Answers.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let overlap = &workspace.config.policy.conditions.overlap;
    let (first, second) = (checked_tree(&args.first)?, checked_tree(&args.second)?);
    let meeting = overlap.meeting(&first, &second);
    if args.json {
        let case = overlap.region_case().map(Case::name);
        output::answer(&answer(overlap.name(), case, (&first, &second), meeting.as_ref()), false);
    } else {
        output::line(&sentence(meeting.as_ref()));
    }
    Ok(if meeting.is_some() { Exit::No } else { Exit::Yes })
}

fn verdict(meeting: Option<&Meeting>) -> &'static str {
    match meeting {
        None => "disjoint",
        Some(Meeting { doubt: Some(_), .. }) => "may_meet",
        Some(_) => "meet",
    }
}

fn sentence(meeting: Option<&Meeting>) -> String {
    match meeting {
        None => "disjoint: no path is in both".to_string(),
        Some(meeting) => format!("{}: {meeting}", verdict(Some(meeting)).replace('_', " ")),
    }
}

fn answer(
    policy: &str,
    case: Option<&str>,
    (first, second): (&Tree, &Tree),
    meeting: Option<&Meeting>,
) -> Value {
    json!({
        "verdict": verdict(meeting),
        "policy": policy,
        "case": case,
        "first": first.patterns(),
        "second": second.patterns(),
        "first_pattern": meeting.map(|meeting| &meeting.requested),
        "second_pattern": meeting.map(|meeting| &meeting.held),
        "witness": meeting.and_then(|meeting| meeting.witness.as_ref()),
        "doubt": meeting.and_then(|meeting| meeting.doubt).map(|doubt| doubt.token()),
    })
}
