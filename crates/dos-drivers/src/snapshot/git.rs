//! The tree of a revision, or what a commit of the work tree would hold now.
//!
//! Both give the same values, so that a revision can be compared with the work tree. Nothing is
//! written into the repository (git only renews the times of objects that it has already): the work
//! tree is added to an index and to objects of our own.

use std::fs;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::json::canonical;
use dos_core::witness::{State, StateReader, WitnessRung};
use serde_json::json;

use super::Reading;
use super::path_key;
use crate::spawn;

/// What the caller's environment must not decide, for the agent may have set it.
const VARIABLES: [&str; 8] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_REPLACE_REF_BASE",
    "GIT_WORK_TREE",
];

/// A tree that git knows.
pub struct GitTree<'a> {
    /// The revision; empty for the work tree.
    pub revision: &'a str,
    /// How it is read.
    pub reading: &'a Reading<'a>,
}

impl StateReader for GitTree<'_> {
    fn source(&self) -> String {
        format!("git:{}", self.revision)
    }

    fn rung(&self) -> WitnessRung {
        self.reading.rung
    }

    fn read(&mut self) -> Result<State, String> {
        let folder = self.reading.folder;
        if self.revision.is_empty() {
            return work_tree(folder);
        }
        if self.revision.starts_with('-') {
            return Err("no revision begins with a dash".to_string());
        }
        let revision = format!("{}^{{tree}}", self.revision);
        let tree = text(git(folder).args([
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &revision,
        ]))
        .map_err(|error| match error.is_empty() {
            true => format!("there is no revision {:?}", self.revision),
            false => error,
        })?;
        listed(git(folder), &tree)
    }
}

/// What a commit of everything would hold now.
fn work_tree(folder: &Utf8Path) -> Result<State, String> {
    let place = |name: &str| -> Result<Utf8PathBuf, String> {
        let path = ["rev-parse", "--path-format=absolute", "--git-path", name];
        Ok(Utf8PathBuf::from(text(git(folder).args(path))?))
    };
    let root = Utf8PathBuf::from(text(git(folder).args(["rev-parse", "--show-toplevel"]))?);
    let scratch = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let own = |name: &str| scratch.path().join(name);
    // With the index comes what git knows of unchanged files, so that it need not read them.
    match fs::copy(place("index")?, own("index")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("the index cannot be copied: {error}"));
        }
        _ => {}
    }
    fs::create_dir(own("objects")).map_err(|error| error.to_string())?;
    let objects = place("objects")?;
    let ours = || {
        let mut command = git(&root);
        command
            .args(["-c", "core.fsmonitor=false", "-c", "core.splitIndex=false"])
            .env("GIT_INDEX_FILE", own("index"))
            .env("GIT_OBJECT_DIRECTORY", own("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&objects));
        command
    };
    bytes(ours().args(["add", "--all"]))?;
    let tree = text(ours().arg("write-tree"))?;
    listed(ours(), &tree)
}

/// A path in a list that is separated by colons.
fn quoted(path: &Utf8Path) -> String {
    let escaped = path.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

fn git(folder: &Utf8Path) -> Command {
    let mut command = spawn::command("git", folder);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    // A replacement shows another tree under the same name.
    command.env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
    command
}

/// The entries of a tree, all of them.
fn listed(mut command: Command, tree: &str) -> Result<State, String> {
    if tree.is_empty() || !tree.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("git named no tree, but {tree:?}"));
    }
    let listing = bytes(command.args(["ls-tree", "-r", "-z", "--full-tree", tree]))?;
    let mut state = State::builder();
    for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let odd = || format!("git listed {:?}", String::from_utf8_lossy(entry));
        let tab = entry.iter().position(|byte| *byte == b'\t').ok_or_else(odd)?;
        let (facts, path) = entry.split_at_checked(tab).ok_or_else(odd)?;
        let facts = std::str::from_utf8(facts).map_err(|_| odd())?;
        let mut facts = facts.split_ascii_whitespace();
        let (mode, kind, oid) = (facts.next(), facts.next(), facts.next());
        let value = canonical(&json!({"mode": mode, "oid": oid, "type": kind}));
        let path = path.strip_prefix(b"\t").ok_or_else(odd)?;
        state.insert(&path_key(path), &value).map_err(|error| error.to_string())?;
    }
    state.finish().map_err(|error| error.to_string())
}

fn text(command: &mut Command) -> Result<String, String> {
    let bytes = bytes(command)?;
    let text = String::from_utf8(bytes).map_err(|_| "git named a path that is no UTF-8")?;
    Ok(text.trim_end_matches('\n').to_string())
}

fn bytes(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| format!("git cannot be started: {error}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_string()),
    }
}
