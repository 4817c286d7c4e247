//! A file system in user space that keeps two states: what a program sees, and what is on the disk.
//! A sync, of a file or of a folder, carries one over to the other, and nothing else does.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

/// Nothing is cached by the kernel but file content.
const AT_ONCE: Duration = Duration::ZERO;
const ROOT: u64 = 1;

type Names = BTreeMap<String, u64>;

/// A state as programs see it, or as the disk has it.
#[derive(Clone)]
enum Content {
    File(Vec<u8>),
    Folder(Names),
}

#[derive(Clone)]
struct Node {
    now: Content,
    /// What the disk has.
    durable: Content,
    mode: u16,
    modified: SystemTime,
}

/// The nodes of the file system, by number. A number is not given twice.
#[derive(Clone)]
pub struct Nodes {
    nodes: BTreeMap<u64, Node>,
    /// Does a sync do anything?
    honest: bool,
}

/// The file system, and a handle on it for whoever looks at the disk.
#[derive(Clone)]
pub struct Lazy(Arc<Mutex<Nodes>>);

impl Node {
    fn new(now: Content, mode: u32) -> Self {
        let durable = match now {
            Content::File(_) => Content::File(Vec::new()),
            Content::Folder(_) => Content::Folder(Names::new()),
        };
        let mode = u16::try_from(mode & 0o7777).unwrap();
        Self { now, durable, mode, modified: SystemTime::now() }
    }
}

impl Nodes {
    /// From now on a sync does something, or nothing.
    pub fn set_honest(&mut self, honest: bool) {
        self.honest = honest;
    }

    /// What comes back after a power cut at this moment.
    pub fn after_a_cut(&self) -> Self {
        let mut left = self.clone();
        left.nodes.values_mut().for_each(|node| node.now = node.durable.clone());
        left
    }

    /// The content of a file; `None` when no name leads to it.
    pub fn content(&self, path: &str) -> Option<&[u8]> {
        let number = path.split('/').try_fold(ROOT, |folder, name| {
            self.names(folder).ok().and_then(|names| names.get(name).copied())
        })?;
        match &self.nodes.get(&number)?.now {
            Content::File(bytes) => Some(bytes),
            Content::Folder(_) => None,
        }
    }

