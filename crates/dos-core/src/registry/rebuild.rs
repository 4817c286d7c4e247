//! The index made anew from what is seen at each known root.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::{Card, SCHEMA, project_id, project_of, text};
use crate::json::{Object, canonical_object};
use crate::timestamp::Timestamp;

/// Which folder it is, whatever its name: device and number.
pub type FolderId = (u64, u64);

/// What a project has piled up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Folders of runs.
    pub runs: u64,
    /// Verdict files.
    pub wedges: u64,
    /// Refusals in the journal.
    pub refusals: u64,
}

/// What was seen at one root.
#[derive(Clone, Debug)]
pub struct Site {
    /// The root, as the index or the list of roots has it.
    pub root: String,
    /// The newest row that names it.
    pub row: Option<Object>,
    /// Which folder it is; `None` when there is none.
    pub folder: Option<FolderId>,
    /// The card in it, if it can be read.
    pub card: Option<Card>,
    /// The folder that the card names, if there is one.
    pub card_folder: Option<FolderId>,
    /// Is it below the folder of temporary files, in an index that is not for such?
    pub throwaway: bool,
    /// The repository that it is a work tree of.
    pub family: Option<String>,
    /// What it has piled up.
    pub counts: Counts,
    /// Could it not be looked at? Then nothing is known of it, and it stays as it is.
    pub unreadable: bool,
}

/// The index, made anew.
#[derive(Clone, Debug, Default)]
pub struct Rebuilt {
    /// The rows, by project.
    pub rows: Vec<Object>,
    /// The roots that stay known.
    pub roots: Vec<String>,
    /// The projects whose overrides are read from their own folders: id and root.
    pub active: Vec<(String, String)>,
    /// The projects that were dropped.
    pub dropped: BTreeSet<String>,
    /// How many there are of each kind.
    pub summary: Summary,
}

/// How many there are of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Projects in their places.
    pub active: u64,
    /// Projects that are gone.
    pub stale: u64,
    /// Folders whose card names another folder.
    pub moved: u64,
    /// Temporary folders that were dropped.
    pub throwaway: u64,
    /// Roots that could not be looked at, and stay as they are.
    pub unreadable: Vec<String>,
    /// Ids that two folders have, with both.
    pub id_collisions: Vec<(String, [String; 2])>,
}

/// The row of a project that is in its place.
pub fn row(site: &Site, now: Timestamp) -> Object {
    let label = site.root.rsplit('/').next().unwrap_or_default();
    let row = json!({
        "schema": SCHEMA,
        "project_id": site.id(),
        "root": site.root,
        "dos_dir": dos_dir(&site.root),
        "label": label,
        "status": "active",
        "first_seen": site.card.as_ref().and_then(Card::created_at),
        "last_indexed": now.to_string(),
        "run_count": site.counts.runs,
        "wedge_count": site.counts.wedges,
        "refusal_count": site.counts.refusals,
    });
    let Value::Object(mut row) = row else { return Object::new() };
    if let Some(family) = &site.family {
        row.insert("family".to_string(), family.as_str().into());
    }
    row
}

fn dos_dir(root: &str) -> String {
    root.trim_end_matches('/').to_string() + "/.dos"
}

impl Site {
    fn id(&self) -> String {
        let card = self.card.as_ref().and_then(Card::id);
        let row = self.row.as_ref().and_then(project_of);
        card.or(row).map_or_else(|| project_id(&self.root), ToString::to_string)
    }

