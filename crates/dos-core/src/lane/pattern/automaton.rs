//! The automaton that one alternative of a pattern becomes, over case-folded characters.

use alloc::vec;
use alloc::vec::Vec;

use crate::lane::intersect::common_character;

/// The one spelling that all cases of a character share.
///
/// One character stays one character, so that `?` means the same before and after: `ß` is not `SS`.
pub fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    single(character.to_uppercase())
        .and_then(|upper| single(upper.to_lowercase()))
        .or_else(|| single(character.to_lowercase()))
        .unwrap_or(character)
}

fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

/// One alternative of a pattern. State `n` stands before step `n`; the state behind the last step
/// accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    steps: Vec<Step>,
}

/// What one state of the automaton does. Empty components need no care here: no path has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// One given character, or the separator.
    Literal(Literal),
    /// `?`
    Any,
    /// `[...]`
    Class(Class),
    /// `*`
    Star,
    /// `**/` before a component: goes on behind [`Step::InDirectory`], or enters it.
    Directories,
    /// Within a component that `**/` skips; its separator leads back to [`Step::Directories`].
    InDirectory,
    /// What is named so far, and below it: accepts, or goes on behind a separator.
    Below,
    /// Accepts whatever follows.
    Anything,
}

/// A character as written, and folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) written: char,
    pub(crate) folded: char,
}

/// What stands between two components.
pub(crate) const SEPARATOR: Literal = Literal { written: '/', folded: '/' };

/// Which characters a move of the automaton consumes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guard<'a> {
    /// One character, which may be the separator.
    Literal(Literal),
    /// Every character but the separator.
    Any,
    /// Some characters, never the separator.
    Class(&'a Class),
}

impl Guard<'_> {
    /// Is the folded character consumed?
    pub(crate) fn admits(&self, folded: char) -> bool {
        match self {
            Guard::Literal(literal) => literal.folded == folded,
            Guard::Any => folded != '/',
            Guard::Class(class) => class.contains(folded),
        }
    }
}

impl Branch {
    pub(crate) fn new(steps: Vec<Step>) -> Branch {
        Branch { steps }
    }

    /// The branch that owns every path.
    pub(crate) fn everything() -> Branch {
        Branch { steps: vec![Step::Anything] }
    }

    /// How many states there are.
    pub(crate) fn states(&self) -> usize {
        self.steps.len() + 1
    }

    /// The literal characters that every owned path starts with.
    pub(crate) fn prefix(&self) -> impl Iterator<Item = Literal> {
        self.steps.iter().map_while(Step::literal)
    }

    /// The literal characters that every owned path ends with, last one first.
    pub(crate) fn suffix(&self) -> impl Iterator<Item = Literal> {
        self.steps.iter().rev().map_while(Step::literal)
    }

    /// Is a path owned that ends in this state?
    pub(crate) fn accepts(&self, state: usize) -> bool {
        matches!(self.steps.get(state), None | Some(Step::Below | Step::Anything))
    }

    /// The state that is reached for free.
    pub(crate) fn skip(&self, state: usize) -> Option<usize> {
        match self.steps.get(state)? {
            Step::Star => Some(state + 1),
            Step::Directories => Some(state + 2),
            _ => None,
        }
    }

