//! The budget of a catalog: the most points that it may be able to pay.

use punchcard_models::{fault::Noted, json::At};

use crate::{
    parse::{only, positive},
    period::PeriodUnit,
};

/// The highest number of a budget.
const MAX_BUDGET: u64 = 1_000_000_000_000_000_000;

/// A value for ever, and one for each unit of periods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spans<T> {
    /// In a day.
    pub day: T,
    /// In a week.
    pub week: T,
    /// In a month.
    pub month: T,
    /// In a year.
    pub year: T,
    /// For ever.
    pub ever: T,
}

/// The most points that a catalog may be able to pay, of all balances together. Without a number, it may pay any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    pub per_member: Spans<Option<u64>>,
    pub in_all: Spans<Option<u64>>,
}

impl<T> Spans<T> {
    /// The names of the spans in the catalog, in the order of [`Spans::into_array`].
    pub const NAMES: [&'static str; 5] =
        [PeriodUnit::Day.name(), PeriodUnit::Week.name(), PeriodUnit::Month.name(), PeriodUnit::Year.name(), "ever"];

    /// The values in the order of [`Spans::NAMES`].
    #[must_use]
    pub fn into_array(self) -> [T; 5] {
        let Spans { day, week, month, year, ever } = self;
        [day, week, month, year, ever]
    }

    /// References to the values.
    #[must_use]
    pub fn as_ref(&self) -> Spans<&T> {
        let Spans { day, week, month, year, ever } = self;
        Spans { day, week, month, year, ever }
    }

    /// Converts each value.
    #[must_use]
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Spans<U> {
        let Spans { day, week, month, year, ever } = self;
        Spans { day: f(day), week: f(week), month: f(month), year: f(year), ever: f(ever) }
    }

    /// Combines the values of each span.
    #[must_use]
    pub fn zip<U, V>(self, other: Spans<U>, mut f: impl FnMut(T, U) -> V) -> Spans<V> {
        Spans {
            day: f(self.day, other.day),
            week: f(self.week, other.week),
            month: f(self.month, other.month),
            year: f(self.year, other.year),
            ever: f(self.ever, other.ever),
        }
    }
}

impl Budget {
    /// Returns true without any number.
    #[cfg(feature = "yaml")]
    pub fn is_empty(&self) -> bool {
        *self == Budget::default()
    }

    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let budget = at.object()?;
        let only = only(&budget, &["perMember", "inAll"]);
        let (per_member, in_all) = (budget.optional("perMember", spans), budget.optional("inAll", spans));
        only?;
        Ok(Budget { per_member: per_member?.unwrap_or_default(), in_all: in_all?.unwrap_or_default() })
    }
}

fn spans(at: At<'_, '_>) -> Result<Spans<Option<u64>>, Noted> {
    let spans = at.object()?;
    let only = only(&spans, &Spans::<u64>::NAMES);
    let [day, week, month, year, ever] =
        Spans::<u64>::NAMES.map(|name| spans.optional(name, |at| positive(at, MAX_BUDGET)));
    only?;
    Ok(Spans { day: day?, week: week?, month: month?, year: year?, ever: ever? })
}
