//! A member's balances and used limits.

use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::{Catalog, Counter};
use punchcard_store::{OUT, StoredMember};

use super::text::{balance_name, percent};
use crate::numbers::grouped;

/// A balance.
#[derive(Debug, PartialEq, Eq)]
pub struct Balance {
    /// Its name.
    pub name: String,
    /// The points.
    pub points: String,
    /// True below zero.
    pub is_negative: bool,
}

/// A limit of a rule, and what the member used of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    /// The rule.
    pub rule: String,
    /// The unit and the period: `uses, this day`.
    pub what: String,
    /// The used part.
    pub used: String,
    /// The most that can be used.
    pub most: String,
    /// The share of the limit that was used.
    pub percent: u64,
}

/// Returns a number as it is now: what was added, less what was taken away.
fn net(member: &StoredMember, name: &str) -> i64 {
    let number = |name: &str| member.numbers.get(name).copied().unwrap_or(0);
    number(name).saturating_sub(number(&format!("{OUT}{name}")))
}

/// Returns the member's balances.
pub fn balances(member: &StoredMember) -> Vec<Balance> {
    let balance = |name: &String| {
        let points = net(member, name);
        Some(Balance { name: balance_name(name)?, points: grouped(points), is_negative: points < 0 })
    };
    member.numbers.keys().filter_map(balance).collect()
}

/// Returns the limits per member of which the member has used something, by the share that was used.
pub fn limits(member: &StoredMember, catalog: &Catalog, now: Timestamp) -> Vec<Limit> {
    let mut limits = Vec::new();
    for rule in catalog.rules() {
        for cap in rule.caps() {
            let (what, name) = match cap.counter {
                Counter::MemberUses => ("uses", cap.counter.name(rule.id())),
                Counter::MemberPoints => ("points", cap.counter.name(rule.id())),
                Counter::TotalUses | Counter::FirstTrigger | Counter::Occurrences => continue,
            };
            let (name, span) = match cap.per {
                None => (name, "for ever".to_owned()),
                Some(unit) => (format!("{name}#{}", catalog.period_of(unit, now)), format!("this {}", unit.name())),
            };
            let used = u64::try_from(net(member, &name)).unwrap_or(0);
            if used > 0 {
                limits.push(Limit {
                    rule: rule.id().to_string(),
                    what: format!("{what}, {span}"),
                    used: grouped(used),
                    most: grouped(cap.limit),
                    percent: percent(used, cap.limit),
                });
            }
        }
    }
    limits.sort_by_key(|limit| std::cmp::Reverse(limit.percent));
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_away_is_not_used_and_other_periods_do_not_count() {
        let catalog = Catalog::from_json(
            r#"{"businessUnits": {"XYZ": "enabled"}, "offers": [{"id": "RULE", "unit": "XYZ", "kind": "base",
            "reward": {"flat": 10}, "limits": {"usesPerMember": {"day": 4, "ever": 10}, "pointsPerMember": 100}}]}"#,
        )
        .expect("a catalog");
        let now = Timestamp::from_text("1970-01-02T12:00:00Z").expect("a time");
        let numbers = [
            ("pts#XYZ#loyalty", 30),
            ("out#pts#XYZ#loyalty", 40),
            ("use#RULE", 3),
            ("out#use#RULE", 1),
            ("use#RULE#day#2", 2),
            ("use#RULE#day#1", 4),
        ];
        let numbers = numbers.into_iter().map(|(name, number)| (name.to_owned(), number)).collect();
        let member = StoredMember { numbers, ..StoredMember::default() };
        let [balance] = &balances(&member)[..] else { panic!("one balance") };
        assert_eq!((balance.name.as_str(), balance.points.as_str()), ("XYZ loyalty", "−10"));
        let limits = limits(&member, &catalog, now);
        let limits: Vec<_> = limits.iter().map(|l| (l.what.as_str(), l.used.as_str(), l.percent)).collect();
        assert_eq!(limits, [("uses, this day", "2", 50), ("uses, for ever", "2", 20)]);
    }
}
