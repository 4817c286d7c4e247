//! A project that writes: its card, and what the registry is told of it.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::journal::decode::object_of;
use dos_core::journal::entry::op;
use dos_core::json::{Object, canonical_object};
use dos_core::registry::{
    Card, Counts, Here, Site, Standing, fold_latest, project_id, project_of, row, standing,
};
use dos_core::timestamp::Timestamp;
use serde_json::Value;

use super::{Registry, fits_on_a_line, folder_at, folder_id, lines, odd_root};
use crate::clock::Clock;
use crate::disk::{Disk, read_small, remove_if_there, sync_folder_names};
use crate::error::StoreError;
use crate::home::Home;
use crate::lock::{guard_path, kernel_lock};
use crate::log::Log;
use crate::workspace::Workspace;
use crate::worktree;

/// How long a write waits for the home lock: what it has to tell is told by the next one as well.
const WAIT: Duration = Duration::from_millis(500);
/// How long whoever mends it waits for the card.
const AGAIN: Duration = Duration::from_secs(10);
/// A card is a few lines.
pub(super) const CARD_BYTES_MAX: usize = 64 * 1024;
/// An index this long, and twice as long as it need be, is shortened by whoever writes to it.
const ROWS_SPARE: usize = 64;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What became of telling the registry.
#[derive(Debug)]
pub enum Told {
    /// It knew.
    Already,
    /// It knows now.
    Now,
    /// It is not to know: there is none, or this is a throwaway workspace.
    LeftOut,
    /// Another process is telling it.
    ByAnother,
    /// The next write has to tell it.
    Later(StoreError),
}

/// The card of a project, and what it is about to be.
struct Project<'a, D, C> {
    workspace: &'a Workspace,
    disk: &'a D,
    clock: &'a C,
    path: Utf8PathBuf,
    now: Timestamp,
}

/// What to write, and what the registry then has to be told.
struct Plan<'a> {
    card: Card,
    /// The name that the project goes by.
    root: String,
    home: Option<&'a Home>,
    /// The name that it went by, in another place where it no longer is.
    former: Option<String>,
}

/// Is a project where its card says?
enum Place {
    /// It is, or there is no card.
    Same,
    /// It is not, and it is no longer there.
    Moved {
        /// Where it was.
        from: String,
    },
    /// It is not, and it is there as well: this is another project.
    Copy,
}

impl Workspace {
    /// Sees to it that this workspace has its card, and that the registry knows of it. To be called
    /// by whatever writes to the workspace. Costs one small read when all is well; never waits for
    /// long, and never keeps anybody from writing.
    pub fn tell<D: Disk + Clone, C: Clock>(&self, disk: &D, clock: &C) -> Told {
        match self.project(disk, clock) {
            Ok(project) => project.tell(),
            Err(error) => Told::Later(error),
        }
    }

    /// Why the card cannot be read, if it cannot. One that makes no sense is written anew.
    pub fn card_trouble<D: Disk>(&self, disk: &D) -> Option<StoreError> {
        let path = self.dot_dos().join("project.json");
        read_card(disk, &self.state).err().map(StoreError::io("read", &path))
    }

    /// Sees to it that the registry has this workspace, whatever the card says. For whoever has seen
    /// that it does not.
    pub fn tell_again<D: Disk + Clone, C: Clock>(
        &self,
        disk: &D,
        clock: &C,
    ) -> Result<Told, StoreError> {
        let project = self.project(disk, clock)?;
        let _guard = kernel_lock(disk, clock, &guard_path(&project.path), AGAIN)?;
        let Some(plan) = project.plan(true)? else { return Ok(Told::LeftOut) };
        project.carry_out(&plan)
    }

    /// Runs `write`, which records something that the registry has to hear of, and tells it. A crash
    /// in between leaves a card without the mark, so that the next write tells it.
    pub(crate) fn telling<D: Disk + Clone, C: Clock>(
        &self,
        disk: &D,
        clock: &C,
        wait: Duration,
        write: impl FnOnce(&str) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let project = self.project(disk, clock)?;
        let _guard = crate::lock::kernel_lock(disk, clock, &guard_path(&project.path), wait)?;
        let plan = project.plan(true)?;
        let id = match &plan {
            Some(plan) => {
                project.write(&plan.card.clone().unmarked())?;
                plan.card.id().map(str::to_string)
            }
            None => project.card()?.and_then(|card| card.id().map(str::to_string)),
        };
        write(&id.unwrap_or_else(|| project_id(self.state.as_str())))?;
        // The record is in its place. What follows from it can wait.
        if let Some(plan) = plan {
            let _ = project.told(&plan);
        }
        Ok(())
    }

