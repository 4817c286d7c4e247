//! `cargo xtask check`: the habits that a tool can check, each as one step.
//!
//! Every step takes the workspace that it looks at, so that `--planted` can run it on a damaged copy
//! and see it fail.

mod graph;
mod planted;
mod purity;
mod tidy;
mod tools;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};

use tools::Workspace;

/// One thing that must hold of the workspace.
struct Step {
    id: &'static str,
    /// What to do when it fails.
    remedy: &'static str,
    /// An error is a failure; its text says what was found and where.
    run: fn(&Workspace) -> anyhow::Result<Outcome>,
}

/// How a step ended that did not fail.
enum Outcome {
    /// It holds; the text says what was looked at.
    Passed(String),
    /// It could not be judged on this machine. Said loudly: nothing was proved.
    Skipped(String),
}

/// All steps, cheapest explanation first.
const STEPS: &[Step] = &[
    Step { id: "fmt", remedy: "run `cargo fmt --all`", run: tools::fmt },
    Step {
        id: "clippy",
        remedy: "fix it, or `#[expect(lint, reason = \"...\")]` in the one shim that may",
        run: tools::clippy,
    },
    Step {
        id: "graph",
        remedy: "remove the edge; a new one is a design decision: EDGES in check/graph.rs",
        run: graph::edges,
    },
    Step {
        id: "core-deps",
        remedy: "remove it, or read its source and add its name in check/purity.rs",
        run: purity::core_dependencies,
    },
    Step {
        id: "no-std",
        remedy: "dos-core and all below it must build without std",
        run: purity::build_without_std,
    },
    Step {
        id: "std-features",
        remedy: "set `default-features = false`, or drop the feature that implies std",
        run: purity::std_features,
    },
    Step { id: "deny", remedy: "see deny.toml for what each ban protects", run: tools::deny },
    Step {
        id: "features",
        remedy: "drop the feature: it changes the bytes of every journal we write",
        run: purity::json_features,
    },
    Step { id: "tidy", remedy: "each line above names the file and the rule", run: tidy::tidy },
];

/// Runs the command.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let mut only = Vec::new();
    let mut planted = false;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--planted" => planted = true,
            "--only" => only.push(arguments.next().context("--only needs the id of a step")?),
            other => bail!("unknown argument `{other}`; known: --only ID, --planted"),
        }
    }
    let ids: Vec<&str> = STEPS.iter().map(|step| step.id).collect();
    if let Some(unknown) = only.iter().find(|id| !ids.contains(&id.as_str())) {
        bail!("no step `{unknown}`; the steps are {}", ids.join(", "));
    }
    let steps: Vec<&Step> = STEPS
        .iter()
        .filter(|step| only.is_empty() || only.iter().any(|id| *id == step.id))
        .collect();

    let workspace = workspace()?;
    if planted { planted::run(&workspace, &steps) } else { run_steps(&workspace, &steps) }
}

/// Runs every step, also after a failure.
fn run_steps(workspace: &Workspace, steps: &[&Step]) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for step in steps {
        // The name comes first: a long step shows what it is before it ends.
        print!("{:<13}", step.id);
        std::io::stdout().flush()?;
        let started = Instant::now();
        let result = (step.run)(workspace);
        let seconds = started.elapsed().as_secs_f64();
        match result {
            Ok(Outcome::Passed(note)) => println!("ok      {seconds:6.1} s  {note}"),
            Ok(Outcome::Skipped(note)) => println!("SKIPPED {seconds:6.1} s  !!! {note} !!!"),
            Err(error) => {
                println!("FAILED  {seconds:6.1} s  {}", step.remedy);
                for line in format!("{error:#}").lines() {
                    println!("    {line}");
                }
                failed.push(step.id);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{} of {} steps failed: {}", failed.len(), steps.len(), failed.join(", "))
}

/// The workspace that we were called in. Not the one that xtask was built from: with a shared target
/// directory that may be another checkout.
fn workspace() -> anyhow::Result<Workspace> {
    let here = Workspace { root: PathBuf::from("."), target_directory: None };
    let arguments = ["locate-project", "--workspace", "--message-format", "plain"];
    let manifest = tools::cargo(&here, &arguments)?.expect_success("cargo locate-project")?;
    let root = Path::new(manifest.trim()).parent().context("the manifest is in no folder")?;
    Ok(Workspace { root: root.to_path_buf(), ..here })
}

/// Passes with a note when there is no problem, else fails with all of them.
fn judge(problems: Vec<String>, note: String) -> anyhow::Result<Outcome> {
    if problems.is_empty() {
        return Ok(Outcome::Passed(note));
    }
    bail!("{}", problems.join("\n"))
}
