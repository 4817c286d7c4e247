//! Rows in a file, one JSON object a line, as the verdict journal has them.
//!
//! A batch is on the disk before it counts as taken. Exports to one file keep to one another through a
//! kernel lock on it, also those of other workspaces. The rest of a write that a crash cut off is
//! removed where it is one of ours, so that whoever reads the file meets whole rows only.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::verdict::{Line, VerdictEvent, decode_line};
use dos_store::StoreError;
use dos_store::clock::RealClock;
use dos_store::disk::{Disk, DiskFile, RealDisk, read_exactly};
use dos_store::lock::kernel_lock;
use dos_store::log::Log;

use super::{Again, Exporter, NotTaken, Taken};

/// For so long one export waits for another one to the same file.
const WAIT: Duration = Duration::from_secs(10);
/// What every row of ours begins with.
const BEGINNING: &[u8] = b"{\"detail\": ";
/// Looked at to find the last line. A longer line that was cut off is closed and stays.
const TAIL_BYTES: u64 = 1024 * 1024;

/// A file that rows are appended to.
pub struct File {
    path: Utf8PathBuf,
    clock: RealClock,
    /// From this length on the file is put aside, in bytes.
    rotate: Option<u64>,
}

impl File {
    /// The file at this path, which need not be there.
    pub fn new(path: Utf8PathBuf, rotate: Option<u64>, clock: RealClock) -> Self {
        Self { path, clock, rotate }
    }

    fn append(&self, events: &[VerdictEvent]) -> Result<(), StoreError> {
        let failed = |action: &'static str| {
            move |source| StoreError::Io { action, path: self.path.clone(), source }
        };
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_str().is_empty()) {
            RealDisk.create_dir(folder).map_err(failed("create the folder of"))?;
        }
        let mut lock = kernel_lock(&RealDisk, &self.clock, &self.path, WAIT)?;
        if self.put_aside()? {
            lock = kernel_lock(&RealDisk, &self.clock, &self.path, WAIT)?;
        }
        self.repair().map_err(failed("repair the end of"))?;
        let rows: String = events.iter().map(VerdictEvent::line).collect();
        let log = Log::new(RealDisk, self.path.clone());
        let appended = log.append(&rows)?;
        appended.sync().map_err(failed("make durable"))?;
        drop(lock);
        Ok(())
    }

    /// Cuts off the beginning of a row of ours, behind which there is nothing.
    fn repair(&self) -> std::io::Result<()> {
        let (file, _) = RealDisk.open_append(&self.path)?;
        let end = file.stat()?.len;
        let start = end.saturating_sub(TAIL_BYTES);
        let tail = read_exactly(&file, start, end)?;
        let line = tail.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let begins = line.starts_with(BEGINNING) || BEGINNING.starts_with(line);
        let whole = start == 0 || line.len() < tail.len();
        if !line.is_empty() && whole && begins && decode_line(line, false) == Line::Torn {
            file.truncate(end - line.len() as u64)?;
            file.sync()?;
        }
        Ok(())
    }

    /// Gives a file that is long enough another name, which is never that of another file.
    fn put_aside(&self) -> Result<bool, StoreError> {
        let failed = |source| StoreError::Io { action: "rotate", path: self.path.clone(), source };
        let length = RealDisk.stat(&self.path).map_err(failed)?.map_or(0, |stat| stat.len);
        if self.rotate.is_none_or(|most| length < most) {
            return Ok(false);
        }
        let mut number = u64::from(last_number(&self.path).map_err(failed)?) + 1;
        loop {
            let aside = Utf8PathBuf::from(format!("{}.{number}", self.path));
            match RealDisk.rename_new(&self.path, &aside) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                other => return other.map(|()| true).map_err(failed),
            }
        }
    }
}

/// The highest number behind the name of the file. One that is longer than any of ours is another name.
fn last_number(path: &Utf8Path) -> std::io::Result<u32> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_str().is_empty() => folder,
        _ => Utf8Path::new("."),
    };
    let name = path.file_name().unwrap_or_default();
    let number = |other: &String| other.strip_prefix(name)?.strip_prefix('.')?.parse().ok();
    Ok(RealDisk.names(folder)?.iter().filter_map(number).max().unwrap_or(0))
}

impl Exporter for File {
    fn transport(&self) -> &str {
        "file"
    }

    fn destination(&self) -> &str {
        self.path.as_str()
    }

    fn export(&mut self, events: &[VerdictEvent]) -> Result<Taken, NotTaken> {
        self.append(events).map_err(|error| {
            let again = if error.is_busy() { Again::Later(None) } else { Again::Mended };
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            NotTaken { reason: format!("{error}{}", cause.unwrap_or_default()), again }
        })?;
        Ok(Taken::default())
    }
}
