//! Sets of local times in a week.

use crate::{schedule::Schedule, zone::LocalTime};

const MINUTES_PER_DAY: usize = 24 * 60;
const MINUTES_PER_WEEK: usize = 7 * MINUTES_PER_DAY;
const WORDS: usize = MINUTES_PER_WEEK.div_ceil(64);
const MILLIS_PER_MINUTE: i64 = 60_000;

/// A set of minutes of the week. Conditions on the local time have the same result throughout a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WeekSet(Box<[u64; WORDS]>);

impl WeekSet {
    pub fn empty() -> Self {
        WeekSet(Box::new([0; WORDS]))
    }

    #[cfg(test)]
    fn all() -> Self {
        let mut all = WeekSet::empty();
        (0..MINUTES_PER_WEEK).for_each(|minute| all.insert(minute));
        all
    }

    /// The minutes that meet a test of the local time.
    pub fn of(schedule: &Schedule) -> Self {
        let mut set = WeekSet::empty();
        for (day, first) in (0..7).zip((0..).step_by(MINUTES_PER_DAY)) {
            for (minute, in_day) in (0..24 * 60).zip(first..) {
                if schedule.is_met_at(LocalTime { day: day - 3, millis_of_day: minute * MILLIS_PER_MINUTE }) {
                    set.insert(in_day);
                }
            }
        }
        set
    }

    /// Adds the minutes from one local time until another, both inclusive.
    pub fn insert_span(&mut self, first: LocalTime, last: LocalTime) {
        let minutes = |local: LocalTime| local.day * 24 * 60 + local.millis_of_day / MILLIS_PER_MINUTE;
        let (first, last) = (minutes(first), minutes(last));
        let week = 7 * 24 * 60;
        // Days are counted from a Thursday.
        let monday = 3 * 24 * 60;
        for minute in first..=last.min(first.saturating_add(week - 1)) {
            self.insert(usize::try_from((minute + monday).rem_euclid(week)).unwrap_or(0));
        }
    }

    fn insert(&mut self, minute: usize) {
        if let Some(word) = self.0.get_mut(minute / 64) {
            *word |= 1 << (minute % 64);
        }
    }

    /// The minutes in both sets.
    pub fn and(&self, other: &WeekSet) -> Self {
        let mut both = self.clone();
        both.0.iter_mut().zip(other.0.iter()).for_each(|(word, other)| *word &= other);
        both
    }

    /// Adds the minutes of another set.
    #[cfg(test)]
    fn add(&mut self, other: &WeekSet) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(word, other)| *word |= other);
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub fn is_within(&self, other: &WeekSet) -> bool {
        self.0.iter().zip(other.0.iter()).all(|(word, other)| word & !other == 0)
    }

    /// The first time of the set.
    pub fn first(&self) -> Option<LocalTime> {
        let minute = (0..MINUTES_PER_WEEK).find(|minute| self.has(*minute))?;
        let (day, minute) =
            (i64::try_from(minute / MINUTES_PER_DAY).ok()?, i64::try_from(minute % MINUTES_PER_DAY).ok()?);
        Some(LocalTime { day: day - 3, millis_of_day: minute * MILLIS_PER_MINUTE })
    }

    fn has(&self, minute: usize) -> bool {
        self.0.get(minute / 64).is_some_and(|word| word >> (minute % 64) & 1 == 1)
    }

    /// Returns for each day of the week, from Monday, true if it has a minute of the set.
    pub fn days(&self) -> [bool; 7] {
        let minutes = |day| day * MINUTES_PER_DAY..(day + 1) * MINUTES_PER_DAY;
        [0, 1, 2, 3, 4, 5, 6].map(|day| minutes(day).any(|minute| self.has(minute)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: i64, until: i64) -> WeekSet {
        WeekSet::of(&Schedule::TimeOfDay { from: from * 60, until: until * 60 })
    }

    #[test]
    fn sets_contain_what_their_tests_accept() {
        let weekend = WeekSet::of(&Schedule::Weekday(vec![5, 6]));
        assert_eq!(weekend.days(), [false, false, false, false, false, true, true]);
        assert!(weekend.and(&WeekSet::of(&Schedule::Weekday(vec![0]))).is_empty());
        assert!(hours(9, 12).and(&hours(12, 9)).is_empty());
        assert!(hours(9, 12).is_within(&hours(8, 12)) && !hours(8, 12).is_within(&hours(9, 12)));
        assert!(hours(23, 1).is_within(&hours(22, 2)));
        let mut all = hours(9, 12);
        all.add(&hours(12, 9));
        assert_eq!(all, WeekSet::all());
    }

    #[test]
    fn a_span_may_include_the_end_of_the_week() {
        let mut set = WeekSet::empty();
        // From Sunday 1970-01-04 at 23:00 until Monday at 00:59.
        set.insert_span(
            LocalTime { day: 3, millis_of_day: 23 * 3_600_000 },
            LocalTime { day: 4, millis_of_day: 3_599_999 },
        );
        assert_eq!(
            set,
            hours(23, 1).and(&{
                let mut days = WeekSet::of(&Schedule::Weekday(vec![6])).and(&hours(12, 24));
                days.add(&WeekSet::of(&Schedule::Weekday(vec![0])).and(&hours(0, 12)));
                days
            })
        );
        set.insert_span(LocalTime { day: 0, millis_of_day: 0 }, LocalTime { day: 3_000_000, millis_of_day: 0 });
        assert_eq!(set, WeekSet::all());
    }
}
