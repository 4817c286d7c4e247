//! `dos reindex`: the home registry made anew from the projects themselves.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use dos_store::registry::Reindexed;
use serde_json::{Value, json};

use super::doctor::{counted, plain};
use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Make the home registry anew from the projects themselves
///
/// Looks at every root that the registry knows. What it has is derived, so that it may be deleted:
/// with --under, projects are also looked for by the cards in their own folders.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos reindex                  look at every known project again
  dos reindex --prune          and drop those that are gone, and temporary ones
  dos reindex --under ~/src    find projects, for example after the registry was deleted

Exit codes: 0 done; 2 a file cannot be read or written; 4 the registry's lock stayed busy.")]
pub struct Args {
    /// Drop projects that are gone and temporary ones, for good
    #[arg(long)]
    prune: bool,
    /// Look for projects below this folder as well; may be repeated
    #[arg(long, value_name = "DIR")]
    under: Vec<Utf8PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Makes it anew.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let home = context.home()?;
    let mut under = Vec::new();
    for folder in &args.under {
        let path = context.current.join(folder);
        let found = path.canonicalize_utf8();
        under.push(found.map_err(|error| anyhow::anyhow!("failed to open {path}: {error}"))?);
    }
    let done = context.registry(&home).reindex(args.prune, &under)?;
    let summary = &done.index.summary;
    for (id, roots) in &summary.id_collisions {
        let [one, other] = roots.each_ref().map(|root| plain(root));
        output::note(&format!("warning: {one} and {other} have the same id {}", plain(id)));
    }
    for root in &summary.unreadable {
        let root = plain(root);
        output::note(&format!("warning: {root} cannot be looked at, and stays as it was"));
    }
    for folder in missed(&done) {
        let folder = plain(folder);
        output::note(&format!("warning: {folder} cannot be read, or has a card that cannot"));
    }
    match args.json {
        true => output::answer(&json(&done), true),
        false => output::line(&line(&done)),
    }
    Ok(Exit::Yes)
}

/// What the search could not read, but for known projects that were told already.
fn missed(done: &Reindexed) -> impl Iterator<Item = &String> {
    done.unreadable.iter().filter(|folder| !done.index.summary.unreadable.contains(folder))
}

fn json(done: &Reindexed) -> Value {
    let summary = &done.index.summary;
    let unreadable: BTreeSet<&String> = summary.unreadable.iter().chain(&done.unreadable).collect();
    let collisions = summary.id_collisions.iter();
    let collisions = collisions.map(|(id, roots)| json!({"project_id": id, "roots": roots}));
    json!({
        "active": summary.active,
        "stale": summary.stale,
        "moved": summary.moved,
        "throwaway": summary.throwaway,
        "id_collisions": collisions.collect::<Value>(),
        "projects": done.index.rows.len(),
        "decisions": done.decisions,
        "unreadable": unreadable,
        "corrupt_lines": done.corrupt,
        "dropped": done.index.dropped,
    })
}

fn line(done: &Reindexed) -> String {
    let summary = &done.index.summary;
    let mut text = format!(
        "{}: {} active, {} stale, {} moved",
        counted(done.index.rows.len() as u64, "project"),
        summary.active,
        summary.stale,
        summary.moved
    );
    if summary.throwaway > 0 {
        text.push_str(&format!(", {} temporary dropped", summary.throwaway));
    }
    if done.corrupt > 0 {
        text.push_str(&format!(", {} left out", counted(done.corrupt, "unreadable line")));
    }
    text + &format!("; {}", counted(done.decisions, "override"))
}
