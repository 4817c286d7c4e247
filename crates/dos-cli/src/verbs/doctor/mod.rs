//! `dos doctor`: what is configured, what is going on, what is wrong. Reads, and nothing else.

mod elsewhere;
mod findings;
mod gather;
mod hooks;
mod machine;
mod report;
mod text;
mod verdicts;

use camino::Utf8PathBuf;
use dos_core::lane::Lanes;
use dos_store::disk::RealDisk;
use dos_store::registry::Registry;
use dos_store::{StoreError, Workspace};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

pub use text::{aligned, counted, cut, plain, shell};

/// Report the workspace, its lanes and what is wrong
///
/// Reads and locks nothing that a writer could notice, and changes nothing unless it is told to. Hooks
/// that are wired into an agent host are run once with a made-up event, of which nothing is recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos doctor
  dos doctor --check           in a script: is the workspace in order?
  dos doctor --all             and the other projects of this machine
  dos doctor --fix             do what is safe, then report
  dos doctor --trust           once, for a .dos that is a link to another disk
  dos doctor --json            for programs: lanes, leases, lock, findings

Exit codes: 0 the report is there; with --check 0 healthy, 1 findings (errors or warnings);
2 there is no such workspace.")]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Exit with 1 when there is an error or a warning
    #[arg(long)]
    check: bool,
    /// Look at every other project of this machine too, as the home registry has them
    #[arg(long)]
    all: bool,
    /// First do what is safe: tell or rebuild the home registry, compact a journal past its caps
    #[arg(long)]
    fix: bool,
    /// Use this workspace's `.dos` although it leads elsewhere or is another user's; from now on
    #[arg(long)]
    trust: bool,
}

/// Reports.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    if args.trust {
        trust(context)?;
    }
    if args.fix {
        machine::fix(context)?.iter().for_each(|did| output::note(&format!("fixed: {did}")));
    }
    let report = gather::Report::gather(context, gather::Scope::Workspace)?;
    let elsewhere = args.all.then(|| elsewhere::Elsewhere::gather(context, &report)).transpose()?;
    if args.json {
        let mut object = report.json();
        object.extend(elsewhere.iter().map(|seen| ("elsewhere".to_string(), seen.json())));
        output::answer(&Value::Object(object), false);
    } else {
        let colour = output::wants_colour(context.first_variable(&["NO_COLOR"])?);
        let mut lines = report.lines(colour);
        lines.extend(elsewhere.iter().flat_map(|seen| seen.lines(colour)));
        lines.iter().for_each(|line| output::line(line));
    }
    let elsewhere = elsewhere.iter().flat_map(elsewhere::Elsewhere::findings);
    let healthy = !report.findings.iter().chain(elsewhere).any(findings::Finding::gates);
    Ok(if args.check && !healthy { Exit::No } else { Exit::Yes })
}

/// Writes down that the state of the workspace is trusted, if it needs that.
fn trust(context: &Context) -> anyhow::Result<()> {
    let workspace = context.quiet_workspace()?;
    let Some(distrust) = workspace.first_doubt(&RealDisk) else {
        output::note("nothing to trust: the state is in its place and this user's, or trusted");
        return Ok(());
    };
    let home = workspace.home.as_ref().ok_or(StoreError::NoHome)?;
    let registry = Registry::new(&RealDisk, &context.clock, home, &workspace.host);
    registry.trust(&workspace.state, &distrust)?;
    output::note(&format!("trusted from now on: {}", distrust.error()));
    // Only what was shown is trusted.
    if let Some(next) = context.quiet_workspace()?.first_doubt(&RealDisk) {
        output::note(&format!("not trusted: {}; to trust that too, run this again", next.error()));
    }
    Ok(())
}

/// The root of the workspace, and the workspace unless its `dos.toml` cannot be read at all.
pub fn root_and_workspace(
    context: &Context,
) -> anyhow::Result<(Utf8PathBuf, Result<Workspace, StoreError>)> {
    let error = match context.quiet_workspace() {
        Ok(workspace) => return Ok((workspace.root.clone(), Ok(workspace))),
        Err(error) => error.downcast::<StoreError>()?,
    };
    let config = match &error {
        StoreError::Io { action: "read", path, .. }
        | StoreError::WrongKind { path, wanted: "file" } => Some(path),
        _ => None,
    };
    let root = config.filter(|path| path.file_name() == Some("dos.toml")).and_then(|p| p.parent());
    match root.map(camino::Utf8Path::to_owned) {
        Some(root) => Ok((root, Err(error))),
        None => Err(error.into()),
    }
}

/// The lanes under the keys of the original's report.
pub fn lanes_json(lanes: &Lanes) -> Value {
    let trees: serde_json::Map<String, Value> =
        lanes.trees.iter().map(|(name, tree)| (name.clone(), tree.to_json())).collect();
    json!({
        "concurrent": lanes.concurrent,
        "exclusive": lanes.exclusive,
        "shared": lanes.shared,
        "autopick": lanes.autopick,
        "trees": trees,
    })
}
