//! Time zones: the local date and time of a moment.
//!
//! Functions have no zone data. A catalog that is applied is stored with the offsets of its zone.

use chrono::{Datelike as _, NaiveDate};
use punchcard_models::{
    fault::Noted,
    json::{At, Value},
    timestamp::Timestamp,
};

use crate::parse::MAX_ITEMS;

const MILLIS_PER_DAY: i64 = 86_400_000;
/// Days from 0001-01-01, the first day of the common era, to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_163;
/// The largest offset of a zone: no zone is further from UTC.
const MAX_OFFSET_SECONDS: i64 = 86_400;

/// The time zone of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Zone {
    /// Offsets from UTC and the times from which they apply, both in seconds, ordered by time. Before the first time, the
    /// first offset applies.
    offsets: Vec<(i64, i64)>,
}

/// A local date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocalTime {
    /// Days since 1970-01-01.
    pub day: i64,
    /// Milliseconds since local midnight, without regard to changes of the offset on that day.
    pub millis_of_day: i64,
}

impl Zone {
    pub fn utc() -> Self {
        Zone { offsets: Vec::new() }
    }

    /// Creates a zone from its offsets, ordered by the time from which they apply.
    #[cfg(feature = "yaml")]
    pub fn new(offsets: Vec<(i64, i64)>) -> Self {
        Zone { offsets }
    }

    /// Parses `[[from, offset], …]`.
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let offsets = at.items(1..=MAX_ITEMS, |at| match at.items(2..=2, integer)?[..] {
            [from, offset] if (-MAX_OFFSET_SECONDS..=MAX_OFFSET_SECONDS).contains(&offset) => Ok((from, offset)),
            _ => Err(at.invalid("must be a time and an offset of at most a day, in seconds")),
        })?;
        if offsets.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
            Ok(Zone { offsets })
        } else {
            Err(at.invalid("must be ordered by time"))
        }
    }

    #[cfg(feature = "yaml")]
    pub fn to_json(&self) -> String {
        let offsets = self.offsets.iter().map(|(from, offset)| format!("[{from},{offset}]"));
        format!("[{}]", offsets.collect::<Vec<_>>().join(","))
    }

    /// The parts of an interval in which the offset is the same, each by its first and last local time. Local time may
    /// step back between two parts.
    #[cfg(feature = "yaml")]
    pub fn parts(&self, from: Timestamp, until: Timestamp) -> Vec<(LocalTime, LocalTime)> {
        let (from, until) = (from.as_millis(), until.as_millis());
        let changes = self.offsets.iter().map(|(at, _)| at.saturating_mul(1000));
        let edges: Vec<_> =
            [from].into_iter().chain(changes.filter(|at| from < *at && *at < until)).chain([until]).collect();
        let local = |millis| self.local(Timestamp::from_millis(millis));
        edges.windows(2).map(|edges| (local(edges[0]), local(edges[1] - 1))).collect()
    }

    pub fn local(&self, at: Timestamp) -> LocalTime {
        let seconds = at.as_millis().div_euclid(1000);
        let next = self.offsets.partition_point(|(from, _)| *from <= seconds);
        let offset = self.offsets.get(next.saturating_sub(1)).map_or(0, |(_, offset)| *offset);
        let millis = at.as_millis().saturating_add(offset * 1000);
        LocalTime { day: millis.div_euclid(MILLIS_PER_DAY), millis_of_day: millis.rem_euclid(MILLIS_PER_DAY) }
    }
}

impl LocalTime {
    /// Days since Monday: 0 to 6.
    pub fn weekday(self) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.day + 3).rem_euclid(7)
    }

    /// The year and the month, from 0. A date beyond chrono's range is that of 1970-01-01.
    pub fn year_and_month(self) -> (i64, i64) {
        let day = self.day.checked_add(DAYS_BEFORE_1970).and_then(|day| i32::try_from(day).ok());
        let date = day.and_then(NaiveDate::from_num_days_from_ce_opt);
        date.map_or((1970, 0), |date| (date.year().into(), date.month0().into()))
    }
}

fn integer(at: At<'_, '_>) -> Result<i64, Noted> {
    let number = match at.value {
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| at.invalid("must be a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(zone: &Zone, text: &str) -> (i64, i64) {
        let LocalTime { day, millis_of_day } = zone.local(Timestamp::from_text(text).expect("a timestamp"));
        (day, millis_of_day / 60_000)
    }

    #[test]
    fn the_offset_is_the_last_one_before_the_moment() {
        let zone = Zone { offsets: vec![(0, 3600), (1_711_846_800, 7200), (1_729_990_800, 3600)] };
        // 2024-03-31, when clocks were set forward at 02:00 local time.
        assert_eq!(local(&zone, "2024-03-31T00:59:59Z"), (19813, 119));
        assert_eq!(local(&zone, "2024-03-31T01:00:00Z"), (19813, 180));
        assert_eq!(local(&zone, "2024-03-31T21:59:59Z"), (19813, 1439));
        assert_eq!(local(&zone, "2024-03-31T22:00:00Z"), (19814, 0));
        // 2024-10-27, when they were set back at 03:00.
        assert_eq!(local(&zone, "2024-10-27T00:59:00Z"), (20023, 179));
        assert_eq!(local(&zone, "2024-10-27T01:00:00Z"), (20023, 120));
        assert_eq!(local(&zone, "1969-12-31T23:30:00Z"), (0, 30));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, weekday, year_and_month) in [
            ("1970-01-01T00:00:00Z", 3, (1970, 0)),
            ("1969-12-29T00:00:00Z", 0, (1969, 11)),
            ("2024-02-29T23:59:59Z", 3, (2024, 1)),
            ("2026-11-29T12:00:00Z", 6, (2026, 10)),
        ] {
            let local = Zone::utc().local(Timestamp::from_text(text).expect("a timestamp"));
            assert_eq!((local.weekday(), local.year_and_month()), (weekday, year_and_month), "{text}");
        }
    }
}
