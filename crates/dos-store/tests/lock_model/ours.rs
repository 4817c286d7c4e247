//! A process of ours: the real `Ledger::transact`, run on a disk that plays back.
//!
//! The state of a process is what its file operations have answered so far. To take a step, the
//! code runs from its beginning, is given those answers, does one operation for real, and runs on
//! until it asks for the next: from there on nothing that it does has an effect, and its errors
//! end it. So every operation is one atomic step, and the code that is checked is the code.
//!
//! What one of our processes reads of its own alone is no step: an open lock file is read in the
//! moment in which it is opened, and clocks are read right after the step before.

mod machine;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use camino::Utf8Path;
use dos_core::journal::entry::Record;
use dos_store::{Ledger, StoreError};

use crate::world::{Body, File, Inode, Name, Process, World};

const VISIBLE: &str = ".lane-lease.lock";
const DRAFT: &str = ".lane-lease.lock.t.";
const SWAP: &str = ".lane-lease.lock.swap.";
const ASIDE: &str = "..lane-lease.lock.steal.";
const JOURNAL: &str = "/w/lane-journal.jsonl";
/// So long does it wait where time may pass at once ...
const PATIENT: Duration = Duration::from_secs(100_000);
/// ... and so long where its deadline may pass. Less than what makes it distrust its own lock.
const IMPATIENT: Duration = Duration::from_secs(100);

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Ours {
    /// How many transactions more it does after the first one.
    pub more: u8,
    history: Vec<Reply>,
    /// The files that it has open.
    pub open: Vec<Inode>,
    /// From its reading of the journal to its writing.
    pub in_section: bool,
    /// Who has appended since it read the journal.
    pub overtaken_by: u8,
    /// What could be seen at its last operation.
    pub look: Look,
    /// Its deadline has passed.
    pub late: bool,
    pub done: bool,
}

/// Which originals held, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Look {
    pub holding: u8,
    /// Those among them to whose lock file a name led.
    pub named: u8,
    /// Those that had appended since we read the journal: now, and one operation ago. There are two
    /// things to look at, and one comes first.
    pub overtaken: u8,
    pub overtaken_before: u8,
}

/// What an operation answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reply {
    Locked(bool),
    /// A share in the crew.
    Shared(bool),
    /// Having the crew alone.
    Alone(bool),
    /// What we call a nonce that is in no file.
    Named(u8),
    Names(Vec<Name>),
    /// Created, and what is to be written to it.
    Created {
        nonce: u8,
        inode: Inode,
        body: Body,
    },
    Written(u8),
    Moved(Moved),
    Stat(Option<(Inode, u8)>),
    Opened(Option<(Inode, File)>),
    Time {
        time: u8,
        late: bool,
    },
    /// Has the journal grown since it read it?
    Grown(bool),
    Appended,
    Synced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Moved {
    Yes,
    NotThere,
    Taken,
}

/// A disk that breaks a promise: the check must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// `try_lock` lets everybody in.
    LockForAll,
    /// The kernel lock stays when its holder dies.
    LockOutlivesDeath,
    /// `exchange` loses what was under the second name.
    ExchangeLoses,
    /// `rename_new` replaces.
    RenameNewReplaces,
    /// The look whether the visible file is still ours always says yes.
    AlwaysOurs,
    /// The names that the original moves locks to are not seen.
    AsideUnseen,
    /// Our own drafts are not seen.
    DraftsUnseen,
    /// The journal never seems to grow.
    GrowthUnseen,
}

/// How processes of ours are run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    pub fault: Fault,
    /// May the deadline of a waiter pass?
    pub deadlines: bool,
    /// Is each step put into words?
    pub told: bool,
}

/// A process of ours about to step.
struct Run {
    world: World,
    me: usize,
    rules: Rules,
    history: Vec<Reply>,
    played: usize,
    /// The one operation was done, or none is to be.
    stepped: bool,
    /// It was done in this run.
    acted: bool,
    /// The code has asked for the next operation: nothing counts any more.
    over: bool,
    /// What it did, and what it asked for next.
    did: String,
    asked: String,
    /// It waits, and will begin its loop again with this much of its history.
    looped: Option<Vec<Reply>>,
    /// The nonces that its code has made, and what we call them.
    nonces: Vec<(String, u8)>,
    /// The lock file of ours that it has last looked at.
    mine: Option<Inode>,
    /// Where in its history its transaction begins.
    begun: usize,
    refused: bool,
    private: bool,
    /// Its code has the kernel lock.
    locked: bool,
    /// How often its code has looked at the journal.
    journal_looks: u8,
}

/// The file system and the clock, as this process sees them.
#[derive(Clone)]
struct Machine(Rc<RefCell<Run>>);

/// What a step led to.
pub struct Stepped {
    pub world: World,
    pub did: String,
    /// It read the journal: it has the mutex.
    pub entered: bool,
    /// It ended without having written.
    pub refused: bool,
    /// Nobody else can see or disturb what it did.
    pub private: bool,
}

impl Ours {
    /// Its deadline passes.
    pub fn lated(&self) -> Self {
        Self { late: true, ..self.clone() }
    }

