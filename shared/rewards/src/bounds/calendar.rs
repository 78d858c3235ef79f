//! The number of periods that lie in each other, and in a rule's window.

use punchcard_models::timestamp::Timestamp;

use super::week::WeekSet;
use crate::{
    budget::Spans,
    period::{Period, PeriodUnit},
    window::Window,
    zone::{LocalTime, Zone},
};

const MILLIS_PER_WEEK: i64 = 7 * 86_400_000;

/// The most points that a rule pays in each span, as far as they are known. `None`: no limit is known.
pub(super) type Most = Spans<Option<u128>>;

/// The most periods on which a rule pays, in each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    days_a_week: u128,
    days_a_month: u128,
    days_a_year: u128,
    /// In the window, for a window with both ends.
    in_window: Option<[u128; 4]>,
}

impl Calendar {
    /// The calendar of a rule with this window that pays on these weekdays only, from Monday.
    pub fn new(window: Window, weekdays: [bool; 7], zone: &Zone) -> Self {
        let count: u128 = weekdays.iter().map(|is_allowed| u128::from(*is_allowed)).sum();
        Calendar {
            days_a_week: count,
            // At most three days besides four weeks, and at most two besides 52.
            days_a_month: 4 * count + count.min(3),
            days_a_year: 52 * count + count.min(2),
            in_window: window.from.zip(window.until).map(|window| periods(window, weekdays, zone)),
        }
    }

    /// Lowers each value to what the others imply.
    ///
    /// A period that lies in another pays no more than that one, and a span pays no more than its periods together. All
    /// periods begin with a local day, so a zone's changes of offset make no difference. The period that also stands for
    /// the time before 1970 is longer than others, but limits per period close it for all later arrivals.
    pub fn close(&self, most: &mut Most) {
        let times = |most: Option<u128>, count: u128| most.and_then(|most| most.checked_mul(count));
        let least = |values: &[Option<u128>]| values.iter().flatten().min().copied();
        // A value reaches every other span by way of the next ones.
        for _ in 0..Spans::<()>::NAMES.len() {
            let Spans { day, week, month, year, ever } = *most;
            let window = self.in_window.map_or([None; 4], |[days, weeks, months, years]| {
                [times(day, days), times(week, weeks), times(month, months), times(year, years)]
            });
            *most = Spans {
                day: least(&[day, week, month, year, ever]),
                // A week has days of two months or years at most.
                week: least(&[week, times(day, self.days_a_week), times(month, 2), times(year, 2), ever]),
                // A month of 31 days that begins on a Sunday has days of six weeks.
                month: least(&[month, times(day, self.days_a_month), times(week, 6), year, ever]),
                // A leap year that begins on a Sunday has days of 54 weeks.
                year: least(&[year, times(day, self.days_a_year), times(week, 54), times(month, 12), ever]),
                ever: least(&[ever, window[0], window[1], window[2], window[3]]),
            };
        }
    }
}

/// The numbers of days, weeks, months and years with an allowed weekday in a window.
fn periods((from, until): (Timestamp, Timestamp), weekdays: [bool; 7], zone: &Zone) -> [u128; 4] {
    let parts = zone.parts(from, until);
    let first = parts.iter().map(|(first, _)| first.day).min().unwrap_or(0);
    let last = parts.iter().map(|(_, last)| last.day).max().unwrap_or(first);
    let at = |day| LocalTime { day, millis_of_day: 0 };
    let is_allowed = |day: &i64| usize::try_from(at(*day).weekday()).is_ok_and(|weekday| weekdays[weekday]);
    let ends = (first..=last).take(7).find(is_allowed).zip((first..=last).rev().take(7).find(is_allowed));
    let Some((first, last)) = ends else { return [0; 4] };
    let span = |unit| Period::of(unit, at(last)).number - Period::of(unit, at(first)).number + 1;
    let days = u128::from(span(PeriodUnit::Day));
    let per_week: u128 = weekdays.iter().map(|is_allowed| u128::from(*is_allowed)).sum();
    // The days beyond whole weeks are less than seven.
    let rest = days % 7;
    let allowed = days / 7 * per_week + rest.min(per_week);
    let [weeks, months, years] = [PeriodUnit::Week, PeriodUnit::Month, PeriodUnit::Year].map(|unit| span(unit).into());
    [allowed, weeks, months, years]
}

/// The times of the week that a short window includes. `None`: it includes all.
pub(super) fn times(window: Window, zone: &Zone) -> Option<WeekSet> {
    let (from, until) = window.from.zip(window.until)?;
    if until.as_millis().saturating_sub(from.as_millis()) >= MILLIS_PER_WEEK {
        return None;
    }
    let mut times = WeekSet::empty();
    zone.parts(from, until).into_iter().for_each(|(first, last)| times.insert_span(first, last));
    Some(times)
}
