//! The automaton that one alternative of a pattern becomes, over case-folded characters.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::class::Class;

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
    Class(Arc<Class>),
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

    /// For each step the literal character that every owned path has there, where it is one.
    pub(crate) fn literals(&self) -> impl Iterator<Item = Option<Literal>> {
        self.steps.iter().map(Step::literal)
    }

    /// Is a path owned that ends in this state?
    pub(crate) fn accepts(&self, state: usize) -> bool {
        matches!(self.steps.get(state), None | Some(Step::Below | Step::Anything))
    }

    /// Is every path owned that goes on from this state?
    pub(crate) fn absorbs(&self, state: usize) -> bool {
        matches!(self.steps.get(state), Some(Step::Anything))
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

    /// What it costs at most to ask about a path of so many bytes; one if the literal ends differ.
    pub(crate) fn cost(&self, path: &str) -> usize {
        let mut start = path.chars();
        match self.prefix().any(|literal| start.next() != Some(literal.folded)) {
            true => 1,
            false => 1 + path.len() * self.states() / 4,
        }
    }

    /// Is the folded path owned?
    pub(crate) fn owns(&self, path: &str) -> bool {
        let mut rest = path.chars();
        let mut fixed = 0;
        for literal in self.prefix() {
            if rest.next() != Some(literal.folded) {
                return false;
            }
            fixed += 1;
        }
        match self.steps.get(fixed) {
            Some(Step::Anything) => return true,
            Some(Step::Below) => return matches!(rest.next(), None | Some('/')),
            None => return rest.next().is_none(),
            Some(_) => {}
        }
        let mut end = rest.clone().rev();
        if self.suffix().any(|literal| end.next() != Some(literal.folded)) {
            return false;
        }
        let mut current = vec![false; self.states()];
        let mut next = current.clone();
        self.enter(fixed, &mut current);
        for character in rest {
            next.fill(false);
            let live = current.iter().enumerate().filter(|(_, live)| **live);
            for (guard, target) in live.flat_map(|(state, _)| self.moves(state)).flatten() {
                if guard.admits(character) {
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
