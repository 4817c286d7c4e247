//! `dos overlap`: can two trees touch one file? And at which path. Reads `dos.toml`, and nothing else.

use dos_core::lane::overlap::{Meeting, PrefixVerdict};
use dos_core::lane::pattern::PatternProblem;
use dos_core::lane::region::Doubt;
use dos_core::lane::tree::checked_tree;
use dos_core::lane::{Case, Region, Tree};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::doctor::counted;

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

Exit codes: 0 they do not meet, 1 they meet or may meet, 2 a pattern cannot be read.
Under the policy prefix: 0 the second would be no hindrance to the first, 1 it would.")]
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
    context.point_above(&workspace);
    let overlap = &workspace.config.policy.conditions.overlap;
    let case = overlap.region_case();
    let mut unread = unreadable("the first tree", &args.first, case);
    unread.extend(unreadable("the tree behind --with", &args.second, case));
    if !unread.is_empty() {
        anyhow::bail!(unread.join("\n"));
    }
    let (first, second) = (checked_tree(&args.first)?, checked_tree(&args.second)?);
    let asked = Asked {
        policy: overlap.name(),
        case,
        meeting: overlap.meeting(&first, &second),
        count: overlap.count(&first, &second),
        first,
        second,
    };
    if args.json {
        output::answer(&asked.json(), false);
    } else {
        output::line(&asked.sentence());
    }
    Ok(if asked.meeting.is_some() { Exit::No } else { Exit::Yes })
}

/// Every pattern that cannot be read, with a mark below the place.
fn unreadable(tree: &str, patterns: &[String], case: Option<Case>) -> Vec<String> {
    let region = Region::read(patterns, case.unwrap_or_default());
    let told = region.errors().map(|error| match error.problem {
        PatternProblem::NothingAdded | PatternProblem::TooMuch => {
            format!("{tree}: {}", error.problem)
        }
        problem => {
            let shown = error.shown();
            let before = shown.chars().take(error.column.saturating_sub(1));
            let blanks = " ".repeat(before.collect::<String>().as_str().width());
            let column = error.column;
            format!("bad pattern in {tree}, column {column}:\n  {shown}\n  {blanks}^ {problem}")
        }
    });
    let mut told: Vec<String> = told.collect();
    // What is wrong with a tree as a whole is told of each pattern.
    told.dedup();
    told
}

/// A pair of trees with what is said of them.
struct Asked {
    policy: &'static str,
    case: Option<Case>,
    first: Tree,
    second: Tree,
    meeting: Option<Meeting>,
    count: Option<PrefixVerdict>,
}

impl Asked {
    /// What is proved about the paths; what a rule that proves nothing decides.
    fn verdict(&self) -> &'static str {
        match (&self.meeting, self.case) {
            (None, Some(_)) => "disjoint",
            (None, None) => "admitted",
            (Some(Meeting { doubt: Some(_), .. }), _) => "may_meet",
            (Some(_), Some(_)) => "meet",
            (Some(_), None) => "refused",
        }
    }

    fn sentence(&self) -> String {
        let verdict = self.verdict().replace('_', " ");
        let verdict = match &self.count {
            None => verdict,
            Some(PrefixVerdict { shared, requested, ratio_max, .. }) => format!(
                "{verdict} by the rule `{}`, which compares no paths: {shared} of {} meet by their \
                 text up to the first `*`, at most {:.0} % may",
                self.policy,
                counted(*requested as u64, "pattern"),
                ratio_max * 100.0,
            ),
        };
        match &self.meeting {
            None if self.case.is_some() => format!("{verdict}: no path is in both"),
            None => verdict,
            Some(meeting) => format!("{verdict}: {meeting}"),
        }
    }

    fn json(&self) -> Value {
        let Self { meeting, count, .. } = self;
        json!({
            "verdict": self.verdict(),
            "policy": self.policy,
            "case": self.case.map(Case::name),
            "first": self.first.patterns(),
            "second": self.second.patterns(),
            "first_pattern": meeting.as_ref().map(|meeting| &meeting.requested),
            "second_pattern": meeting.as_ref().map(|meeting| &meeting.held),
            "witness": meeting.as_ref().and_then(|meeting| meeting.witness.as_ref()),
            "doubt": meeting.as_ref().and_then(|meeting| meeting.doubt).map(Doubt::token),
            "token": count.map(|count| count.token),
            "shared": count.map(|count| count.shared),
            "requested": count.map(|count| count.requested),
            "ratio_max": count.map(|count| count.ratio_max),
        })
    }
}
