//! A folder: what is in it, and the SHA-256 of each file.
//!
//! The entries go straight into one state, whoever of the walkers found them. A file that grows
//! while it is read is what was read; what goes away meanwhile is not there.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
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

/// A folder and all below it.
pub struct Folder<'a> {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// As it was typed.
    pub shown: &'a str,
    /// How it is read.
    pub reading: &'a Reading<'a>,
}

impl StateReader for Folder<'_> {
    fn source(&self) -> String {
        format!("tree:{}", self.shown)
    }

    fn rung(&self) -> WitnessRung {
        self.reading.rung
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
        let walk = WalkBuilder::new(&self.path)
            .hidden(false)
            .ignore(false)
            .git_global(false)
            .git_ignore(rules)
            .git_exclude(rules)
            .parents(rules)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build_parallel();
        walk.run(|| {
            let mut buffer = vec![0; CHUNK_BYTES];
            let (found, fail, root) = (&found, &fail, &self.path);
            Box::new(move |entry| {
                let entry = match entry {
                    Ok(entry) if entry.depth() == 0 => return WalkState::Continue,
                    Ok(entry) => entry,
                    Err(error) if is_gone(error.io_error()) => return WalkState::Continue,
                    Err(error) => return fail(error.to_string()),
                };
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
        state.finish().map_err(|error| error.to_string())
    }
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
