//! `dos init`: a `dos.toml` with lanes derived from the repository's folders, and hooks of hosts.

mod hooks;

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use camino::{Utf8Path, Utf8PathBuf};
use dos_drivers::init::{self, Derived, Why};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::doctor::{lanes_json, plain, root_and_workspace, shell};

/// Write a dos.toml with lanes derived from the repository's folders
///
/// Each source folder at the top becomes a lane; of crates, packages, apps and services each
/// package does. What git ignores and what tools generate is left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos init --dry-run      see what it would write
  dos init
  dos init services/api   for a folder, from the current one or from --workspace
  dos init --shared       one state for all git work trees of this repository
  dos init --force        derive it anew, over the dos.toml that is there
  dos init --hooks claude-code            wire the hooks of an agent host; a dos.toml stays
  dos init --hooks codex --dry-run        see what would change in its settings
  dos init --hooks gemini --uninstall     take them out again

Hosts: antigravity, claude-code, codex, cursor, gemini, hermes.

Exit codes: 0 written, 2 there is a dos.toml already, or a file cannot be written.")]
pub struct Args {
    /// The folder that becomes a workspace [default: the workspace folder]
    #[arg(value_name = "DIR")]
    folder: Option<Utf8PathBuf>,
    /// Replace the dos.toml that is there
    #[arg(long)]
    force: bool,
    /// Let all git work trees of the repository share one state
    #[arg(long)]
    shared: bool,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Wire our hooks into the settings of this agent host
    #[arg(long, value_name = "HOST")]
    hooks: Option<String>,
    /// The same as --hooks claude-code
    #[arg(long, hide = true, conflicts_with = "hooks")]
    with_hooks: bool,
    /// Take our hooks out of its settings instead
    #[arg(long, requires = "hooks", conflicts_with_all = ["strict", "force"])]
    uninstall: bool,
    /// Also have it refuse calls when the hook itself fails, where it can
    #[arg(long, requires = "hooks")]
    strict: bool,
}

/// Derives, writes and says what it did.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let folder = folder(context, args)?;
    let path = folder.join("dos.toml");
    let there = path.symlink_metadata().is_ok();
    if path.is_dir() {
        bail!("{path} is a folder; move it away and run this again");
    }
    let named = args.hooks.as_deref().or(args.with_hooks.then_some("claude-code"));
    let wired = match named.map(hooks::host_named).transpose()? {
        None => None,
        Some(host) => {
            let (uninstall, strict, dry_run) = (args.uninstall, args.strict, args.dry_run);
            let how = hooks::Wiring { uninstall, strict, dry_run };
            Some(hooks::wire(context, &folder, host, how)?)
        }
    };
    if let Some(wired) = &wired {
        if !args.json {
            wired.print();
        }
        if args.uninstall || (there && !args.force) || args.dry_run {
            if args.json {
                let answer = json!({"outcome": wired.outcome(), "hooks": wired.json()});
                output::answer(&answer, false);
            }
            return Ok(Exit::Yes);
        }
    }
    if there && !args.force && !args.dry_run {
        return Err(already_there(&path));
    }
    let derived = init::derive(&folder).with_context(|| format!("failed to read {folder}"))?;
    let mut text = derived.to_toml();
    if args.shared {
        text.push_str(init::SHARED);
    }
    if !args.dry_run {
        init::put(&path, &text, args.force).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => already_there(&path),
            _ => anyhow::Error::from(error).context(format!("failed to write {path}")),
        })?;
    }
    let outcome = match (args.dry_run, there) {
        (true, _) => "would_write",
        (false, true) => "replaced",
        (false, false) => "written",
    };
    let told = Told { context, folder: &folder, path: &path, derived: &derived };
    match (args.json, args.dry_run) {
        (true, _) => {
            let mut answer = told.json(outcome, &text);
            if let (Some(wired), Value::Object(fields)) = (&wired, &mut answer) {
                fields.insert("hooks".to_string(), wired.json());
            }
            output::answer(&answer, false);
        }
        (false, true) => {
            output::raw(text.as_bytes());
            told.remarks().iter().for_each(|line| output::note(line));
            if there && !args.force {
                output::note("note: there is a dos.toml already; writing takes --force");
            }
        }
        (false, false) => {
            let did = if there { "replaced" } else { "wrote" };
            output::line(&format!("{did} {path}"));
            told.lanes().iter().for_each(|line| output::line(line));
            told.remarks().iter().for_each(|line| output::line(line));
            told.next_steps().iter().for_each(|line| output::line(line));
        }
    }
    Ok(Exit::Yes)
}

