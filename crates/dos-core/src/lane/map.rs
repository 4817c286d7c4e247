//! The lane map of a workspace: which lanes meet, and which files they own.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use memchr::memmem::Finder;

use crate::lane::effort::Effort;
use crate::lane::index::EndsIndex;
use crate::lane::lease::Tree;
use crate::lane::overlap::Meeting;
use crate::lane::pattern::automaton::Branch;
use crate::lane::pattern::{Case, Pattern, RepoPath};
use crate::lane::policy::{Policy, Role};
use crate::lane::region::Region;
use crate::limits::{MAP_EFFORT_MAX, MEETINGS_MAX};

#[cfg(test)]
mod tests;

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
    /// How many files both own, where files were given.
    pub files: usize,
    /// The first of these files.
    pub file: Option<String>,
}

/// What the lanes of a workspace cover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneMap {
    /// Every declared lane once, in the order in which they are listed.
    pub lanes: Vec<MappedLane>,
    /// Lanes that meet though neither runs alone; at most [`MEETINGS_MAX`].
    pub meetings: Vec<LaneMeeting>,
    /// Are these all of them?
    pub meetings_complete: bool,
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
        let mut map = Self::default();
        for (name, role) in lanes.roles() {
            let (name, tree) = (name.clone(), lanes.tree(name));
            map.lanes.push(MappedLane { name, role, tree, files: 0, idle: Vec::new() });
        }
        map.meet(policy);
        if let Some(files) = files {
            map.own(policy.conditions.overlap.region_case().unwrap_or_default(), files);
        }
        map
    }

    fn meet(&mut self, policy: &Policy) {
        let overlap = &policy.conditions.overlap;
        let effort = Effort::new(MAP_EFFORT_MAX);
        let beside = self.lanes.iter().enumerate();
        let beside: Vec<(usize, &MappedLane)> =
            beside.filter(|(_, lane)| lane.role != Role::Exclusive).collect();
        let mut keys = Vec::new();
        for (number, (_, lane)) in (0..).zip(&beside) {
            let patterns = &mut lane.tree.patterns().iter().map(String::as_str);
            overlap.ends(patterns, &mut |ends| keys.push((ends, number)));
        }
        let index = EndsIndex::of(keys.clone());
        let regions: Option<Vec<Region>> = overlap
            .region_case()
            .map(|case| beside.iter().map(|(_, lane)| lane.tree.region(case)).collect());
        let mut meetings = Vec::new();
        let mut complete = true;
        'lanes: for of_one in keys.chunk_by(|(_, one), (_, other)| one == other) {
            let Some((_, left)) = of_one.first() else { continue };
            let mut near: Vec<u32> =
                of_one.iter().flat_map(|(ends, _)| index.matching(ends)).collect();
            near.retain(|right| right > left);
            near.sort_unstable();
            near.dedup();
            for right in near {
                let (left, right) = (*left as usize, right as usize);
                let (Some((one, lane)), Some((two, other))) = (beside.get(left), beside.get(right))
                else {
                    continue;
                };
                if lane.role == Role::Shared && other.role == Role::Shared {
                    continue;
                }
                if meetings.len() == MEETINGS_MAX {
                    complete = false;
                    break 'lanes;
                }
                let meeting = match &regions {
                    Some(regions) => match (regions.get(left), regions.get(right)) {
                        (Some(ours), Some(theirs)) => ours.meets_within(theirs, &effort),
                        _ => None,
                    }
                    .map(Meeting::from),
                    // It may mind which of the two comes later.
                    None => overlap
                        .meeting(&lane.tree, &other.tree)
                        .or_else(|| overlap.meeting(&other.tree, &lane.tree)),
                };
                let (left, right) = (*one, *two);
                meetings.extend(meeting.map(|meeting| LaneMeeting {
                    left,
                    right,
                    meeting,
                    files: 0,
                    file: None,
                }));
            }
        }
        self.meetings = meetings;
        self.meetings_complete = complete;
    }

    fn own(&mut self, case: Case, files: &[String]) {
        let shelf = Shelf::of(files, case);
        let mut known = Known { found: BTreeMap::new(), room: KNOWN_MAX };
        let mut owned = vec![false; shelf.paths.len()];
        let mut owned_beside = owned.clone();
        // To whom each path was given last, while a lane is looked at.
        let mut marks = vec![usize::MAX; shelf.paths.len()];
        // One bit for each path, of those lanes that meet others.
        let mut sets: BTreeMap<usize, Vec<u64>> = self
            .meetings
            .iter()
            .flat_map(|meeting| [meeting.left, meeting.right])
            .map(|lane| (lane, vec![0; shelf.paths.len() / 64 + 1]))
            .collect();
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            let region = lane.tree.region(case);
            let mut touched = Vec::new();
            for clause in region.clauses() {
                let found = match clause.pattern() {
                    Ok(pattern) => known.matching(&shelf, clause.text(), pattern),
                    Err(_) => continue,
                };
                if found.is_empty() {
                    lane.idle.push(clause.text().to_string());
                }
                for path in found.iter().copied() {
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
            let mut set = sets.get_mut(&place);
            for path in touched {
                if let Some(word) = set.as_mut().and_then(|set| set.get_mut(path / 64)) {
                    *word |= 1 << (path % 64);
                }
                let beside = lane.role != Role::Exclusive;
                for (owned, is) in [(&mut owned, true), (&mut owned_beside, beside)] {
                    if let Some(owned) = owned.get_mut(path) {
                        *owned |= is;
                    }
                }
            }
        }
        for meeting in &mut self.meetings {
            let (Some(ours), Some(theirs)) = (sets.get(&meeting.left), sets.get(&meeting.right))
            else {
                continue;
            };
            let both = || ours.iter().zip(theirs).map(|(ours, theirs)| ours & theirs);
            meeting.files = both().map(|word| word.count_ones() as usize).sum();
            let first = both().enumerate().find(|(_, word)| *word != 0);
            let first = first.map(|(at, word)| at * 64 + word.trailing_zeros() as usize);
            let file = first.and_then(|path| shelf.paths.get(path));
            meeting.file = file.and_then(|(_, file)| files.get(*file).cloned());
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

/// How many paths are kept of patterns that were looked up, in all.
const KNOWN_MAX: usize = 1 << 20;

/// What patterns own, for lanes that have the same ones.
struct Known {
    found: BTreeMap<String, Rc<[usize]>>,
    room: usize,
}

impl Known {
    fn matching(&mut self, shelf: &Shelf, text: &str, pattern: &Pattern) -> Rc<[usize]> {
        if let Some(found) = self.found.get(text) {
            return Rc::clone(found);
        }
        let found: Rc<[usize]> = shelf.matching(pattern).into();
        if let Some(room) = self.room.checked_sub(found.len() + 1) {
            self.room = room;
            self.found.insert(text.to_string(), Rc::clone(&found));
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
