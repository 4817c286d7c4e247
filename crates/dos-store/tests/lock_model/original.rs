//! The original's protocol: `_Mutex` of its `lane_lease` over `write_lock`, `read_lock` and
//! `steal_stale` of its `_filelock`, one file operation a step.

use crate::world::{Body, Inode, Name, Process, World};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Original {
    /// Its owner: no two running processes have the same.
    pub owner: u8,
    at: At,
    /// The lock file that it created, as long as a name leads to it.
    pub lock: Option<Inode>,
}

/// The next thing that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    /// `write_lock`: create the file, which must not be there ...
    Create,
    /// ... and write it.
    Write(Inode),
    Read,
    /// `steal_stale`: rename what is there to a name of its own, ...
    MoveAside {
        owner: u8,
        stamp: u8,
    },
    /// ... look whether it is what was judged, ...
    Compare {
        owner: u8,
        stamp: u8,
        aside: u8,
    },
    /// ... put it back if not, over whatever has come there meanwhile, ...
    PutBack(u8),
    /// ... and otherwise remove it ...
    Discard(u8),
    /// ... and create its own.
    CreateAfterSteal,
    /// It holds: read the journal, ...
    ReadJournal,
    /// ... decide and append.
    Append,
    /// `_release_lock`: read the file, ...
    LookAtRelease,
    /// ... and remove it if it is its own or says nothing.
    Remove,
    Done,
}

impl Original {
    pub fn new(owner: u8) -> Self {
        Self { owner, at: At::Create, lock: None }
    }

    pub fn holds(&self) -> bool {
        use At::*;
        matches!(self.at, Write(_) | ReadJournal | Append | LookAtRelease | Remove)
    }

    /// Has it read the journal, and not yet appended?
    pub fn decides(&self) -> bool {
        self.at == At::Append
    }

    /// The file that it has open.
    pub fn open(&self) -> Option<Inode> {
        match self.at {
            At::Write(inode) => Some(inode),
            _ => None,
        }
    }

    /// The owner whose lock it has judged stale.
    pub fn judged(&self) -> Option<u8> {
        match self.at {
            At::MoveAside { owner, .. } | At::Compare { owner, .. } => Some(owner),
            _ => None,
        }
    }

    pub fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// It has run out of tries: between two of them it may give up.
    pub fn gives_up(&self) -> Option<Self> {
        (self.at == At::Create).then(|| Self { at: At::Done, ..self.clone() })
    }

    /// What it does next, in words.
    pub fn words(&self) -> String {
        format!("{:?}", self.at)
    }

    /// Its next step.
    pub fn step(&self, world: &mut World, me: usize) {
        let mut next = self.clone();
        let visible = world.file_at(Name::Visible).map(|file| file.body);
        next.at = match self.at {
            At::Create | At::CreateAfterSteal => match world.create(Name::Visible, Body::Empty) {
                Some(inode) => {
                    next.lock = Some(inode);
                    At::Write(inode)
                }
                None if self.at == At::Create => At::Read,
                None => At::Create,
            },
            At::Write(inode) => {
                world.write(inode, Body::Original { owner: self.owner, stamp: world.time });
                At::ReadJournal
            }
            At::Read => match visible {
                // Its own owner: it takes itself for the holder.
                Some(Body::Original { owner, .. }) if owner == self.owner => {
                    next.lock = world.at(Name::Visible);
                    At::ReadJournal
                }
                Some(Body::Original { owner, stamp }) if world.time - stamp >= 2 => {
                    At::MoveAside { owner, stamp }
                }
                // A lock of ours is to it a lock like any other. The high bit keeps the two apart.
                Some(Body::Ours { nonce, stamp }) if world.time - stamp >= 2 => {
                    At::MoveAside { owner: nonce | OURS, stamp }
                }
                _ => At::Create,
            },
            At::MoveAside { owner, stamp } => {
                let free = |aside: &u8| world.at(Name::Aside(*aside)).is_none();
                let aside = (0..).find(free).unwrap();
                match world.rename(Name::Visible, Name::Aside(aside)) {
                    true => {
                        world.stolen = true;
                        At::Compare { owner, stamp, aside }
                    }
                    false => At::Create,
                }
            }
            At::Compare { owner, stamp, aside } => {
                let same = match world.file_at(Name::Aside(aside)).map(|file| file.body) {
                    Some(Body::Original { owner: found, stamp: since }) => {
                        found == owner && since == stamp
                    }
                    Some(Body::Ours { nonce, stamp: since }) => {
                        nonce | OURS == owner && since == stamp
                    }
                    _ => false,
                };
                if same { At::Discard(aside) } else { At::PutBack(aside) }
            }
            At::PutBack(aside) => {
                world.rename(Name::Aside(aside), Name::Visible);
                At::Create
            }
            At::Discard(aside) => {
                world.remove(Name::Aside(aside));
                At::CreateAfterSteal
            }
            At::ReadJournal => At::Append,
            At::Append => {
                world.appended(me);
                At::LookAtRelease
            }
            At::LookAtRelease => match visible {
                Some(Body::Empty) => At::Remove,
                Some(Body::Original { owner, .. }) if owner == self.owner => At::Remove,
                _ => At::Done,
            },
            At::Remove => {
                world.remove(Name::Visible);
                At::Done
            }
            At::Done => At::Done,
        };
        if !next.holds() {
            next.lock = None;
        }
        world.processes[me] = Process::Original(next);
    }
}

/// Marks the nonce of one of our locks among the owners.
const OURS: u8 = 0x80;
