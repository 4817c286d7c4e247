//! What a decision may cost: counted, not timed, so that every machine gives the same answer.
//!
//! The unit is a comparison of two characters or so, some ten nanoseconds. Whatever takes time or
//! memory is paid for before it is done.

use core::cell::Cell;

use crate::lane::intersect::Doubt;

/// What one state of a walk costs.
pub(super) const STATE: usize = 8;

/// How much may still be done for one question.
#[derive(Debug)]
pub struct Effort {
    granted: usize,
    left: Cell<usize>,
}

impl Effort {
    /// So much may be done.
    pub fn new(granted: usize) -> Self {
        Self { granted, left: Cell::new(granted) }
    }

    /// Pays for something that is about to be done; fails when that is too much, and then nothing
    /// more can be done.
    pub fn pay(&self, units: usize) -> Result<(), Doubt> {
        let left = self.left.get().checked_sub(units);
        self.left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(Doubt::TooCostly)
    }

    /// Is nothing left?
    pub fn is_used_up(&self) -> bool {
        self.left.get() == 0
    }

    /// What was done so far.
    pub fn used(&self) -> usize {
        self.granted - self.left.get()
    }

    /// Does a part of the work, for which at most so much may be done.
    pub(super) fn part<T>(&self, most: usize, work: impl FnOnce(&Effort) -> T) -> T {
        let part = Effort::new(most.min(self.left.get()));
        let result = work(&part);
        self.left.set(self.left.get() - part.used());
        result
    }
}
