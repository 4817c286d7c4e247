//! Can two patterns name one file? And which one: the witness that a refusal shows.
//!
//! The answer is a breadth-first walk of the product of two pattern automata and the rule of what a
//! path is, so that the first accepted path is a shortest one and an exhausted walk is a proof.
//! What other patterns take away is walked along with it by [`without`].

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::effort::{Effort, STATE};
use super::pattern::automaton::{Branch, Guard, Literal};
use super::pattern::{Case, Pattern, RepoPath};
use crate::limits::PAIR_EFFORT_MAX;
use without::Taken;

mod contained;
#[cfg(test)]
mod tests;
pub(super) mod without;

/// How many bits of a visited set cost one unit.
const BITS_PER_UNIT: usize = 128;

/// What two sets of paths have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Common {
    /// No path: that is proved.
    Nothing,
    /// Some paths, of which this is a shortest one in characters. It has no `.` or `..` component,
    /// spells literal characters as the patterns do, and is always the same one.
    Path(String),
    /// Nobody knows, for this reason.
    Unknown(Doubt),
}

/// Why it is not known whether two sets of paths have one in common, so that they count as meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A pattern cannot be read, and may name any path.
    Unreadable,
    /// To tell would cost more than the bound.
    TooCostly,
    /// A pattern has an accent behind a wildcard, with no letter of its own.
    BareAccent,
}

impl Doubt {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable_pattern",
            Self::TooCostly => "too_costly",
            Self::BareAccent => "bare_accent",
        }
    }

    /// The reason, for people.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unreadable => "one cannot be read",
            Self::TooCostly => "too costly to rule out",
            Self::BareAccent => "an accent behind a wildcard could join any letter",
        }
    }
}

/// A shortest path, if there is one; an error where that is not known.
pub(super) type Found = Result<Option<Vec<char>>, Doubt>;

impl From<Found> for Common {
    fn from(found: Found) -> Self {
        match found {
            Ok(Some(path)) => Self::Path(String::from_iter(path)),
            Ok(None) => Self::Nothing,
            Err(doubt) => Self::Unknown(doubt),
        }
    }
}

/// What two patterns of the same case rule have in common.
///
/// Only hostile patterns reach the bound, [`PAIR_EFFORT_MAX`]: the product of their lengths, summed
/// over the pairs of their alternatives, must pass a quarter of a million.
pub fn shared_path(a: &Pattern, b: &Pattern) -> Common {
    let effort = Effort::new(PAIR_EFFORT_MAX);
    common_path(a, b, &Taken::default(), usize::MAX, &effort).into()
}

/// A shortest path with fewer than `shorter_than` characters that both patterns own and nobody
/// takes away. At the bound a path that was found may not be the shortest.
pub(super) fn common_path(
    a: &Pattern,
    b: &Pattern,
    taken: &Taken<'_>,
    shorter_than: usize,
    effort: &Effort,
) -> Found {
    let case = a.case();
    let (mut best, mut doubt) = (None, None);
    let mut shorter_than = shorter_than;
    for left in a.branches() {
        for right in b.branches() {
            let pair = Pair { left, right, case };
            let found = pair.search(shorter_than, effort).and_then(|found| match found {
                Some(path) => without::refine(pair, taken, shorter_than, path, effort),
                None => Ok(None),
            });
            match found {
                Ok(None) => {}
                Ok(Some(path)) => {
                    shorter_than = path.len();
                    best = Some(path);
                }
                Err(reason) => {
                    doubt = Some(reason);
                    if effort.is_used_up() {
                        return if best.is_some() { Ok(best) } else { Err(reason) };
                    }
                }
            }
        }
    }
    match (best, doubt) {
        (None, Some(doubt)) => Err(doubt),
        (best, _) => Ok(best),
    }
}

/// Two alternatives whose common paths are looked for.
#[derive(Clone, Copy)]
struct Pair<'a> {
    left: &'a Branch,
    right: &'a Branch,
    case: Case,
}