    fn node(&mut self, number: u64) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&number).ok_or(Errno::ENOENT)
    }

    fn names(&self, folder: u64) -> Result<&Names, Errno> {
        match self.nodes.get(&folder).map(|node| &node.now) {
            Some(Content::Folder(names)) => Ok(names),
            Some(Content::File(_)) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    fn names_mut(&mut self, folder: u64) -> Result<&mut Names, Errno> {
        match &mut self.node(folder)?.now {
            Content::Folder(names) => Ok(names),
            Content::File(_) => Err(Errno::ENOTDIR),
        }
    }

    fn bytes(&mut self, file: u64) -> Result<&mut Vec<u8>, Errno> {
        match &mut self.node(file)?.now {
            Content::File(bytes) => Ok(bytes),
            Content::Folder(_) => Err(Errno::EISDIR),
        }
    }

    fn at(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.names(folder)?.get(text(name)?).copied().ok_or(Errno::ENOENT)
    }

    fn attr(&self, number: u64) -> Result<FileAttr, Errno> {
        let node = self.nodes.get(&number).ok_or(Errno::ENOENT)?;
        let (kind, size) = match &node.now {
            Content::File(bytes) => (FileType::RegularFile, bytes.len() as u64),
            Content::Folder(_) => (FileType::Directory, 0),
        };
        Ok(FileAttr {
            ino: INodeNo(number),
            size,
            blocks: size.div_ceil(512),
            atime: node.modified,
            mtime: node.modified,
            ctime: node.modified,
            crtime: node.modified,
            kind,
            perm: node.mode,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    fn create(&mut self, folder: u64, name: &OsStr, node: Node) -> Result<FileAttr, Errno> {
        let number = self.nodes.keys().next_back().map_or(ROOT, |last| last + 1);
        let name = text(name)?;
        if self.names(folder)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.names_mut(folder)?.insert(name.to_string(), number);
        self.nodes.insert(number, node);
        self.attr(number)
    }

    fn rename(&mut self, [from, to]: [(u64, &OsStr); 2], flags: RenameFlags) -> Result<(), Errno> {
        let moved = self.at(from.0, from.1)?;
        let there = self.at(to.0, to.1);
        let (from, to) = ((from.0, text(from.1)?), (to.0, text(to.1)?));
        if flags.contains(RenameFlags::RENAME_NOREPLACE) && there.is_ok() {
            return Err(Errno::EEXIST);
        }
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            self.names_mut(from.0)?.insert(from.1.to_string(), there?);
        } else {
            self.names_mut(from.0)?.remove(from.1);
        }
        self.names_mut(to.0)?.insert(to.1.to_string(), moved);
        Ok(())
    }

    fn sync(&mut self, number: u64) -> Result<(), Errno> {
        let honest = self.honest;
        let node = self.node(number)?;
        if honest {
            node.durable = node.now.clone();
        }
        Ok(())
    }
}

impl Lazy {
    /// An empty file system.
    pub fn new() -> Self {
        let root = Node::new(Content::Folder(Names::new()), 0o755);
        Self::of(Nodes { nodes: BTreeMap::from([(ROOT, root)]), honest: true })
    }

    /// One in this state.
    pub fn of(nodes: Nodes) -> Self {
        Self(Arc::new(Mutex::new(nodes)))
    }

    pub fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.0.lock().unwrap()
    }
}

fn text(name: &OsStr) -> Result<&str, Errno> {
    name.to_str().ok_or(Errno::EINVAL)
}

/// Answers with what was made of a request, or with its error.
macro_rules! answer {
    ($reply:ident, $result:expr, $answer:expr) => {
        match $result {
            Ok(value) => $answer($reply, value),
            Err(error) => $reply.error(error),
        }
    };
}

impl Filesystem for Lazy {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let nodes = self.nodes();
        let found = nodes.at(parent.0, name).and_then(|number| nodes.attr(number));
        answer!(reply, found, |reply: ReplyEntry, attr| reply.entry(
            &AT_ONCE,
            &attr,
            Generation(0)
        ));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        answer!(reply, self.nodes().attr(ino.0), |reply: ReplyAttr, attr| reply
            .attr(&AT_ONCE, &attr));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut nodes = self.nodes();
        let changed = (|| {
            if let Some(size) = size {
                nodes.bytes(ino.0)?.resize(usize::try_from(size).unwrap(), 0);
            }
            let node = nodes.node(ino.0)?;
            if let Some(mode) = mode {
                node.mode = u16::try_from(mode & 0o7777).unwrap();
            }
            match mtime {
                Some(TimeOrNow::SpecificTime(time)) => node.modified = time,
                Some(TimeOrNow::Now) => node.modified = SystemTime::now(),
                None => {}
            }
            nodes.attr(ino.0)
        })();
        answer!(reply, changed, |reply: ReplyAttr, attr| reply.attr(&AT_ONCE, &attr));
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let node = Node::new(Content::Folder(Names::new()), mode);
        let made = self.nodes().create(parent.0, name, node);
        answer!(reply, made, |reply: ReplyEntry, attr| reply.entry(&AT_ONCE, &attr, Generation(0)));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let mut nodes = self.nodes();
        let removed = nodes.at(parent.0, name).and_then(|_| {
            let name = text(name)?.to_string();
            nodes.names_mut(parent.0).map(|names| names.remove(&name))
        });
        answer!(reply, removed, |reply: ReplyEmpty, _| reply.ok());
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let renamed = self.nodes().rename([(parent.0, name), (newparent.0, newname)], flags);
        answer!(reply, renamed, |reply: ReplyEmpty, ()| reply.ok());
    }

    fn link(
        &self,
        _: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let mut nodes = self.nodes();
        let linked = (|| match nodes.at(newparent.0, newname) {
            Ok(_) => Err(Errno::EEXIST),
            Err(_) => {
                let name = text(newname)?.to_string();
                nodes.names_mut(newparent.0)?.insert(name, ino.0);
                nodes.attr(ino.0)
            }
        })();
        answer!(reply, linked, |reply: ReplyEntry, attr| reply.entry(
            &AT_ONCE,
            &attr,
            Generation(0)
        ));
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut nodes = self.nodes();
        answer!(reply, nodes.bytes(ino.0), |reply: ReplyData, bytes: &mut Vec<u8>| {
            let start = usize::try_from(offset).unwrap().min(bytes.len());
            let end = (start + size as usize).min(bytes.len());
            reply.data(&bytes[start..end]);
        });
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut nodes = self.nodes();
        let written = nodes.bytes(ino.0).map(|bytes| {
            let start = usize::try_from(offset).unwrap();
            bytes.resize(bytes.len().max(start + data.len()), 0);
            bytes[start..start + data.len()].copy_from_slice(data);
        });
        let written = written.and_then(|()| nodes.node(ino.0));
        let written = written.map(|node| node.modified = SystemTime::now());
        answer!(reply, written, |reply: ReplyWrite, ()| reply
            .written(u32::try_from(data.len()).unwrap()));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer!(reply, self.nodes().sync(ino.0), |reply: ReplyEmpty, ()| reply.ok());
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer!(reply, self.nodes().sync(ino.0), |reply: ReplyEmpty, ()| reply.ok());
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let nodes = self.nodes();
        let names = match nodes.names(ino.0) {
            Ok(names) => names,
            Err(error) => return reply.error(error),
        };
        for (place, (name, number)) in names.iter().enumerate().skip(offset as usize) {
            let kind = nodes.attr(*number).map_or(FileType::RegularFile, |attr| attr.kind);
            if reply.add(INodeNo(*number), place as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let node = Node::new(Content::File(Vec::new()), mode);
        let created = self.nodes().create(parent.0, name, node);
        answer!(reply, created, |reply: ReplyCreate, attr| reply.created(
            &AT_ONCE,
            &attr,
            Generation(0),
            FileHandle(0),
            FopenFlags::empty()
        ));
    }
}
