//! The file system and the clock as a process of ours sees them.

use std::io;
use std::time::Duration;

use camino::Utf8Path;
use dos_core::timestamp::{OutOfRange, Timestamp};
use dos_store::clock::Clock;
use dos_store::disk::{Disk, DiskFile, FileId, LockFile, Stat};
use dos_store::lock_body;

use super::{ASIDE, DRAFT, Fault, IMPATIENT, JOURNAL, Machine, Moved, Reply, SWAP, VISIBLE};
use crate::world::{Body, Inode, Name, SPAN_MILLIS};

const NOON: i64 = 1_767_268_800_000;

fn millis(time: u8) -> i64 {
    NOON + i64::from(time) * SPAN_MILLIS
}

fn stamp(time: u8) -> Timestamp {
    Timestamp::from_millis(millis(time)).unwrap()
}

/// The text of a lock file.
fn text(body: Body) -> String {
    match body {
        Body::Empty => String::new(),
        Body::Original { owner, stamp: since } => {
            format!("owner: original-{owner}\nacquired_at: {}\npid: 7\n", stamp(since))
        }
        Body::Ours { nonce, stamp: since } => {
            let pid = std::process::id();
            let since = stamp(since);
            format!(
                "owner: dos/host/{pid}/{nonce:016x}\nacquired_at: {since}\npid: {pid}\nguard: 1\nnonce: {nonce:016x}\n"
            )
        }
    }
}

/// Its snapshot and its marker, of which there is none.
fn is_beside_journal(path: &Utf8Path) -> bool {
    path.as_str().starts_with(JOURNAL)
}

fn moved(reply: Reply) -> io::Result<()> {
    match reply {
        Reply::Moved(Moved::Yes) => Ok(()),
        Reply::Moved(Moved::NotThere) => Err(io::ErrorKind::NotFound.into()),
        Reply::Moved(Moved::Taken) => Err(io::ErrorKind::AlreadyExists.into()),
        other => unreachable!("{other:?}"),
    }
}

fn there(moved: bool) -> Reply {
    Reply::Moved(if moved { Moved::Yes } else { Moved::NotThere })
}

enum Open {
    /// The lock file that this process has created and keeps open.
    Mine,
    /// One that it has opened to read, with what it said at that moment.
    Lock(String),
    Journal,
}

pub struct SimFile {
    machine: Machine,
    kind: Open,
    inode: Inode,
    modified: u8,
}

/// One of the two files that the kernel locks.
pub struct SimLock {
    machine: Machine,
    /// The crew, or else the guard.
    is_crew: bool,
    locked: bool,
}

impl SimLock {
    fn unlock(&mut self) {
        let run = &mut *self.machine.0.borrow_mut();
        if !std::mem::take(&mut self.locked) {
            return;
        }
        if !self.is_crew {
            run.locked &= run.over;
        }
        if !run.is_live() {
            return;
        }
        match self.is_crew {
            true => run.world.quit(run.me),
            false => {
                run.world.kernel = None;
                run.leave();
            }
        }
    }

    fn attempt(
        &mut self,
        asked: &str,
        act: impl FnOnce(&mut super::Run) -> Reply,
    ) -> io::Result<bool> {
        let run = &mut *self.machine.0.borrow_mut();
        let (Reply::Locked(free) | Reply::Shared(free) | Reply::Alone(free)) =
            run.step(|| asked.into(), act)?
        else {
            unreachable!()
        };
        self.locked = free;
        run.locked |= free && !self.is_crew;
        Ok(free)
    }
}

impl LockFile for SimLock {
    fn try_alone(&mut self) -> io::Result<bool> {
        if self.is_crew {
            return self.attempt("leave the crew", |run| {
                run.world.quit(run.me);
                let alone = run.world.crew == 0 && run.world.crew_alone.is_none();
                if alone {
                    run.world.crew_alone = Some(run.me);
                }
                Reply::Alone(alone)
            });
        }
        self.attempt("try the kernel lock", |run| {
            let free = run.world.kernel.is_none() || run.rules.fault == Fault::LockForAll;
            if free {
                run.world.kernel = Some(run.me);
            }
            Reply::Locked(free)
        })
    }

    fn try_share(&mut self) -> io::Result<bool> {
        self.attempt("join the crew", |run| {
            let free = run.world.crew_alone.is_none();
            if free {
                run.world.crew |= 1 << run.me;
            }
            Reply::Shared(free)
        })
    }

    fn free(&mut self) -> io::Result<()> {
        self.unlock();
        Ok(())
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.unlock();
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let run = &mut *self.machine.0.borrow_mut();
        if !matches!(self.kind, Open::Journal) && run.is_live() {
            let open = &mut run.ours().open;
            let place = open.iter().position(|inode| *inode == self.inode).unwrap();
            open.remove(place);
        }
    }
}

impl Disk for Machine {
    type File = SimFile;
    type Lock = SimLock;

