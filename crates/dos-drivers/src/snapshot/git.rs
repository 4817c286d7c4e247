//! The tree of a revision, or what a commit of the work tree would hold now.
//!
//! Both give the same values, so that a revision can be compared with the work tree. Nothing is
//! written into the repository (git only renews the times of objects that it has already): the work
//! tree is added to an index and to objects of our own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::json::canonical;
use dos_core::limits::STATE_BYTES_MAX;
use dos_core::witness::{State, StateBuilder, StateReader, WitnessRung};
use dos_store::snapshot::hex;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Reading;
use super::path_key;
use crate::{bounded, spawn};

/// Settings beside `filter.*` that decide what git takes for the content or the mode of a file.
const CONVERSIONS: [&str; 7] = [
    "attr.tree",
    "core.attributesfile",
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.ignorecase",
    "core.symlinks",
];
/// Where a folder says how git is to take what is in it.
const ATTRIBUTES: &str = ".gitattributes";

/// A tree that git knows.
pub struct GitTree<'a> {
    revision: &'a str,
    reading: &'a Reading<'a>,
    left_out: Vec<String>,
    /// The SHA-256 of what decides how files are taken; none of a revision.
    conversions: Option<String>,
}

impl<'a> GitTree<'a> {
    /// A revision, or the work tree where it is empty, and how it is read.
    pub fn new(revision: &'a str, reading: &'a Reading<'a>) -> Self {
        Self { revision, reading, left_out: Vec::new(), conversions: None }
    }
}

impl StateReader for GitTree<'_> {
    fn source(&self) -> String {
        format!("git:{}", self.revision)
    }

    /// A revision is compared with the work tree: both name the same objects.
    fn shape(&self) -> String {
        "a tree of git".to_string()
    }

    fn rung(&self) -> WitnessRung {
        WitnessRung::OsRecorded
    }

    fn left_out(&self) -> Vec<String> {
        self.left_out.clone()
    }

    fn terms(&self) -> BTreeMap<String, String> {
        let term = |sha256: &String| format!("the filters and attributes {sha256}");
        self.conversions.iter().map(|sha256| (String::new(), term(sha256))).collect()
    }

    fn read(&mut self) -> Result<State, String> {
        let git = Git { folder: self.reading.folder, within: self.reading.within };
        if self.revision.is_empty() {
            let (state, left_out, conversions) = git.work_tree()?;
            (self.left_out, self.conversions) = (left_out, Some(conversions));
            return Ok(state);
        }
        if self.revision.starts_with('-') {
            return Err("no revision begins with a dash".to_string());
        }
        let revision = format!("{}^{{tree}}", self.revision);
        let verified = ["rev-parse", "--verify", "--quiet", "--end-of-options", &revision];
        let tree = git.text(git.command(), &verified).map_err(|error| match error.is_empty() {
            true => format!("there is no revision {:?}", self.revision),
            false => error,
        })?;
        Ok(git.listed(git.command(), &tree, State::builder())?.0)
    }
}

/// Copies an index with its time: git reads again what was changed in the second in which it wrote that.
fn copied(index: &Path, to: &Path) -> io::Result<()> {
    let time = fs::metadata(index)?.modified()?;
    fs::copy(index, to)?;
    fs::File::options().write(true).open(to)?.set_modified(time)
}

/// Git, asked about a folder.
struct Git<'a> {
    folder: &'a Utf8Path,
    /// How long each of its commands may take.
    within: Duration,
}