    /// The same, without what only the properties need.
    pub fn plain(&self) -> Self {
        Self { overtaken_by: 0, look: Look::default(), ..self.clone() }
    }

    /// Its next step.
    pub fn step(&self, world: &World, me: usize, rules: Rules) -> Stepped {
        let run = self.run(world, me, rules, false);
        let (mut world, history) = (run.world, run.looped.unwrap_or(run.history));
        if let Process::Ours(next) = &mut world.processes[me] {
            next.history = history;
            if next.done {
                *next = Self { done: true, ..Self::default() };
            }
        }
        let entered = match &world.processes[me] {
            Process::Ours(next) => next.in_section && !self.in_section,
            Process::Original(_) => false,
        };
        world.settle();
        Stepped { world, did: run.did, entered, refused: run.refused, private: run.private }
    }

    /// The owners of the original's locks that it has read.
    pub fn owners(&self) -> impl Iterator<Item = u8> {
        self.history.iter().filter_map(|reply| match reply {
            Reply::Opened(Some((_, File { body: Body::Original { owner, .. }, .. }))) => {
                Some(*owner)
            }
            _ => None,
        })
    }

    fn run(&self, world: &World, me: usize, rules: Rules, stepped: bool) -> Run {
        let run = Run {
            world: world.clone(),
            me,
            rules,
            history: self.history.clone(),
            played: 0,
            stepped,
            acted: false,
            over: false,
            did: String::new(),
            asked: String::new(),
            looped: None,
            nonces: Vec::new(),
            mine: None,
            begun: 0,
            refused: false,
            private: false,
            locked: false,
            journal_looks: 0,
        };
        let machine = Machine(Rc::new(RefCell::new(run)));
        let outcome = transact(&machine, rules.deadlines, self.more);
        let mut run = Rc::into_inner(machine.0).unwrap().into_inner();
        if !run.over {
            run.finished(&outcome);
        }
        if let (Some(looped), false) = (&run.looped, stepped) {
            // The code is where it would be if it had only just come to its loop.
            let again = Self { history: looped.clone(), ..self.clone() };
            let again = again.run(&run.world, me, rules, true);
            assert_eq!(again.asked, run.asked, "{:?}\n{looped:?}", run.history);
        }
        run
    }
}

fn transact(machine: &Machine, deadlines: bool, more: u8) -> Result<(), StoreError> {
    let wait = if deadlines { IMPATIENT } else { PATIENT };
    let ledger =
        Ledger::new(machine.clone(), machine.clone(), JOURNAL, format!("/w/{VISIBLE}"), "host");
    for _ in 0..=more {
        machine.0.borrow_mut().begin();
        let record = Record::from_object(serde_json::Map::new());
        ledger.transact(wait, |_| Ok::<_, StoreError>((vec![record], ())))?;
    }
    Ok(())
}

impl Run {
    fn begin(&mut self) {
        if !self.over {
            (self.begun, self.journal_looks) = (self.played, 0);
        }
    }

    fn ours(&mut self) -> &mut Ours {
        match &mut self.world.processes[self.me] {
            Process::Ours(ours) => ours,
            Process::Original(_) => unreachable!(),
        }
    }

    /// Plays back the next answer, or does the one operation, or ends the run.
    fn step(
        &mut self,
        asked: impl FnOnce() -> String,
        act: impl FnOnce(&mut Self) -> Reply,
    ) -> io::Result<Reply> {
        if self.over {
            return Err(io::Error::other("over"));
        }
        if let Some(reply) = self.history.get(self.played) {
            self.played += 1;
            return Ok(reply.clone());
        }
        if self.stepped {
            self.over = true;
            if !self.acted || self.looped.is_some() {
                self.asked = asked();
            }
            return Err(io::Error::other("over"));
        }
        let before = self.unlosable();
        let reply = act(self);
        if self.unlosable() & before != before && !self.world.overslept {
            self.world.broken = Some("ours took the last name from the lock file of a holder");
        }
        if self.rules.told {
            self.did = format!("{} -> {reply:?}", asked());
        }
        (self.stepped, self.acted) = (true, true);
        self.look();
        self.record(reply.clone());
        Ok(reply)
    }

    fn record(&mut self, reply: Reply) {
        self.history.push(reply);
        self.played += 1;
    }

    /// The originals that hold and to whose lock file a name leads.
    fn unlosable(&self) -> u8 {
        let named = self.world.original_holders().filter(|(_, lock)| lock.is_some());
        named.fold(0, |set, (index, _)| set | 1 << index)
    }

    fn leave(&mut self) {
        let ours = self.ours();
        (ours.in_section, ours.overtaken_by, ours.look) = (false, 0, Look::default());
    }

    /// Has what the code does now an effect?
    fn is_live(&self) -> bool {
        self.acted && !self.over
    }

    fn look(&mut self) {
        let holding = self.world.original_holders().fold(0, |set, (index, _)| set | 1 << index);
        let named = self.unlosable();
        let ours = self.ours();
        ours.look = match ours.in_section {
            true => Look {
                holding,
                named,
                overtaken: ours.overtaken_by,
                overtaken_before: ours.look.overtaken,
            },
            false => Look::default(),
        };
    }

