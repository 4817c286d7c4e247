//! A program that appends without any lock, as the original's hook and supervisor do, at the worst
//! moment.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::journal::JournalPolicy;
use dos_core::journal::live_set::replay;
use dos_store::disk::{Disk, KernelLock, RealDisk, Stat};
use dos_store::journal::History;
use dos_store::snapshot::snapshot_path;
use dos_store::{Ledger, StoreError};

use crate::journal::record;
use crate::{Folder, TestClock};

/// Right before which call it appends to the journal, once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Opening,
    Replacing,
}

/// The real disk, and somebody else who writes.
#[derive(Clone)]
pub struct Meddled {
    journal: Utf8PathBuf,
    when: Rc<Cell<Option<Before>>>,
    /// A folder whose names cannot be read.
    closed: Option<Utf8PathBuf>,
}

impl Meddled {
    /// Nobody else writes, and the names in that folder cannot be read.
    pub fn closing(folder: Utf8PathBuf) -> Self {
        Self { journal: Utf8PathBuf::new(), when: Rc::default(), closed: Some(folder) }
    }

    fn meddle(&self, now: Before, path: &Utf8Path) {
        if path == self.journal && self.when.get() == Some(now) {
            self.when.set(None);
            let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(record("RELEASE", 1, 90).line().as_bytes()).unwrap();
        }
    }
}

impl Disk for Meddled {
    type File = File;
    type Lock = KernelLock;

    fn open_read(&self, path: &Utf8Path) -> io::Result<File> {
        RealDisk.open_read(path)
    }
    fn open_append(&self, path: &Utf8Path) -> io::Result<(File, bool)> {
        self.meddle(Before::Opening, path);
        RealDisk.open_append(path)
    }
    fn create_new(&self, path: &Utf8Path, content: &[u8]) -> io::Result<File> {
        RealDisk.create_new(path, content)
    }
    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        self.meddle(Before::Replacing, to);
        RealDisk.rename(from, to)
    }
    fn rename_new(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        RealDisk.rename_new(from, to)
    }
    fn exchange(&self, one: &Utf8Path, other: &Utf8Path) -> io::Result<()> {
        RealDisk.exchange(one, other)
    }
    fn link(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        RealDisk.link(from, to)
    }
    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn create_dir(&self, path: &Utf8Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }
    fn sync_dir(&self, path: &Utf8Path) -> io::Result<()> {
        RealDisk.sync_dir(path)
    }
    fn stat(&self, path: &Utf8Path) -> io::Result<Option<Stat>> {
        RealDisk.stat(path)
    }
    fn names(&self, dir: &Utf8Path) -> io::Result<Vec<String>> {
        match self.closed.as_deref() == Some(dir) {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => RealDisk.names(dir),
        }
    }
    fn open_lock(&self, path: &Utf8Path) -> io::Result<KernelLock> {
        RealDisk.open_lock(path)
    }
    fn boot(&self) -> String {
        RealDisk.boot()
    }
    fn network_file_system(&self, dir: &Utf8Path) -> io::Result<Option<&'static str>> {
        RealDisk.network_file_system(dir)
    }
}

const WAIT: Duration = Duration::from_secs(1);

/// A journal in which lane 1 is held, and what is done to it while somebody gives that lane back.
fn meddled(when: Before, act: impl FnOnce(&Ledger<Meddled, TestClock>)) -> Folder {
    let folder = Folder::new();
    let journal = folder.join("journal.jsonl");
    let disk = Meddled { journal: journal.clone(), when: Rc::default(), closed: None };
    let lock = folder.join(".lane-lease.lock");
    let policy = JournalPolicy { chain: false, max_entries: None };
    let new =
        || Ledger::new(disk.clone(), TestClock::at_noon(), &journal, &lock, "host").kept_by(policy);
    let ledger = new();
    for lane in 1..40 {
        write(&ledger, lane);
    }
    disk.when.set(Some(when));
    let ledger = new();
    act(&ledger);
    assert!(disk.when.get().is_none(), "nobody meddled");
    let live = ledger.read().unwrap();
    assert!(live.get("lane1", "t").is_none(), "the record of the other program is lost");
    assert_eq!(live, replay(&fs::read(&journal).unwrap()), "the snapshot leaves something out");
    folder
}

fn write(ledger: &Ledger<Meddled, TestClock>, lane: u8) {
    let written: Result<(), StoreError> =
        ledger.transact(WAIT, |live| Ok((vec![record("ACQUIRE", lane, live.next_seq())], ())));
    written.unwrap();
}

#[test]
fn a_snapshot_is_not_made_over_a_record_that_nobody_folded() {
    meddled(Before::Opening, |ledger| {
        // Now a snapshot is due at the next append.
        fs::remove_file(snapshot_path(ledger.log().path())).unwrap();
        write(ledger, 50);
    });
}

#[test]
fn a_compaction_carries_over_what_came_at_the_last_moment() {
    for history in [History::Archive { may_copy: true }, History::Discard] {
        meddled(Before::Replacing, |ledger| {
            ledger.compact(WAIT, history).unwrap();
        });
    }
}
