//! `dos forget`: takes a project out of the home registry.

use dos_core::registry::normalized;
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
        output::note(&format!(
            "no project {} is known; `dos projects` lists them",
            plain(&args.path)
        ));
    }
    Ok(exit)
}
