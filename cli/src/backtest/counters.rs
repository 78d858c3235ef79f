//! The counters of one scenario. They are compact: a member has a list of numbers, whose names are stored once.

use std::collections::HashMap;

use punchcard_rewards::{Counter, Period, RuleId, Usage, slot_of};

/// An amount that a rule added to one of its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    pub counter: Counter,
    pub period: Option<Period>,
    pub amount: u64,
}

impl Use {
    /// The name of the counter, without the shard of a total limit.
    pub fn name(&self, rule: &RuleId) -> String {
        let name = self.counter.name(rule);
        self.period.map_or(name.clone(), |period| format!("{name}#{period}"))
    }
}

/// The names of counters.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_name: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn id(&mut self, name: String) -> u32 {
        let names = &mut self.names;
        *self.by_name.entry(name).or_insert_with_key(|name| {
            names.push(name.clone());
            u32::try_from(names.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// The counters of a member, or those of total limits. One is negative if a reversal or refund is replayed before its
/// record, because the clocks of two functions differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counters(Vec<(u32, i64)>);

impl Counters {
    /// Sets all of them.
    pub fn set(&self, usage: &mut Usage, names: &Names) {
        for (id, used) in &self.0 {
            if let Some(name) = names.names.get(usize::try_from(*id).unwrap_or(usize::MAX)) {
                usage.set(name.as_str(), at_least_zero(*used));
            }
        }
    }

    /// The value of one.
    pub fn used(&self, name: &str, names: &Names) -> u64 {
        let id = names.by_name.get(name);
        id.and_then(|id| self.place(*id).ok()).map_or(0, |place| at_least_zero(self.0[place].1))
    }

    /// Adds to the counter with this name, which may be that of a period.
    pub fn add(&mut self, name: &str, amount: u64, names: &mut Names) {
        let amount = signed(amount);
        self.update(name, names, |used, period| match period {
            None => used.saturating_add(amount),
            Some((first, next)) if used < next => used.max(first).saturating_add(amount),
            // The slot counts a later period: the earlier one is closed.
            Some(_) => used,
        });
    }

    /// Gives an amount back to the counter with this name.
    pub fn give_back(&mut self, name: &str, amount: u64, names: &mut Names) {
        let amount = signed(amount);
        self.update(name, names, |used, period| match period {
            None => used.saturating_sub(amount),
            Some((first, next)) if (first..next).contains(&used) => used.saturating_sub(amount).max(first),
            Some(_) => used,
        });
    }

    /// Changes a counter. A counter of a period is a slot, and `change` gets the bounds of the period's values.
    fn update(&mut self, name: &str, names: &mut Names, change: impl FnOnce(i64, Option<(i64, i64)>) -> i64) {
        let (slot, period) = match slot_of(name) {
            Some((slot, period)) => (slot, Some(bounds(period))),
            None => (name.to_owned(), None),
        };
        let used = self.number(slot, names);
        *used = change(*used, period);
    }

    fn place(&self, id: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id)
    }

    fn number(&mut self, name: String, names: &mut Names) -> &mut i64 {
        let id = names.id(name);
        let place = self.place(id).unwrap_or_else(|place| {
            self.0.insert(place, (id, 0));
            place
        });
        &mut self.0[place].1
    }
}

/// The first value of a period's slot, and that of the next period's.
fn bounds(period: Period) -> (i64, i64) {
    let next = Period { number: period.number + 1, ..period };
    (signed(period.slot_value(0)), signed(next.slot_value(0)))
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

fn at_least_zero(amount: i64) -> u64 {
    u64::try_from(amount).unwrap_or(0)
}

/// The name of a total limit's counter, without its shard: `cap#RULE` for `cap#RULE#3`. `None` for another counter.
pub(super) fn total_of(name: &str) -> Option<&str> {
    let rule = name.strip_prefix("cap#")?;
    let end = rule.find('#').map_or(name.len(), |end| "cap#".len() + end);
    Some(&name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_counts_its_latest_period_only() {
        let (mut names, mut counters) = (Names::default(), Counters::default());
        let value = |counters: &Counters, names: &Names| counters.used("use#RULE#day1", names) % 1_000_000_000_000;
        counters.add("use#RULE#day#21", 2, &mut names);
        counters.add("use#RULE#day#21", 3, &mut names);
        assert_eq!(value(&counters, &names), 5);
        counters.give_back("use#RULE#day#19", 1, &mut names);
        counters.give_back("use#RULE#day#21", 1, &mut names);
        assert_eq!(value(&counters, &names), 4);
        counters.add("use#RULE#day#23", 1, &mut names);
        counters.add("use#RULE#day#21", 9, &mut names);
        counters.give_back("use#RULE#day#21", 1, &mut names);
        assert_eq!(value(&counters, &names), 1);
    }

    #[test]
    fn what_is_given_back_before_its_use_is_not_lost() {
        let (mut names, mut counters) = (Names::default(), Counters::default());
        counters.give_back("cap#RULE", 1, &mut names);
        assert_eq!(counters.used("cap#RULE", &names), 0);
        counters.add("cap#RULE", 1, &mut names);
        assert_eq!(counters.used("cap#RULE", &names), 0);
        counters.add("cap#RULE", 1, &mut names);
        assert_eq!(counters.used("cap#RULE", &names), 1);
    }

    #[test]
    fn a_shard_counts_for_its_total() {
        assert_eq!(total_of("cap#RULE#12"), Some("cap#RULE"));
        assert_eq!(total_of("cap#RULE"), Some("cap#RULE"));
        assert_eq!(total_of("use#RULE"), None);
    }
}
