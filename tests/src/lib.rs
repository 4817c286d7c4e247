//! The harness of the end-to-end tests: a temporary workspace, and the binary under test in it.
//!
//! Start with [`TestEnv`]; what a command answered is an [`Output`], what still runs a [`Running`].
//! [`raw::Raw`] reads a journal without the product's code; [`storm`] kills writers by the thousand.
//! Nothing of the surrounding environment reaches the binary but `PATH`.

#![expect(
    clippy::disallowed_methods,
    reason = "a test harness starts processes, reads the clock and waits"
)]

pub mod export_storm;
pub mod fleet;
mod output;
pub mod raw;
pub mod receivers;
mod running;
pub mod storm;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::{Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dos_core::timestamp::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

pub use output::Output;
pub use running::{Running, Signals, signal};

/// A workspace of its own, a home and a place for temporary files, all gone when it is dropped.
pub struct TestEnv {
    binary: PathBuf,
    folder: TempDir,
    variables: Vec<(OsString, OsString)>,
}

/// One file or folder as it was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// The content; `None` for a folder.
    pub content: Option<Vec<u8>>,
    /// When it was last written.
    pub modified: SystemTime,
    /// Which file it is.
    pub inode: u64,
}

impl fmt::Debug for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match &self.content {
            None => "a folder".to_string(),
            Some(content) => {
                let start = content.get(..200).unwrap_or(content);
                format!("{} bytes: {:?}", content.len(), String::from_utf8_lossy(start))
            }
        };
        write!(formatter, "{content}, inode {}, {:?}", self.inode, self.modified)
    }
}

impl TestEnv {
    /// An empty workspace for this binary (`env!("CARGO_BIN_EXE_...")` of the test crate).
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let folder = TempDir::with_prefix("dos-e2e-").expect("a temporary folder");
        for name in ["workspace", "home", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("a folder in the temporary folder");
        }
        Self { binary: binary.into(), folder, variables: Vec::new() }
    }

    /// The same, with this `dos.toml`.
    pub fn with_config(binary: impl Into<PathBuf>, config: &str) -> Self {
        let env = Self::new(binary);
        env.write("dos.toml", config);
        env
    }

    /// Sets a variable for every command from now on.
    pub fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
    }

    /// The binary under test.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The folder that holds the workspace, the home and the temporary files.
    pub fn outer(&self) -> &Path {
        self.folder.path()
    }

    /// The workspace.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// A path in the workspace.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root().join(name)
    }

    /// The lane journal's default place.
    pub fn journal_path(&self) -> PathBuf {
        self.path(".dos/lane-journal.jsonl")
    }

    /// The visible lock file's default place.
    pub fn lock_path(&self) -> PathBuf {
        self.path(".dos/.lane-lease.lock")
    }

    /// A command that would run the binary in the workspace with these arguments.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        self.furnish(&mut command);
        command
    }

    /// Gives any command the surroundings that the binary gets.
    pub fn furnish(&self, command: &mut Command) {
        command.current_dir(self.root()).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
            .env("HOME", self.folder.path().join("home"))
            .env("TMPDIR", self.folder.path().join("tmp"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
    }

    /// Runs the binary with these arguments.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        self.spawn(arguments).finish()
    }

    /// Runs the binary with arguments that are separated by blanks.
    pub fn dos(&self, arguments: &str) -> Output {
        self.run(arguments.split_whitespace())
    }

    /// Runs the binary with arguments that are separated by blanks, and this on its standard input.
    pub fn fed(&self, arguments: &str, input: impl AsRef<[u8]>) -> Output {
        let mut file = tempfile::tempfile_in(self.folder.path()).expect("a temporary file");
        file.write_all(input.as_ref()).and_then(|()| file.rewind()).expect("a file to read from");
        let mut command = self.command(arguments.split_whitespace());
        command.stdin(Stdio::from(file));
        Running::start(command).finish()
    }

    /// Starts the binary.
    pub fn spawn<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        Running::start(self.command(arguments))
    }

    /// Starts the binary with arguments that are separated by blanks.
    pub fn start(&self, arguments: &str) -> Running {
        self.spawn(arguments.split_whitespace())
    }

    /// Writes a file in the workspace, and the folders above it.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).expect("the folders above a file");
        }
        fs::write(path, content).expect("a file in the workspace");
    }

    /// Writes the lane journal.
    pub fn write_journal(&self, content: impl AsRef<[u8]>) {
        self.write(".dos/lane-journal.jsonl", content);
    }

    /// Writes a visible lock file as the original does, taken this long ago.
    pub fn write_lock(&self, owner: &str, age: Duration) {
        let since = now_millis() - i64::try_from(age.as_millis()).expect("a short time");
        let since = stamp(since);
        self.write(
            ".dos/.lane-lease.lock",
            format!("owner: {owner}\nacquired_at: {since}\npid: 1\n"),
        );
    }

    /// The bytes of the lane journal; nothing when there is none.
    pub fn journal(&self) -> Vec<u8> {
        fs::read(self.journal_path()).unwrap_or_default()
    }

    /// The records of the lane journal, every line of which must be JSON.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        let journal = String::from_utf8(self.journal()).expect("a journal in UTF-8");
        journal
            .split_terminator('\n')
            .map(|line| {
                serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("{error} in the journal line {line:?}"))
            })
            .collect()
    }

    /// The `op` of each record of the lane journal.
    #[track_caller]
    pub fn operations(&self) -> Vec<String> {
        let records = self.records();
        records.iter().map(|r| r["op"].as_str().unwrap_or_default().to_string()).collect()
    }

    /// The names below the workspace, folders included, in order.
    pub fn tree(&self) -> Vec<String> {
        self.snapshot().into_keys().collect()
    }

    /// Everything below the workspace as it is now.
    pub fn snapshot(&self) -> BTreeMap<String, Seen> {
        snapshot(&self.root())
    }

    /// Drafts and temporary files that a writer left below the workspace.
    pub fn leftovers(&self) -> Vec<String> {
        let left = |name: &String| {
            name.contains(".t.") || name.contains(".swap.") || name.ends_with(".tmp")
        };
        self.tree().into_iter().filter(left).collect()
    }
}

/// Everything below a folder as it is now.
pub fn snapshot(folder: &Path) -> BTreeMap<String, Seen> {
    let mut seen = BTreeMap::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(current) = pending.pop() {
        for entry in fs::read_dir(&current).expect("a folder that can be read") {
            let path = entry.expect("an entry of a folder").path();
            // What goes while it is looked at was not there.
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let content = match metadata.is_dir() {
                true => None,
                false => Some(fs::read(&path).unwrap_or_default()),
            };
            if metadata.is_dir() {
                pending.push(path.clone());
            }
            let name = path.strip_prefix(folder).expect("a path below the folder");
            let modified = metadata.modified().expect("a time of modification");
            let inode = metadata.ino();
            seen.insert(name.to_string_lossy().into_owned(), Seen { content, modified, inode });
        }
    }
    seen
}

/// The wall clock, in milliseconds since 1970.
pub fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a clock before the year 9999")
}

/// An instant as journals and lock files write it.
pub fn stamp(millis: i64) -> String {
    Timestamp::from_millis(millis).expect("an instant that can be written down").to_string()
}

/// Sets when a file was last written.
pub fn set_age(path: &Path, age: Duration) {
    let file = fs::File::options().append(true).open(path).expect("a file that can be written");
    file.set_modified(SystemTime::now() - age).expect("a time of modification");
}

/// A clock for how long something takes.
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// Asks until there is an answer, and fails after `limit`.
#[track_caller]
pub fn poll_until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
