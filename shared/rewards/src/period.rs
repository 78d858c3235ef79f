//! Periods of limits: days, ISO weeks, months and years of the catalog's time zone.
//!
//! A member has two slots for each counter of a period, one for periods with an even number and one for those with an odd
//! number. A slot holds the number of its period and the amount counted in it, in one number that only a later period
//! replaces. So two periods can be open at a time, and a member's item does not grow with time.

use std::fmt;

use crate::{counter::Counter, zone::LocalTime};

/// The factor of a period's number in the number that a slot holds. Amounts are below it.
const SLOT_FACTOR: u64 = 1_000_000_000_000;
/// The highest limit per period.
pub const MAX_PERIOD_LIMIT: u64 = SLOT_FACTOR - 1;

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodUnit {
    /// A day.
    Day,
    /// A week that begins on Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// One day, week, month or year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// Its length.
    pub unit: PeriodUnit,
    /// The number of the period, counted from 1 for the one of 1970-01-01, which also stands for all earlier ones.
    pub number: u64,
}

impl PeriodUnit {
    /// All units, shortest first.
    pub const ALL: [PeriodUnit; 4] = [PeriodUnit::Day, PeriodUnit::Week, PeriodUnit::Month, PeriodUnit::Year];

    /// The unit's name in the catalog.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PeriodUnit::Day => "day",
            PeriodUnit::Week => "week",
            PeriodUnit::Month => "month",
            PeriodUnit::Year => "year",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        PeriodUnit::ALL.into_iter().find(|unit| unit.name() == name)
    }
}

/// A slot of a member: the period that it holds, and the amount counted in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub number: u64,
    pub used: u64,
}

impl Slot {
    /// Reads the number in a slot. An absent slot is 0.
    pub fn read(value: u64) -> Self {
        Slot { number: value / SLOT_FACTOR, used: value % SLOT_FACTOR }
    }
}

impl Period {
    /// The period of a local time.
    pub(crate) fn of(unit: PeriodUnit, local: LocalTime) -> Self {
        let (year, month) = local.year_and_month();
        let number = match unit {
            PeriodUnit::Day => local.day,
            PeriodUnit::Week => (local.day + 3).div_euclid(7),
            PeriodUnit::Month => (year - 1970) * 12 + month,
            PeriodUnit::Year => year - 1970,
        };
        Period { unit, number: u64::try_from(number).unwrap_or(0) + 1 }
    }

    /// The number that a slot of this period holds when `used` is counted in it.
    #[must_use]
    pub fn slot_value(self, used: u64) -> u64 {
        self.number.saturating_mul(SLOT_FACTOR).saturating_add(used)
    }

    /// The end of the name of the period's slot: `day0` or `day1`.
    fn slot_name(self) -> String {
        format!("{}{}", self.unit.name(), self.number % 2)
    }
}

/// `day#20419`, the end of the name of a counter of this period.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.unit.name(), self.number)
    }
}

/// Returns the name of the slot that holds a counter, and the counter's period: `use#RULE#day1` for
/// `use#RULE#day#20419`. `None` for a counter without a period.
#[must_use]
pub fn slot_of(counter: &str) -> Option<(String, Period)> {
    has_periods(counter).then_some(())?;
    let (rest, number) = counter.rsplit_once('#')?;
    let (rule, unit) = rest.rsplit_once('#')?;
    let period = Period { unit: PeriodUnit::of_name(unit)?, number: number.parse().ok()? };
    Some((format!("{rule}#{}", period.slot_name()), period))
}

/// Returns the counter that a slot holds, and its value: `use#RULE#day#20419` and 3 for `use#RULE#day1` and
/// 20419000000000003. `None` for another attribute.
#[must_use]
pub fn counter_of_slot(name: &str, value: u64) -> Option<(String, u64)> {
    has_periods(name).then_some(())?;
    let (rule, slot) = name.rsplit_once('#')?;
    // The id of a rule may read like a slot.
    rule.contains('#').then_some(())?;
    let unit = PeriodUnit::of_name(slot.strip_suffix(['0', '1'])?)?;
    let Slot { number, used } = Slot::read(value);
    Some((format!("{rule}#{}", Period { unit, number }), used))
}

fn has_periods(name: &str) -> bool {
    matches!(Counter::of_name(name), Some(Counter::MemberUses | Counter::MemberPoints))
}

#[cfg(test)]
mod tests {
    use punchcard_models::timestamp::Timestamp;

    use super::*;
    use crate::zone::Zone;

    fn numbers(text: &str) -> [u64; 4] {
        let local = Zone::utc().local(Timestamp::from_text(text).expect("a timestamp"));
        PeriodUnit::ALL.map(|unit| Period::of(unit, local).number)
    }

    #[test]
    fn periods_begin_where_the_calendar_says() {
        for (before, after, begins) in [
            ("2024-02-28T23:59:59.999Z", "2024-02-29T00:00:00Z", [true, false, false, false]),
            ("2024-03-03T23:59:59.999Z", "2024-03-04T00:00:00Z", [true, true, false, false]),
            ("2024-02-29T23:59:59.999Z", "2024-03-01T00:00:00Z", [true, false, true, false]),
            ("2023-12-31T23:59:59.999Z", "2024-01-01T00:00:00Z", [true, true, true, true]),
            // ISO week 1 of 2025 began in 2024.
            ("2024-12-31T23:59:59.999Z", "2025-01-01T00:00:00Z", [true, false, true, true]),
            ("2024-12-31T00:00:00Z", "2024-12-31T23:59:59.999Z", [false; 4]),
        ] {
            let (before, after) = (numbers(before), numbers(after));
            for index in 0..4 {
                assert_eq!(after[index] - before[index], u64::from(begins[index]), "{before:?} {after:?}");
            }
        }
        assert_eq!(numbers("1955-06-01T00:00:00Z"), [1; 4]);
    }

    #[test]
    fn a_slot_and_its_counter_name_each_other() {
        let period = Period { unit: PeriodUnit::Day, number: 20_419 };
        let counter = format!("use#RULE_day1#{period}");
        assert_eq!(slot_of(&counter), Some(("use#RULE_day1#day1".to_owned(), period)));
        assert_eq!(counter_of_slot("use#RULE_day1#day1", period.slot_value(3)), Some((counter, 3)));
        for other in
            ["use#day12", "use#day1", "sum#year0", "use#RULE", "cap#RULE#3", "points", "pts#A#day1", "cap#RULE#12"]
        {
            assert_eq!((slot_of(other), counter_of_slot(other, 1)), (None, None), "{other}");
        }
    }
}