fn already_there(path: &Utf8Path) -> anyhow::Error {
    anyhow::anyhow!(
        "there is a {path} already; --force replaces it, --dry-run shows by what, `dos doctor` \
         checks it"
    )
}

/// The folder to write into: absolute, and there.
fn folder(context: &Context, args: &Args) -> anyhow::Result<Utf8PathBuf> {
    let (root, _) = root_and_workspace(context)?;
    let Some(given) = &args.folder else {
        return Ok(root);
    };
    let path = root.join(given);
    let folder = path.canonicalize_utf8().with_context(|| format!("there is no folder {path}"))?;
    if !folder.is_dir() {
        bail!("{folder} is no folder");
    }
    Ok(folder)
}

/// What is said about a derivation.
struct Told<'a> {
    context: &'a Context,
    folder: &'a Utf8Path,
    path: &'a Utf8Path,
    derived: &'a Derived,
}

impl Told<'_> {
    fn lanes(&self) -> Vec<String> {
        let declared = self.derived.declared();
        let width = declared.names().map(|name| name.chars().count()).max().unwrap_or(0);
        let line = |name: &String, what: &str| {
            let tree = declared.tree(name).patterns().join(", ");
            format!("  {name:width$}  {tree}{what}")
        };
        let beside = declared.concurrent.iter().map(|name| line(name, ""));
        let alone = declared.exclusive.iter().map(|name| line(name, "  (runs alone)"));
        let count = declared.concurrent.len();
        let heading = match count {
            0 => "no source folders: one lane for everything".to_string(),
            1 => "1 lane, and one for everything".to_string(),
            _ => format!("{count} lanes that run side by side, and one for everything"),
        };
        std::iter::once(heading).chain(beside).chain(alone).collect()
    }

    /// What the user may not expect: folders without a lane, and where this is.
    fn remarks(&self) -> Vec<String> {
        let mut by_reason: BTreeMap<&Why, Vec<String>> = BTreeMap::new();
        for left_out in &self.derived.left_out {
            by_reason.entry(&left_out.why).or_default().push(plain(&left_out.folder));
        }
        let mut lines: Vec<String> = by_reason
            .iter()
            .map(|(why, folders)| {
                format!("left out: {} ({})", folders.join(", "), plain(&why.to_string()))
            })
            .collect();
        match (self.derived.git, init::enclosing_repository(self.folder)) {
            (false, _) => lines.push(
                "note: this is not a git repository, so that no ignore rules were asked"
                    .to_string(),
            ),
            (true, Some(root)) => lines.push(format!(
                "note: this is a folder inside the repository {root}; fleets usually share one \
                 workspace at its root"
            )),
            (true, None) => {}
        }
        lines
    }

    fn next_steps(&self) -> Vec<String> {
        let declared = self.derived.declared();
        let lane = declared.names().next().map_or("main", String::as_str);
        let lane = shell(lane);
        let here = match self.folder == self.context.current {
            true => String::new(),
            false => format!(" --workspace {}", shell(self.folder.as_str())),
        };
        vec![
            "next:".to_string(),
            format!("  dos doctor{here}"),
            format!("  dos lease-lane acquire{here} --lane {lane} --owner me"),
        ]
    }

    fn json(&self, outcome: &str, text: &str) -> Value {
        let left_out = self.derived.left_out.iter().map(|left_out| {
            json!({
                "folder": left_out.folder,
                "reason": left_out.why.token(),
                "why": left_out.why.to_string(),
            })
        });
        let folders = self.derived.lanes.iter();
        let folders: Map<String, Value> =
            folders.map(|lane| (lane.name.clone(), lane.folder.clone().into())).collect();
        json!({
            "outcome": outcome,
            "path": self.path.as_str(),
            "git": self.derived.git,
            "lanes": lanes_json(&self.derived.declared()),
            "folders": folders,
            "left_out": left_out.collect::<Value>(),
            "text": text,
        })
    }
}
