//! What two alternatives have in common when other patterns take paths away.
//!
//! Whether a path is taken away depends on all patterns that take, so their states are walked as a
//! set, beside one state of each alternative. There can be exponentially many such sets; each new
//! one is paid for, and the bound of the whole walk holds.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{Component, Search, contradict};
use crate::lane::pattern::automaton::{Branch, Guard};
use crate::lane::pattern::class::{Class, NOT_IN_NAMES, most_readable, next};
use crate::lane::pattern::{Case, Pattern, RepoPath};

/// How many states of a plain product one step of this walk costs.
const STEP_COST: usize = 4;

/// Patterns that take paths away, in groups. A group takes a path when the last of its patterns
/// that owns it says so.
#[derive(Default)]
pub(in crate::lane) struct Taken<'a> {
    groups: Vec<Vec<Claim<'a>>>,
}

/// Alternatives of one pattern.
struct Claim<'a> {
    branches: Vec<&'a Branch>,
    /// Does it take away, or give back?
    takes: bool,
}

/// An alternative of what takes away: its group, its pattern, and its place there.
type Place = (usize, usize, usize);

impl<'a> Taken<'a> {
    /// Nothing is taken away.
    pub(in crate::lane) fn nothing() -> Self {
        Self::default()
    }

    /// Adds a group: patterns in order, and whether each one takes or gives back.
    pub(in crate::lane) fn by(mut self, group: &[(&'a Pattern, bool)]) -> Self {
        let claim = |(pattern, takes): &(&'a Pattern, bool)| Claim {
            branches: pattern.branches().iter().collect(),
            takes: *takes,
        };
        if !group.is_empty() {
            self.groups.push(group.iter().map(claim).collect());
        }
        self
    }

    /// What takes the path away.
    fn taker(&self, path: &RepoPath) -> Option<Place> {
        self.groups.iter().enumerate().find_map(|(group, claims)| {
            let owner = |claim: &Claim<'a>| {
                claim.branches.iter().position(|branch| branch.owns(path.folded()))
            };
            let mut last = claims.iter().enumerate().rev();
            let (place, claim, branch) =
                last.find_map(|(place, claim)| Some((place, claim, owner(claim)?)))?;
            claim.takes.then_some((group, place, branch))
        })
    }

    /// The alternatives at these places, and all that may give back what one of them takes.
    fn only(&self, places: &BTreeSet<Place>) -> Vec<Vec<Claim<'a>>> {
        let group = |(number, claims): (usize, &Vec<Claim<'a>>)| {
            let first = places.iter().find(|(group, _, _)| *group == number);
            let first = first.map_or(usize::MAX, |(_, place, _)| *place);
            let claim = |(place, claim): (usize, &Claim<'a>)| {
                let wanted = |branch: &usize| match claim.takes {
                    true => places.contains(&(number, place, *branch)),
                    false => place > first,
                };
                let chosen = (0..claim.branches.len()).filter(wanted);
                let branches = chosen.filter_map(|branch| claim.branches.get(branch).copied());
                Claim { branches: branches.collect(), takes: claim.takes }
            };
            claims.iter().enumerate().map(claim).collect()
        };
        self.groups.iter().enumerate().map(group).collect()
    }
}

