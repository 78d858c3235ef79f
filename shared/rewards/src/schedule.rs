//! Conditions on the weekday and the time of day.

use std::fmt;

use punchcard_models::{
    fault::Noted,
    json::{At, Value},
};

use crate::{
    parse::{one_of, only, set},
    zone::LocalTime,
};

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MILLIS_PER_MINUTE: i64 = 60_000;
const MINUTES_PER_DAY: i64 = 24 * 60;

/// A test of the local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// On these days of the week: 0 is Monday.
    Weekday(Vec<i64>),
    /// From a time of day, inclusive, until another, exclusive. In minutes since midnight; it may include midnight.
    TimeOfDay {
        /// The first minute.
        from: i64,
        /// The end, another minute than the first.
        until: i64,
    },
}

impl Schedule {
    pub(crate) fn parse_weekdays(at: At<'_, '_>) -> Result<Self, Noted> {
        let words: Vec<_> = WEEKDAYS.into_iter().zip(0..).collect();
        let days = set(at, 1, |day| one_of(day, &words))?;
        Ok(Schedule::Weekday(days.into_iter().collect()))
    }

    pub(crate) fn parse_time_of_day(at: At<'_, '_>) -> Result<Self, Noted> {
        let span = at.object()?;
        let only = only(&span, &["from", "until"]);
        let (from, until) = (span.required("from", time_of_day), span.required("until", time_of_day));
        only?;
        match (from? % MINUTES_PER_DAY, until? % MINUTES_PER_DAY) {
            (from, until) if from != until => Ok(Schedule::TimeOfDay { from, until }),
            _ => Err(at.invalid("must end at another time than it begins")),
        }
    }

    pub(crate) fn is_met_at(&self, local: LocalTime) -> bool {
        match self {
            Schedule::Weekday(days) => days.contains(&local.weekday()),
            Schedule::TimeOfDay { from, until } => {
                let minute = local.millis_of_day / MILLIS_PER_MINUTE;
                if from < until { (*from..*until).contains(&minute) } else { minute >= *from || minute < *until }
            }
        }
    }

    /// The name of the condition in the catalog.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Schedule::Weekday(_) => "weekday",
            Schedule::TimeOfDay { .. } => "timeOfDay",
        }
    }

    /// The value of the condition in the catalog.
    pub(crate) fn wanted(&self) -> Value<'static> {
        match self {
            Schedule::Weekday(days) => {
                Value::Array(days.iter().map(|day| Value::String(weekday(*day).into())).collect())
            }
            Schedule::TimeOfDay { from, until } => {
                let bound = |name: &'static str, minute| (name.into(), Value::String(clock(minute).into()));
                Value::Object(vec![bound("from", *from), bound("until", *until)])
            }
        }
    }

    /// The weekday or the time of day that was found.
    pub(crate) fn found(&self, local: LocalTime) -> String {
        match self {
            Schedule::Weekday(_) => weekday(local.weekday()).to_owned(),
            Schedule::TimeOfDay { .. } => clock(local.millis_of_day / MILLIS_PER_MINUTE),
        }
    }

    /// The distances in milliseconds to the local times at which the test may begin or cease to be met, within a week.
    pub(crate) fn edges(&self, local: LocalTime) -> impl Iterator<Item = i64> {
        let minutes = match self {
            Schedule::Weekday(_) => vec![0],
            Schedule::TimeOfDay { from, until } => vec![*from, *until],
        };
        (-8..=8).flat_map(move |day| {
            let of_day = day * MINUTES_PER_DAY;
            let edges = minutes.clone().into_iter();
            // Before the edge and at it.
            edges.flat_map(move |minute| {
                let edge = (of_day + minute) * MILLIS_PER_MINUTE - local.millis_of_day;
                [edge - 1, edge]
            })
        })
    }
}

/// `saturday or sunday`, `from 22:00 until 06:00`
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Weekday(days) => {
                let names: Vec<_> = days.iter().map(|day| weekday(*day)).collect();
                match &names[..] {
                    [others @ .., last] if !others.is_empty() => write!(f, "{} or {last}", others.join(", ")),
                    names => f.write_str(&names.concat()),
                }
            }
            Schedule::TimeOfDay { from, until } => write!(f, "from {} until {}", clock(*from), clock(*until)),
        }
    }
}

fn weekday(day: i64) -> &'static str {
    usize::try_from(day).ok().and_then(|day| WEEKDAYS.get(day)).copied().unwrap_or_default()
}

fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Parses `hh:mm`, from 00:00 to 24:00, into minutes since midnight.
fn time_of_day(at: At<'_, '_>) -> Result<i64, Noted> {
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let number = |digits: &str| {
            let fits = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            fits.then(|| digits.parse::<i64>().ok())?
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let total = hours * 60 + minutes;
        (minutes < 60 && total <= MINUTES_PER_DAY).then_some(total)
    };
    minutes(at.string()?).ok_or_else(|| at.invalid("must be a time of day from \"00:00\" to \"24:00\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::read;

    fn hours(from: &str, until: &str) -> Option<Schedule> {
        read(&format!(r#"{{"from":"{from}","until":"{until}"}}"#), Schedule::parse_time_of_day).ok()
    }

    #[test]
    fn a_time_of_day_may_include_midnight() {
        let is_met = |from, until, minute: i64| {
            let local = LocalTime { day: 0, millis_of_day: minute * MILLIS_PER_MINUTE };
            hours(from, until).expect("hours").is_met_at(local)
        };
        for (from, until, met, unmet) in [
            ("08:00", "10:30", &[480, 629][..], &[479, 630][..]),
            ("22:00", "06:00", &[1320, 1439, 0, 359], &[360, 1319]),
            ("18:00", "24:00", &[1080, 1439], &[0, 1079]),
        ] {
            assert!(met.iter().all(|minute| is_met(from, until, *minute)), "{from} {until}");
            assert!(!unmet.iter().any(|minute| is_met(from, until, *minute)), "{from} {until}");
        }
    }

    #[test]
    fn malformed_times_of_day_are_rejected() {
        for (from, until) in [("8:00", "10:00"), ("08:00", "08:00"), ("08:60", "10:00"), ("08:00", "24:01"), ("", "1")]
        {
            assert_eq!(hours(from, until), None, "{from} {until}");
        }
    }
}
