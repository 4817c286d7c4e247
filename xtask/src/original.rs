//! The two programs that are compared: the original, installed once, and ours, built for release.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

const ORIGINAL: &str = "dos-kernel==0.22.0";

/// Installs the original in a virtual environment below `target`, unless it is there; its folder.
pub fn install() -> anyhow::Result<PathBuf> {
    let venv = &root()?.join("target/oracle-venv");
    let python = venv.join("bin/python");
    let version =
        "import importlib.metadata as m, dos; print('dos-kernel==' + m.version('dos-kernel'))";
    let there = || match Command::new(&python).args(["-c", version]).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim() == ORIGINAL,
        Err(_) => false,
    };
    if there() {
        return Ok(venv.to_path_buf());
    }
    eprintln!("installing {ORIGINAL} in {}", venv.display());
    done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ORIGINAL];
    done(Command::new(&python).args(pip))?;
    if !there() {
        bail!("{ORIGINAL} was installed in {} and does not import", venv.display());
    }
    Ok(venv.to_path_buf())
}

/// Builds our program for release; its path.
pub fn build_dos() -> anyhow::Result<PathBuf> {
    built(&["-p", "dos-cli", "--bin", "dos"])
}

/// Builds an example of a package for speed; returns the program.
pub fn build_example(package: &str, name: &str) -> anyhow::Result<PathBuf> {
    built(&["-p", package, "--example", name])
}

/// Builds one program for release; where cargo says that it put it.
fn built(what: &[&str]) -> anyhow::Result<PathBuf> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--quiet", "--release", "--message-format=json-render-diagnostics"])
        .args(what)
        .arg("--manifest-path")
        .arg(root()?.join("Cargo.toml"))
        .stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("failed to run {command:?}"))?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let programs = messages
        .filter_map(|message| Some(PathBuf::from(message.ok()?.get("executable")?.as_str()?)));
    programs.last().with_context(|| format!("{command:?} names no program"))
}

fn root() -> anyhow::Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the manifest of xtask lies in no workspace")
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("failed to run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