    /// The moves that consume one character, and the states they lead to.
    pub(crate) fn moves(&self, state: usize) -> [Option<(Guard<'_>, usize)>; 2] {
        let Some(step) = self.steps.get(state) else {
            return [None, None];
        };
        let next = state + 1;
        let separator_to = |target| Some((Guard::Literal(SEPARATOR), target));
        match step {
            Step::Literal(literal) => [Some((Guard::Literal(*literal), next)), None],
            Step::Any | Step::Directories => [Some((Guard::Any, next)), None],
            Step::Class(class) => [Some((Guard::Class(class), next)), None],
            Step::Star => [Some((Guard::Any, state)), None],
            Step::InDirectory => [Some((Guard::Any, state)), separator_to(state.saturating_sub(1))],
            Step::Below => [separator_to(next), None],
            Step::Anything => [Some((Guard::Any, state)), separator_to(state)],
        }
    }

    /// Is the folded path owned?
    pub(crate) fn owns(&self, path: &[char]) -> bool {
        let fixed = self.prefix().count();
        let Some((start, rest)) = path.split_at_checked(fixed) else {
            return false;
        };
        if self.prefix().zip(start).any(|(literal, character)| literal.folded != *character) {
            return false;
        }
        let mut current = vec![false; self.states()];
        let mut next = current.clone();
        self.enter(fixed, &mut current);
        for character in rest {
            next.fill(false);
            let live = current.iter().enumerate().filter(|(_, live)| **live);
            for (guard, target) in live.flat_map(|(state, _)| self.moves(state)).flatten() {
                if guard.admits(*character) {
                    self.enter(target, &mut next);
                }
            }
            core::mem::swap(&mut current, &mut next);
        }
        current.iter().enumerate().any(|(state, live)| *live && self.accepts(state))
    }

    fn enter(&self, state: usize, live: &mut [bool]) {
        let mut state = Some(state);
        while let Some(entered) = state {
            if let Some(slot) = live.get_mut(entered) {
                *slot = true;
            }
            state = self.skip(entered);
        }
    }
}

impl Step {
    fn literal(&self) -> Option<Literal> {
        match self {
            Step::Literal(literal) => Some(*literal),
            _ => None,
        }
    }
}

/// A set of folded characters: sorted ranges that do not touch. Members that are not folded are
/// harmless, since only folded characters are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    ranges: Vec<(char, char)>,
}

/// Where the characters are that folding changes. The tests check that none is elsewhere.
pub(super) const CASED: [(char, char); 14] = [
    ('A', 'Z'),
    ('\u{b5}', '\u{556}'),
    ('\u{10a0}', '\u{10cd}'),
    ('\u{13a0}', '\u{13f5}'),
    ('\u{1c80}', '\u{1cbf}'),
    ('\u{1e00}', '\u{24cf}'),
    ('\u{2c00}', '\u{2cf2}'),
    ('\u{a640}', '\u{a7f5}'),
    ('\u{ff21}', '\u{ff3a}'),
    ('\u{10400}', '\u{10595}'),
    ('\u{10c80}', '\u{10d65}'),
    ('\u{118a0}', '\u{118bf}'),
    ('\u{16e40}', '\u{16eb8}'),
    ('\u{1e900}', '\u{1e921}'),
];

/// What no name contains.
const NOT_IN_NAMES: [char; 3] = ['\0', '/', '\\'];

impl Class {
    /// The class of the ranges as written; `None` if it can match no character.
    pub(crate) fn new(mut ranges: Vec<(char, char)>, negated: bool) -> Option<Class> {
        let mut folded = Vec::new();
        for (low, high) in &ranges {
            for (cased_low, cased_high) in &CASED {
                let cased = *low.max(cased_low)..=*high.min(cased_high);
                folded.extend(cased.filter(|c| fold(*c) != *c).map(|c| (fold(c), fold(c))));
            }
        }
        ranges.append(&mut folded);
        let mut excluded = if negated { ranges } else { complement(ranges) };
        excluded.extend(NOT_IN_NAMES.map(|character| (character, character)));
        let class = Class { ranges: complement(excluded) };
        common_character(&class, &class).is_some().then_some(class)
    }

    /// Is the folded character a member?
    pub(crate) fn contains(&self, folded: char) -> bool {
        let after = self.ranges.partition_point(|(low, _)| *low <= folded);
        let range = after.checked_sub(1).and_then(|last| self.ranges.get(last));
        range.is_some_and(|(_, high)| folded <= *high)
    }

    /// The members as sorted ranges, ends included.
    pub(crate) fn ranges(&self) -> &[(char, char)] {
        &self.ranges
    }
}

fn complement(mut ranges: Vec<(char, char)>) -> Vec<(char, char)> {
    ranges.sort_unstable();
    let mut gaps = Vec::new();
    let mut start = Some('\0');
    for (low, high) in ranges {
        let Some(from) = start else { break };
        if let Some(before) = ('\0'..low).next_back().filter(|before| from <= *before) {
            gaps.push((from, before));
        }
        start = (high..=char::MAX).nth(1).map(|after| after.max(from));
    }
    gaps.extend(start.map(|from| (from, char::MAX)));
    gaps
}
