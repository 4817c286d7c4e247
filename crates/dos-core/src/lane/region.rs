//! A region: patterns in order, of which some take away from those before them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::intersect::without::Taken;
use super::intersect::{Common, STATES_MAX, Search, common_path};
use super::pattern::{Case, Pattern, PatternError, PatternProblem, RepoPath};

#[cfg(test)]
mod tests;

/// Most states that deciding two regions visits, in all. Beyond it they may meet.
pub const REGION_STATES_MAX: usize = 4 * STATES_MAX;

/// A set of paths, written as patterns in order.
///
/// `!` before a pattern takes away what it owns from the patterns before it; a later pattern can
/// give some of it back. A line that starts with `#` is a comment. So a path is owned when the last
/// pattern that names it has no `!`.
///
/// What cannot be read may name any path, so that a lease of another writer is never taken for
/// less than it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    clauses: Vec<Clause>,
    case: Case,
}

/// One pattern of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    text: String,
    takes_away: bool,
    pattern: Result<Pattern, PatternError>,
}

impl Clause {
    /// Reads one line of a region; `None` for a comment.
    fn read(line: &str, case: Case, first: bool) -> Option<Clause> {
        let line_text = line.trim_start();
        if line_text.starts_with('#') {
            return None;
        }
        let text = line.to_string();
        let Some(rest) = line_text.strip_prefix('!') else {
            let pattern = Pattern::parse(line, case);
            return Some(Clause { text, takes_away: false, pattern });
        };
        let before = line.chars().count() - rest.chars().count();
        let pattern = match first {
            true => Err(PatternError::new(line, before, PatternProblem::NothingBefore)),
            false => Pattern::parse(rest, case)
                .map_err(|error| PatternError::new(line, before + error.column, error.problem)),
        };
        Some(Clause { text, takes_away: true, pattern })
    }

    /// The pattern as written, with its `!`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Does it take away?
    pub fn takes_away(&self) -> bool {
        self.takes_away
    }

    /// The pattern, or why it cannot be read.
    pub fn pattern(&self) -> Result<&Pattern, &PatternError> {
        self.pattern.as_ref()
    }

    /// Does it name the path? One that cannot be read names any path that it could add.
    pub fn names(&self, path: &RepoPath) -> bool {
        self.pattern.as_ref().map_or(!self.takes_away, |pattern| pattern.owns(path))
    }
}

/// Two patterns of two regions, and what is known of the paths that both own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact<'a> {
    /// The pattern of the first region.
    pub ours: &'a str,
    /// The pattern of the second.
    pub theirs: &'a str,
    /// A path that both regions own, or why none is known.
    pub witness: Result<String, Doubt>,
}

/// Why two regions count as meeting though no common path is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A pattern cannot be read, and may name any path.
    Unreadable,
    /// To tell would cost more than the bound.
    TooCostly,
}

impl Doubt {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable_pattern",
            Self::TooCostly => "too_costly",
        }
    }
}

impl Region {
    /// Reads patterns in order. Never fails: see [`Region::errors`].
    pub fn read<T: AsRef<str>>(lines: impl IntoIterator<Item = T>, case: Case) -> Region {
        let mut clauses: Vec<Clause> = Vec::new();
        let mut adds = false;
        let mut any = false;
        for line in lines {
            any = true;
            if let Some(clause) = Clause::read(line.as_ref(), case, !adds) {
                adds |= !clause.takes_away;
                clauses.push(clause);
            }
        }
        if any && !adds {
            // Somebody claims something, and we cannot tell what.
            let pattern = Err(PatternError::new("", 1, PatternProblem::Empty));
            clauses.push(Clause { text: String::new(), takes_away: false, pattern });
        }
        Region { clauses, case }
    }

    /// What cannot be read, in order.
    pub fn errors(&self) -> impl Iterator<Item = &PatternError> {
        self.clauses.iter().filter_map(|clause| clause.pattern.as_ref().err())
    }

    /// The patterns in order, without comments.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Is there no pattern at all? What it covers is unknown then.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The last pattern that names the path, by its place among [`Region::clauses`].
    pub fn decided_by(&self, path: &RepoPath) -> Option<usize> {
        self.clauses.iter().rposition(|clause| clause.names(path))
    }

    /// Does the region own the path? An absolute one, one with a `..` component and the root itself
    /// belong to no region.
    pub fn matches(&self, path: &str) -> bool {
        RepoPath::new(path, self.case).is_some_and(|path| self.owns(&path))
    }

