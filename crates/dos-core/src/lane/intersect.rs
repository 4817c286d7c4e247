//! Can two patterns name one file? And which one: the witness that a refusal shows.
//!
//! The answer is a breadth-first walk of the product of two pattern automata and the rule of what a
//! path is, so that the first accepted path is a shortest one and an exhausted walk is a proof.
//! What other patterns take away is walked along with it by [`without`].

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::pattern::automaton::{Branch, Guard, Literal};
use super::pattern::class::composed;
use super::pattern::{Case, Pattern};
use without::Taken;

#[cfg(test)]
mod tests;
pub(super) mod without;

/// Most states of products that deciding two patterns visits: two patterns of 500 wildcards each.
/// Beyond it the answer is [`Common::Unknown`].
pub const STATES_MAX: usize = 1 << 20;
/// How many bits of a visited set cost as much as one state.
const BITS_PER_STATE: usize = 1024;

/// What two sets of paths have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Common {
    /// No path: that is proved.
    Nothing,
    /// Some paths, of which this is a shortest one in characters. It has no `.` or `..` component,
    /// spells literal characters as the patterns do, and is always the same one.
    Path(String),
    /// To tell would cost more than the bound.
    Unknown,
}

/// What two patterns of the same case rule have in common.
///
/// The work is bounded by [`STATES_MAX`]. Only hostile patterns reach it: the product of their
/// lengths, summed over the pairs of their alternatives, must pass a quarter of a million.
pub fn shared_path(a: &Pattern, b: &Pattern) -> Common {
    let mut budget = STATES_MAX;
    common_path(a, b, &Taken::nothing(), usize::MAX, &mut budget).conclude()
}

/// A shortest path with fewer than `shorter_than` characters that both patterns own and nobody
/// takes away.
pub(super) fn common_path(
    a: &Pattern,
    b: &Pattern,
    taken: &Taken<'_>,
    shorter_than: usize,
    budget: &mut usize,
) -> Search {
    let case = a.case();
    let mut best = Search::Nothing;
    let mut shorter_than = shorter_than;
    for left in a.branches() {
        for right in b.branches() {
            let found = match search(left, right, case, shorter_than, budget) {
                Search::Found(path) => {
                    without::refine(left, right, case, taken, shorter_than, path, budget)
                }
                ended => ended,
            };
            match found {
                Search::Nothing => {}
                Search::GaveUp if matches!(best, Search::Found(_)) => return best,
                Search::GaveUp => return Search::GaveUp,
                Search::Found(path) => {
                    shorter_than = path.len();
                    best = Search::Found(path);
                }
            }
        }
    }
    best
}

/// The character that serves both guards, as one of the patterns spells it where they do.
fn serve_both(a: Guard<'_>, b: Guard<'_>, case: Case) -> Option<char> {
    match (a, b) {
        (Guard::Literal(literal), other) | (other, Guard::Literal(literal)) => {
            other.admits(literal.folded).then_some(literal.written)
        }
        (Guard::Class(left), Guard::Class(right)) => left.common(right, case),
        (Guard::Class(class), Guard::Any) | (Guard::Any, Guard::Class(class)) => {
            class.common(class, case)
        }
        (Guard::Any, Guard::Any) => Some('a'),
    }
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

/// How a walk ended.
pub(super) enum Search {
    /// With a shortest path.
    Found(Vec<char>),
    /// Without one: there is none.
    Nothing,
    /// At the bound.
    GaveUp,
}

impl Search {
    /// What is proved by it. No path is ever looked up that is not in composed form: only patterns
    /// that spell a bare accent beside a wildcard lead to one, and it is no witness.
    pub(super) fn conclude(self) -> Common {
        match self {
            Self::Nothing => Common::Nothing,
            Self::GaveUp => Common::Unknown,
            Self::Found(path) => {
                let path = String::from_iter(path);
                match composed(&path) == path {
                    true => Common::Path(path),
                    false => Common::Unknown,
                }
            }
        }
    }
}

/// Looks for a shortest path of both branches with fewer than `shorter_than` characters.
fn search(
    left: &Branch,
    right: &Branch,
    case: Case,
    shorter_than: usize,
    budget: &mut usize,
) -> Search {
    if contradict(left, right) {
        return Search::Nothing;
    }
    let fixed = left.prefix().zip(right.prefix()).count();
    let pairs = (left.states() - fixed) * (right.states() - fixed);
    let bits = pairs * Component::COUNT;
    let Some(remaining) = budget.checked_sub(bits / BITS_PER_STATE) else {
        return Search::GaveUp;
    };
    *budget = remaining;
    let visited = vec![0; bits / 64 + 1];
    Product { left, right, case, fixed, visited, nodes: Vec::new() }.walk(shorter_than, budget)
}

/// Do the literals that all paths start with, or end with, differ at the same place?
fn contradict(left: &Branch, right: &Branch) -> bool {
    let differ = |(left, right): (Literal, Literal)| left.folded != right.folded;
    left.prefix().zip(right.prefix()).any(differ) || left.suffix().zip(right.suffix()).any(differ)
}

/// The walk over pairs of states.
struct Product<'a> {
    left: &'a Branch,
    right: &'a Branch,
    case: Case,
    /// How many literal characters both start with: the walk begins behind them.
    fixed: usize,
    /// One bit for each pair of states and [`Component`].
    visited: Vec<u64>,
    /// In the order of their distance.
    nodes: Vec<Node>,
}

