//! The home registry: every project of a machine in one index, which is always rebuildable.
//!
//! The truth about a project is in its own `.dos`: the card, the journal, the overrides. What is
//! here follows it. A card carries the mark of the index that has it, and gets it only when the row
//! and the overrides are durable there; a project without the mark is told of by its next write.

mod known;
mod project;
mod reindex;

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use camino::Utf8Path;
use dos_core::journal::entry::Record;
use dos_core::json::Object;
use dos_core::limits;
use dos_core::registry::{fold_latest, text};

use crate::clock::Clock;
use crate::disk::{Disk, DiskFile, read_small};
use crate::error::StoreError;
use crate::home::Home;
use crate::lock::{Held, LaneMutex};
use crate::log::Log;
use crate::poison;

pub use known::{Forgotten, project_names};
pub use project::Told;
pub use reindex::Reindexed;

/// A list of a hundred thousand roots is far below this.
const ROOTS_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The registry of one home.
pub struct Registry<'a, D, C> {
    disk: &'a D,
    clock: &'a C,
    home: &'a Home,
    host: &'a str,
}

/// The rows of a log, as far as they can be read.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Those that are JSON objects, in order.
    pub rows: Vec<Object>,
    /// How many lines are none.
    pub corrupt: u64,
}

/// The lists of roots.
#[derive(Default)]
struct Roots {
    /// What both have.
    listed: Vec<String>,
    /// Does the first end in the middle of a line?
    is_torn: bool,
}

impl<'a, D: Disk + Clone, C: Clock> Registry<'a, D, C> {
    /// The registry of that home.
    pub fn new(disk: &'a D, clock: &'a C, home: &'a Home, host: &'a str) -> Self {
        Self { disk, clock, home, host }
    }

    /// The newest row of each project. Takes no lock and writes nothing.
    pub fn projects(&self) -> Result<Vec<Object>, StoreError> {
        Ok(fold_latest(self.rows(&self.home.index())?.rows))
    }

    /// The overrides of all projects. Takes no lock and writes nothing.
    pub fn decisions(&self) -> Result<Vec<Object>, StoreError> {
        Ok(self.rows(&self.home.decisions())?.rows)
    }

    /// Every row of a log; none when there is no log. A last line without its newline counts when
    /// it is whole.
    pub fn rows(&self, path: &Utf8Path) -> Result<Rows, StoreError> {
        let mut read = Rows::default();
        Log::new(self.disk.clone(), path).scan(|line| match row_of(line.bytes) {
            // What stands for a line that could not be read is no row either.
            Some(row) if row.contains_key("_CORRUPT") => {}
            Some(row) => read.rows.push(row),
            None if line.bytes.iter().all(u8::is_ascii_whitespace) || !line.complete => {}
            None => read.corrupt += 1,
        })?;
        Ok(read)
    }

