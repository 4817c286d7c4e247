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
    let package = |number: usize| format!("packages/group{:02}/pkg{number:04}", number % 40);
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
    let mut config = String::from("[lanes]\nexclusive = [\"global\"]\nconcurrent = [");
    (0..LANES - 2).try_for_each(|number| write!(config, "\"pkg{number}\","))?;
    config.push_str("\"docs\"]\n[lanes.trees]\nglobal = [\"**/*\"]\ndocs = [\"**/docs/**\"]\n");
    for number in 0..LANES - 2 {
        let package = package(number);
        writeln!(config, "pkg{number} = [\"{package}/**\", \"!{package}/docs/**\"]")?;
    }
    std::fs::write(folder.join("dos.toml"), config)?;
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
        println!("  dos {verb} {} (wanted: under 2 s{wanted})", shown(took));
    }
    println!();
    Ok(())
}
