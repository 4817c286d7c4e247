//! The lane map of a workspace: which lanes meet, and which files they own.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use memchr::memmem::Finder;

use crate::lane::index::RegionIndex;
use crate::lane::lease::{Tree, fold};
use crate::lane::overlap::Meeting;
use crate::lane::pattern::automaton::Branch;
use crate::lane::pattern::{Case, Pattern, RepoPath};
use crate::lane::policy::Policy;
use crate::lane::region::Region;

#[cfg(test)]
mod tests;

/// Most meetings that a map lists; the others are counted.
pub const MEETINGS_MAX: usize = 10_000;

/// How a lane runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Side by side with others.
    Concurrent,
    /// Side by side with others who only read.
    Shared,
    /// Alone.
    Exclusive,
    /// Only when it is asked for by name: it is in no list.
    Named,
}

impl Role {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Concurrent => "concurrent",
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
            Self::Named => "named",
        }
    }
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedLane {
    /// Its name.
    pub name: String,
    /// How it runs.
    pub role: Role,
    /// What it covers.
    pub tree: Tree,
    /// How many files it owns, where files were given.
    pub files: usize,
    /// Its patterns that match none of them.
    pub idle: Vec<String>,
}

/// Two lanes that never run side by side, by their places in the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneMeeting {
    /// The first one.
    pub left: usize,
    /// The second one.
    pub right: usize,
    /// Where they meet.
    pub meeting: Meeting,
}

/// What the lanes of a workspace cover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneMap {
    /// Every declared lane once, in the order in which they are listed.
    pub lanes: Vec<MappedLane>,
    /// Lanes that meet though neither runs alone; at most [`MEETINGS_MAX`].
    pub meetings: Vec<LaneMeeting>,
    /// How many such meetings there are.
    pub meetings_total: usize,
    /// How many files there are; `None` when none were given.
    pub files_total: Option<usize>,
    /// The files that no lane owns, in order.
    pub unowned: Vec<String>,
    /// The files that exclusive lanes own and no other, in order.
    pub exclusive_only: Vec<String>,
}

impl LaneMap {
    /// Draws the map: of the lanes alone, or with the files of the repository.
    pub fn draw(policy: &Policy, files: Option<&[String]>) -> Self {
        let lanes = &policy.lanes;
        let folded = |names: &[String]| names.iter().map(|name| fold(name)).collect();
        let exclusive: BTreeSet<String> = folded(&lanes.exclusive);
        let shared: BTreeSet<String> = folded(&lanes.shared);
        let concurrent: BTreeSet<String> =
            folded(&[lanes.concurrent.as_slice(), &lanes.autopick].concat());
        let mut seen = BTreeSet::new();
        let mut map = Self::default();
        for name in lanes.names() {
            let key = fold(name);
            let role = match () {
                () if exclusive.contains(&key) => Role::Exclusive,
                () if shared.contains(&key) => Role::Shared,
                () if concurrent.contains(&key) => Role::Concurrent,
                () => Role::Named,
            };
            if seen.insert(key) {
                let (name, tree) = (name.clone(), lanes.tree(name));
                map.lanes.push(MappedLane { name, role, tree, files: 0, idle: Vec::new() });
            }
        }
        map.meet(policy);
        if let Some(files) = files {
            map.own(policy.conditions.overlap.region_case().unwrap_or_default(), files);
        }
        map
    }

    fn meet(&mut self, policy: &Policy) {
        let overlap = &policy.conditions.overlap;
        let beside: Vec<usize> = (0..self.lanes.len())
            .filter(|place| self.lanes.get(*place).is_some_and(|lane| lane.role != Role::Exclusive))
            .collect();
        let trees: Vec<&Tree> =
            beside.iter().filter_map(|place| Some(&self.lanes.get(*place)?.tree)).collect();
        let mut met = Vec::new();
        if let Some(case) = overlap.region_case() {
            let texts = trees.iter().map(|tree| tree.patterns().iter().map(String::as_str));
            let index = RegionIndex::of(texts, case);
            let regions: Vec<Region> = trees.iter().map(|tree| tree.region(case)).collect();
            for (left, region) in regions.iter().enumerate() {
                for right in index.candidates(region) {
                    let right = right as usize;
                    let other = regions.get(right).filter(|_| left < right);
                    if let Some(contact) = other.and_then(|other| region.meets(other)) {
                        met.push((left, right, contact.into()));
                    }
                }
            }
        } else {
            for (left, tree) in trees.iter().enumerate().filter(|(_, tree)| !tree.is_empty()) {
                for (right, other) in trees.iter().enumerate().skip(left + 1) {
                    // It may mind which of the two comes later.
                    let meeting = match other.is_empty() {
                        true => None,
                        false => {
                            overlap.meeting(tree, other).or_else(|| overlap.meeting(other, tree))
                        }
                    };
                    met.extend(meeting.map(|meeting| (left, right, meeting)));
                }
            }
        }
        let is_shared =
            |place: usize| self.lanes.get(place).is_some_and(|lane| lane.role == Role::Shared);
        for (left, right, meeting) in met {
            let (Some(left), Some(right)) = (beside.get(left), beside.get(right)) else { continue };
            let (left, right) = (*left, *right);
            if is_shared(left) && is_shared(right) {
                continue;
            }
            self.meetings_total += 1;
            if self.meetings.len() < MEETINGS_MAX {
                self.meetings.push(LaneMeeting { left, right, meeting });
            }
        }
    }

