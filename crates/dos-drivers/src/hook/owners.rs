//! Whose a place is: the workspaces that a file is in, wherever the agent is.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::hook::pretool::{Doings, Touch};
use dos_store::StoreError;
use dos_store::disk::RealDisk;
use dos_store::workspace::Environment;
use dos_store::worktree;

use super::SIGNS;
use super::shell::Seen;

/// The kernel opens no longer name, but files have such names below a folder that one is in.
const NAME_BYTES_MAX: usize = 4096;

/// Finds the workspaces of places, each folder once.
pub struct Owners<'a> {
    /// The workspace that the hook was called for.
    home: Option<&'a Utf8Path>,
    known: BTreeMap<Utf8PathBuf, Vec<Utf8PathBuf>>,
}

impl<'a> Owners<'a> {
    /// Beside the workspace that the hook was called for, if there is one.
    pub fn beside(home: Option<&'a Utf8Path>) -> Self {
        Self { home, known: BTreeMap::new() }
    }

    /// The roots of the workspaces that a place is in, the nearest first; the name is absolute and
    /// leads through no link.
    ///
    /// A workspace inside another one hides nothing from it: else whoever puts a `dos.toml` into a
    /// folder takes that folder out of all lanes. A linked work tree is a checkout of its own, and
    /// nothing of the folder that it happens to lie in.
    fn of(&mut self, name: &str) -> &[Utf8PathBuf] {
        let path = Utf8Path::new(name);
        let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        let mut folders = path.ancestors().skip(usize::from(!is_folder));
        let folder = folders.find(|folder| folder.as_str().len() <= NAME_BYTES_MAX);
        let folder = folder.unwrap_or(path);
        let home = self.home;
        self.known.entry(folder.to_owned()).or_insert_with(|| {
            let is_root = |folder: &&Utf8Path| {
                home == Some(*folder) || SIGNS.iter().any(|sign| folder.join(sign).exists())
            };
            let mut roots: Vec<_> =
                folder.ancestors().filter(is_root).map(Utf8Path::to_owned).collect();
            if let [nearest, _, ..] = roots.as_slice()
                && let Some(linked) = worktree::linked(&RealDisk, nearest)
                && linked.id.is_some()
            {
                roots.retain(|root| root.starts_with(&linked.top));
            }
            roots
        })
    }

    fn has(&mut self, root: &Utf8Path, name: &str) -> bool {
        self.of(name).iter().any(|owner| owner == root)
    }

    /// The roots of all workspaces that the call reaches into, without the one it was made for.
    pub fn others(&mut self, seen: &Seen) -> Vec<Utf8PathBuf> {
        let mut others = Vec::new();
        let Doings { touches, sweeps, handed, .. } = &seen.doings;
        let touches = touches.iter().chain(sweeps).chain(handed);
        let names = touches.flat_map(|touch| &touch.names).map(String::as_str);
        for name in names.chain(seen.checkouts.iter().map(|checkout| checkout.folder.as_str())) {
            let home = self.home;
            for root in self.of(name) {
                if home != Some(root.as_path()) && !others.contains(root) {
                    others.push(root.clone());
                }
            }
        }
        others
    }

    /// What the call does to one workspace. To the one that it was made for also what it does
    /// outside of all: some of that is protected everywhere.
    pub fn share(&mut self, seen: &Seen, root: &Utf8Path) -> Doings {
        let is_home = self.home == Some(root);
        let mut keeps = |name: &str| {
            (is_home && !Utf8Path::new(name).starts_with(root)) || self.has(root, name)
        };
        let mut kept = |touches: &[Touch]| -> Vec<Touch> {
            let mut touches = touches.to_vec();
            touches.iter_mut().for_each(|touch| touch.names.retain(|name| keeps(name)));
            touches.retain(|touch| !touch.names.is_empty());
            touches
        };
        let touches = kept(&seen.doings.touches);
        let (sweeps, handed) = (kept(&seen.doings.sweeps), kept(&seen.doings.handed));
        let mut checkout_ops = Vec::new();
        for checkout in &seen.checkouts {
            let holds_us = root.starts_with(&checkout.folder);
            if (holds_us || self.has(root, checkout.folder.as_str()))
                && !checkout_ops.contains(&checkout.name)
            {
                checkout_ops.push(checkout.name.clone());
            }
        }
        Doings {
            touches,
            sweeps,
            handed,
            checkout_ops,
            unknown: seen.doings.unknown.clone(),
            frees: seen.doings.frees.clone(),
            // Code that names no path is somebody's business where the agent is.
            runs_inline_code: is_home && seen.doings.runs_inline_code,
            grants: None,
        }
    }
}

/// The environment for a workspace that the hook was not called for: the places of the files that
/// it names are those of another one.
pub struct Elsewhere<'a, E>(pub &'a E);

impl<E: Environment> Environment for Elsewhere<'_, E> {
    fn variable(&self, name: &str) -> Result<Option<String>, StoreError> {
        match name {
            "DISPATCH_LANE_JOURNAL_PATH"
            | "JOB_LANE_JOURNAL_PATH"
            | "DISPATCH_LANE_LEASE_LOCK_PATH"
            | "DISPATCH_ARCHIVE_LOCK_PATH" => Ok(None),
            _ => self.0.variable(name),
        }
    }
}
