//! What two alternatives have in common when other patterns take paths away.
//!
//! Whether a path is taken away depends on all patterns that take, so their states are walked as a
//! set, beside one state of each alternative. There can be exponentially many such sets; each new
//! one is paid for, and the bound of the whole walk holds.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use super::contained::is_contained;
use super::{Component, Doubt, Found, Node, Pair, Trail, Visit, contradict};
use crate::lane::effort::{Effort, STATE};
use crate::lane::pattern::automaton::{Branch, Guard};
use crate::lane::pattern::class::{Class, NOT_IN_NAMES, most_readable, next};
use crate::lane::pattern::{Case, Pattern, RepoPath};
use crate::lane::region::Clause;

/// Patterns that take paths away, in groups. A group takes a path when the last of its patterns
/// that owns it says so.
#[derive(Clone, Copy, Default)]
pub(in crate::lane) struct Taken<'a> {
    groups: [Group<'a>; 2],
}

#[derive(Clone, Copy, Default)]
struct Group<'a> {
    clauses: &'a [Clause],
    /// Does it take what the clauses as a region own? Otherwise only what those with `!` own.
    owned: bool,
}

/// Alternatives of one pattern.
struct Claim<'a> {
    branches: Vec<&'a Branch>,
    /// Does it take away, or give back?
    takes: bool,
}

/// An alternative of what takes away: its group, its pattern, and its place there.
type Place = (usize, usize, usize);

impl<'a> Group<'a> {
    /// The patterns in order, each with its place and whether it takes away or gives back.
    fn claims(self) -> impl DoubleEndedIterator<Item = (usize, &'a Pattern, bool)> {
        self.clauses.iter().enumerate().filter_map(move |(place, clause)| {
            let counts = self.owned || clause.takes_away();
            let pattern = clause.pattern().ok().filter(|_| counts)?;
            Some((place, pattern, self.owned != clause.takes_away()))
        })
    }
}

impl<'a> Taken<'a> {
    /// What is taken away from two patterns by those behind them in their regions.
    pub(in crate::lane) fn behind(ours: &'a [Clause], theirs: &'a [Clause]) -> Self {
        let group = |clauses| Group { clauses, owned: false };
        Self { groups: [group(ours), group(theirs)] }
    }

    /// What is taken away from a pattern by those behind it, and whatever a whole region owns.
    pub(in crate::lane) fn beyond(ours: &'a [Clause], region: &'a [Clause]) -> Self {
        let groups =
            [Group { clauses: ours, owned: false }, Group { clauses: region, owned: true }];
        Self { groups }
    }

    fn is_nothing(&self) -> bool {
        self.groups.iter().all(|group| group.clauses.is_empty())
    }

    /// What takes the path away, and where that is.
    fn taker(
        &self,
        path: &RepoPath,
        effort: &Effort,
    ) -> Result<Option<(Place, &'a Branch)>, Doubt> {
        for (number, group) in self.groups.iter().enumerate() {
            effort.pay(group.clauses.len())?;
            let mut given_back = false;
            for (place, pattern, takes) in group.claims().rev() {
                for (at, branch) in pattern.branches().iter().enumerate() {
                    effort.pay(branch.cost(path.folded()))?;
                    if branch.owns(path.folded()) {
                        if takes {
                            return Ok(Some(((number, place, at), branch)));
                        }
                        given_back = true;
                    }
                }
                if given_back {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// May a pattern behind it give back what is taken there?
    fn may_give_back(&self, (group, taker, _): Place) -> bool {
        let claims = self.groups.get(group).into_iter().flat_map(|group| group.claims());
        claims.into_iter().any(|(place, _, takes)| place > taker && !takes)
    }

    /// The alternatives at these places, and all that may give back what one of them takes, as far
    /// as they can have a path in common with the pair.
    fn only(
        &self,
        places: &BTreeSet<Place>,
        pair: Pair<'a>,
        effort: &Effort,
    ) -> Result<Vec<Vec<Claim<'a>>>, Doubt> {
        let mut groups = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            effort.pay(group.clauses.len())?;
            let first = places.iter().find(|(group, _, _)| *group == number);
            let first = first.map_or(usize::MAX, |(_, place, _)| *place);
            let mut claims = Vec::new();
            for (place, pattern, takes) in group.claims().filter(|(place, ..)| *place >= first) {
                let mut branches = Vec::new();
                for (at, branch) in pattern.branches().iter().enumerate() {
                    effort.pay(1)?;
                    if (!takes || places.contains(&(number, place, at)))
                        && !contradict(pair.left, branch, effort)?
                        && !contradict(pair.right, branch, effort)?
                    {
                        branches.push(branch);
                    }
                }
                if !branches.is_empty() {
                    claims.push(Claim { branches, takes });
                }
            }
            groups.push(claims);
        }
        Ok(groups)
    }
}

/// Looks for a shortest path of both branches with fewer than `shorter_than` characters that is not
/// taken away, where `found` is a shortest one of them all.
///
/// What takes away is taken into account only once it took a path: as long as something is left
/// out, too much is found but nothing is missed.
pub(super) fn refine(
    pair: Pair<'_>,
    taken: &Taken<'_>,
    shorter_than: usize,
    found: Vec<char>,
    effort: &Effort,
) -> Found {
    let mut places = BTreeSet::new();
    let mut found = found;
    loop {
        let path = pair.checked(&found)?;
        if taken.is_nothing() {
            return Ok(Some(found));
        }
        let Some((place, taker)) = taken.taker(&path, effort)? else {
            return Ok(Some(found));
        };
        if !places.insert(place) {
            // It was walked along, and has no business here.
            return Err(Doubt::TooCostly);
        }
        if !taken.may_give_back(place)
            && (is_contained(pair.left, taker, effort)? || is_contained(pair.right, taker, effort)?)
        {
            return Ok(None);
        }
        let groups = taken.only(&places, pair, effort)?;
        let claimed = groups.iter().flatten().flat_map(|claim| claim.branches.iter().copied());
        let all = [pair.left, pair.right].into_iter().chain(claimed);
        let alphabet = alphabet(all, pair.case, effort)?;
        let walk = Walk { pair, alphabet, sets: Sets::new(groups), visited: BTreeSet::new() };
        match walk.run(shorter_than, effort)? {
            Some(path) => found = path,
            None => return Ok(None),
        }
    }
}

/// The walk over states of both branches and sets of states of what takes away.
struct Walk<'a> {
    pair: Pair<'a>,
    alphabet: Vec<char>,
    sets: Sets<'a>,
    visited: BTreeSet<(usize, usize, u8, usize)>,
}

impl Walk<'_> {
    fn run(mut self, shorter_than: usize, effort: &Effort) -> Found {
        let pair = self.pair;
        let mut trail = Trail { pair, nodes: Vec::new() };
        let component = Component::Empty;
        let first =
            Node { left: 0, right: 0, component, set: Sets::START, length: 0, arrival: None };
        if let Some(end) = trail.reach(first, effort, &mut |node| self.visit(node))? {
            return Ok(Some(trail.path_to(end)));
        }
        let mut index = 0;
        while let Some(node) = trail.nodes.get(index).copied() {
            let length = node.length + 1;
            if length >= shorter_than {
                return Ok(None);
            }
            for place in 0..self.alphabet.len() {
                effort.pay(2 * STATE)?;
                let Some(character) = self.alphabet.get(place).copied() else { continue };
                let Some(component) = node.component.then(character) else { continue };
                let moves = |branch: &Branch, state| {
                    let mut moves = branch.moves(state).map(|step| {
                        let (guard, to) = step.filter(|(guard, _)| guard.admits(character))?;
                        Some((spelling(guard), to))
                    });
                    moves.sort_by_key(Option::is_none);
                    moves
                };
                let (lefts, rights) = (moves(pair.left, node.left), moves(pair.right, node.right));
                if lefts[0].is_none() || rights[0].is_none() {
                    continue;
                }
                let set = self.sets.step(node.set, place, character, effort)?;
                for (left_spelling, left) in lefts.into_iter().flatten() {
                    for (right_spelling, right) in rights.into_iter().flatten() {
                        let written = left_spelling.or(right_spelling).unwrap_or(character);
                        let arrival = Some((written, index));
                        let next = Node { left, right, component, set, length, arrival };
                        let end = trail.reach(next, effort, &mut |node| self.visit(node))?;
                        if let Some(end) = end {
                            return Ok(Some(trail.path_to(end)));
                        }
                    }
                }
            }
            index += 1;
        }
        Ok(None)
    }

