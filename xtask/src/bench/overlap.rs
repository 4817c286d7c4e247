//! What overlap decisions cost: pairs, admissions, hard patterns, and the lane map of a large tree.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{median, shown};
use crate::original;

const LANES: usize = 2000;
const FILES: usize = 100_000;

/// Runs the benchmark of the core, and maps a large repository.
pub fn run() -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let bench = ["bench", "--quiet", "-p", "dos-core", "--bench", "overlap"];
    let status = Command::new(cargo).args(bench).status().context("failed to run cargo")?;
    if !status.success() {
        bail!("the benchmark of dos-core failed");
    }
    lane_map()
}

/// `dos lanes`, a whole process, over an index of git without a file on the disk.
fn lane_map() -> anyhow::Result<()> {
    let dos = original::build_dos()?;
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path();
    let package: fn(usize) -> String =
        |number| format!("packages/group{:02}/pkg{number:04}", number % 40);
    let kinds = ["src", "src/api", "tests", "docs", "src/ui/components"];
    let endings = ["rs", "ts", "md", "json", "py", "css"];
    let mut index = String::new();
    for file in 0..FILES {
        let (package, kind) = (package(file % LANES), kinds[file / LANES % kinds.len()]);
        let ending = endings[file / LANES % endings.len()];
        // The empty blob.
        let blob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        writeln!(index, "100644 {blob}\t{package}/{kind}/file{:02}.{ending}", file / LANES)?;
    }
    let git = |arguments: &[&str], input: &str| -> anyhow::Result<()> {
        let mut git = Command::new("git");
        let mut running = git.args(arguments).current_dir(folder).stdin(Stdio::piped()).spawn()?;
        running.stdin.take().context("git takes no input")?.write_all(input.as_bytes())?;
        anyhow::ensure!(running.wait()?.success(), "git {arguments:?} failed");
        Ok(())
    };
    git(&["init", "--quiet"], "")?;
    git(&["update-index", "--index-info"], &index)?;
    println!("the lane map of {LANES} lanes over {FILES} files, whole process, median of 5:");
    for (name, config) in policies(package)? {
        std::fs::write(folder.join("dos.toml"), config)?;
        for verb in ["lanes", "lint"] {
            let mut times = Vec::new();
            for _ in 0..5 {
                let started = Instant::now();
                let status = Command::new(&dos)
                    .arg(verb)
                    .current_dir(folder)
                    .stdout(Stdio::null())
                    .status()
                    .with_context(|| format!("failed to run {dos:?}"))?;
                times.push(started.elapsed());
                anyhow::ensure!(status.code().is_some_and(|code| code < 2), "dos {verb}: {status}");
            }
            let took = median(&mut times);
            let wanted = if took < Duration::from_secs(2) { "" } else { ", which is too long" };
            println!("  {name:<34} dos {verb} {} (wanted: under 2 s{wanted})", shown(took));
        }
    }
    println!();
    Ok(())
}

/// One `dos.toml` for each kind of tree: a lane a package, and those that meet by their ends.
fn policies(package: fn(usize) -> String) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut policies = Vec::new();
    type Patterns = fn(usize, &str) -> String;
    let kinds: [(&str, &str, Patterns); 5] = [
        ("a package each, except its docs", "exact", |_, own| {
            format!("\"{own}/**\", \"!{own}/docs/**\"")
        }),
        ("two folders each, under prefix", "prefix", |_, own| {
            format!("\"{own}/src/**\", \"{own}/tests/**\"")
        }),
        ("**/*.xN", "exact", |number, _| format!("\"**/*.x{number}\"")),
        ("**/pkgN/**, all of which meet", "exact", |number, _| format!("\"**/pkg{number:04}/**\"")),
        ("**/*.rs except a folder, the same", "exact", |_, own| {
            format!("\"**/*.rs\", \"!{own}/**\"")
        }),
    ];
    for (name, policy, patterns) in kinds {
        let mut config = format!("[overlap]\npolicy = \"{policy}\"\n[lanes]\nconcurrent = [");
        (0..LANES).try_for_each(|number| write!(config, "\"pkg{number}\","))?;
        config.push_str("]\n[lanes.trees]\n");
        for number in 0..LANES {
            writeln!(config, "pkg{number} = [{}]", patterns(number, &package(number)))?;
        }
        policies.push((name, config));
    }
    Ok(policies)
}