    fn project<'a, D: Disk + Clone, C: Clock>(
        &'a self,
        disk: &'a D,
        clock: &'a C,
    ) -> Result<Project<'a, D, C>, StoreError> {
        let path = self.dot_dos().join("project.json");
        Ok(Project { workspace: self, disk, clock, path, now: clock.now()? })
    }
}

impl<D: Disk + Clone, C: Clock> Project<'_, D, C> {
    fn tell(&self) -> Told {
        match self.plan(false) {
            Ok(None) if self.home().is_some() => return Told::Already,
            Ok(None) => return Told::LeftOut,
            Err(error) => return Told::Later(error),
            Ok(Some(_)) => {}
        }
        // Whoever has it is writing the card.
        match kernel_lock(self.disk, self.clock, &guard_path(&self.path), Duration::ZERO) {
            Ok(_guard) => self.tell_alone().unwrap_or_else(Told::Later),
            Err(StoreError::Busy { .. }) => Told::ByAnother,
            Err(error) => Told::Later(error),
        }
    }

    /// The guard is held.
    fn tell_alone(&self) -> Result<Told, StoreError> {
        let Some(plan) = self.plan(false)? else { return Ok(Told::ByAnother) };
        self.carry_out(&plan)
    }

    fn carry_out(&self, plan: &Plan<'_>) -> Result<Told, StoreError> {
        // The truth first, without the mark: it must be there before anybody hears of it.
        self.write(&plan.card.clone().unmarked())?;
        self.told(plan)?;
        Ok(if plan.home.is_some() { Told::Now } else { Told::LeftOut })
    }

    /// What there is to write; `None` when all is well. `anyway` when something new is to be told.
    fn plan(&self, anyway: bool) -> Result<Option<Plan<'_>>, StoreError> {
        let card = self.card()?;
        let home = self.told_home(card.as_ref());
        let (root, place) = self.place(card.as_ref())?;
        let here = Here {
            root: &root,
            home: home.map(|home| home.folder.as_str()),
            now: self.now,
            version: VERSION,
        };
        match standing(card.as_ref(), &here) {
            Standing::Newer => return Ok(None),
            Standing::Current if !anyway && !self.is_lost(home) => return Ok(None),
            _ => {}
        }
        let (card, former) = match (card, place) {
            (Some(card), Place::Moved { from }) => (card.renewed(&here), Some(from)),
            (Some(card), Place::Same) => (card.renewed(&here), None),
            (_, Place::Copy) | (None, _) => (Card::new(&here), None),
        };
        Ok(Some(Plan { card, root, home, former }))
    }

    /// The registry that is to know of this workspace.
    fn told_home(&self, card: Option<&Card>) -> Option<&Home> {
        let home = self.home()?;
        let is_marked = card.and_then(Card::home) == Some(home.folder.as_str());
        (is_marked || !home.leaves_out(&self.workspace.state)).then_some(home)
    }

    /// The name that the workspace goes by, and whether it is where its card says.
    fn place(&self, card: Option<&Card>) -> Result<(String, Place), StoreError> {
        let own = self.workspace.state.to_string();
        let Some(other) = card.and_then(Card::root).filter(|other| *other != own) else {
            return Ok((own, Place::Same));
        };
        let there = Utf8Path::new(other);
        let failed = || StoreError::io("look at", there);
        let folder = folder_at(self.disk, there).map_err(failed())?;
        if folder.is_some() && folder == folder_id(self.disk, &self.workspace.state) {
            // One folder by two names: it keeps the one that it has.
            return Ok((other.to_string(), Place::Same));
        }
        // Is there the same project in the other place as well?
        let twin = read_card(self.disk, there).map_err(failed())?;
        let ids = (twin.as_ref().and_then(Card::id), card.and_then(Card::id));
        Ok(match matches!(ids, (Some(there), Some(here)) if there == here) {
            true => (own, Place::Copy),
            false => (own, Place::Moved { from: other.to_string() }),
        })
    }

    /// Is the index gone? Then it has nobody, whatever the cards say.
    fn is_lost(&self, home: Option<&Home>) -> bool {
        home.is_some_and(|home| matches!(self.disk.stat(&home.index()), Ok(None)))
    }

    fn home(&self) -> Option<&Home> {
        self.workspace.home.as_ref()
    }

    fn card(&self) -> Result<Option<Card>, StoreError> {
        read_card(self.disk, &self.workspace.state).map_err(StoreError::io("read", &self.path))
    }

    /// Puts the card in its place, durably: after a crash there is the old one or this one.
    fn write(&self, card: &Card) -> Result<(), StoreError> {
        let draft = Utf8PathBuf::from(format!("{}.t", self.path));
        let failed = || StoreError::io("write", &self.path);
        // Only a process that died with the guard can have left one.
        remove_if_there(self.disk, &draft).map_err(failed())?;
        let created = self.disk.create_new(&draft, card.to_text().as_bytes());
        let placed = created
            .and_then(|file| crate::disk::DiskFile::sync(&file))
            .and_then(|()| self.disk.rename(&draft, &self.path));
        if placed.is_err() {
            let _ = self.disk.remove(&draft);
        }
        placed.map_err(failed())?;
        let folder = self.workspace.dot_dos();
        self.disk.sync_dir(&folder).map_err(failed())?;
        sync_folder_names(self.disk, &folder)
    }

    /// Tells the registry, and then puts its mark on the card.
    fn told(&self, plan: &Plan<'_>) -> Result<(), StoreError> {
        if let Some(home) = plan.home {
            let registry = Registry::new(self.disk, self.clock, home, &self.workspace.host);
            registry.enter(plan, self)?;
            self.write(&plan.card)?;
        }
        Ok(())
    }

    fn overrides(&self) -> Utf8PathBuf {
        self.workspace.dot_dos().join("decisions/resolved.jsonl")
    }
}

