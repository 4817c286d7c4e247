//! Does one alternative own all paths of another? The quick proof, which most exceptions need:
//! `!dist/**/*-????????.js` beside that very pattern, or beside a narrower one.

use alloc::vec;

use crate::lane::effort::Effort;
use crate::lane::intersect::Doubt;
use crate::lane::pattern::automaton::{Branch, Guard};

/// Largest product of states that is looked at; beyond it nothing is proved here.
const PAIRS_MAX: usize = 1 << 16;

/// Does the outer branch own every path of the inner one? `false` proves nothing.
///
/// It does if the outer automaton can answer every move of the inner one, step by step, and accept
/// whenever that accepts: a simulation. All pairs of states count as simulated until one is found
/// that is not.
pub(super) fn is_contained(inner: &Branch, outer: &Branch, effort: &Effort) -> Result<bool, Doubt> {
    let width = outer.states();
    let pairs = inner.states() * width;
    if pairs > PAIRS_MAX {
        return Ok(false);
    }
    let mut simulated = vec![true; pairs];
    loop {
        effort.pay(4 * pairs)?;
        let mut changed = false;
        for place in (0..pairs).rev() {
            let holds = simulated.get(place) == Some(&true);
            if holds && !answers(inner, place / width, outer, place % width, &simulated) {
                changed = true;
                if let Some(slot) = simulated.get_mut(place) {
                    *slot = false;
                }
            }
        }
        if !changed {
            return Ok(simulated.first() == Some(&true));
        }
    }
}

/// Can the outer state answer whatever the inner one does next?
fn answers(inner: &Branch, from: usize, outer: &Branch, by: usize, simulated: &[bool]) -> bool {
    let width = outer.states();
    let holds = |inner: usize, outer: usize| simulated.get(inner * width + outer) == Some(&true);
    let reached = || core::iter::successors(Some(by), |state| outer.skip(*state));
    let accepted = !inner.accepts(from) || reached().any(|state| outer.accepts(state));
    let skipped = inner.skip(from).is_none_or(|state| holds(state, by));
    accepted
        && skipped
        && inner.moves(from).into_iter().flatten().all(|(guard, to)| {
            let mut moves = reached().flat_map(|state| outer.moves(state)).flatten();
            moves.any(|(wider, answer)| is_within(guard, wider) && holds(to, answer))
        })
}

/// Does the wider guard admit whatever the other one does?
fn is_within(guard: Guard<'_>, wider: Guard<'_>) -> bool {
    match (guard, wider) {
        (Guard::Literal(literal), wider) => wider.admits(literal.folded),
        (Guard::Class(class), Guard::Class(wider)) => class.is_within(wider),
        (Guard::Any | Guard::Class(_), Guard::Any) => true,
        (Guard::Any, Guard::Class(_)) | (Guard::Any | Guard::Class(_), Guard::Literal(_)) => false,
    }
}
