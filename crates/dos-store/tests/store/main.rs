//! The store on a real disk, with a clock that the test turns.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::new_without_default,
    missing_docs,
    reason = "tests"
)]

mod journal;
mod ledger;
mod lock;
mod log;
mod meddler;
mod registry;
mod verdicts;
mod workspace;

use std::cell::Cell;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::timestamp::{OutOfRange, Timestamp};
use dos_store::clock::Clock;

/// A clock that moves only when somebody sleeps, or when the test says so.
#[derive(Clone)]
pub struct TestClock {
    now: Cell<i64>,
    elapsed: Cell<Duration>,
}

pub const NOON: i64 = 1_767_268_800_000;

impl TestClock {
    pub fn at_noon() -> Self {
        Self { now: Cell::new(NOON), elapsed: Cell::new(Duration::ZERO) }
    }

    pub fn advance(&self, span: Duration) {
        self.now.set(self.now.get() + i64::try_from(span.as_millis()).unwrap());
        self.elapsed.set(self.elapsed.get() + span);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Result<Timestamp, OutOfRange> {
        Timestamp::from_millis(self.now.get())
    }
    fn elapsed(&self) -> Duration {
        self.elapsed.get()
    }
    fn sleep(&self, span: Duration) {
        self.advance(span);
    }
}

/// A folder that goes away with the test.
pub struct Folder {
    _keep: tempfile::TempDir,
    pub path: Utf8PathBuf,
}

impl Folder {
    pub fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().canonicalize().unwrap()).unwrap();
        Self { _keep: keep, path }
    }

    pub fn join(&self, name: &str) -> Utf8PathBuf {
        self.path.join(name)
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub fn text(path: &Utf8Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