impl<D: Disk + Clone, C: Clock> Registry<'_, D, C> {
    /// Takes a project in, durably: its root, its row, and the overrides that are not here yet.
    fn enter(&self, plan: &Plan<'_>, project: &Project<'_, D, C>) -> Result<(), StoreError> {
        let site = self.site(plan.root.clone(), None);
        if site.unreadable {
            let failed = StoreError::io("look at", &project.workspace.state);
            return Err(failed(io::Error::other("its folder or its card cannot be read")));
        }
        let own = self.rows(&project.overrides())?.rows;
        let visible = self.home.lock();
        let held = self.lock(&visible, WAIT)?;
        let entered = self.enter_locked(plan, &site, own, project.now, &held);
        let released = held.release();
        entered.and(released)
    }

    fn enter_locked(
        &self,
        plan: &Plan<'_>,
        site: &Site,
        own: Vec<Object>,
        now: Timestamp,
        held: &crate::lock::Held<'_, D, C>,
    ) -> Result<(), StoreError> {
        self.heal()?;
        self.remember_root(plan, held)?;
        let missing = self.missing(own, plan.card.id().unwrap_or_default())?;
        match missing.is_empty() {
            true => self.settle(&self.home.decisions())?,
            false => self.append(held, &self.home.decisions(), &lines(missing))?,
        }
        let index = self.home.index();
        let known = self.rows(&index)?.rows;
        let length = known.len();
        let mut folded = fold_latest(known);
        let row = row(site, now);
        if length > 2 * folded.len() + ROWS_SPARE {
            folded.push(row);
            self.replace(held, &index, &lines(fold_latest(folded)))
        } else {
            self.append(held, &index, &lines([row]))
        }
    }

    /// Sees to it that the list of roots has the project's root, and not the one that it was moved
    /// from.
    fn remember_root(
        &self,
        plan: &Plan<'_>,
        held: &crate::lock::Held<'_, D, C>,
    ) -> Result<(), StoreError> {
        let super::Roots { listed: mut roots, is_torn } = self.roots()?;
        let before = roots.len();
        roots.retain(|root| Some(root) != plan.former.as_ref());
        let is_listed = roots.contains(&plan.root);
        if roots.len() < before || is_torn {
            if !is_listed {
                roots.push(plan.root.clone());
            }
            return self.write_roots(held, &roots);
        }
        let (list, line) = match fits_on_a_line(&plan.root) {
            true => (self.home.roots(), format!("{}\n", plan.root)),
            false => (self.home.odd_roots(), odd_root(&plan.root)),
        };
        match is_listed {
            true => self.settle(&list),
            false => self.append(held, &list, &line),
        }
    }

    /// Which of a project's own overrides the central log does not have, each as often as it is
    /// missing.
    fn missing(&self, own: Vec<Object>, id: &str) -> Result<Vec<Object>, StoreError> {
        if own.is_empty() {
            return Ok(own);
        }
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for row in self.decisions()? {
            *known.entry(canonical_object(&row)).or_default() += 1;
        }
        let mut missing = Vec::new();
        for mut row in own {
            if project_of(&row).is_none() {
                row.insert("project_id".to_string(), id.into());
            }
            match known.get_mut(&canonical_object(&row)) {
                Some(count) if *count > 0 => *count -= 1,
                // What came along with a copy of the folder is another project's.
                _ if project_of(&row) == Some(id) => missing.push(row),
                _ => {}
            }
        }
        Ok(missing)
    }

    /// Looks at the project at a root.
    pub(super) fn site(&self, root: String, row: Option<Object>) -> Site {
        let nothing = Site {
            throwaway: self.home.leaves_out(Utf8Path::new(&root)),
            root,
            row,
            folder: None,
            card: None,
            card_folder: None,
            family: None,
            counts: Counts::default(),
            unreadable: false,
        };
        match self.look(&nothing) {
            Ok(Some(seen)) => seen,
            Ok(None) => nothing,
            Err(_) => Site { unreadable: true, ..nothing },
        }
    }

    fn look(&self, site: &Site) -> io::Result<Option<Site>> {
        let folder = Utf8PathBuf::from(&site.root);
        let dot_dos = folder.join(".dos");
        let (Some(here), Some(_)) =
            (folder_at(self.disk, &folder)?, folder_at(self.disk, &dot_dos)?)
        else {
            return Ok(None);
        };
        let Some(card) = read_card(self.disk, &folder)? else {
            return Ok(Some(Site { folder: Some(here), ..site.clone() }));
        };
        let card_folder = match card.root().filter(|other| *other != site.root) {
            Some(other) => folder_id(self.disk, Utf8Path::new(other)),
            None => Some(here),
        };
        let family = worktree::family(self.disk, &folder).map(Utf8PathBuf::into_string);
        let counts = self.counts(&dot_dos);
        let (folder, card) = (Some(here), Some(card));
        Ok(Some(Site { folder, card, card_folder, family, counts, ..site.clone() }))
    }

    /// What a project has piled up. What cannot be read counts as nothing.
    fn counts(&self, dot_dos: &Utf8Path) -> Counts {
        let names = |folder: &str| self.disk.names(&dot_dos.join(folder)).unwrap_or_default();
        let runs = dot_dos.join("runs");
        let is_run = |name: &&String| folder_id(self.disk, &runs.join(name)).is_some();
        let is_verdict = |name: &&String| name.starts_with(".verdict-") && name.ends_with(".json");
        let mut refusals = 0;
        let refuse = memchr::memmem::Finder::new(op::REFUSE);
        let journal = Log::new(self.disk.clone(), dot_dos.join("lane-journal.jsonl"));
        let _ = journal.scan(|line| {
            let says = refuse.find(line.bytes).is_some();
            let is_refusal =
                |record: Object| record.get("op").and_then(Value::as_str) == Some(op::REFUSE);
            refusals += u64::from(says && object_of(line.bytes).is_some_and(is_refusal));
        });
        Counts {
            runs: names("runs").iter().filter(is_run).count() as u64,
            wedges: names("verdicts").iter().filter(is_verdict).count() as u64,
            refusals,
        }
    }
}

/// Where the card of the project at a root is.
pub(super) fn card_of(root: &Utf8Path) -> Utf8PathBuf {
    root.join(".dos/project.json")
}

/// The card of the project at a root; `None` when there is none that makes sense.
pub(super) fn read_card<D: Disk>(disk: &D, root: &Utf8Path) -> io::Result<Option<Card>> {
    match read_small(disk, &card_of(root), CARD_BYTES_MAX) {
        Ok(bytes) => Ok(bytes.as_deref().and_then(Card::read)),
        // A folder above is a file, the card is a folder, or far too long for a card.
        Err(error) => match error.kind() {
            io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::FileTooLarge => Ok(None),
            _ => Err(error),
        },
    }
}
