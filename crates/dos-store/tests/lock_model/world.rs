//! One folder, one kernel lock, a clock, and the processes: everything that a step can change.

use crate::original::Original;
use crate::ours::Ours;

/// Which file it is. The smallest free number is taken, so that numbers are used again as soon as a
/// kernel may do so.
pub type Inode = u8;

/// The names in the folder that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// The lock file that everybody knows.
    Visible,
    /// A draft of ours, by its nonce.
    Draft(u8),
    /// What is swapped by one of ours, by its nonce.
    Swap(u8),
    /// What an original moved aside.
    Aside(u8),
}

/// What a lock file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Created by an original that has not written yet.
    Empty,
    Ours {
        nonce: u8,
        stamp: u8,
    },
    Original {
        owner: u8,
        stamp: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct File {
    pub body: Body,
    pub modified: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    Ours(Ours),
    Original(Original),
}

/// What happened between a writer of ours and one of the original, at the write of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Residue {
    /// Our lock was taken away after our last look.
    AfterTheLastLook,
    /// The holder's lock file had lost its last name: nobody can see that it holds.
    NoNameLeft,
}

/// Everything. Two equal worlds behave alike from here on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    names: Vec<(Name, Inode)>,
    files: Vec<(Inode, File)>,
    /// Which process has the kernel lock.
    pub kernel: Option<usize>,
    /// Which processes share the crew, a bit each.
    pub crew: u8,
    /// Which process has the crew alone.
    pub crew_alone: Option<usize>,
    /// The time, in spans of [`SPAN_MILLIS`].
    pub time: u8,
    /// An original has moved a lock aside.
    pub stolen: bool,
    /// An original held its lock for longer than its time to live.
    pub overslept: bool,
    pub processes: Vec<Process>,
    /// A property that the last step broke.
    pub broken: Option<&'static str>,
    /// What the last step was, where no protocol could have helped.
    pub residue: Option<Residue>,
}

/// One span: beyond what our code takes for surely fresh, short of the time to live.
pub const SPAN_MILLIS: i64 = 250_000;
/// The time at the start: a lock of two spans ago is stale, one of a span ago is not.
pub const START: u8 = 2;

impl World {
    pub fn new(processes: Vec<Process>) -> Self {
        Self {
            names: Vec::new(),
            files: Vec::new(),
            kernel: None,
            crew: 0,
            crew_alone: None,
            time: START,
            stolen: false,
            overslept: false,
            processes,
            broken: None,
            residue: None,
        }
    }

    pub fn at(&self, name: Name) -> Option<Inode> {
        self.names.iter().find(|(each, _)| *each == name).map(|(_, inode)| *inode)
    }

    pub fn file(&self, inode: Inode) -> File {
        self.files.iter().find(|(each, _)| *each == inode).map(|(_, file)| *file).unwrap()
    }

    pub fn file_at(&self, name: Name) -> Option<File> {
        self.at(name).map(|inode| self.file(inode))
    }

    pub fn names(&self) -> impl Iterator<Item = Name> {
        self.names.iter().map(|(name, _)| *name)
    }

    pub fn has_name(&self, inode: Inode) -> bool {
        self.names.iter().any(|(_, each)| *each == inode)
    }

    pub fn bodies(&self) -> impl Iterator<Item = Body> {
        self.files.iter().map(|(_, file)| file.body)
    }

    /// A file with a name of its own; `None` when the name is taken.
    pub fn create(&mut self, name: Name, body: Body) -> Option<Inode> {
        if self.at(name).is_some() {
            return None;
        }
        let inode = (0..).find(|free| self.files.iter().all(|(each, _)| each != free)).unwrap();
        self.files.push((inode, File { body, modified: self.time }));
        self.files.sort_by_key(|(inode, _)| *inode);
        self.set(name, Some(inode));
        Some(inode)
    }

    /// A lock file from before, whatever the time.
    pub fn plant(&mut self, name: Name, body: Body, modified: u8) {
        let inode = self.create(name, body).unwrap();
        self.change(inode, File { body, modified });
    }

    pub fn write(&mut self, inode: Inode, body: Body) {
        let modified = self.time;
        self.change(inode, File { body, modified });
    }

    fn change(&mut self, inode: Inode, file: File) {
        for each in self.files.iter_mut().filter(|(each, _)| *each == inode) {
            each.1 = file;
        }
    }

    fn set(&mut self, name: Name, inode: Option<Inode>) {
        self.names.retain(|(each, _)| *each != name);
        self.names.extend(inode.map(|inode| (name, inode)));
        self.names.sort();
    }

    /// Over whatever has that name; false when there is nothing to rename.
    pub fn rename(&mut self, from: Name, to: Name) -> bool {
        let Some(inode) = self.at(from) else { return false };
        self.set(from, None);
        self.set(to, Some(inode));
        true
    }

    /// False when one of the two is not there.
    pub fn exchange(&mut self, one: Name, other: Name) -> bool {
        let (Some(first), Some(second)) = (self.at(one), self.at(other)) else { return false };
        self.set(one, Some(second));
        self.set(other, Some(first));
        true
    }

    pub fn remove(&mut self, name: Name) -> bool {
        let there = self.at(name).is_some();
        self.set(name, None);
        there
    }