    fn open_read(&self, path: &Utf8Path) -> io::Result<SimFile> {
        let run = &mut *self.0.borrow_mut();
        if path == JOURNAL {
            // Before it has the mutex: what it reads there is looked at again.
            return Ok(self.journal());
        }
        if is_beside_journal(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let name = run.name(path);
        let reply = run.step(
            || format!("read {name:?}"),
            |run| {
                let found = run.world.at(name).map(|inode| (inode, run.world.file(inode)));
                if let Some((inode, _)) = found {
                    run.ours().open.push(inode);
                }
                Reply::Opened(found)
            },
        )?;
        match reply {
            Reply::Opened(Some((inode, file))) => {
                let (kind, modified) = (Open::Lock(text(file.body)), file.modified);
                Ok(SimFile { machine: self.clone(), kind, inode, modified })
            }
            Reply::Opened(None) => Err(io::ErrorKind::NotFound.into()),
            other => unreachable!("{other:?}"),
        }
    }

    fn open_append(&self, path: &Utf8Path) -> io::Result<(SimFile, bool)> {
        assert_eq!(path, JOURNAL);
        Ok((self.journal(), false))
    }

    fn create_new(&self, path: &Utf8Path, content: &[u8]) -> io::Result<SimFile> {
        if is_beside_journal(path) {
            // The marker of a sync that failed: the run is over.
            return Err(io::Error::other("over"));
        }
        let run = &mut *self.0.borrow_mut();
        let real = path.file_name().unwrap().strip_prefix(DRAFT).unwrap().to_string();
        let content = String::from_utf8(content.to_vec()).unwrap();
        let reply = run.step(
            || "create a draft".into(),
            |run| {
                run.private = true;
                let nonce = run.free_nonce();
                // It read the clock before, and may have slept since.
                let fields = lock_body::parse(&content);
                let written = (0..=run.world.time)
                    .find(|time| fields["acquired_at"] == stamp(*time).to_string());
                let body = Body::Ours { nonce, stamp: written.unwrap() };
                // What the code writes is what everybody reads.
                assert_eq!(content.replace(&real, &format!("{nonce:016x}")), text(body));
                let inode = run.world.create(Name::Draft(nonce), Body::Empty).unwrap();
                run.ours().open.push(inode);
                Reply::Created { nonce, inode, body }
            },
        )?;
        let Reply::Created { nonce, inode, body } = reply else { unreachable!("{reply:?}") };
        let written = run.step(
            || "write the draft".into(),
            |run| {
                run.private = true;
                run.world.write(inode, body);
                Reply::Written(run.world.time)
            },
        )?;
        run.nonces.push((real, nonce));
        let Reply::Written(modified) = written else { unreachable!("{written:?}") };
        Ok(SimFile { machine: self.clone(), kind: Open::Mine, inode, modified })
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        let run = &mut *self.0.borrow_mut();
        let (from, to) = (run.name(from), run.name(to));
        let reply = run.step(
            || format!("rename {from:?} to {to:?}"),
            |run| {
                run.private = from != Name::Visible && to != Name::Visible;
                there(run.world.rename(from, to))
            },
        );
        moved(reply?)
    }

    fn rename_new(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        let run = &mut *self.0.borrow_mut();
        let (from, to) = (run.name(from), run.name(to));
        let reply = run.step(
            || format!("give {from:?} the free name {to:?}"),
            |run| {
                let taken =
                    run.world.at(to).is_some() && run.rules.fault != Fault::RenameNewReplaces;
                match taken {
                    true => Reply::Moved(Moved::Taken),
                    false => there(run.world.rename(from, to)),
                }
            },
        );
        moved(reply?)
    }

    fn exchange(&self, one: &Utf8Path, other: &Utf8Path) -> io::Result<()> {
        let run = &mut *self.0.borrow_mut();
        let (one, other) = (run.name(one), run.name(other));
        let reply = run.step(
            || format!("exchange {one:?} and {other:?}"),
            |run| {
                there(match run.rules.fault {
                    Fault::ExchangeLoses => {
                        run.world.at(other).is_some() && run.world.rename(one, other)
                    }
                    _ => run.world.exchange(one, other),
                })
            },
        );
        moved(reply?)
    }

    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        let run = &mut *self.0.borrow_mut();
        let name = run.name(path);
        let reply = run.step(
            || format!("remove {name:?}"),
            |run| {
                run.private = name != Name::Visible;
                there(run.world.remove(name))
            },
        );
        moved(reply?)
    }

    fn create_dir(&self, _: &Utf8Path) -> io::Result<()> {
        unreachable!()
    }

    fn sync_dir(&self, _: &Utf8Path) -> io::Result<()> {
        Ok(())
    }

