//! A folder: what is in it, and the SHA-256 of each file.
//!
//! The entries go straight into one state, whoever of the walkers found them. A file that grows
//! while it is read is what was read; what goes away meanwhile is not there.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use camino::Utf8PathBuf;
use dos_core::json::canonical;
use dos_core::witness::{State, StateBuilder, StateReader, WitnessRung};
use dos_store::snapshot::hex;
use ignore::{DirEntry, WalkBuilder, WalkState};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Reading;
use super::path_key;

/// How much of a file is read at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// Where a folder says what git does not see of it.
const IGNORE: &str = ".gitignore";

/// A folder and all below it.
pub struct Folder<'a> {
    path: Utf8PathBuf,
    shown: &'a str,
    reading: &'a Reading<'a>,
    rules: Option<String>,
}

impl<'a> Folder<'a> {
    /// The folder there, as it was typed, and how it is read.
    pub fn new(path: Utf8PathBuf, shown: &'a str, reading: &'a Reading<'a>) -> Self {
        Self { path, shown, reading, rules: None }
    }
}

impl StateReader for Folder<'_> {
    fn source(&self) -> String {
        format!("tree:{}", self.shown)
    }

    /// What was left out of it is told by [`Self::rules`].
    fn shape(&self) -> String {
        "a folder".to_string()
    }

    fn rung(&self) -> WitnessRung {
        WitnessRung::OsRecorded
    }

    fn rules(&self) -> Option<String> {
        self.rules.clone()
    }

    fn read(&mut self) -> Result<State, String> {
        let is_folder = std::fs::metadata(&self.path).map_err(|error| error.to_string())?.is_dir();
        if !is_folder {
            return Err("it is no folder".to_string());
        }
        let found: Mutex<Result<StateBuilder, String>> = Mutex::new(Ok(State::builder()));
        let fail = |problem: String| {
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Err(problem);
            WalkState::Quit
        };
        let rules = !self.reading.everything;
        let absolute = self.path.canonicalize_utf8().map_err(|error| error.to_string())?;
        let repository = absolute.ancestors().find(|folder| folder.join(".git").exists());
        // Each file of rules that applies; also one that leaves itself out.
        let applied: Mutex<Vec<(String, String)>> = Mutex::default();
        let apply = |folder: &Path, from: &Path| {
            let name = path_key(folder.strip_prefix(from).unwrap_or(folder).as_os_str().as_bytes());
            for (kind, file) in [("ignore", folder.join(IGNORE)), ("exclude", exclude_of(folder))] {
                // What cannot be read as a file is no rule.
                if let Ok((_, sha256)) = hashed(&file, &mut [0; 4096]) {
                    let mut applied = applied.lock().unwrap_or_else(PoisonError::into_inner);
                    applied.push((format!("{kind} {name}"), sha256));
                }
            }
        };
        if let Some(root) = repository.filter(|_| rules) {
            let above = absolute.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
            above.for_each(|folder| apply(folder.as_std_path(), root.as_std_path()));
        }
        let walk = WalkBuilder::new(&self.path)
            .hidden(false)
            .ignore(false)
            .git_global(false)
            .git_ignore(rules)
            .git_exclude(rules)
            // With a repository, the walk looks above the folder for rules, up to its root.
            .parents(rules && repository.is_some())
            .require_git(repository.is_some())
            .filter_entry(|entry| entry.file_name() != ".git")
            .build_parallel();
        walk.run(|| {
            let mut buffer = vec![0; CHUNK_BYTES];
            let (found, fail, apply, root) = (&found, &fail, &apply, &self.path);
            Box::new(move |entry| {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) if is_gone(error.io_error()) => return WalkState::Continue,
                    Err(error) => return fail(error.to_string()),
                };
                if rules && entry.file_type().is_none_or(|kind| kind.is_dir()) {
                    apply(entry.path(), root.as_std_path());
                }
                if entry.depth() == 0 {
                    return WalkState::Continue;
                }
                let value = match value_of(&entry, &mut buffer) {
                    Ok(value) => canonical(&value),
                    Err(error) if is_gone(Some(&error)) => return WalkState::Continue,
                    Err(error) => return fail(format!("{}: {error}", entry.path().display())),
                };
                let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
                let key = path_key(path.as_os_str().as_bytes());
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                let inserted = match found.as_mut() {
                    Ok(state) => state.insert(&key, &value),
                    Err(_) => return WalkState::Quit,
                };
                match inserted {
                    Ok(()) => WalkState::Continue,
                    Err(error) => {
                        *found = Err(error.to_string());
                        WalkState::Quit
                    }
                }
            })
        });
        let state = found.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        let mut applied = applied.into_inner().unwrap_or_else(PoisonError::into_inner);
        applied.sort();
        let digest = || hex(&Sha256::digest(canonical(&json!(applied))));
        self.rules = rules.then(digest);
        state.finish().map_err(|error| error.to_string())
    }
}

/// Where the rules are that a repository keeps beside its files, if one has its root here. The `.git`
/// of a further work tree is a file that says where the repository is.
fn exclude_of(folder: &Path) -> PathBuf {
    let git = folder.join(".git");
    let read = |path: PathBuf| std::fs::read_to_string(path).ok();
    let said = read(git.clone()).and_then(|text| {
        let own = folder.join(text.strip_prefix("gitdir:")?.trim());
        let common = read(own.join("commondir")).unwrap_or_default();
        Some(own.join(common.trim()))
    });
    said.unwrap_or(git).join("info/exclude")
}

fn is_gone(error: Option<&io::Error>) -> bool {
    error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn value_of(entry: &DirEntry, buffer: &mut [u8]) -> io::Result<Value> {
    let metadata = std::fs::symlink_metadata(entry.path())?;
    let kind = metadata.file_type();
    if kind.is_symlink() {
        let target = std::fs::read_link(entry.path())?;
        return Ok(json!({"target": path_key(target.as_os_str().as_bytes()), "type": "link"}));
    }
    if kind.is_dir() {
        return Ok(json!({"mode": mode(&metadata), "type": "folder"}));
    }
    if !kind.is_file() {
        return Ok(json!({"mode": mode(&metadata), "type": "other"}));
    }
    let (size, sha256) = hashed(entry.path(), buffer)?;
    Ok(json!({"mode": mode(&metadata), "sha256": sha256, "size": size, "type": "file"}))
}

fn mode(metadata: &Metadata) -> String {
    format!("{:o}", metadata.mode() & 0o7777)
}

/// How long a file is, and its SHA-256. No link that is put in its place is followed, and no pipe
/// waited for.
fn hashed(path: &Path, buffer: &mut [u8]) -> io::Result<(u64, String)> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = flags.bits().cast_signed();
    let mut file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut digest = Sha256::new();
    let mut size = 0;
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok((size, hex(&digest.finalize()))),
            Ok(count) => {
                digest.update(buffer.get(..count).unwrap_or_default());
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
