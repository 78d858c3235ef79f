//! A bound on the time of an analysis. Catalogs may have ten thousand offers, and an analysis compares pairs of them.

use std::cell::Cell;

/// The steps of an analysis, a few seconds at most.
const MAX_STEPS: usize = 10_000_000;

/// The steps that are left. The order of the analysis is fixed, so the same catalog always gets the same answers.
#[derive(Debug)]
pub(super) struct Effort(Cell<usize>);

impl Effort {
    pub fn new() -> Self {
        Effort(Cell::new(MAX_STEPS))
    }

    /// Takes steps. Returns false if too few are left.
    pub fn take(&self, steps: usize) -> bool {
        let left = self.0.get().checked_sub(steps);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}
