//! What the registry knows, and how it forgets.

use std::time::Duration;

use camino::Utf8Path;
use dos_core::json::Object;
use dos_core::registry::{project_of, text};

use super::project::roots_text;
use super::{Registry, folder_id, lines};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::trust::Distrust;

const WAIT: Duration = Duration::from_secs(10);

/// A project that was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Its id; empty when only its root was known.
    pub project_id: String,
    /// Its root.
    pub root: String,
    /// How many of its overrides went from the central log.
    pub decisions: u64,
}

/// How a row may be called: its root, or its id.
pub fn project_names(row: &Object) -> [&str; 2] {
    [text(row, "root").unwrap_or_default(), project_of(row).unwrap_or_default()]
}

impl<D: Disk + Clone, C: Clock> Registry<'_, D, C> {
    /// Writes down, durably, that the state of the workspace `state` is trusted as it is.
    pub fn trust(&self, state: &Utf8Path, distrust: &Distrust) -> Result<(), StoreError> {
        let visible = self.home.lock();
        let held = self.lock(&visible, WAIT)?;
        let trusted = self.append(&held, &self.home.trusted(), &distrust.row(state));
        let released = held.release();
        trusted.and(released)
    }

    /// Takes the projects that go by this root, in whatever spelling, or by this id out of the
    /// registry. What is in their own folders stays, so that their next write after a day, or
    /// `reindex` below their folder, brings them back.
    pub fn forget(&self, name: &str) -> Result<Vec<Forgotten>, StoreError> {
        let folder = folder_id(self.disk, Utf8Path::new(name));
        let same_folder =
            |root: &str| folder.is_some() && folder == folder_id(self.disk, Utf8Path::new(root));
        let visible = self.home.lock();
        let held = self.lock(&visible, WAIT)?;
        let forgotten = (|| {
            self.heal()?;
            let rows = self.rows(&self.home.index())?.rows;
            let is_meant = |root: &str| root == name || same_folder(root);
            let (gone, kept): (Vec<Object>, Vec<Object>) = rows.into_iter().partition(|row| {
                let [root, id] = project_names(row);
                id == name || is_meant(root)
            });
            let roots = self.roots()?.listed;
            let (gone_roots, kept_roots): (Vec<String>, Vec<String>) =
                roots.into_iter().partition(|root| {
                    is_meant(root) || gone.iter().any(|row| project_names(row)[0] == root)
                });
            let mut forgotten: Vec<Forgotten> = Vec::new();
            let rows = gone.iter().map(project_names).map(|[root, id]| (root, id));
            for (root, id) in rows.chain(gone_roots.iter().map(|root| (root.as_str(), ""))) {
                if !forgotten.iter().any(|it| it.root == root) {
                    let (root, project_id) = (root.to_string(), id.to_string());
                    forgotten.push(Forgotten { project_id, root, decisions: 0 });
                }
            }
            if forgotten.is_empty() {
                return Ok(forgotten);
            }
            let mut decisions = self.decisions()?;
            decisions.retain(|row| {
                let id = project_of(row).unwrap_or_default();
                let project = forgotten.iter_mut().find(|it| !id.is_empty() && it.project_id == id);
                if let Some(project) = project {
                    project.decisions += 1;
                    return false;
                }
                true
            });
            self.replace(&held, &self.home.decisions(), &lines(decisions))?;
            self.replace(&held, &self.home.roots(), &roots_text(&kept_roots))?;
            self.replace(&held, &self.home.index(), &lines(kept))?;
            Ok(forgotten)
        })();
        let released = held.release();
        forgotten.and_then(|forgotten| released.map(|()| forgotten))
    }
}