    fn stat(&self, path: &Utf8Path) -> io::Result<Option<Stat>> {
        let run = &mut *self.0.borrow_mut();
        if path == JOURNAL {
            run.journal_looks += 1;
            // The first look is the reading under the mutex, the second the one before writing.
            if run.journal_looks == 1 {
                run.step(
                    || "read the journal".into(),
                    |run| {
                        run.ours().in_section = true;
                        Reply::Opened(None)
                    },
                )?;
                return Ok(Some(Stat { len: 0, ..stat_of(0, 0) }));
            }
            let reply = run.step(
                || "look at the journal".into(),
                |run| {
                    let seen = run.rules.fault != Fault::GrowthUnseen;
                    Reply::Grown(seen && run.ours().overtaken_by != 0)
                },
            )?;
            return Ok(Some(Stat { len: u64::from(reply == Reply::Grown(true)), ..stat_of(0, 0) }));
        }
        if is_beside_journal(path) {
            return Ok(None);
        }
        let name = run.name(path);
        let mine = run.mine;
        let reply = run.step(
            || format!("look at {name:?}"),
            |run| {
                run.private = name != Name::Visible;
                let lie = name == Name::Visible && run.rules.fault == Fault::AlwaysOurs;
                let there = run.world.at(name).map(|inode| (inode, run.world.file(inode).modified));
                Reply::Stat(if lie { mine.map(|inode| (inode, 0)) } else { there })
            },
        )?;
        let Reply::Stat(found) = reply else { unreachable!("{reply:?}") };
        Ok(found.map(|(inode, modified)| stat_of(inode, modified)))
    }

    fn names(&self, _: &Utf8Path) -> io::Result<Vec<String>> {
        let run = &mut *self.0.borrow_mut();
        let reply = run.step(
            || "list the names".into(),
            |run| {
                let fault = run.rules.fault;
                let seen = |name: &Name| match name {
                    Name::Visible => false,
                    Name::Draft(_) => fault != Fault::DraftsUnseen,
                    Name::Aside(_) => fault != Fault::AsideUnseen,
                    Name::Swap(_) => true,
                };
                Reply::Names(run.world.names().filter(seen).collect())
            },
        )?;
        let Reply::Names(names) = reply else { unreachable!("{reply:?}") };
        let text = names.iter().map(|name| match name {
            Name::Visible => VISIBLE.to_string(),
            Name::Draft(nonce) => format!("{DRAFT}{nonce:016x}"),
            Name::Swap(nonce) => format!("{SWAP}{nonce:016x}"),
            Name::Aside(number) => format!("{ASIDE}{number}"),
        });
        Ok(text.collect())
    }

    fn open_lock(&self, path: &Utf8Path) -> io::Result<SimLock> {
        let is_crew = path.as_str().ends_with(".crew");
        Ok(SimLock { machine: self.clone(), is_crew, locked: false })
    }

    fn link(&self, _: &Utf8Path, _: &Utf8Path) -> io::Result<()> {
        unreachable!()
    }

    fn boot(&self) -> String {
        String::new()
    }

    fn network_file_system(&self, _: &Utf8Path) -> io::Result<Option<&'static str>> {
        Ok(None)
    }
}

impl Machine {
    /// The journal. What it says does not matter here, only that it grows. It is empty when read.
    fn journal(&self) -> SimFile {
        SimFile { machine: self.clone(), kind: Open::Journal, inode: 0, modified: 0 }
    }
}

fn stat_of(inode: Inode, modified: u8) -> Stat {
    let modified = Duration::from_millis(u64::try_from(millis(modified)).unwrap());
    Stat { id: FileId(1, u64::from(inode)), len: 1, modified, is_dir: false }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let Open::Lock(text) = &self.kind else { return Ok(0) };
        let rest = text.as_bytes().get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let run = &mut *self.machine.0.borrow_mut();
        run.step(
            || "append to the journal".into(),
            |run| {
                run.world.appended(run.me);
                run.leave();
                Reply::Appended
            },
        )?;
        Ok(bytes.len())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let run = &mut *self.machine.0.borrow_mut();
        run.step(|| "sync the journal".into(), |_| Reply::Synced).map(drop)
    }

    fn stat(&self) -> io::Result<Stat> {
        let run = &mut *self.machine.0.borrow_mut();
        let stat = stat_of(self.inode, self.modified);
        match &self.kind {
            Open::Mine => run.mine = Some(self.inode),
            Open::Lock(text) => {
                if lock_body::is_ours(&lock_body::parse(text)) {
                    run.mine = Some(self.inode);
                }
            }
            Open::Journal => return Ok(Stat { len: 0, ..stat }),
        }
        Ok(stat)
    }
}

impl Clock for Machine {
    fn now(&self) -> Result<Timestamp, OutOfRange> {
        Ok(stamp(self.0.borrow_mut().clock().0))
    }

    fn elapsed(&self) -> Duration {
        let (time, late) = self.0.borrow_mut().clock();
        let spans = Duration::from_millis(u64::from(time) * SPAN_MILLIS.unsigned_abs());
        if late { spans + IMPATIENT } else { spans }
    }

    fn sleep(&self, span: Duration) {
        let settling = span >= Duration::from_millis(100);
        if !settling {
            self.0.borrow_mut().waits();
        }
    }
}
