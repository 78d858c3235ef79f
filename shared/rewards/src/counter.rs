//! Counters, by which limits are enforced, and the amounts that an award adds to them.

use crate::rule_id::RuleId;

/// One of a rule's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// The number of times the rule paid this member.
    MemberUses,
    /// The points that the rule paid this member.
    MemberPoints,
    /// The number of times the rule paid any member.
    TotalUses,
}

impl Counter {
    /// The counter's name, at most 132 bytes. `use#ID` and `sum#ID` are counted per member, `cap#ID` over all members.
    #[must_use]
    pub fn name(self, rule: &RuleId) -> String {
        let prefix = match self {
            Counter::MemberUses => "use",
            Counter::MemberPoints => "sum",
            Counter::TotalUses => "cap",
        };
        format!("{prefix}#{rule}")
    }

    /// The kind of the counter with this name. `None` for another name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name.split_once('#')?.0 {
            "use" => Some(Counter::MemberUses),
            "sum" => Some(Counter::MemberPoints),
            "cap" => Some(Counter::TotalUses),
            _ => None,
        }
    }

    /// The name of the counter's limit in the catalog.
    #[must_use]
    pub fn limit_name(self) -> &'static str {
        match self {
            Counter::MemberUses => "usesPerMember",
            Counter::TotalUses => "usesInTotal",
            Counter::MemberPoints => "pointsPerMember",
        }
    }
}

/// The amount that a paying rule adds to one of its counters.
///
/// The award is valid only if the counter still permits it when the award is written. If the reward is paid in full,
/// the counter must be absent or at most [`Spend::most_before`]. If a points limit left only part of it, the counter
/// must be exactly `seen` (absent is 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spend<'c> {
    /// The rule that pays.
    pub rule: &'c RuleId,
    /// The counter to increase.
    pub counter: Counter,
    /// The increase, at least 1.
    pub amount: u64,
    /// The highest value that the counter may reach.
    pub limit: u64,
    /// The value that the evaluation assumed.
    pub seen: u64,
    /// True if the award is valid for that value only.
    pub exact: bool,
}

impl Spend<'_> {
    /// The counter's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.counter.name(self.rule)
    }

    /// The highest value before the increase with which the limit still holds after it.
    #[must_use]
    pub fn most_before(&self) -> u64 {
        // Cannot underflow: the amount never exceeds what was left of the limit.
        self.limit - self.amount
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_known_by_its_name() {
        let kinds = ["use#RULE", "sum#RULE", "cap#RULE", "pts#A#loyalty", "use"].map(Counter::of_name);
        let counters = [Counter::MemberUses, Counter::MemberPoints, Counter::TotalUses].map(Some);
        assert_eq!(kinds, [counters[0], counters[1], counters[2], None, None]);
    }
}