/// A reached pair of states.
#[derive(Clone, Copy)]
struct Node {
    left: usize,
    right: usize,
    component: Component,
    /// How many characters lead here.
    length: usize,
    /// The last character, and the node before it; `None` at the start.
    arrival: Option<(char, usize)>,
}

impl Product<'_> {
    fn walk(&mut self, shorter_than: usize, budget: &mut usize) -> Search {
        let (left_branch, right_branch, fixed) = (self.left, self.right, self.fixed);
        let component = self
            .start()
            .try_fold(Component::Empty, |component, character| component.then(character));
        let Some(component) = component else {
            return Search::Nothing;
        };
        let start = Node { left: fixed, right: fixed, component, length: fixed, arrival: None };
        if start.length >= shorter_than {
            return Search::Nothing;
        }
        if let Some(path) = self.reach(start) {
            return Search::Found(path);
        }
        let mut index = 0;
        while let Some(node) = self.nodes.get(index).copied() {
            let length = node.length + 1;
            if length >= shorter_than {
                return Search::Nothing;
            }
            let Some(remaining) = budget.checked_sub(1) else {
                return Search::GaveUp;
            };
            *budget = remaining;
            for (left_guard, left) in left_branch.moves(node.left).into_iter().flatten() {
                for (right_guard, right) in right_branch.moves(node.right).into_iter().flatten() {
                    let Some(character) = serve_both(left_guard, right_guard, self.case) else {
                        continue;
                    };
                    let Some(component) = node.component.then(character) else {
                        continue;
                    };
                    let arrival = Some((character, index));
                    let next = Node { left, right, component, length, arrival };
                    if let Some(path) = self.reach(next) {
                        return Search::Found(path);
                    }
                }
            }
            index += 1;
        }
        Search::Nothing
    }

    /// The literal characters that the walk begins behind.
    fn start(&self) -> impl Iterator<Item = char> {
        self.left.prefix().take(self.fixed).map(|literal| literal.written)
    }

    /// Notes a node and those that are reached from it for free; answers with the path if both
    /// branches accept one of them.
    fn reach(&mut self, node: Node) -> Option<Vec<char>> {
        if !self.visit(&node) {
            return None;
        }
        let named = node.component == Component::Name;
        if named && self.left.accepts(node.left) && self.right.accepts(node.right) {
            return Some(self.path_to(node));
        }
        self.nodes.push(node);
        let skip_left = self.left.skip(node.left).map(|left| Node { left, ..node });
        let skip_right = self.right.skip(node.right).map(|right| Node { right, ..node });
        skip_left.into_iter().chain(skip_right).find_map(|node| self.reach(node))
    }

    /// Marks the node; false if it was marked before.
    fn visit(&mut self, node: &Node) -> bool {
        let width = self.right.states() - self.fixed;
        let pair = (node.left - self.fixed) * width + (node.right - self.fixed);
        let bit = pair * Component::COUNT + node.component as usize;
        let Some(word) = self.visited.get_mut(bit / 64) else {
            return false;
        };
        let mask = 1 << (bit % 64);
        let fresh = *word & mask == 0;
        *word |= mask;
        fresh
    }

    fn path_to(&self, mut node: Node) -> Vec<char> {
        let mut backwards = Vec::with_capacity(node.length);
        while let Some((character, before)) = node.arrival {
            backwards.push(character);
            let Some(earlier) = self.nodes.get(before) else {
                break;
            };
            node = *earlier;
        }
        self.start().chain(backwards.into_iter().rev()).collect()
    }
}