/// Looks for a shortest path of both branches with fewer than `shorter_than` characters that is not
/// taken away, where `found` is a shortest one of them all.
///
/// What takes away is taken into account only once it took a path: as long as something is left
/// out, too much is found but nothing is missed.
pub(super) fn refine(
    left: &Branch,
    right: &Branch,
    case: Case,
    taken: &Taken<'_>,
    shorter_than: usize,
    found: Vec<char>,
    budget: &mut usize,
) -> Search {
    if taken.groups.is_empty() {
        return Search::Found(found);
    }
    let mut places = BTreeSet::new();
    let mut found = found;
    loop {
        let path = RepoPath::new(&found.iter().collect::<String>(), case);
        let Some(taker) = path.and_then(|path| taken.taker(&path)) else {
            return Search::Found(found);
        };
        places.insert(taker);
        let mut groups = taken.only(&places);
        for claim in groups.iter_mut().flatten() {
            claim.branches.retain(|branch| !contradict(left, branch) && !contradict(right, branch));
        }
        let claimed = groups.iter().flatten().flat_map(|claim| claim.branches.iter().copied());
        let mut walk = Walk {
            left,
            right,
            alphabet: alphabet([left, right].into_iter().chain(claimed), case),
            sets: Sets::new(groups),
            visited: BTreeSet::new(),
            nodes: Vec::new(),
        };
        match walk.run(shorter_than, budget) {
            Some(Search::Found(path)) => found = path,
            Some(ended) => return ended,
            None => return Search::GaveUp,
        }
    }
}

/// The walk over states of both branches and sets of states of what takes away.
struct Walk<'a> {
    left: &'a Branch,
    right: &'a Branch,
    alphabet: Vec<char>,
    sets: Sets<'a>,
    visited: BTreeSet<(usize, usize, u8, usize)>,
    /// In the order of their distance.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
struct Node {
    left: usize,
    right: usize,
    component: Component,
    set: usize,
    length: usize,
    /// The last character, and the node before it; `None` at the start.
    arrival: Option<(char, usize)>,
}

impl Walk<'_> {
    /// `None` when the budget is used up.
    fn run(&mut self, shorter_than: usize, budget: &mut usize) -> Option<Search> {
        let (left_branch, right_branch) = (self.left, self.right);
        let component = Component::Empty;
        let start =
            Node { left: 0, right: 0, component, set: Sets::START, length: 0, arrival: None };
        if let Some(path) = self.reach(start) {
            return Some(Search::Found(path));
        }
        let mut index = 0;
        while let Some(node) = self.nodes.get(index).copied() {
            let length = node.length + 1;
            if length >= shorter_than {
                return Some(Search::Nothing);
            }
            for place in 0..self.alphabet.len() {
                *budget = budget.checked_sub(STEP_COST)?;
                let Some(character) = self.alphabet.get(place).copied() else { continue };
                let Some(component) = node.component.then(character) else { continue };
                let moves = |branch: &Branch, state| {
                    let moves = branch.moves(state).into_iter().flatten();
                    let taken = moves.filter(|(guard, _)| guard.admits(character));
                    taken.map(|(guard, to)| (spelling(guard), to)).collect::<Vec<_>>()
                };
                let (lefts, rights) =
                    (moves(left_branch, node.left), moves(right_branch, node.right));
                if lefts.is_empty() || rights.is_empty() {
                    continue;
                }
                let set = self.sets.step(node.set, place, character, budget)?;
                for (left_spelling, left) in &lefts {
                    for (right_spelling, right) in &rights {
                        let written = left_spelling.or(*right_spelling).unwrap_or(character);
                        let arrival = Some((written, index));
                        let (left, right) = (*left, *right);
                        let next = Node { left, right, component, set, length, arrival };
                        if let Some(path) = self.reach(next) {
                            return Some(Search::Found(path));
                        }
                    }
                }
            }
            index += 1;
        }
        Some(Search::Nothing)
    }

    /// Notes a node and those that are reached from it for free; answers with the path if both
    /// branches accept one of them and it is not taken away.
    fn reach(&mut self, node: Node) -> Option<Vec<char>> {
        let fate = self.sets.fate(node.set);
        let known = (node.left, node.right, node.component as u8, node.set);
        if fate == Fate::Lost || !self.visited.insert(known) {
            return None;
        }
        if node.component == Component::Name
            && self.left.accepts(node.left)
            && self.right.accepts(node.right)
            && fate == Fate::Free
        {
            return Some(self.path_to(node));
        }
        self.nodes.push(node);
        let skip_left = self.left.skip(node.left).map(|left| Node { left, ..node });
        let skip_right = self.right.skip(node.right).map(|right| Node { right, ..node });
        skip_left.into_iter().chain(skip_right).find_map(|node| self.reach(node))
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
        backwards.reverse();
        backwards
    }
}

