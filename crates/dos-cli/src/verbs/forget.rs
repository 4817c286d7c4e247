//! `dos forget`: takes a project out of the home registry.

use camino::Utf8Path;
use dos_core::registry::normalized;
use dos_store::disk::RealDisk;
use dos_store::home::Home;
use dos_store::registry::project_names;
use dos_store::worktree;
use serde_json::{Value, json};

use super::doctor::{counted, plain};
use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Take a project out of the home registry
///
/// By its folder, in whatever spelling and whether it still exists or not, or by its id. The
/// project's own files stay: when it is at work again it is taken in again, within a day.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos forget ~/src/old
  dos forget 9a1bb00bcadb0a1f

Exit codes: 0 forgotten; 1 no such project is known; 2 a file cannot be read or written;
4 the registry's lock stayed busy.")]
pub struct Args {
    /// The project's folder, or its id
    #[arg(value_name = "PATH")]
    path: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Forgets.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let home = context.home()?;
    let path = context.current.join(&args.path);
    let path = path.canonicalize_utf8().unwrap_or(path);
    let path = normalized(path.as_str());
    let forgotten = context.registry(&home).forget(&[&args.path, &path])?;
    let exit = if forgotten.is_empty() { Exit::No } else { Exit::Yes };
    if args.json {
        let gone = forgotten.iter().map(|project| {
            json!({
                "project_id": project.project_id,
                "root": project.root,
                "decisions": project.decisions,
            })
        });
        output::answer(&json!({"forgotten": gone.collect::<Value>()}), false);
        return Ok(exit);
    }
    for project in &forgotten {
        let overrides = counted(project.decisions, "override");
        output::line(&format!("forgotten: {} ({overrides})", plain(&project.root)));
    }
    if forgotten.is_empty() {
        let shown = plain(&args.path);
        output::note(&match project_of(context, &home, &path)? {
            Some(main) => format!(
                "{shown} is a work tree of the project {}; to forget that, name it",
                plain(&main)
            ),
            None => format!("no project {shown} is known; `dos projects` lists them"),
        });
    }
    Ok(exit)
}

/// The known project that has the state of the work tree at a path.
fn project_of(context: &Context, home: &Home, path: &str) -> anyhow::Result<Option<String>> {
    let linked = worktree::linked(&RealDisk, Utf8Path::new(path));
    let Some(main) = linked.map(|linked| linked.main.into_string()) else { return Ok(None) };
    let projects = context.registry(home).projects()?;
    Ok(projects.iter().any(|row| project_names(row)[0] == main).then_some(main))
}