    fn finished(&mut self, outcome: &Result<(), StoreError>) {
        match outcome {
            Ok(())
            | Err(
                StoreError::Busy { .. } | StoreError::LockLost { .. } | StoreError::Changed { .. },
            ) => {}
            Err(error) => {
                self.did += &format!(": {error}");
                self.world.broken = Some("a process of ours failed");
            }
        }
        if self.world.kernel == Some(self.me) {
            self.world.broken = Some("a process of ours ended with the kernel lock");
        }
        if self.world.crew & 1 << self.me != 0 || self.world.crew_alone == Some(self.me) {
            self.world.broken = Some("a process of ours ended in the crew");
        }
        self.refused = outcome.is_err();
        self.ours().done = true;
    }

    fn clock(&mut self) -> (u8, bool) {
        if let (false, Some(reply)) = (self.over, self.history.get(self.played)) {
            let Reply::Time { time, late } = *reply else { unreachable!("{reply:?}") };
            self.played += 1;
            return (time, late);
        }
        let now = (self.world.time, self.ours().late);
        if !self.over {
            self.record(Reply::Time { time: now.0, late: now.1 });
        }
        now
    }

    /// The code waits a short while, and goes back to the beginning of one of its loops.
    fn waits(&mut self) {
        if self.over {
            return;
        }
        assert_eq!(self.played, self.history.len(), "no wait is in a history");
        let from = |start: usize, wanted: fn(&Reply) -> bool| {
            self.history[start..].iter().position(wanted).map(|place| start + place)
        };
        let left = self.history.iter().rposition(|reply| matches!(reply, Reply::Alone(_)));
        let start = left.map_or(self.begun, |left| self.begun.max(left + 1));
        let keep = if self.locked {
            // For the visible name, to which the first move went.
            let created = from(start, |reply| matches!(reply, Reply::Created { .. })).unwrap();
            from(created, |reply| matches!(reply, Reply::Moved(_))).unwrap() + 1
        } else {
            // For the kernel lock, or for another attempt, or for a share in the crew.
            from(start, |reply| matches!(reply, Reply::Locked(_)))
                .or_else(|| from(start, |reply| matches!(reply, Reply::Shared(_))))
                .unwrap()
        };
        self.looped = Some(self.history[..keep].to_vec());
    }

    fn name(&mut self, path: &Utf8Path) -> Name {
        let name = path.file_name().unwrap();
        if self.over {
            return Name::Visible;
        }
        if let Some(nonce) = name.strip_prefix(DRAFT) {
            return Name::Draft(self.number(nonce));
        }
        if let Some(nonce) = name.strip_prefix(SWAP) {
            return Name::Swap(self.number(nonce));
        }
        match name.strip_prefix(ASIDE) {
            Some(number) => Name::Aside(number.parse().unwrap()),
            None => {
                assert_eq!(name, VISIBLE);
                Name::Visible
            }
        }
    }

    /// What we call a nonce: one that its code has read, has made for a file, or has just made.
    fn number(&mut self, nonce: &str) -> u8 {
        if let Some((_, number)) = self.nonces.iter().find(|(mine, _)| mine == nonce) {
            return *number;
        }
        if let Ok(number) = u8::try_from(u64::from_str_radix(nonce, 16).unwrap()) {
            return number;
        }
        let number = match self.history.get(self.played) {
            Some(Reply::Named(number)) => {
                let number = *number;
                self.played += 1;
                number
            }
            Some(other) => unreachable!("{other:?}"),
            None => {
                let number = self.free_nonce();
                self.record(Reply::Named(number));
                number
            }
        };
        self.nonces.push((nonce.to_string(), number));
        number
    }

    /// The smallest nonce that no file has, no name and no memory.
    fn free_nonce(&self) -> u8 {
        let mut used: Vec<u8> = self.world.bodies().filter_map(nonce_of).collect();
        for process in &self.world.processes {
            match process {
                Process::Ours(ours) => used.extend(ours.history.iter().flat_map(remembered)),
                Process::Original(original) => {
                    used.extend(original.judged().map(|owner| owner & 0x7f))
                }
            }
        }
        used.extend(self.world.names().filter_map(|name| match name {
            Name::Draft(nonce) | Name::Swap(nonce) => Some(nonce),
            _ => None,
        }));
        used.extend(self.history.iter().flat_map(remembered));
        (0..).find(|nonce| !used.contains(nonce)).unwrap()
    }
}

fn nonce_of(body: Body) -> Option<u8> {
    match body {
        Body::Ours { nonce, .. } => Some(nonce),
        _ => None,
    }
}

fn remembered(reply: &Reply) -> Vec<u8> {
    match reply {
        Reply::Created { nonce, .. } | Reply::Named(nonce) => vec![*nonce],
        Reply::Opened(Some((_, File { body: Body::Ours { nonce, .. }, .. }))) => vec![*nonce],
        Reply::Names(names) => names
            .iter()
            .filter_map(|name| match name {
                Name::Draft(nonce) | Name::Swap(nonce) => Some(*nonce),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}