impl Git<'_> {
    /// What a commit of everything would hold now, what it would leave out, and the SHA-256 of what
    /// decided how git took the files.
    fn work_tree(&self) -> Result<(State, Vec<String>, String), String> {
        let place = |name: &str| -> Result<Utf8PathBuf, String> {
            let path = ["rev-parse", "--path-format=absolute", "--git-path", name];
            Ok(Utf8PathBuf::from(self.text(self.command(), &path)?))
        };
        let root = self.text(self.command(), &["rev-parse", "--show-toplevel"])?;
        let root = Git { folder: Utf8Path::new(&root), within: self.within };
        let scratch = tempfile::tempdir();
        let scratch = scratch.map_err(|error| format!("no temporary folder: {error}"))?;
        let own = |name: &str| scratch.path().join(name);
        // With the index comes what git knows of unchanged files, so that it need not read them.
        match copied(place("index")?.as_std_path(), &own("index")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("the index cannot be copied: {error}"));
            }
            _ => {}
        }
        fs::create_dir(own("objects")).map_err(|error| error.to_string())?;
        let objects = place("objects")?;
        let ours = || {
            let mut command = root.command();
            command
                .args(["-c", "core.fsmonitor=false", "-c", "core.splitIndex=false"])
                // A changed file whose time was put back is no unchanged one.
                .args(["-c", "core.trustctime=true", "-c", "core.checkStat=default"])
                .env("GIT_INDEX_FILE", own("index"))
                .env("GIT_OBJECT_DIRECTORY", own("objects"))
                .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&objects));
            command
        };
        if let Some(path) = root.passed_over(ours())? {
            return Err(format!(
                "git is told to take {path:?} for unchanged (git update-index \
                 --no-assume-unchanged --no-skip-worktree undoes that)"
            ));
        }
        let mut state = State::builder();
        if let Err(error) = self.bytes(ours(), &["add", "--all"]) {
            let unborn = root.unborn(ours())?;
            if unborn.is_empty() {
                return Err(error);
            }
            let mut adds = ours();
            adds.args(["add", "--all", "--", "."]);
            let value = canonical(&json!({"mode": "160000", "oid": null, "type": "commit"}));
            for path in &unborn {
                let excluded = [b":(exclude,literal)", path.as_slice()].concat();
                adds.arg(OsStr::from_bytes(&excluded));
                state.insert(&path_key(path), &value).map_err(|error| error.to_string())?;
            }
            self.bytes(adds, &[])?;
        }
        let tree = self.text(ours(), &["write-tree"])?;
        let (state, nested) = root.listed(ours(), &tree, state)?;
        for path in nested {
            root.checked_out(&path)?;
        }
        let ignored = root.ignored(ours())?;
        let conversions = root.conversions(&place("info/attributes")?, &state, &ignored)?;
        Ok((state, ignored, conversions))
    }

    /// Git goes by the index where a repository in the work tree has lost its `.git`: nobody can tell
    /// which commit is there. One that is not checked out has an empty folder.
    fn checked_out(&self, path: &[u8]) -> Result<(), String> {
        let folder = self.folder.as_std_path().join(OsStr::from_bytes(path));
        let has_files = fs::read_dir(&folder).is_ok_and(|mut names| names.next().is_some());
        match has_files && fs::symlink_metadata(folder.join(".git")).is_err() {
            true => Err(format!(
                "{} has files and no .git, so that git cannot tell which commit of it is there",
                folder.display()
            )),
            false => Ok(()),
        }
    }

    /// The SHA-256 of the settings and attributes by which git takes the files of the work tree.
    fn conversions(
        &self,
        own: &Utf8Path,
        state: &State,
        ignored: &[String],
    ) -> Result<String, String> {
        let listing = self.bytes(self.command(), &["config", "--list", "-z"])?;
        let decides = |setting: &&[u8]| {
            let name = setting.split(|byte| *byte == b'\n').next().unwrap_or_default();
            name.starts_with(b"filter.") || CONVERSIONS.iter().any(|it| it.as_bytes() == name)
        };
        let settings = listing.split(|byte| *byte == 0).filter(decides).map(path_key);
        let is_one = |key: &str| key.rsplit('/').next() == Some(ATTRIBUTES);
        let tracked = state.iter().filter(|(key, _)| is_one(key));
        let tracked = tracked.map(|(key, value)| format!("{key} {value}"));
        // An older git does not say where these two are.
        let named = |name: &str| self.text(self.command(), &["var", name]).unwrap_or_default();
        let beside = ["GIT_ATTR_GLOBAL", "GIT_ATTR_SYSTEM"].map(|name| (name, named(name).into()));
        let hidden = ignored.iter().filter(|key| is_one(key));
        let hidden = hidden.map(|key| (key.as_str(), self.folder.join(key)));
        let files = beside.into_iter().chain([("info", own.to_owned())]).chain(hidden);
        // Where there is none, it is as good as empty.
        let content = |file: Utf8PathBuf| fs::read(file).unwrap_or_default();
        let contents =
            files.map(|(name, file)| format!("{name} {}", hex(&Sha256::digest(content(file)))));
        let all: Vec<String> = settings.chain(tracked).chain(contents).collect();
        Ok(hex(&Sha256::digest(canonical(&json!(all)))))
    }

    /// What is there and is ignored: files, and folders with a `/` behind them.
    fn ignored(&self, command: Command) -> Result<Vec<String>, String> {
        let others =
            ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"];
        let listing = self.bytes(command, &others)?;
        let paths = listing.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        let mut ignored: Vec<String> = paths.map(path_key).collect();
        ignored.sort();
        // A folder that is not ignored itself is listed as well, where all in it is ignored: what
        // that is comes next, one by one.
        let next = ignored.clone().into_iter().skip(1).map(Some).chain([None]);
        let whole = |path: &String, next: Option<String>| {
            !path.ends_with('/') || next.is_none_or(|next| !next.starts_with(path.as_str()))
        };
        let both = ignored.into_iter().zip(next);
        Ok(both.filter_map(|(path, next)| whole(&path, next).then_some(path)).collect())
    }

    /// Repositories in the work tree without a commit, of which git can add nothing.
    fn unborn(&self, command: Command) -> Result<Vec<Vec<u8>>, String> {
        let others = ["ls-files", "--others", "--exclude-standard", "-z"];
        let listing = self.bytes(command, &others)?;
        let mut unborn = Vec::new();
        // Of files it says the names, of repositories the folders.
        for folder in listing.split(|byte| *byte == 0).filter_map(|path| path.strip_suffix(b"/")) {
            let path = self.folder.as_std_path().join(OsStr::from_bytes(folder));
            let path = Utf8PathBuf::from_path_buf(path);
            let path = path.map_err(|path| format!("{} is no UTF-8", path.display()))?;
            let nested = Git { folder: &path, within: self.within };
            let head = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
            match nested.text(nested.command(), &head) {
                Ok(_) => {}
                // That is all it says of a name that is not there.
                Err(error) if error.is_empty() => unborn.push(folder.to_vec()),
                Err(error) => return Err(format!("{path}: {error}")),
            }
        }
        Ok(unborn)
    }

    /// A file that git does not look at, because it was told so.
    fn passed_over(&self, command: Command) -> Result<Option<String>, String> {
        let listing = self.bytes(command, &["ls-files", "-v", "-z"])?;
        let mut entries =
            listing.split(|byte| *byte == 0).filter_map(|entry| entry.split_at_checked(2));
        // What a sparse checkout leaves out is not there.
        let there = |path: &[u8]| {
            let path = self.folder.as_std_path().join(OsStr::from_bytes(path));
            fs::symlink_metadata(path).is_ok()
        };
        let found = entries.find(|(tag, path)| {
            tag.first().is_some_and(u8::is_ascii_lowercase)
                || (tag.starts_with(b"S") && there(path))
        });
        Ok(found.map(|(_, path)| path_key(path)))
    }

    fn command(&self) -> Command {
        let mut command = spawn::command("git", self.folder);
        // The agent may have set them, and they decide what is read.
        spawn::without_variables(&mut command, "GIT_");
        // A replacement shows another tree under the same name.
        command
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("LC_ALL", "C");
        command
    }

    /// The entries of a tree, all of them, and which are repositories of their own.
    fn listed(
        &self,
        command: Command,
        tree: &str,
        mut state: StateBuilder,
    ) -> Result<(State, Vec<Vec<u8>>), String> {
        let mut nested = Vec::new();
        if tree.is_empty() || !tree.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("git named no tree, but {tree:?}"));
        }
        let listing = self.bytes(command, &["ls-tree", "-r", "-z", "--full-tree", tree])?;
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
            if kind == Some("commit") {
                nested.push(path.to_vec());
            }
        }
        Ok((state.finish().map_err(|error| error.to_string())?, nested))
    }

    fn text(&self, command: Command, arguments: &[&str]) -> Result<String, String> {
        let bytes = self.bytes(command, arguments)?;
        let text = String::from_utf8(bytes).map_err(|_| "git named a path that is no UTF-8")?;
        Ok(text.trim_end_matches('\n').to_string())
    }

    /// What git answers. It runs programs that the repository names, which may hang or run on.
    fn bytes(&self, mut command: Command, arguments: &[&str]) -> Result<Vec<u8>, String> {
        command.args(arguments);
        let ended = bounded::run_with_us(command, self.within, Some(STATE_BYTES_MAX));
        let ended = ended.map_err(|error| format!("git: {error}"))?;
        match ended.status.success() {
            true => Ok(ended.stdout),
            false => Err(String::from_utf8_lossy(&ended.stderr).trim().to_string()),
        }
    }
}

/// A path in a list that is separated by colons.
fn quoted(path: &Utf8Path) -> String {
    let escaped = path.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}