impl Pair<'_> {
    /// Looks for a shortest path of both with fewer than `shorter_than` characters.
    fn search(self, shorter_than: usize, effort: &Effort) -> Found {
        if contradict(self.left, self.right, effort)? {
            return Ok(None);
        }
        let fixed = self.left.prefix().zip(self.right.prefix()).count();
        let pairs = (self.left.states() - fixed) * (self.right.states() - fixed);
        let bits = pairs * Component::COUNT;
        effort.pay(bits / BITS_PER_UNIT)?;
        let visited = vec![0; bits / 64 + 1];
        Product { pair: self, fixed, visited }.walk(shorter_than, effort)
    }

    /// The path as it would be compared; an error if it is not spelled so that anybody looks it up.
    /// Only an accent that no letter is written before leads to one.
    fn checked(self, path: &[char]) -> Result<RepoPath, Doubt> {
        let folded = path.iter().map(|character| self.case.fold(*character));
        RepoPath::new(&String::from_iter(path), self.case)
            .filter(|read| read.folded().chars().eq(folded))
            .ok_or(Doubt::BareAccent)
    }
}

/// Do the literals that all paths start with, or end with, differ at the same place?
fn contradict(left: &Branch, right: &Branch, effort: &Effort) -> Result<bool, Doubt> {
    let mut compared = 0;
    let mut differ = |(left, right): (Literal, Literal)| {
        compared += 1;
        left.folded != right.folded
    };
    let apart = left.prefix().zip(right.prefix()).any(&mut differ)
        || left.suffix().zip(right.suffix()).any(&mut differ);
    effort.pay(1 + compared / 8)?;
    Ok(apart)
}

/// What the current component of the path is so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Component {
    Empty,
    Dot,
    TwoDots,
    Name,
}

impl Component {
    const COUNT: usize = 4;

    /// The component with one more character; `None` where no path goes on.
    ///
    /// A name allows whatever the others allow. That is why one character for each pair of moves
    /// is enough, as long as it is a dot only when it must be.
    fn then(self, character: char) -> Option<Component> {
        match (self, character) {
            (Component::Name, '/') => Some(Component::Empty),
            (_, '/') => None,
            (Component::Empty, '.') => Some(Component::Dot),
            (Component::Dot, '.') => Some(Component::TwoDots),
            _ => Some(Component::Name),
        }
    }
}

/// A reached pair of states.
#[derive(Clone, Copy)]
struct Node {
    left: usize,
    right: usize,
    component: Component,
    /// What became of the patterns that take away, where they are walked along.
    set: usize,
    /// How many characters lead here.
    length: usize,
    /// The last character, and the node before it; `None` at the start.
    arrival: Option<(char, usize)>,
}

/// How a node is taken by the walk that reached it.
enum Visit {
    /// It was reached before, or leads nowhere.
    Known,
    /// It is new, and no path may end in it.
    Passed,
    /// It is new, and a path may end in it.
    Open,
}

/// The nodes of a walk, in the order of their distance.
struct Trail<'a> {
    pair: Pair<'a>,
    nodes: Vec<Node>,
}

impl Trail<'_> {
    /// Notes a node and those that are reached from it for free; answers with the place of one in
    /// which both branches accept.
    fn reach(
        &mut self,
        node: Node,
        effort: &Effort,
        visit: &mut dyn FnMut(&Node) -> Visit,
    ) -> Result<Option<usize>, Doubt> {
        let Pair { left, right, .. } = self.pair;
        let open = match visit(&node) {
            Visit::Known => return Ok(None),
            visit => matches!(visit, Visit::Open),
        };
        effort.pay(STATE)?;
        self.nodes.push(node);
        let named = node.component == Component::Name;
        if open && named && left.accepts(node.left) && right.accepts(node.right) {
            return Ok(Some(self.nodes.len() - 1));
        }
        let skip_left = left.skip(node.left).map(|left| Node { left, ..node });
        let skip_right = right.skip(node.right).map(|right| Node { right, ..node });
        for node in skip_left.into_iter().chain(skip_right) {
            if let Some(found) = self.reach(node, effort, visit)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The characters that lead from the start to a node.
    fn path_to(&self, place: usize) -> Vec<char> {
        let mut backwards = Vec::new();
        let mut node = self.nodes.get(place);
        while let Some((character, before)) = node.and_then(|node| node.arrival) {
            backwards.push(character);
            node = self.nodes.get(before);
        }
        backwards.reverse();
        backwards
    }
}

/// The walk over pairs of states.
struct Product<'a> {
    pair: Pair<'a>,
    /// How many literal characters both start with: the walk begins behind them.
    fixed: usize,
    /// One bit for each pair of states and [`Component`].
    visited: Vec<u64>,
}

