//! Counters, by which limits are enforced, and the amounts that an award adds to them.

use crate::{
    period::{Period, Slot, slot_of},
    rule_id::RuleId,
};

/// One of a rule's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// The number of times the rule paid this member.
    MemberUses,
    /// The points that the rule paid this member.
    MemberPoints,
    /// The number of times the rule paid any member.
    TotalUses,
    /// 1 once the member had an occurrence with the trigger of a rule with `first`.
    FirstTrigger,
    /// The number of the member's occurrences to which a rule with `every` applied.
    Occurrences,
}

impl Counter {
    /// The counter's name, at most 134 bytes. `cap#ID` is counted over all members, the others per member.
    #[must_use]
    pub fn name(self, rule: &RuleId) -> String {
        let prefix = match self {
            Counter::MemberUses => "use",
            Counter::MemberPoints => "sum",
            Counter::TotalUses => "cap",
            Counter::FirstTrigger => "first",
            Counter::Occurrences => "nth",
        };
        format!("{prefix}#{rule}")
    }

    /// The name of a shard of the counter: `cap#RULE#3`.
    #[must_use]
    pub fn name_of_shard(self, rule: &RuleId, index: usize) -> String {
        format!("{}#{index}", self.name(rule))
    }

    /// The name under which a stored award has the number of its shard, counted from 1.
    pub(crate) fn shard_name(rule: &RuleId) -> String {
        format!("shard#{rule}")
    }

    /// The kind of the counter with this name. `None` for another name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name.split_once('#')?.0 {
            "use" => Some(Counter::MemberUses),
            "sum" => Some(Counter::MemberPoints),
            "cap" => Some(Counter::TotalUses),
            "first" => Some(Counter::FirstTrigger),
            "nth" => Some(Counter::Occurrences),
            _ => None,
        }
    }

    /// The name of the counter's limit in the catalog, or of the member that makes the rule count.
    #[must_use]
    pub fn limit_name(self) -> &'static str {
        match self {
            Counter::MemberUses => "usesPerMember",
            Counter::TotalUses => "usesInTotal",
            Counter::MemberPoints => "pointsPerMember",
            Counter::FirstTrigger => "first",
            Counter::Occurrences => "every",
        }
    }

    /// Returns true if a reversal takes back what the reversed award added. Occurrences keep their numbers: otherwise a
    /// member could be paid for the n-th one, return an earlier one, and be paid for the n-th one again.
    #[must_use]
    pub fn is_given_back(self) -> bool {
        self != Counter::Occurrences
    }
}

/// A shard of a total limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 0.
    pub index: usize,
    /// The number of shards.
    pub of: usize,
}

/// The amount that a rule adds to one of its counters.
///
/// The award is valid only if the counter still permits it when the award is written. If the reward is paid in full,
/// the counter must be absent or at most [`Spend::most_before`]. If a points limit left only part of it, the counter
/// must be exactly `seen` (absent is 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spend<'c> {
    /// The rule.
    pub rule: &'c RuleId,
    /// The counter to increase.
    pub counter: Counter,
    /// The period in which it counts. `None`: for ever.
    pub period: Option<Period>,
    /// The shard that counts it, if the counter is one of a total limit with shards.
    pub shard: Option<Shard>,
    /// The increase, at least 1.
    pub amount: u64,
    /// The highest value that the counter may reach.
    pub limit: u64,
    /// The value that the evaluation assumed.
    pub seen: u64,
    /// True if the award is valid for that value only.
    pub exact: bool,
    /// True if the counter's slot held an earlier period, or nothing.
    pub starts_period: bool,
}

/// The change of a slot, and the condition on the number that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotChange {
    /// The slot gets this value, if it is absent or below `before`, which is the period's first.
    Start {
        /// The new value.
        value: u64,
        /// The first value of the period.
        before: u64,
    },
    /// The amount is added, if the slot is within these bounds.
    Add {
        /// The lowest value.
        least: u64,
        /// The highest value.
        most: u64,
    },
}

impl Spend<'_> {
    /// The counter's name: `use#RULE`, `use#RULE#day#20419`, `cap#RULE#3`.
    #[must_use]
    pub fn name(&self) -> String {
        match (self.period, self.shard) {
            (Some(period), _) => format!("{}#{period}", self.counter.name(self.rule)),
            (None, Some(shard)) => self.counter.name_of_shard(self.rule, shard.index),
            (None, None) => self.counter.name(self.rule),
        }
    }

    /// The name of the attribute or item that holds the counter: a slot, if it counts in a period.
    #[must_use]
    pub fn attribute(&self) -> String {
        let name = self.name();
        slot_of(&name).map_or(name, |(slot, _)| slot)
    }

    /// The names of all shards of the counter.
    #[must_use]
    pub fn shard_names(&self) -> Vec<String> {
        match self.shard {
            Some(shard) => (0..shard.of).map(|index| self.counter.name_of_shard(self.rule, index)).collect(),
            None => vec![self.name()],
        }
    }

    /// The highest value before the increase with which the limit still holds after it.
    #[must_use]
    pub fn most_before(&self) -> u64 {
        // Cannot underflow: the amount never exceeds what was left of the limit.
        self.limit - self.amount
    }

    /// The change of the slot that holds the counter. `None` for a counter without a period.
    #[must_use]
    pub fn slot_change(&self) -> Option<SlotChange> {
        let period = self.period?;
        if self.starts_period {
            return Some(SlotChange::Start { value: period.slot_value(self.amount), before: period.slot_value(0) });
        }
        let (least, most) = if self.exact { (self.seen, self.seen) } else { (0, self.most_before()) };
        Some(SlotChange::Add { least: period.slot_value(least), most: period.slot_value(most) })
    }
}

/// Reads the number in the slot of a counter's period.
pub(crate) fn in_period(value: u64, period: Period) -> InPeriod {
    let slot = Slot::read(value);
    match slot.number.cmp(&period.number) {
        std::cmp::Ordering::Less => InPeriod::Unused,
        std::cmp::Ordering::Equal => InPeriod::Used(slot.used),
        std::cmp::Ordering::Greater => InPeriod::Closed,
    }
}

/// The state of a period in its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InPeriod {
    /// The slot is free.
    Unused,
    /// The slot is the period's.
    Used(u64),
    /// The slot is that of a later period.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_known_by_its_name() {
        let kinds = ["use#RULE", "sum#RULE#day#3", "cap#RULE#7", "nth#RULE", "pts#A#loyalty", "use", "shard#RULE"]
            .map(Counter::of_name);
        let counters = [Counter::MemberUses, Counter::MemberPoints, Counter::TotalUses, Counter::Occurrences].map(Some);
        assert_eq!(kinds, [counters[0], counters[1], counters[2], counters[3], None, None, None]);
    }
}
