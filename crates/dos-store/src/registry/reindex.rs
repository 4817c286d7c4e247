//! The registry made anew from the projects themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::json::Object;
use dos_core::registry::{Rebuilt, Site, fold_latest, merge_decisions, rebuild, text};
use dos_core::timestamp::Timestamp;

use super::project::{card_of, read_card};
use super::{Registry, lines};
use crate::clock::Clock;
use crate::disk::{Disk, FileId};
use crate::error::StoreError;
use crate::lock::Held;

/// How long `reindex` waits for the home lock.
const WAIT: Duration = Duration::from_secs(10);
/// How deep cards are looked for below a folder.
const DEPTH_MAX: usize = 12;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Reindexed {
    /// The index.
    pub index: Rebuilt,
    /// How many overrides the central log has.
    pub decisions: u64,
    /// How many lines of the central files could not be read, and are gone.
    pub corrupt: u64,
    /// Folders below those that were searched whose card, or whose names, cannot be read.
    pub unreadable: Vec<String>,
}

/// What is known before anybody looks: each root with the newest row that names it.
type Known = BTreeMap<String, Option<Object>>;

impl<D: Disk + Clone, C: Clock> Registry<'_, D, C> {
    /// Makes the index, the list of roots and the log of overrides anew, from what is at the roots
    /// that either of the first two has, and from the cards below the folders in `under`.
    ///
    /// The long look is done before anybody has to wait for it; under the lock only what has
    /// changed meanwhile is looked at again.
    pub fn reindex(&self, prune: bool, under: &[Utf8PathBuf]) -> Result<Reindexed, StoreError> {
        let now = self.clock.now()?;
        let mut found: BTreeSet<String> = BTreeSet::new();
        let mut unreadable = BTreeSet::new();
        for top in under {
            self.cards_below(top, &mut found, &mut unreadable);
        }
        let before = self.known(&found)?;
        let mut sites: BTreeMap<String, Site> = before
            .iter()
            .map(|(root, row)| (root.clone(), self.site(root.clone(), row.clone())))
            .collect();
        let visible = self.home.lock();
        let held = self.lock(&visible, WAIT)?;
        let written = self.heal().and_then(|()| self.known(&found)).and_then(|known| {
            sites.retain(|root, _| known.contains_key(root));
            for (root, row) in &known {
                if before.get(root) != Some(row) {
                    sites.insert(root.clone(), self.site(root.clone(), row.clone()));
                }
            }
            self.write(sites.into_values().collect(), prune, now, &held)
        });
        let released = held.release();
        written.and_then(|written| {
            released.map(|()| Reindexed { unreadable: unreadable.into_iter().collect(), ..written })
        })
    }

    fn write(
        &self,
        sites: Vec<Site>,
        prune: bool,
        now: Timestamp,
        held: &Held<'_, D, C>,
    ) -> Result<Reindexed, StoreError> {
        let index = rebuild(sites, prune, now);
        let own = index.active.iter().map(|(id, root)| {
            let mirror = Utf8Path::new(root).join(".dos/decisions/resolved.jsonl");
            // One that cannot be read keeps what the central log has of it.
            self.rows(&mirror).ok().map(|read| (id.clone(), read.rows))
        });
        let own: Vec<(String, Vec<Object>)> = own.flatten().collect();
        let central = self.rows(&self.home.decisions())?;
        let corrupt = central.corrupt + self.rows(&self.home.index())?.corrupt;
        let decisions = merge_decisions(central.rows, own, &index.dropped);
        let count = decisions.len() as u64;
        self.replace(held, &self.home.decisions(), &lines(decisions))?;
        self.replace(held, &self.home.index(), &lines(index.rows.clone()))?;
        let mut roots = self.roots()?.listed;
        match prune {
            true => roots.clone_from(&index.roots),
            false => {
                let listed: BTreeSet<String> = roots.iter().cloned().collect();
                roots.extend(index.roots.iter().filter(|root| !listed.contains(*root)).cloned());
            }
        }
        self.write_roots(held, &roots)?;
        Ok(Reindexed { index, decisions: count, corrupt, unreadable: Vec::new() })
    }

    fn known(&self, found: &BTreeSet<String>) -> Result<Known, StoreError> {
        let mut known = Known::new();
        for row in fold_latest(self.rows(&self.home.index())?.rows) {
            if let Some(root) = text(&row, "root").filter(|root| is_a_root(root)) {
                known.insert(root.to_string(), Some(row));
            }
        }
        for root in self.roots()?.listed.into_iter().chain(found.iter().cloned()) {
            known.entry(root).or_default();
        }
        Ok(known)
    }

    /// The projects below a folder, by their cards. Each folder is looked at once, by whatever name
    /// it is reached.
    fn cards_below(
        &self,
        top: &Utf8Path,
        found: &mut BTreeSet<String>,
        unreadable: &mut BTreeSet<String>,
    ) {
        let mut seen: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut waiting = vec![(top.to_owned(), 0)];
        while let Some((folder, depth)) = waiting.pop() {
            let stat = self.disk.stat(&folder).ok().flatten().filter(|stat| stat.is_dir);
            let Some(FileId(device, number)) = stat.map(|stat| stat.id) else { continue };
            if !seen.insert((device, number)) {
                continue;
            }
            let names = match depth < DEPTH_MAX {
                true => self.disk.names(&folder),
                false => Ok(Vec::new()),
            };
            let card = read_card(self.disk, &folder);
            let is_told = match &card {
                Ok(Some(_)) => true,
                Ok(None) => matches!(self.disk.stat(&card_of(&folder)), Ok(None)),
                Err(_) => false,
            };
            if let Ok(Some(_)) = card {
                found.insert(folder.to_string());
            }
            if !is_told || names.is_err() {
                unreadable.insert(folder.to_string());
            }
            let names = names.unwrap_or_default().into_iter();
            let names = names.filter(|name| !matches!(name.as_str(), ".git" | ".dos"));
            waiting.extend(names.map(|name| (folder.join(name), depth + 1)));
        }
    }
}

/// Can this be the root of a project?
fn is_a_root(root: &str) -> bool {
    root.starts_with('/') && !root.contains('\0')
}