    /// Marks the node.
    fn visit(&mut self, node: &Node) -> Visit {
        let fate = self.sets.fate(node.set);
        let known = (node.left, node.right, node.component as u8, node.set);
        match fate {
            Fate::Lost => Visit::Known,
            _ if !self.visited.insert(known) => Visit::Known,
            Fate::Free => Visit::Open,
            Fate::Taken => Visit::Passed,
        }
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
    /// How long each set is.
    words: usize,
    numbers: BTreeMap<Vec<u64>, usize>,
    sets: Vec<(Vec<u64>, Fate)>,
    /// From a set and a character, by its place in the alphabet, to a set.
    steps: BTreeMap<(usize, usize), usize>,
}

impl<'a> Sets<'a> {
    /// The set in which every walk starts.
    const START: usize = 0;

    fn new(groups: Vec<Vec<Claim<'a>>>) -> Self {
        let branches = groups.iter().flatten().flat_map(|claim| claim.branches.iter());
        let states: usize = branches.map(|branch| branch.states()).sum();
        let mut sets = Self {
            groups,
            words: states / 64 + 1,
            numbers: BTreeMap::new(),
            sets: Vec::new(),
            steps: BTreeMap::new(),
        };
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
        vec![0; self.words]
    }

    fn fate(&self, set: usize) -> Fate {
        self.sets.get(set).map_or(Fate::Free, |(_, fate)| *fate)
    }

    /// The set behind a character.
    fn step(
        &mut self,
        from: usize,
        place: usize,
        character: char,
        effort: &Effort,
    ) -> Result<usize, Doubt> {
        if let Some(known) = self.steps.get(&(from, place)) {
            return Ok(*known);
        }
        effort.pay(STATE * self.words)?;
        let mut to = self.empty();
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
        Ok(number)
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
fn alphabet<'a>(
    branches: impl Iterator<Item = &'a Branch>,
    case: Case,
    effort: &Effort,
) -> Result<Vec<char>, Doubt> {
    let mut singles: BTreeSet<char> = ['.', '/'].into();
    let mut classes: BTreeSet<&Class> = BTreeSet::new();
    for branch in branches {
        effort.pay(branch.states())?;
        for state in 0..branch.states() {
            for (guard, _) in branch.moves(state).into_iter().flatten() {
                match guard {
                    Guard::Literal(literal) => {
                        singles.insert(literal.folded);
                    }
                    Guard::Class(class) => {
                        effort.pay(class.cost(class))?;
                        classes.insert(class);
                    }
                    Guard::Any => {}
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
    // Looking one up in a class is a binary search, and a cell remembers all of them.
    effort.pay(bounds.len() * (STATE + 2 * classes.len()))?;
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
    Ok(alphabet)
}