impl Product<'_> {
    fn walk(&mut self, shorter_than: usize, effort: &Effort) -> Found {
        let (pair, fixed) = (self.pair, self.fixed);
        let start: Vec<char> =
            pair.left.prefix().take(fixed).map(|literal| literal.written).collect();
        let component = start
            .iter()
            .try_fold(Component::Empty, |component, character| component.then(*character));
        let Some(component) = component.filter(|_| fixed < shorter_than) else {
            return Ok(None);
        };
        let mut trail = Trail { pair, nodes: Vec::new() };
        let whole = |trail: &Trail<'_>, place| {
            Ok(Some(start.iter().copied().chain(trail.path_to(place)).collect()))
        };
        let (left, right) = (fixed, fixed);
        let first = Node { left, right, component, set: 0, length: fixed, arrival: None };
        if let Some(end) = trail.reach(first, effort, &mut |node| self.visit(node))? {
            return whole(&trail, end);
        }
        let mut index = 0;
        while let Some(node) = trail.nodes.get(index).copied() {
            let length = node.length + 1;
            if length >= shorter_than {
                return Ok(None);
            }
            for (left_guard, left) in pair.left.moves(node.left).into_iter().flatten() {
                for (right_guard, right) in pair.right.moves(node.right).into_iter().flatten() {
                    let character = serve_both(left_guard, right_guard, pair.case, effort)?;
                    let Some(character) = character else { continue };
                    let Some(component) = node.component.then(character) else { continue };
                    let arrival = Some((character, index));
                    let next = Node { left, right, component, set: 0, length, arrival };
                    let end = trail.reach(next, effort, &mut |node| self.visit(node))?;
                    if let Some(end) = end {
                        return whole(&trail, end);
                    }
                }
            }
            index += 1;
        }
        Ok(None)
    }

    /// Marks the node.
    fn visit(&mut self, node: &Node) -> Visit {
        let width = self.pair.right.states() - self.fixed;
        let place = (node.left - self.fixed) * width + (node.right - self.fixed);
        let bit = place * Component::COUNT + node.component as usize;
        let mask = 1 << (bit % 64);
        match self.visited.get_mut(bit / 64) {
            Some(word) if *word & mask == 0 => {
                *word |= mask;
                Visit::Open
            }
            _ => Visit::Known,
        }
    }
}

/// The character that serves both guards, as one of the patterns spells it where they do.
fn serve_both(
    a: Guard<'_>,
    b: Guard<'_>,
    case: Case,
    effort: &Effort,
) -> Result<Option<char>, Doubt> {
    Ok(match (a, b) {
        (Guard::Literal(literal), other) | (other, Guard::Literal(literal)) => {
            other.admits(literal.folded).then_some(literal.written)
        }
        (Guard::Class(left), Guard::Class(right)) => {
            effort.pay(left.cost(right))?;
            left.common(right, case)
        }
        (Guard::Class(class), Guard::Any) | (Guard::Any, Guard::Class(class)) => {
            effort.pay(class.cost(class))?;
            class.common(class, case)
        }
        (Guard::Any, Guard::Any) => Some('a'),
    })
}
