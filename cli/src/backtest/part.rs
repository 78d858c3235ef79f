//! The part of a record's award that a reversal or a refund takes back.

use punchcard_models::decimal::Share;
use punchcard_rewards::Counter;

use super::figures::Earned;

/// The part of a record that a reversal or a refund takes back.
pub(super) enum Part {
    /// All of it: a reversal.
    Whole,
    /// Refunded in all before and after it.
    Refund { before: Share, after: Share },
}

impl Part {
    fn of(&self, amount: u64) -> i64 {
        let signed = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        match self {
            Part::Whole => signed(amount),
            Part::Refund { before, after } => signed(after.of(amount)) - signed(before.of(amount)),
        }
    }

    /// True if nothing is left after it.
    pub fn is_last(&self) -> bool {
        match self {
            Part::Whole => true,
            Part::Refund { before, after } => *after == Share::ALL && *before != Share::ALL,
        }
    }

    /// Points of limits come back in proportion, uses with the last part.
    pub fn of_counter(&self, name: &str, amount: u64) -> u64 {
        match Counter::of_name(name) {
            Some(Counter::MemberPoints) => u64::try_from(self.of(amount)).unwrap_or(0),
            Some(Counter::MemberUses | Counter::TotalUses | Counter::FirstTrigger) if self.is_last() => amount,
            Some(Counter::MemberUses | Counter::TotalUses | Counter::FirstTrigger | Counter::Occurrences) | None => 0,
        }
    }

    /// The negative points of each rule. They add up to exactly the part of all points: each rule has the difference of two
    /// parts of running sums.
    pub fn of_points(&self, earned: &[Earned]) -> Vec<Earned> {
        let unsigned = |points: i64| u64::try_from(points).unwrap_or(0);
        let mut sums = [0_u64; 2];
        let part = |earned: &Earned| {
            let mut points = [earned.actual, earned.draft];
            for (sum, points) in sums.iter_mut().zip(&mut points) {
                let before = self.of(*sum);
                *sum = sum.saturating_add(unsigned(*points));
                *points = before - self.of(*sum);
            }
            let [actual, draft] = points;
            Earned { actual, draft, ..earned.clone() }
        };
        earned.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use punchcard_models::decimal::Decimal;

    use super::*;

    #[test]
    fn parts_of_rules_add_up_to_the_part_of_all_points() {
        let rule =
            |rule: &str, actual, draft| Earned { rule: rule.to_owned(), unit: None, is_campaign: true, actual, draft };
        let earned = [rule("A", 5, 7), rule("B", 5, 0), rule("C", 1, 3)];
        let paid = Decimal::from(3);
        let share = |refunded: u64| Share::new(&Decimal::from(refunded), &paid);
        let mut left = [11, 10];
        for (before, after) in [(0, 1), (1, 2), (2, 3)] {
            let part = Part::Refund { before: share(before), after: share(after) };
            let taken = part.of_points(&earned);
            let sums = [taken.iter().map(|one| one.actual).sum::<i64>(), taken.iter().map(|one| one.draft).sum()];
            assert_eq!(sums, [-part.of(11), -part.of(10)]);
            left = [left[0] + sums[0], left[1] + sums[1]];
        }
        assert_eq!(left, [0, 0]);
    }
}