    /// The roots that are written down, each once, in order. What is no UTF-8 is no root, and a last
    /// line without its newline is the rest of a write that never finished.
    fn roots(&self) -> Result<Roots, StoreError> {
        let path = self.home.roots();
        let bytes = read_small(self.disk, &path, ROOTS_BYTES_MAX);
        let bytes = bytes.map_err(StoreError::io("read", &path))?.unwrap_or_default();
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, rest) = bytes.split_at(end);
        let mut roots = Roots { is_torn: !rest.is_empty(), ..Roots::default() };
        let mut seen = BTreeSet::new();
        for line in lines.split(|byte| *byte == b'\n') {
            let line = str::from_utf8(line).unwrap_or_default().trim();
            if line.starts_with('/') && !line.contains('\0') && seen.insert(line.to_string()) {
                roots.listed.push(line.to_string());
            }
        }
        for row in self.rows(&self.home.odd_roots())?.rows {
            let root = text(&row, "root").filter(|root| !fits_on_a_line(root));
            let root = root.filter(|root| root.starts_with('/') && !root.contains('\0'));
            if let Some(root) = root.filter(|root| seen.insert(root.to_string())) {
                roots.listed.push(root.to_string());
            }
        }
        Ok(roots)
    }

    /// Writes both lists anew. The home lock is held.
    fn write_roots(&self, held: &Held<'_, D, C>, roots: &[String]) -> Result<(), StoreError> {
        let (plain, odd): (Vec<&String>, Vec<&String>) =
            roots.iter().partition(|root| fits_on_a_line(root));
        let odd: String = odd.into_iter().map(|root| odd_root(root)).collect();
        let is_there = self.disk.stat(&self.home.odd_roots());
        let is_there = is_there.map_err(StoreError::io("look at", &self.home.odd_roots()))?;
        if !odd.is_empty() || is_there.is_some() {
            self.replace(held, &self.home.odd_roots(), &odd)?;
        }
        let plain: String = plain.into_iter().map(|root| format!("{root}\n")).collect();
        self.replace(held, &self.home.roots(), &plain)
    }

    /// The home lock. Nobody writes here without it.
    fn lock<'l>(&self, visible: &'l Utf8Path, wait: Duration) -> Result<Held<'l, D, C>, StoreError>
    where
        'a: 'l,
    {
        let folder = self.home.folder.join("projects");
        self.disk.create_dir(&folder).map_err(StoreError::io("create", &folder))?;
        LaneMutex::of_file(self.disk, self.clock, visible, self.host).acquire(wait)
    }

    /// Appends rows to a log, durably. The home lock is held.
    fn append(&self, held: &Held<'_, D, C>, log: &Utf8Path, lines: &str) -> Result<(), StoreError> {
        self.may_write(held)?;
        poison::append(self.disk, &Log::new(self.disk.clone(), log), lines)
    }

    /// What is read from here on is on the disk, and not in the memory of a disk that failed. The
    /// home lock is held.
    fn heal(&self) -> Result<(), StoreError> {
        let home = self.home;
        for path in [home.index(), home.roots(), home.odd_roots(), home.decisions()] {
            poison::heal(self.disk, &Log::new(self.disk.clone(), path))?;
        }
        Ok(())
    }

    /// Makes durable what is in a file that is there: whoever wrote it may have died before it did.
    fn settle(&self, path: &Utf8Path) -> Result<(), StoreError> {
        let log = Log::new(self.disk.clone(), path);
        match log.open()? {
            Some(file) => {
                file.sync().map_err(StoreError::io("make durable", path))?;
                log.sync_folder()
            }
            None => Ok(()),
        }
    }

    /// Puts a new content in a file's place, if it is not its content already. The home lock is held.
    fn replace(
        &self,
        held: &Held<'_, D, C>,
        path: &Utf8Path,
        content: &str,
    ) -> Result<(), StoreError> {
        let now = read_small(self.disk, path, content.len());
        if matches!(now, Ok(Some(bytes)) if bytes == content.as_bytes()) {
            return self.settle(path);
        }
        Log::new(self.disk.clone(), path).replace(content, || self.may_write(held))
    }

    /// To be asked right before writing.
    fn may_write(&self, held: &Held<'_, D, C>) -> Result<(), StoreError> {
        match held.is_ours()? {
            true => Ok(()),
            false => Err(StoreError::LockLost { path: self.home.lock() }),
        }
    }
}

/// A line as a row: a JSON object.
fn row_of(line: &[u8]) -> Option<Object> {
    if line.len() > limits::LINE_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(line).ok()
}

/// Rows as the lines of a log.
fn lines(rows: impl IntoIterator<Item = Object>) -> String {
    rows.into_iter().map(|row| Record::from_object(row).line()).collect()
}

/// A line of the list of those that cannot stand on a line as they are.
fn odd_root(root: &str) -> String {
    let row = [("root".to_string(), root.into())].into_iter().collect();
    Record::from_object(row).line()
}

/// Can a root stand on a line of the list of roots, where its ends are not trimmed?
fn fits_on_a_line(root: &str) -> bool {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    !root.contains(breaks) && root.trim() == root
}

/// Which folder it is; `None` when there is none there.
fn folder_at<D: Disk>(disk: &D, path: &Utf8Path) -> io::Result<Option<(u64, u64)>> {
    match disk.stat(path) {
        Ok(stat) => Ok(stat.filter(|stat| stat.is_dir).map(|stat| (stat.id.0, stat.id.1))),
        // Above it is a file.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same, where it does not matter why it cannot be told.
fn folder_id<D: Disk>(disk: &D, path: &Utf8Path) -> Option<(u64, u64)> {
    folder_at(disk, path).ok().flatten()
}