    fn own(&mut self, case: Case, files: &[String]) {
        let shelf = Shelf::of(files, case);
        let mut owned = vec![false; shelf.paths.len()];
        let mut owned_beside = owned.clone();
        // To whom each path was given last, while a lane is looked at.
        let mut marks = vec![usize::MAX; shelf.paths.len()];
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            let region = lane.tree.region(case);
            let mut touched = Vec::new();
            for clause in region.clauses() {
                let found = match clause.pattern() {
                    Ok(pattern) => shelf.matching(pattern),
                    Err(_) => continue,
                };
                if found.is_empty() {
                    lane.idle.push(clause.text().to_string());
                }
                for path in found {
                    if let Some(mark) = marks.get_mut(path) {
                        *mark = if clause.takes_away() { usize::MAX } else { place };
                    }
                    touched.push(path);
                }
            }
            touched.sort_unstable();
            touched.dedup();
            touched.retain(|path| marks.get(*path) == Some(&place));
            lane.files = touched.len();
            for path in touched {
                let beside = lane.role != Role::Exclusive;
                for (owned, is) in [(&mut owned, true), (&mut owned_beside, beside)] {
                    if let Some(owned) = owned.get_mut(path) {
                        *owned |= is;
                    }
                }
            }
        }
        self.files_total = Some(files.len());
        for ((owned, beside), (_, file)) in owned.iter().zip(&owned_beside).zip(&shelf.paths) {
            match (owned, beside) {
                (false, _) => self.unowned.extend(files.get(*file).cloned()),
                (true, false) => self.exclusive_only.extend(files.get(*file).cloned()),
                (true, true) => {}
            }
        }
        self.unowned.sort_unstable();
        self.exclusive_only.sort_unstable();
    }
}

/// The files of a repository, ready to be searched.
struct Shelf {
    /// Sorted; each with its place among the files that were given.
    paths: Vec<(RepoPath, usize)>,
    /// All of them behind each other, each ended by a zero, which no path holds.
    text: String,
    /// Where each path begins in the text.
    starts: Vec<usize>,
}

impl Shelf {
    fn of(files: &[String], case: Case) -> Self {
        let mut paths: Vec<(RepoPath, usize)> = files
            .iter()
            .enumerate()
            .filter_map(|(place, file)| Some((RepoPath::new(file, case)?, place)))
            .collect();
        paths.sort_unstable();
        let mut shelf = Self { paths, text: String::new(), starts: Vec::new() };
        for (path, _) in &shelf.paths {
            shelf.starts.push(shelf.text.len());
            shelf.text.push_str(path.folded());
            shelf.text.push('\0');
        }
        shelf
    }

    /// The paths that the pattern owns, by their places, sorted.
    fn matching(&self, pattern: &Pattern) -> Vec<usize> {
        let mut found = Vec::new();
        for branch in pattern.branches() {
            let prefix: String = branch.prefix().map(|literal| literal.folded).collect();
            let owned = |place: &usize| {
                self.paths.get(*place).is_some_and(|(path, _)| branch.owns(path.folded()))
            };
            if !prefix.is_empty() {
                let start = self.paths.partition_point(|(path, _)| path.folded() < prefix.as_str());
                let rest = self.paths.get(start..).unwrap_or_default();
                let count = rest.partition_point(|(path, _)| path.folded().starts_with(&prefix));
                found.extend((start..start + count).filter(owned));
            } else if let Some(needle) = needle(branch) {
                found.extend(self.containing(&needle).into_iter().filter(owned));
            } else {
                found.extend((0..self.paths.len()).filter(owned));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The paths that contain the text, by their places.
    fn containing(&self, needle: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let mut from = 0;
        let finder = Finder::new(needle);
        while let Some(at) = self.text.as_bytes().get(from..).and_then(|rest| finder.find(rest)) {
            let after = self.starts.partition_point(|start| *start <= from + at);
            found.extend(after.checked_sub(1));
            from = self.starts.get(after).copied().unwrap_or(self.text.len());
        }
        found
    }
}

/// The longest literal text that every path of the branch contains.
fn needle(branch: &Branch) -> Option<String> {
    let mut longest = String::new();
    let mut run = String::new();
    for literal in branch.literals() {
        match literal {
            Some(literal) => run.push(literal.folded),
            None => run.clear(),
        }
        if run.len() > longest.len() {
            longest.clone_from(&run);
        }
    }
    (!longest.is_empty()).then_some(longest)
}