/// How a pattern spells the character, where it does.
fn spelling(guard: Guard<'_>) -> Option<char> {
    match guard {
        Guard::Literal(literal) => Some(literal.written),
        Guard::Any | Guard::Class(_) => None,
    }
}

/// What becomes of a path whose states are a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nobody takes it away.
    Free,
    /// It is taken away; one that goes on from it may be free.
    Taken,
    /// It is taken away, and so is whatever goes on from it.
    Lost,
}

/// Sets of states of the branches that take away, each known by a number.
struct Sets<'a> {
    groups: Vec<Vec<Claim<'a>>>,
    numbers: BTreeMap<Vec<u64>, usize>,
    sets: Vec<(Vec<u64>, Fate)>,
    /// From a set and a character, by its place in the alphabet, to a set.
    steps: BTreeMap<(usize, usize), usize>,
}

impl<'a> Sets<'a> {
    /// The set in which every walk starts.
    const START: usize = 0;

    fn new(groups: Vec<Vec<Claim<'a>>>) -> Self {
        let mut sets =
            Self { groups, numbers: BTreeMap::new(), sets: Vec::new(), steps: BTreeMap::new() };
        let mut start = sets.empty();
        let mut offset = 0;
        for branch in sets.branches() {
            enter(branch, offset, 0, &mut start);
            offset += branch.states();
        }
        sets.number(start);
        sets
    }

    fn branches(&self) -> impl Iterator<Item = &'a Branch> {
        self.groups.iter().flatten().flat_map(|claim| claim.branches.iter().copied())
    }

    fn empty(&self) -> Vec<u64> {
        let states: usize = self.branches().map(Branch::states).sum();
        vec![0; states / 64 + 1]
    }

    fn fate(&self, set: usize) -> Fate {
        self.sets.get(set).map_or(Fate::Free, |(_, fate)| *fate)
    }

    /// The set behind a character; `None` when the budget is used up.
    fn step(
        &mut self,
        from: usize,
        place: usize,
        character: char,
        budget: &mut usize,
    ) -> Option<usize> {
        if let Some(known) = self.steps.get(&(from, place)) {
            return Some(*known);
        }
        let mut to = self.empty();
        *budget = budget.checked_sub(to.len())?;
        if let Some((before, _)) = self.sets.get(from) {
            let mut offset = 0;
            for branch in self.branches() {
                for state in (0..branch.states()).filter(|state| holds(before, offset + state)) {
                    for (guard, target) in branch.moves(state).into_iter().flatten() {
                        if guard.admits(character) {
                            enter(branch, offset, target, &mut to);
                        }
                    }
                }
                offset += branch.states();
            }
        }
        let number = self.number(to);
        self.steps.insert((from, place), number);
        Some(number)
    }

    fn number(&mut self, mut set: Vec<u64>) -> usize {
        let fate = self.settle(&mut set);
        if let Some(number) = self.numbers.get(&set) {
            return *number;
        }
        let number = self.sets.len();
        self.sets.push((set.clone(), fate));
        self.numbers.insert(set, number);
        number
    }

    /// Says what becomes of a path, and removes the states that can no longer change it: those of
    /// patterns before one that owns whatever goes on, and its own others.
    fn settle(&self, set: &mut [u64]) -> Fate {
        let mut fate = Fate::Free;
        let mut first = 0;
        for group in &self.groups {
            let branches = group.iter().flat_map(|claim| &claim.branches);
            let mut end = first + branches.map(|branch| branch.states()).sum::<usize>();
            first = end;
            let mut own = Fate::Free;
            // The last pattern that owns the path decides; may one behind it still give back?
            let (mut decided, mut absorbed, mut open) = (false, false, false);
            for claim in group.iter().rev() {
                let (mut alive, mut accepts, mut absorbing) = (false, false, None);
                let last = end;
                for branch in claim.branches.iter().rev() {
                    end -= branch.states();
                    for state in (0..branch.states()).filter(|state| holds(set, end + state)) {
                        alive = true;
                        accepts |= branch.accepts(state);
                        if branch.absorbs(state) {
                            absorbing = Some(end + state);
                        }
                    }
                }
                if absorbed {
                    (end..last).for_each(|bit| clear(set, bit));
                    continue;
                }
                if accepts && !decided {
                    decided = true;
                    own = if claim.takes { Fate::Taken } else { Fate::Free };
                }
                if let Some(keep) = absorbing {
                    (end..last).filter(|bit| *bit != keep).for_each(|bit| clear(set, bit));
                    absorbed = true;
                    if claim.takes && !open {
                        own = Fate::Lost;
                    }
                }
                open |= alive && !claim.takes;
            }
            fate = match (fate, own) {
                (Fate::Lost, _) | (_, Fate::Lost) => Fate::Lost,
                (Fate::Taken, _) | (_, Fate::Taken) => Fate::Taken,
                (Fate::Free, Fate::Free) => Fate::Free,
            };
        }
        fate
    }
}