    /// A process dies at once, and another of its kind comes in its place.
    pub fn die(&mut self, me: usize) {
        self.kernel = self.kernel.filter(|holder| *holder != me);
        self.quit(me);
        let newcomer = match &self.processes[me] {
            Process::Ours(_) => Process::Ours(Ours::default()),
            Process::Original(_) => Process::Original(Original::new(self.free_owner())),
        };
        self.processes[me] = newcomer;
    }

    /// A process gives up its share in the crew, or having it alone.
    pub fn quit(&mut self, me: usize) {
        self.crew &= !(1 << me);
        self.crew_alone = self.crew_alone.filter(|alone| *alone != me);
    }

    /// The smallest owner that no file has, no process and no memory.
    fn free_owner(&self) -> u8 {
        let mut used = Vec::new();
        for (_, file) in &self.files {
            if let Body::Original { owner, .. } = file.body {
                used.push(owner);
            }
        }
        for process in &self.processes {
            match process {
                Process::Original(original) => {
                    used.extend([original.owner].into_iter().chain(original.judged()));
                }
                Process::Ours(ours) => used.extend(ours.owners()),
            }
        }
        (0..).find(|owner| !used.contains(owner)).unwrap()
    }

    /// After a step: files without a name go, unless somebody has them open, and a holder whose
    /// lock file has lost its last name has lost it for good.
    pub fn settle(&mut self) {
        let mut open = Vec::new();
        for process in &self.processes {
            match process {
                Process::Ours(ours) => open.extend(&ours.open),
                Process::Original(original) => open.extend(original.open()),
            }
        }
        let named: Vec<Inode> = self.names.iter().map(|(_, inode)| *inode).collect();
        let keep = |inode: &Inode| open.contains(inode) || named.contains(inode);
        self.files.retain(|(inode, _)| keep(inode));
        for process in &mut self.processes {
            if let Process::Original(original) = process {
                original.lock = original.lock.filter(keep);
            }
        }
    }

    /// The originals that hold the mutex, as they see it: from the creation of their lock file to
    /// the end of their release. With the number of their lock file, if a name leads to it.
    pub fn original_holders(&self) -> impl Iterator<Item = (usize, Option<Inode>)> {
        self.processes.iter().enumerate().filter_map(|(index, process)| match process {
            Process::Original(original) if original.holds() => {
                Some((index, original.lock.filter(|inode| self.has_name(*inode))))
            }
            _ => None,
        })
    }

    /// A lock file of an original that counts: not older than its time to live. One without a text
    /// has a short life, of which a span is far beyond.
    pub fn counts(&self, file: File) -> bool {
        match file.body {
            Body::Ours { .. } => false,
            Body::Empty => self.time == file.modified,
            Body::Original { stamp, .. } => self.time - stamp < 2,
        }
    }

    /// Is there a lock of an original that counts, under any name?
    pub fn foreign_lock_counts(&self) -> bool {
        self.names.iter().any(|(_, inode)| self.counts(self.file(*inode)))
    }

    /// Have all ended, ours alone, and is a lock file of theirs still the visible one? (An original
    /// may put one back after that.)
    pub fn is_left_unclean(&self) -> bool {
        let ended = |process: &Process| matches!(process, Process::Ours(ours) if ours.done);
        let visible = self.file_at(Name::Visible).map(|file| file.body);
        matches!(visible, Some(Body::Ours { .. })) && self.processes.iter().all(ended)
    }

    /// A span of time passes, for everybody.
    pub fn pass_time(&mut self) {
        self.time += 1;
        let stale = |inode: Inode| !self.counts(self.file(inode));
        let overslept = self.original_holders().any(|(_, lock)| lock.is_none_or(stale));
        self.overslept |= overslept;
    }

    /// Ours and an original hold at once: never, unless an original has moved a lock aside (or has
    /// outlived its own time to live).
    pub fn check_holders(&mut self) {
        let ours = self
            .processes
            .iter()
            .filter(|each| matches!(each, Process::Ours(ours) if ours.in_section));
        let count = ours.count();
        if count > 1 {
            self.broken = Some("two holders of ours");
        } else if count == 1
            && self.original_holders().next().is_some()
            && !self.stolen
            && !self.overslept
        {
            self.broken = Some("ours and an original hold, and nobody has stolen anything");
        }
    }

    /// A process appends to the journal: who decided on what is no longer true?
    pub fn appended(&mut self, writer: usize) {
        for (index, process) in self.processes.iter_mut().enumerate() {
            if let Process::Ours(ours) = process
                && index != writer
                && ours.in_section
            {
                ours.overtaken_by |= 1 << writer;
            }
        }
        let Process::Ours(ours) = &self.processes[writer] else { return };
        for (other, process) in self.processes.iter().enumerate() {
            let within = |set: u8| set & (1 << other) != 0;
            let overtaken = within(ours.overtaken_by);
            let Process::Original(original) = process else {
                if overtaken {
                    self.broken = Some("a process of ours overtook another");
                }
                continue;
            };
            if self.overslept || !(overtaken || original.decides()) {
                continue;
            }
            if within(ours.look.overtaken_before) {
                self.broken = Some("an original had written since ours read, and ours wrote");
            } else if within(ours.look.named) {
                self.broken = Some("the lock of a holder could be seen, and ours wrote");
            } else if within(ours.look.holding) {
                self.residue = Some(Residue::NoNameLeft);
            } else {
                self.residue = Some(Residue::AfterTheLastLook);
            }
        }
    }
}
