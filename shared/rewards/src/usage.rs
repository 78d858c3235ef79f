//! Counters as an evaluation sees them.

use std::{
    collections::HashMap,
    hash::{Hash as _, Hasher as _},
};

use crate::{
    award::Award,
    counter::{Counter, Shard},
    rule_id::RuleId,
};

/// The prefix of the names of shards that may not be used, whatever the catalog says.
const EXHAUSTED: &str = "exhausted#";

/// The values of counters by name. A counter that was not set is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    counters: HashMap<String, u64>,
    seed: u64,
}

/// The shard of a total limit that an evaluation uses.
pub(crate) enum ShardChoice {
    /// One that is not known to be exhausted.
    Open(Shard),
    /// All are exhausted. Carries the uses of all.
    Exhausted(u64),
}

impl Usage {
    /// Creates an empty usage. Shards of total limits are chosen by the seed.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Usage { seed, ..Usage::default() }
    }

    /// Sets a counter by the name of the attribute or item that holds it. Other names have no effect.
    pub fn set(&mut self, name: impl Into<String>, used: u64) {
        self.counters.insert(name.into(), used);
    }

    /// Sets whether a shard of a total limit is exhausted although its uses are below its share: a later catalog may have
    /// made the share smaller.
    pub fn set_exhausted(&mut self, shard: &str, is_exhausted: bool) {
        self.counters.insert(format!("{EXHAUSTED}{shard}"), u64::from(is_exhausted));
    }

    /// Adds the spends of an award.
    pub fn add(&mut self, award: &Award<'_>) {
        for spend in award.spends() {
            let used = match spend.period {
                Some(period) => period.slot_value(spend.seen.saturating_add(spend.amount)),
                None => spend.seen.saturating_add(spend.amount),
            };
            self.counters.insert(spend.attribute(), used);
        }
    }

    /// The value of a counter.
    #[must_use]
    pub fn used(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    /// Chooses a shard of a total limit: that of the stored award, or one at random that is not known to be exhausted.
    pub(crate) fn shard(&self, rule: &RuleId, shares: &[u64]) -> ShardChoice {
        let name = |index| Counter::TotalUses.name_of_shard(rule, index);
        let of = shares.len();
        if let Some(stored) = usize::try_from(self.used(&Counter::shard_name(rule))).ok().filter(|stored| *stored > 0) {
            return ShardChoice::Open(Shard { index: stored - 1, of });
        }
        // A stored award that found all shards exhausted has the sum of their uses.
        let stored = self.used(&Counter::TotalUses.name(rule));
        if stored > 0 {
            return ShardChoice::Exhausted(stored);
        }
        let is_open = |index: &usize| {
            let name = name(*index);
            self.used(&name) < shares[*index] && self.used(&format!("{EXHAUSTED}{name}")) == 0
        };
        let open: Vec<_> = (0..of).filter(is_open).collect();
        if open.is_empty() {
            return ShardChoice::Exhausted((0..of).map(|index| self.used(&name(index))).sum());
        }
        let mut hasher = std::hash::DefaultHasher::new();
        (self.seed, rule).hash(&mut hasher);
        let choice = hasher.finish() % u64::try_from(open.len()).unwrap_or(1);
        ShardChoice::Open(Shard { index: usize::try_from(choice).map_or(0, |choice| open[choice]), of })
    }
}
