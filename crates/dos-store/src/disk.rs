//! The file operations that the store uses, and what each of them promises after a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use fd_lock::RwLock;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::{Resource, getrlimit};

use crate::error::StoreError;

/// How many folders above a new one may be new as well.
const CREATED_LEVELS_MAX: usize = 4;

/// What is written names paths and holders: it is for this user alone.
const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// How much is copied at once.
const COPY_BYTES: usize = 256 * 1024;

/// A small file is nearly always smaller than this.
const SMALL_BYTES: usize = 4096;

/// Which file it is, whatever its name: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId(pub u64, pub u64);

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// Which file it is.
    pub id: FileId,
    /// Its length in bytes.
    pub len: u64,
    /// When it was last written, since the epoch.
    pub modified: Duration,
    /// Is it a folder?
    pub is_dir: bool,
}

/// A disk. What a call has done survives a crash only once the matching `sync` has returned.
pub trait Disk {
    /// An open file.
    type File: DiskFile;
    /// A file for the kernel to lock.
    type Lock: LockFile;

    /// Opens a file for reading.
    fn open_read(&self, path: &Utf8Path) -> io::Result<Self::File>;
    /// Opens a file for reading and appending, and creates it when it is not there. Says whether
    /// it was created: then its name survives a crash only after `sync_dir`.
    fn open_append(&self, path: &Utf8Path) -> io::Result<(Self::File, bool)>;
    /// Creates a file with this content; fails when the name is taken.
    fn create_new(&self, path: &Utf8Path, content: &[u8]) -> io::Result<Self::File>;
    /// Gives a file another name, over whatever had that name. At no time is the name free.
    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()>;
    /// Gives a file another name; fails with `AlreadyExists` when the name is taken.
    fn rename_new(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()>;
    /// Swaps two names. At no time is one of them free.
    fn exchange(&self, one: &Utf8Path, other: &Utf8Path) -> io::Result<()>;
    /// Gives a file a second name; fails with `AlreadyExists` when that is taken.
    fn link(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()>;
    /// Removes a name.
    fn remove(&self, path: &Utf8Path) -> io::Result<()>;
    /// Creates a folder and those above it; fine when it is there.
    fn create_dir(&self, path: &Utf8Path) -> io::Result<()>;
    /// Makes the names in a folder survive a crash.
    fn sync_dir(&self, path: &Utf8Path) -> io::Result<()>;
    /// Looks at a file; `None` when there is none.
    fn stat(&self, path: &Utf8Path) -> io::Result<Option<Stat>>;
    /// The names in a folder that are UTF-8.
    fn names(&self, dir: &Utf8Path) -> io::Result<Vec<String>>;
    /// Opens a file for the kernel to lock, and creates it when it is not there. It must never be
    /// removed or renamed.
    fn open_lock(&self, path: &Utf8Path) -> io::Result<Self::Lock>;
    /// What is the same until the machine starts anew, and never again; empty when it cannot be told.
    fn boot(&self) -> String;
    /// The name of the network file system that a folder is on; `None` for a local one.
    fn network_file_system(&self, dir: &Utf8Path) -> io::Result<Option<&'static str>>;
}

/// A file that the kernel locks between processes. Closing it, or dying, frees the lock.
pub trait LockFile {
    /// Locks it for oneself; false when another process has locked it or shares it. A share of one's
    /// own is given up first: of several who share it and try, the last one gets it.
    ///
    /// Fails with `NotFound` when somebody has removed the file: then the lock would bind nobody.
    fn try_alone(&mut self) -> io::Result<bool>;
    /// Locks it together with others who share it; false when one has it for himself. A share in a
    /// file that somebody has removed is a share.
    fn try_share(&mut self) -> io::Result<bool>;
    /// Frees it.
    fn free(&mut self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile {
    /// Reads at most `buffer` from `offset`; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Appends with one write; returns how much was written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts the file to this length.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Makes the content, and everything appended before it, survive a crash.
    fn sync(&self) -> io::Result<()>;
    /// Looks at the file.
    fn stat(&self) -> io::Result<Stat>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// A file for flock.
pub struct KernelLock {
    file: RwLock<File>,
    id: FileId,
    path: Utf8PathBuf,
}

impl Disk for RealDisk {
    type File = File;
    type Lock = KernelLock;

    fn open_read(&self, path: &Utf8Path) -> io::Result<File> {
        // A pipe in the file's place must not make anybody wait.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let kind = file.metadata()?.file_type();
        if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        match kind.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is no regular file")),
        }
    }

    fn open_append(&self, path: &Utf8Path) -> io::Result<(File, bool)> {
        let existing = no_link(OpenOptions::new().read(true).append(true)).open(path);
        match existing {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // A device may have no end.
            Ok(file) if !file.metadata()?.is_file() => {
                return Err(io::Error::other("it is no regular file"));
            }
            other => return other.map(|file| (file, false)),
        }
        let mut options = OpenOptions::new();
        match options.read(true).append(true).create_new(true).mode(PRIVATE).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = no_link(OpenOptions::new().read(true).append(true)).open(path)?;
                Ok((file, true))
            }
            other => other.map(|file| (file, true)),
        }
    }

    fn create_new(&self, path: &Utf8Path, content: &[u8]) -> io::Result<File> {
        if size_limit().is_some_and(|most| content.len() as u64 > most) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create_new(true).mode(PRIVATE).open(path)?;
        file.write_all(content)?;
        Ok(file)
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn rename_new(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        let flags = RenameFlags::NOREPLACE;
        match renameat_with(CWD, from.as_std_path(), CWD, to.as_std_path(), flags) {
            // A file system without the flag: a hard link is as atomic and never replaces.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                fs::hard_link(from, to)?;
                fs::remove_file(from)
            }
            other => other.map_err(io::Error::from),
        }
    }

    fn exchange(&self, one: &Utf8Path, other: &Utf8Path) -> io::Result<()> {
        let flags = RenameFlags::EXCHANGE;
        Ok(renameat_with(CWD, one.as_std_path(), CWD, other.as_std_path(), flags)?)
    }

    fn link(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Utf8Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(path)
    }

    fn sync_dir(&self, path: &Utf8Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn stat(&self, path: &Utf8Path) -> io::Result<Option<Stat>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(stat_of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn names(&self, dir: &Utf8Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn open_lock(&self, path: &Utf8Path) -> io::Result<KernelLock> {
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true).mode(PRIVATE);
        let file = no_link(options).open(path)?;
        let id = FileId::of(&file.metadata()?);
        Ok(KernelLock { file: RwLock::new(file), id, path: path.to_owned() })
    }

    fn boot(&self) -> String {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        boot.trim().to_string()
    }

    fn network_file_system(&self, dir: &Utf8Path) -> io::Result<Option<&'static str>> {
        network_name(dir)
    }
}

/// Does not write through a link, which anybody could have put in a file's place.
fn no_link(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
}

impl LockFile for KernelLock {
    // The guards of fd-lock would unlock when dropped. They are forgotten.
    fn try_alone(&mut self) -> io::Result<bool> {
        if !unless_taken(self.file.try_write().map(std::mem::forget))? {
            return Ok(false);
        }
        match RealDisk.stat(&self.path)?.is_some_and(|stat| stat.id == self.id) {
            true => Ok(true),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn try_share(&mut self) -> io::Result<bool> {
        unless_taken(self.file.try_read().map(std::mem::forget))
    }

    fn free(&mut self) -> io::Result<()> {
        // Whoever has a lock may take it again, and dropping a guard unlocks. Where others share it
        // the attempt has given it up.
        unless_taken(self.file.try_write().map(drop)).map(drop)
    }
}

fn unless_taken(attempt: io::Result<()>) -> io::Result<bool> {
    match attempt {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        other => other.map(|()| true),
    }
}

/// How long files of this process may be, in bytes, as it was when it was first asked. A write beyond
/// that would end it (SIGXFSZ), lock in hand.
fn size_limit() -> Option<u64> {
    static LIMIT: OnceLock<Option<u64>> = OnceLock::new();
    *LIMIT.get_or_init(|| getrlimit(Resource::Fsize).current)
}

#[cfg(target_os = "linux")]
fn network_name(dir: &Utf8Path) -> io::Result<Option<&'static str>> {
    let kind = rustix::fs::statfs(dir.as_std_path())?.f_type;
    // The numbers are the kernel's (linux/magic.h).
    Ok(match kind as u32 {
        0x6969 => Some("nfs"),
        0xFF53_4D42 => Some("cifs"),
        0xFE53_4D42 => Some("smb2"),
        0x517B => Some("smb"),
        0x0102_1997 => Some("9p"),
        0x00C3_6400 => Some("ceph"),
        0x5346_414F | 0x6B41_4653 => Some("afs"),
        0x0BD0_0BD0 => Some("lustre"),
        0x4750_4653 => Some("gpfs"),
        0x786F_4256 => Some("vboxsf"),
        _ => None,
    })
}

#[cfg(not(target_os = "linux"))]
fn network_name(_: &Utf8Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

impl DiskFile for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match FileExt::read_at(self, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(most) = size_limit()
            && self.metadata()?.len().saturating_add(bytes.len() as u64) > most
        {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        loop {
            match self.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn stat(&self) -> io::Result<Stat> {
        Ok(stat_of(&self.metadata()?))
    }
}

impl FileId {
    fn of(metadata: &fs::Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

fn stat_of(metadata: &fs::Metadata) -> Stat {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Stat {
        id: FileId::of(metadata),
        len: metadata.len(),
        modified: modified.unwrap_or_default(),
        is_dir: metadata.is_dir(),
    }
}

/// The folder that a file is in.
pub fn folder_of(file: &Utf8Path) -> &Utf8Path {
    match file.parent() {
        Some(folder) if !folder.as_str().is_empty() => folder,
        _ => Utf8Path::new("."),
    }
}

/// Reads a small file whole; `None` when there is none. More than `most` bytes is an error.
pub fn read_small<D: Disk>(disk: &D, path: &Utf8Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    read_open(&file, most).map(Some)
}

/// Reads a small open file whole. More than `most` bytes is an error.
pub fn read_open<F: DiskFile>(file: &F, most: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(SMALL_BYTES);
    let mut reader = Reader { file, offset: 0 };
    reader.by_ref().take(most as u64 + 1).read_to_end(&mut content)?;
    match content.len() > most {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(content),
    }
}

struct Reader<'a, F> {
    file: &'a F,
    offset: u64,
}

impl<F: DiskFile> Read for Reader<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(self.offset, buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Makes the names of a folder, and of those above it, survive a crash: whoever created them may have
/// died before it did.
pub fn sync_folder_names<D: Disk>(disk: &D, folder: &Utf8Path) -> Result<(), StoreError> {
    let named = folder.ancestors().skip(1).filter(|above| !above.as_str().is_empty());
    for above in named.take(CREATED_LEVELS_MAX) {
        match disk.sync_dir(above) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            other => other.map_err(StoreError::io("make durable", above))?,
        }
    }
    Ok(())
}

/// Removes a name that need not be there.
pub fn remove_if_there<D: Disk>(disk: &D, path: &Utf8Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The bytes from `start` to `end`, all of them.
pub fn read_exactly<F: DiskFile>(file: &F, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(end - start).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(space) = bytes.get_mut(filled..).filter(|space| !space.is_empty()) {
        match file.read_at(start + filled as u64, space)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(bytes)
}

/// Copies an open file to a new one, makes its content durable and compares the two. Returns how
/// long it is, in bytes.
pub fn copy_new<D: Disk>(disk: &D, from: &D::File, to: &Utf8Path) -> io::Result<u64> {
    drop(disk.create_new(to, b"")?);
    let (mut copy, _) = disk.open_append(to)?;
    let length = each_chunk(from, |_, mut chunk| {
        while !chunk.is_empty() {
            match copy.append(chunk)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => chunk = chunk.get(count..).unwrap_or_default(),
            }
        }
        Ok(())
    })?;
    copy.sync()?;
    let compared = each_chunk(from, |offset, chunk| {
        match read_exactly(&copy, offset, offset + chunk.len() as u64)? == chunk {
            true => Ok(()),
            false => Err(io::Error::other("the copy differs from what was copied")),
        }
    })?;
    match compared == length && copy.stat()?.len == length {
        true => Ok(length),
        false => Err(io::Error::other("the file changed while it was copied")),
    }
}

/// Reads a file from start to end; returns its length.
fn each_chunk<F: DiskFile>(
    file: &F,
    mut take: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    loop {
        let count = file.read_at(offset, &mut buffer)?;
        if count == 0 {
            return Ok(offset);
        }
        take(offset, buffer.get(..count).unwrap_or_default())?;
        offset += count as u64;
    }
}
