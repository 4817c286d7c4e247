//! What happens around an operation: who goes first, and what goes wrong.

use std::time::Duration;

use camino::Utf8Path;
use rustix::io::Errno;

/// One operation, before it takes effect.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// What is done.
    pub call: Call,
    /// To which file or folder.
    pub path: &'a Utf8Path,
    /// How many bytes are to be written or read; 0 where that means nothing.
    pub bytes: usize,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Opens a file for reading.
    OpenRead,
    /// Opens a file for appending, and creates it where it is missing.
    OpenAppend,
    /// Creates a file.
    Create,
    /// Gives a file another name, over another file if need be.
    Rename,
    /// Gives a file another name where that is free.
    RenameNew,
    /// Swaps two names.
    Exchange,
    /// Gives a file a second name.
    Link,
    /// Removes a name.
    Remove,
    /// Creates folders.
    CreateDir,
    /// Makes the names in a folder durable.
    SyncDir,
    /// Looks at a file.
    Stat,
    /// Lists a folder.
    Names,
    /// Takes a kernel lock.
    TryLock,
    /// Reads.
    Read,
    /// Writes, at the end of a file.
    Write,
    /// Cuts a file.
    Truncate,
    /// Makes the content of a file durable.
    Sync,
}

impl Call {
    /// May it change what is on the disk, or who has a lock?
    pub fn changes(self) -> bool {
        !matches!(self, Self::OpenRead | Self::Stat | Self::Names | Self::Read)
    }
}

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does what it should.
    Done,
    /// It does nothing and fails.
    Fail(Errno),
    /// A read or a write moves at most so many bytes. A write of none finds the disk full.
    Short(usize),
    /// A signal came first. The disk tries again, as the real one does.
    Interrupted,
    /// A sync fails, and the kernel counts the data as clean: it stays readable until the cache is
    /// dropped, and no later sync writes it.
    Forgotten,
    /// The process dies. A write may have come so far.
    Killed {
        /// How many bytes of a write are done.
        written: usize,
    },
    /// The power fails: every process dies, and what is not durable may be lost.
    PowerCut,
}

/// Decides who does the next operation and what becomes of it.
pub trait Conductor: Send + Sync {
    /// Called before an operation of a process takes effect. May block until it is its turn.
    fn before(&self, process: u32, step: &Step<'_>) -> Fate;
    /// The time since the epoch, which files are stamped with.
    fn now(&self) -> Duration;
}

/// A source of choices: random, or one after the other.
pub trait Choose {
    /// A number below `options`, which is not 0.
    fn choose(&mut self, options: usize) -> usize;
}
