//! What the registry knows, and how it forgets.

use std::time::Duration;

use camino::Utf8Path;
use dos_core::json::Object;
use dos_core::registry::{project_of, text};

use super::{Registry, folder_id, lines};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::trust::Distrust;
use crate::workspace::Workspace;

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

    /// Has the index this workspace, by whatever name of its folder? `projects` are the newest rows.
    pub fn has(&self, projects: &[Object], workspace: &Workspace) -> bool {
        let roots = || projects.iter().filter_map(|row| text(row, "root"));
        let own = folder_id(self.disk, &workspace.state);
        roots().any(|root| root == workspace.state)
            || own.is_some() && roots().any(|root| folder_id(self.disk, root.into()) == own)
    }

    /// Takes the projects that go by one of these names out of the registry: a root, in whatever
    /// spelling, or an id. What is in their own folders stays, so that their next write after a day,
    /// or `reindex` below their folder, brings them back. Changes nothing when nobody is meant.
    pub fn forget(&self, names: &[&str]) -> Result<Vec<Forgotten>, StoreError> {
        let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_empty()).collect();
        let folders = names.iter().filter_map(|name| folder_id(self.disk, Utf8Path::new(name)));
        let meant = Meant { names: &names, folders: folders.collect() };
        if self.meant(&meant)?.forgotten.is_empty() {
            return Ok(Vec::new());
        }
        let visible = self.home.lock();
        let held = self.lock(&visible, WAIT)?;
        let forgotten = self.heal().and_then(|()| self.meant(&meant)).and_then(|parted| {
            self.replace(&held, &self.home.decisions(), &lines(parted.decisions))?;
            self.write_roots(&held, &parted.roots)?;
            self.replace(&held, &self.home.index(), &lines(parted.rows))?;
            Ok(parted.forgotten)
        });
        let released = held.release();
        forgotten.and_then(|forgotten| released.map(|()| forgotten))
    }

    /// Who is meant, and what stays.
    fn meant(&self, meant: &Meant<'_>) -> Result<Parted, StoreError> {
        let is_meant = |root: &str| meant.is(self.disk, root);
        let rows = self.rows(&self.home.index())?.rows;
        let (gone, rows): (Vec<Object>, Vec<Object>) = rows.into_iter().partition(|row| {
            let [root, id] = project_names(row);
            meant.names.contains(&id) || is_meant(root)
        });
        let gone: Vec<[&str; 2]> = gone.iter().map(project_names).collect();
        let listed = self.roots()?.listed;
        let (gone_roots, roots): (Vec<String>, Vec<String>) = listed
            .into_iter()
            .partition(|root| is_meant(root) || gone.iter().any(|[other, _]| other == root));
        let mut forgotten: Vec<Forgotten> = Vec::new();
        let without_row = gone_roots.iter().map(|root| [root.as_str(), ""]);
        for [root, id] in gone.into_iter().chain(without_row) {
            if !forgotten.iter().any(|it| it.root == root) {
                let (root, project_id) = (root.to_string(), id.to_string());
                forgotten.push(Forgotten { project_id, root, decisions: 0 });
            }
        }
        let mut decisions = self.decisions()?;
        decisions.retain(|row| {
            let id = project_of(row).unwrap_or_default();
            let project = forgotten.iter_mut().find(|it| !id.is_empty() && it.project_id == id);
            project.map(|project| project.decisions += 1).is_none()
        });
        Ok(Parted { forgotten, rows, roots, decisions })
    }
}

/// Who is to be forgotten.
struct Meant<'a> {
    names: &'a [&'a str],
    /// The folders that have one of these names.
    folders: Vec<(u64, u64)>,
}

impl Meant<'_> {
    fn is<D: Disk>(&self, disk: &D, root: &str) -> bool {
        let same = || folder_id(disk, Utf8Path::new(root));
        self.names.contains(&root)
            || !self.folders.is_empty() && same().is_some_and(|it| self.folders.contains(&it))
    }
}

/// The central files, parted.
struct Parted {
    forgotten: Vec<Forgotten>,
    rows: Vec<Object>,
    roots: Vec<String>,
    decisions: Vec<Object>,
}