    /// Does the region own the path, which was read under the same rule of case?
    pub fn owns(&self, path: &RepoPath) -> bool {
        let last = self.decided_by(path).and_then(|place| self.clauses.get(place));
        last.is_some_and(|clause| !clause.takes_away)
    }

    /// The patterns that add, with their places.
    fn adding(&self) -> impl Iterator<Item = (usize, &Clause)> {
        self.clauses.iter().enumerate().filter(|(_, clause)| !clause.takes_away)
    }

    /// What is taken away behind a place.
    fn taken_behind(&self, place: usize) -> Vec<(&Pattern, bool)> {
        let behind = self.clauses.iter().skip(place + 1).filter(|clause| clause.takes_away);
        behind.filter_map(|clause| Some((clause.pattern.as_ref().ok()?, true))).collect()
    }

    /// Where two regions of the same case rule meet; `None` if and only if no path is owned by both.
    ///
    /// The witness is a shortest common path. Deciding visits at most [`REGION_STATES_MAX`] states,
    /// and at most [`STATES_MAX`] for each pair of patterns; beyond that the answer is a contact
    /// without a witness, or with one that may not be the shortest.
    pub fn meets<'a>(&'a self, other: &'a Region) -> Option<Contact<'a>> {
        let mut best: Option<Contact<'a>> = None;
        let mut doubt: Option<Contact<'a>> = None;
        let mut shorter_than = usize::MAX;
        let mut left = REGION_STATES_MAX;
        let with_taken = |region: &'a Region| -> Vec<(&'a Clause, Vec<(&'a Pattern, bool)>)> {
            region.adding().map(|(place, clause)| (clause, region.taken_behind(place))).collect()
        };
        let others = with_taken(other);
        for (our_clause, our_taken) in with_taken(self) {
            for (their_clause, their_taken) in &others {
                let contact = |witness| Contact {
                    ours: our_clause.text.as_str(),
                    theirs: their_clause.text.as_str(),
                    witness,
                };
                let (Ok(ours), Ok(theirs)) = (&our_clause.pattern, &their_clause.pattern) else {
                    doubt.get_or_insert_with(|| contact(Err(Doubt::Unreadable)));
                    continue;
                };
                let taken = Taken::nothing().by(&our_taken).by(their_taken);
                let mut budget = left.min(STATES_MAX);
                let granted = budget;
                let found = common_path(ours, theirs, &taken, shorter_than, &mut budget);
                left = left.saturating_sub(granted - budget);
                let length = match &found {
                    Search::Found(path) => path.len(),
                    _ => usize::MAX,
                };
                match found.conclude() {
                    Common::Nothing => {}
                    Common::Path(path) => {
                        shorter_than = length;
                        best = Some(contact(Ok(path)));
                    }
                    Common::Unknown => {
                        doubt.get_or_insert_with(|| contact(Err(Doubt::TooCostly)));
                    }
                }
            }
        }
        best.or(doubt)
    }

    /// A shortest path that this region owns and the other does not: [`Common::Nothing`] proves that
    /// the other region contains this one.
    pub fn beyond(&self, other: &Region) -> Common {
        let mut theirs = Vec::new();
        for clause in &other.clauses {
            match &clause.pattern {
                Ok(pattern) => theirs.push((pattern, !clause.takes_away)),
                Err(_) => return Common::Unknown,
            }
        }
        self.outside(theirs)
    }

    /// A shortest path that this region owns: [`Common::Nothing`] proves that all is taken away.
    pub fn example(&self) -> Common {
        self.outside(Vec::new())
    }

    fn outside(&self, others: Vec<(&Pattern, bool)>) -> Common {
        let mut best = Common::Nothing;
        let mut shorter_than = usize::MAX;
        let mut budget = REGION_STATES_MAX;
        for (place, clause) in self.adding() {
            let Ok(pattern) = &clause.pattern else {
                return Common::Unknown;
            };
            let Ok(everything) = Pattern::parse(".", self.case) else {
                return Common::Unknown;
            };
            let taken = Taken::nothing().by(&self.taken_behind(place)).by(&others);
            let found = common_path(pattern, &everything, &taken, shorter_than, &mut budget);
            if let Search::Found(path) = &found {
                shorter_than = path.len();
            }
            match found.conclude() {
                Common::Nothing => {}
                found @ Common::Path(_) => best = found,
                Common::Unknown if best == Common::Nothing => best = Common::Unknown,
                Common::Unknown => {}
            }
        }
        best
    }
}
