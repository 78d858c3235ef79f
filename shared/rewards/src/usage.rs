//! Counters as an evaluation sees them.

use std::collections::HashMap;

use crate::award::Award;

/// The values of counters by name. A counter that was not set is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage(HashMap<String, u64>);

impl Usage {
    /// Sets a counter by the name that [`Counter::name`](crate::Counter::name) gives. Other names have no effect.
    pub fn set(&mut self, name: impl Into<String>, used: u64) {
        self.0.insert(name.into(), used);
    }

    /// Adds the spends of an award.
    pub fn add(&mut self, award: &Award<'_>) {
        for spend in award.spends() {
            let used = self.0.entry(spend.name()).or_default();
            *used = used.saturating_add(spend.amount);
        }
    }

    /// The value of a counter.
    #[must_use]
    pub fn used(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}
