//! A region: patterns in order, of which some take away from those before them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::effort::Effort;
pub use super::intersect::Doubt;
use super::intersect::without::Taken;
use super::intersect::{Common, Found, common_path};
use super::pattern::{Case, Pattern, PatternError, PatternProblem, RepoPath, Symbols};
use crate::limits::{EFFORT_MAX, PAIR_EFFORT_MAX};

#[cfg(test)]
mod tests;

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
    /// What reading it cost.
    cost: usize,
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
    fn read(line: &str, case: Case, first: bool, room: &mut Symbols) -> Option<Clause> {
        let line_text = line.trim_start();
        if line_text.starts_with('#') {
            return None;
        }
        let text = line.to_string();
        let Some(rest) = line_text.strip_prefix('!') else {
            let pattern = Pattern::parse_within(line, case, room);
            return Some(Clause { text, takes_away: false, pattern });
        };
        let before = line.chars().count() - rest.chars().count();
        let pattern = match first {
            true => Err(PatternError::new(line, before, PatternProblem::NothingBefore)),
            false => Pattern::parse_within(rest, case, room)
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

impl Region {
    /// Reads patterns in order. Never fails: see [`Region::errors`].
    pub fn read<T: AsRef<str>>(lines: impl IntoIterator<Item = T>, case: Case) -> Region {
        let mut clauses: Vec<Clause> = Vec::new();
        let mut adds = false;
        let mut any = false;
        let mut room = Symbols::default();
        let mut bytes = 0;
        for line in lines {
            any = true;
            bytes += line.as_ref().len();
            if let Some(clause) = Clause::read(line.as_ref(), case, !adds, &mut room) {
                adds |= !clause.takes_away;
                clauses.push(clause);
            }
        }
        if any && !adds {
            // Somebody claims something, and we cannot tell what.
            let pattern = Err(PatternError::new("", 1, PatternProblem::NothingAdded));
            clauses.push(Clause { text: String::new(), takes_away: false, pattern });
        }
        Region { clauses, case, cost: bytes + room.taken() }
    }

    /// What reading it cost, in units of [`Effort`].
    pub fn cost(&self) -> usize {
        self.cost
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

    /// For each alternative of each pattern that adds, the folded text that its paths start with.
    pub fn prefixes(&self) -> Vec<String> {
        let mut prefixes = Vec::new();
        for (_, clause) in self.adding() {
            match &clause.pattern {
                Err(_) => prefixes.push(String::new()),
                Ok(pattern) => prefixes.extend(pattern.branches().iter().map(|branch| {
                    branch.prefix().map(|literal| literal.folded).collect::<String>()
                })),
            }
        }
        prefixes
    }

    /// The patterns that add, with their places.
    fn adding(&self) -> impl Iterator<Item = (usize, &Clause)> {
        self.clauses.iter().enumerate().filter(|(_, clause)| !clause.takes_away)
    }

    /// The patterns behind a place.
    fn behind(&self, place: usize) -> &[Clause] {
        self.clauses.get(place + 1..).unwrap_or_default()
    }

    /// Where two regions of the same case rule meet; `None` if and only if no path is owned by both.
    ///
    /// The witness is a shortest common path. The work is bounded by [`EFFORT_MAX`], and for each
    /// pair of patterns by [`PAIR_EFFORT_MAX`]; beyond that the answer is a contact without a
    /// witness, or with one that may not be the shortest.
    pub fn meets<'a>(&'a self, other: &'a Region) -> Option<Contact<'a>> {
        self.meets_within(other, &Effort::new(EFFORT_MAX))
    }

    /// The same with what is left of a larger question's effort.
    pub fn meets_within<'a>(&'a self, other: &'a Region, effort: &Effort) -> Option<Contact<'a>> {
        let mut best: Option<Contact<'a>> = None;
        let mut doubt: Option<Contact<'a>> = None;
        let mut shorter_than = usize::MAX;
        for (our_place, our_clause) in self.adding() {
            for (their_place, their_clause) in other.adding() {
                let contact = |witness| Contact {
                    ours: our_clause.text.as_str(),
                    theirs: their_clause.text.as_str(),
                    witness,
                };
                let found = match (&our_clause.pattern, &their_clause.pattern) {
                    (Ok(ours), Ok(theirs)) => {
                        let taken =
                            Taken::behind(self.behind(our_place), other.behind(their_place));
                        effort.part(PAIR_EFFORT_MAX, |part| {
                            common_path(ours, theirs, &taken, shorter_than, part)
                        })
                    }
                    _ => Err(Doubt::Unreadable),
                };
                match found {
                    Ok(None) => {}
                    Ok(Some(path)) => {
                        shorter_than = path.len();
                        best = Some(contact(Ok(path.into_iter().collect())));
                    }
                    Err(reason) => {
                        doubt.get_or_insert_with(|| contact(Err(reason)));
                    }
                }
                // Only what fails for want of effort ends it: the last of it may prove something.
                if doubt.is_some() && effort.is_used_up() {
                    return best.or(doubt);
                }
            }
        }
        best.or(doubt)
    }

    /// A shortest path that this region owns and the other does not: [`Common::Nothing`] proves that
    /// the other region contains this one.
    pub fn beyond(&self, other: &Region, effort: &Effort) -> Common {
        match other.errors().next() {
            Some(_) => Common::Unknown(Doubt::Unreadable),
            None => self.outside(&other.clauses, effort).into(),
        }
    }

    /// A shortest path that this region owns: [`Common::Nothing`] proves that all is taken away.
    pub fn example(&self, effort: &Effort) -> Common {
        self.outside(&[], effort).into()
    }

    fn outside(&self, others: &[Clause], effort: &Effort) -> Found {
        let everything = Pattern::everything(self.case);
        let (mut best, mut doubt) = (None, None);
        let mut shorter_than = usize::MAX;
        for (place, clause) in self.adding() {
            let pattern = clause.pattern.as_ref().map_err(|_| Doubt::Unreadable)?;
            let taken = Taken::beyond(self.behind(place), others);
            match effort.part(PAIR_EFFORT_MAX, |part| {
                common_path(pattern, &everything, &taken, shorter_than, part)
            }) {
                Ok(None) => {}
                Ok(Some(path)) => {
                    shorter_than = path.len();
                    best = Some(path);
                }
                Err(reason) => doubt = Some(reason),
            }
        }
        match (best, doubt) {
            (None, Some(doubt)) => Err(doubt),
            (best, _) => Ok(best),
        }
    }
}