    fn status(&self) -> Status {
        let (Some(folder), Some(card)) = (self.folder, &self.card) else { return Status::Stale };
        let elsewhere = card.root().is_some_and(|root| root != self.root);
        match elsewhere && self.card_folder != Some(folder) {
            true => Status::Moved,
            false => Status::Active,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Status {
    Active,
    Stale,
    Moved,
}

/// Makes the index anew. `prune` drops what is gone, and what is temporary.
///
/// A folder that goes by two names is one project, under the name that its card has. A root that
/// is gone, whose project is in another place, is that project and no other.
pub fn rebuild(sites: Vec<Site>, prune: bool, now: Timestamp) -> Rebuilt {
    let mut rebuilt = Rebuilt::default();
    let sites = one_name_each(sites);
    let present = sites.iter().filter(|site| site.status() != Status::Stale);
    let present: BTreeSet<String> = present.map(Site::id).collect();
    let mut active: BTreeMap<String, &str> = BTreeMap::new();
    for site in &sites {
        let (id, status) = (site.id(), site.status());
        if prune && site.throwaway {
            rebuilt.summary.throwaway += 1;
            rebuilt.dropped.insert(id);
            continue;
        }
        if site.unreadable {
            rebuilt.summary.unreadable.push(site.root.clone());
            rebuilt.roots.push(site.root.clone());
            rebuilt.rows.extend(site.row.clone());
            continue;
        }
        if status == Status::Stale && present.contains(&id) {
            continue;
        }
        let count = match status {
            Status::Active => &mut rebuilt.summary.active,
            Status::Stale => &mut rebuilt.summary.stale,
            Status::Moved => &mut rebuilt.summary.moved,
        };
        *count += 1;
        if prune && status == Status::Stale {
            rebuilt.dropped.insert(id);
            continue;
        }
        rebuilt.roots.push(site.root.clone());
        if status == Status::Active {
            rebuilt.rows.push(row(site, now));
            rebuilt.active.push((id.clone(), site.root.clone()));
            if let Some(other) = active.insert(id.clone(), &site.root) {
                let roots = [other.to_string(), site.root.clone()];
                rebuilt.summary.id_collisions.push((id, roots));
            }
            continue;
        }
        let mut row = site.row.clone().unwrap_or_default();
        let token = if status == Status::Stale { "stale" } else { "moved" };
        row.insert("root".to_string(), site.root.as_str().into());
        row.insert("project_id".to_string(), id.into());
        row.insert("status".to_string(), token.into());
        row.insert("last_indexed".to_string(), now.to_string().into());
        rebuilt.rows.push(row);
    }
    // What was dropped under one name may be kept under another.
    let kept: BTreeSet<&str> = rebuilt.rows.iter().filter_map(project_of).collect();
    rebuilt.dropped.retain(|id| !kept.contains(id.as_str()));
    // The last row of a project counts: a copy of its folder, with its card, does not hide it.
    rebuilt.rows.sort_by_cached_key(|row| {
        let is_active = text(row, "status") == Some("active");
        (project_of(row).unwrap_or_default().to_string(), is_active)
    });
    rebuilt
}

/// Of several names of one folder the one that its card has, else the first.
fn one_name_each(mut sites: Vec<Site>) -> Vec<Site> {
    sites.sort_by(|left, right| left.root.cmp(&right.root));
    sites.dedup_by(|right, left| right.root == left.root);
    let mut names: BTreeMap<FolderId, String> = BTreeMap::new();
    for site in &sites {
        let Some(folder) = site.folder else { continue };
        let in_card = site.card.as_ref().and_then(Card::root) == Some(site.root.as_str());
        let known = names.entry(folder).or_insert_with(|| site.root.clone());
        if in_card {
            *known = site.root.clone();
        }
    }
    sites.retain(|site| match site.folder.and_then(|folder| names.get(&folder)) {
        Some(name) => *name == site.root,
        None => true,
    });
    sites
}

/// The central log of overrides made anew: those of each active project from its own folder, those
/// of the others as the central log has them, but for the projects that were dropped.
///
/// `own` are the overrides in the folder of each active project. One that names another active
/// project came with a copy of its folder.
pub fn merge_decisions(
    central: Vec<Object>,
    own: Vec<(String, Vec<Object>)>,
    dropped: &BTreeSet<String>,
) -> Vec<Object> {
    let active: BTreeSet<String> = own.iter().map(|(id, _)| id.clone()).collect();
    let mut merged = Vec::new();
    for (id, rows) in own {
        for mut row in rows {
            match project_of(&row) {
                Some(other) if other != id && active.contains(other) => continue,
                Some(_) => {}
                None => drop(row.insert("project_id".to_string(), id.as_str().into())),
            }
            merged.push(row);
        }
    }
    let named = merged.iter().filter_map(project_of).map(ToString::to_string);
    let told: BTreeSet<String> = named.chain(active).collect();
    merged.extend(central.into_iter().filter(|row| {
        let id = project_of(row).unwrap_or_default();
        !told.contains(id) && !dropped.contains(id)
    }));
    merged.sort_by_cached_key(|row| {
        let at = row.get("ts_ms").and_then(Value::as_i64).unwrap_or(0);
        (at, project_of(row).unwrap_or_default().to_string(), canonical_object(row))
    });
    merged
}
