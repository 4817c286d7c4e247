//! How far an export has come: a small file for each transport and destination.
//!
//! It is replaced in one step, after whoever takes the rows has acknowledged them, and never before.
//! Who moves it holds its lock, so that two exports to one destination do not send the same rows.
//!
//! The original has one file for each transport, with a sequence number in it and no more. It is read
//! where none of ours is there yet, and written for whoever goes back: with the lowest number that one
//! of the destinations has reached.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::export::since::cursor_seq;
use dos_core::json::{Object, canonical_object};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::disk::{Disk, folder_of, read_small};
use crate::error::StoreError;
use crate::lock::{guard_path, kernel_lock};
use crate::log::Log;
use crate::snapshot::hex;
use crate::verdicts::Position;

/// The format of a cursor, and its version.
const FAMILY: &str = "export-cursor";
const VERSION: i64 = 1;
/// So many hex digits tell destinations apart.
const ID_DIGITS: usize = 12;
const BYTES_MAX: usize = 1024 * 1024;
/// For so long the file of the original is waited for, which is written in a moment.
const WAIT: Duration = Duration::from_secs(5);

/// The cursor of one transport and destination.
pub struct ExportCursor<D> {
    disk: D,
    path: Utf8PathBuf,
    /// What the original calls it.
    plain: Utf8PathBuf,
    transport: String,
    destination: String,
    /// The destination for people, without secrets.
    shown: String,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// Behind which row.
    pub position: Position,
    /// The highest number of all rows so far.
    pub seq: i64,
    /// What else the exporter wants to know the next time.
    pub memory: Object,
}

/// Where to go on.
#[derive(Clone, Debug, PartialEq)]
pub enum Resume {
    /// Nothing was ever exported there.
    Start,
    /// The original has come up to this number.
    Seq(i64),
    /// We have come this far.
    At(Reached),
}

impl<D: Disk + Clone> ExportCursor<D> {
    /// The cursor of a destination. `base` is what the files of all cursors begin with. The transport's
    /// name may stand in a file name; `shown` is the destination for people, without secrets.
    pub fn new(disk: D, base: &Utf8Path, transport: &str, destination: &str, shown: &str) -> Self {
        let plain = Utf8PathBuf::from(format!("{base}.{transport}"));
        let digest = hex(&Sha256::digest(destination.as_bytes()));
        let id = digest.get(..ID_DIGITS).unwrap_or(&digest);
        Self {
            disk,
            path: Utf8PathBuf::from(format!("{plain}.{id}")),
            plain,
            transport: transport.to_string(),
            destination: destination.to_string(),
            shown: shown.to_string(),
        }
    }

    /// Its file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The file of the original.
    pub fn plain(&self) -> &Utf8Path {
        &self.plain
    }

    /// Locks it. The folder is there. Dropping the lock, or dying, frees it.
    pub fn lock<C: Clock>(&self, clock: &C, wait: Duration) -> Result<D::Lock, StoreError> {
        kernel_lock(&self.disk, clock, &guard_path(&self.path), wait)
    }

    /// Where to go on.
    pub fn read(&self) -> Result<Resume, StoreError> {
        if let Some(bytes) = self.content(&self.path)? {
            let reached = self.reached(&bytes);
            return reached.map(Resume::At).ok_or_else(|| unreadable(&self.path));
        }
        let Some(bytes) = self.content(&self.plain)? else { return Ok(Resume::Start) };
        let seq = cursor_seq(&bytes).map_err(|_| unreadable(&self.plain))?;
        // Beside cursors of ours it is the lowest of them, and says nothing of a new destination.
        match self.all()?.is_empty() && seq > 0 {
            true => Ok(Resume::Seq(seq)),
            false => Ok(Resume::Start),
        }
    }

    /// Remembers how far it has come. The lock is held.
    pub fn keep(&self, reached: &Reached) -> Result<(), StoreError> {
        let mut object = Object::new();
        object.insert("schema_family".into(), FAMILY.into());
        object.insert("schema_version".into(), VERSION.into());
        object.insert("transport".into(), self.transport.as_str().into());
        object.insert("destination".into(), self.shown.as_str().into());
        object.insert("destination_sha256".into(), self.digest().into());
        object.insert("position".into(), reached.position.to_string().into());
        object.insert("seq".into(), reached.seq.into());
        if !reached.memory.is_empty() {
            object.insert("memory".into(), Value::Object(reached.memory.clone()));
        }
        let line = canonical_object(&object) + "\n";
        Log::new(self.disk.clone(), self.path.clone()).replace(&line, || Ok(()))
    }

    /// Writes the file of the original.
    pub fn tell_original<C: Clock>(&self, clock: &C) -> Result<(), StoreError> {
        let _lock = kernel_lock(&self.disk, clock, &guard_path(&self.plain), WAIT)?;
        let mut lowest: Option<i64> = None;
        for path in self.all()? {
            let bytes = self.content(&path)?.unwrap_or_default();
            // One that cannot be read has reached nothing that is known.
            let seq = seq_in(&bytes).unwrap_or(0);
            lowest = Some(lowest.map_or(seq, |lowest| lowest.min(seq)));
        }
        let line = format!("{}\n", lowest.unwrap_or(0));
        if self.content(&self.plain)?.as_deref() == Some(line.as_bytes()) {
            return Ok(());
        }
        Log::new(self.disk.clone(), self.plain.clone()).replace(&line, || Ok(()))
    }

    /// The files of all destinations of this transport.
    fn all(&self) -> Result<Vec<Utf8PathBuf>, StoreError> {
        let folder = folder_of(&self.plain);
        let names = match self.disk.names(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(StoreError::io("list", folder))?,
        };
        let plain = self.plain.file_name().unwrap_or_default();
        let is_id = |id: &str| id.len() == ID_DIGITS && id.bytes().all(|b| b.is_ascii_hexdigit());
        let ours = |name: &String| {
            name.strip_prefix(plain).and_then(|rest| rest.strip_prefix('.')).is_some_and(is_id)
        };
        Ok(names.iter().filter(|name| ours(name)).map(|name| folder.join(name)).collect())
    }

    fn content(&self, path: &Utf8Path) -> Result<Option<Vec<u8>>, StoreError> {
        read_small(&self.disk, path, BYTES_MAX).map_err(StoreError::io("read", path))
    }

    /// What a destination is called in its file: it may hold a secret.
    fn digest(&self) -> String {
        hex(&Sha256::digest(self.destination.as_bytes()))
    }

    fn reached(&self, bytes: &[u8]) -> Option<Reached> {
        let object = cursor_in(bytes)?;
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        (text("destination_sha256")? == self.digest()).then_some(())?;
        let memory = object.get("memory").map_or(Some(Object::new()), |it| it.as_object().cloned());
        Some(Reached {
            position: Position::parse(text("position")?)?,
            seq: object.get("seq")?.as_i64()?,
            memory: memory?,
        })
    }
}

fn unreadable(path: &Utf8Path) -> StoreError {
    StoreError::BadCursor { path: path.to_owned() }
}

fn cursor_in(bytes: &[u8]) -> Option<Object> {
    let object: Object = serde_json::from_slice(bytes).ok()?;
    let is_ours = object.get("schema_family").and_then(Value::as_str) == Some(FAMILY);
    let is_known = object.get("schema_version").and_then(Value::as_i64) == Some(VERSION);
    (is_ours && is_known).then_some(object)
}

fn seq_in(bytes: &[u8]) -> Option<i64> {
    cursor_in(bytes)?.get("seq")?.as_i64()
}