fn clear(set: &mut [u64], state: usize) {
    if let Some(word) = set.get_mut(state / 64) {
        *word &= !(1 << (state % 64));
    }
}

fn holds(set: &[u64], state: usize) -> bool {
    set.get(state / 64).is_some_and(|word| word & (1 << (state % 64)) != 0)
}

/// Adds a state of a branch and those that are reached from it for free.
fn enter(branch: &Branch, offset: usize, state: usize, set: &mut [u64]) {
    let mut state = Some(state);
    while let Some(entered) = state {
        let bit = offset + entered;
        if let Some(word) = set.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
        state = branch.skip(entered);
    }
}

/// One character for each way in which the branches tell characters apart, readable ones first.
fn alphabet<'a>(branches: impl Iterator<Item = &'a Branch>, case: Case) -> Vec<char> {
    let mut singles: BTreeSet<char> = ['.', '/'].into();
    let mut classes: Vec<&Class> = Vec::new();
    for branch in branches {
        for state in 0..branch.states() {
            for (guard, _) in branch.moves(state).into_iter().flatten() {
                match guard {
                    Guard::Literal(literal) => {
                        singles.insert(literal.folded);
                    }
                    Guard::Class(class) if !classes.contains(&class) => classes.push(class),
                    Guard::Class(_) | Guard::Any => {}
                }
            }
        }
    }
    // Between two of these all characters are in the same classes.
    let mut bounds: BTreeSet<char> = ['\0'].into();
    let single = singles.iter().chain(&NOT_IN_NAMES).map(|single| (*single, *single));
    let ranges = classes.iter().flat_map(|class| class.ranges()).copied();
    for (low, high) in single.chain(ranges) {
        bounds.insert(low);
        bounds.extend(next(high));
    }
    let mut cells: BTreeMap<Vec<bool>, (usize, char)> = BTreeMap::new();
    let mut lows = bounds.iter().copied().peekable();
    while let Some(low) = lows.next() {
        let high = match lows.peek() {
            Some(after) => ('\0'..*after).next_back().unwrap_or(low),
            None => char::MAX,
        };
        if singles.contains(&low) || NOT_IN_NAMES.contains(&low) {
            continue;
        }
        if let Some(found) = most_readable(low, high, case) {
            let cell = classes.iter().map(|class| class.contains(low)).collect();
            let best = cells.entry(cell).or_insert(found);
            *best = found.min(*best);
        }
    }
    let mut ranked: Vec<(usize, char)> = cells.into_values().collect();
    ranked.extend(singles.iter().filter_map(|single| most_readable(*single, *single, case)));
    ranked.sort_unstable();
    let mut alphabet: Vec<char> = ranked.into_iter().map(|(_, character)| character).collect();
    alphabet.push('.');
    alphabet
}
