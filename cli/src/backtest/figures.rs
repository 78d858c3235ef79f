//! The figures of a backtest: points paid and points with the draft, by offer, unit and week.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Days, Utc};
use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::Rule;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};
use serde_json::Value;

/// Number of the largest differences that are kept.
const LARGEST: usize = 10;

/// Points, less what reversals and refunds took back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// The points that were paid.
    pub actual: i64,
    /// The points with the draft.
    pub draft: i64,
}

impl Sum {
    /// The points with the draft, less the points paid.
    #[must_use]
    pub fn difference(self) -> i64 {
        self.draft.saturating_sub(self.actual)
    }

    /// The difference with its sign, unless it is 0.
    #[must_use]
    pub fn signed(self) -> String {
        match self.difference() {
            more @ 1.. => format!("+{more}"),
            other => other.to_string(),
        }
    }

    fn add(&mut self, other: Sum) {
        self.actual = self.actual.saturating_add(other.actual);
        self.draft = self.draft.saturating_add(other.draft);
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sum = serializer.serialize_struct("Sum", 3)?;
        sum.serialize_field("actual", &self.actual)?;
        sum.serialize_field("draft", &self.draft)?;
        sum.serialize_field("difference", &self.difference())?;
        sum.end()
    }
}

/// The points of an offer or a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfOffer {
    /// Its id.
    pub id: String,
    /// `offer` or `campaign`.
    pub kind: &'static str,
    /// The unit of an offer.
    pub unit: Option<String>,
    /// The points.
    #[serde(flatten)]
    pub points: Sum,
    /// The number of payments, less whole reversals and refunds.
    pub uses: Sum,
}

/// The points of a business unit's offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfUnit {
    /// The unit. `None` for campaigns, which have none.
    pub unit: Option<String>,
    /// The points.
    #[serde(flatten)]
    pub points: Sum,
}

/// The points of a week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfWeek {
    /// The ISO week, such as `2026-W48`, by the arrival in UTC.
    pub week: String,
    /// Its Monday.
    pub from: String,
    /// The points.
    #[serde(flatten)]
    pub points: Sum,
}

/// Members by the sum of their differences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Affected {
    /// All members with records.
    pub seen: u64,
    /// Those that would have more.
    pub gain: u64,
    /// Those that would have less.
    pub lose: u64,
}

/// Records that are in no figure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NotCompared {
    /// Adjustments of balances, which no catalog determines.
    pub adjustments: u64,
    /// Records of version 0.1.0, which do not name their catalog.
    pub unversioned: u64,
    /// Erased records. What they used of total limits counts.
    pub erased: u64,
    /// Records that cannot be read, or whose catalog cannot.
    pub unreadable: u64,
    /// Reversals and refunds of such records. What they gave back of limits counts.
    pub corrections: u64,
}

/// A record with a large difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Largest {
    /// The record.
    pub record: String,
    /// Its member.
    pub member: String,
    /// Its arrival, in RFC 3339.
    pub received_at: String,
    /// The points.
    #[serde(flatten)]
    pub points: Sum,
    /// The explanation of the award with the draft.
    pub explanation: Vec<OfOccurrence>,
}

/// The explanation for an activity, or for one of a request's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfOccurrence {
    /// The action, or the name of the event.
    pub name: String,
    /// A sentence for each rule.
    pub sentences: Vec<String>,
    /// The same as data.
    pub rules: Vec<Value>,
}

/// The result of a backtest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// The compared records: activities and requests, and what reversed or refunded them.
    pub records: u64,
    /// Those for which the draft would have paid something else.
    pub differing: u64,
    /// Records that are in no figure.
    pub not_compared: NotCompared,
    /// The members.
    pub members: Affected,
    /// All points.
    pub total: Sum,
    /// By offer and campaign, ordered by id.
    pub offers: Vec<OfOffer>,
    /// By unit.
    pub units: Vec<OfUnit>,
    /// By week, in order. Weeks without records are left out.
    pub weeks: Vec<OfWeek>,
    /// The records with the largest differences.
    pub largest: Vec<Largest>,
}

/// The points of one rule for one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Earned {
    pub rule: String,
    pub unit: Option<String>,
    pub is_campaign: bool,
    pub actual: i64,
    pub draft: i64,
}

impl Earned {
    pub fn of(rule: &Rule, [actual, draft]: [u64; 2]) -> Self {
        let [actual, draft] = [actual, draft].map(|points| i64::try_from(points).unwrap_or(i64::MAX));
        Earned {
            rule: rule.id().to_string(),
            unit: rule.unit().map(str::to_owned),
            is_campaign: rule.is_campaign(),
            actual,
            draft,
        }
    }

    pub fn sum(&self) -> Sum {
        Sum { actual: self.actual, draft: self.draft }
    }
}

/// The figures so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub figures: Figures,
    offers: BTreeMap<String, OfOffer>,
    units: BTreeMap<Option<String>, Sum>,
    weeks: BTreeMap<(i32, u32), OfWeek>,
}

impl Tally {
    /// Adds the points of a record, or takes them back if they are negative. `uses` counts payments: 1 for a payment, -1 for
    /// one that is taken back. Returns the sum.
    pub fn add(&mut self, at: Timestamp, earned: &[Earned], uses: i64) -> Sum {
        let mut sum = Sum::default();
        for earned in earned {
            let points = earned.sum();
            sum.add(points);
            let offer = self.offers.entry(earned.rule.clone()).or_insert_with(|| OfOffer {
                id: earned.rule.clone(),
                kind: if earned.is_campaign { "campaign" } else { "offer" },
                unit: earned.unit.clone(),
                ..OfOffer::default()
            });
            offer.points.add(points);
            let count = |points: i64| if points == 0 { 0 } else { uses };
            offer.uses.add(Sum { actual: count(points.actual), draft: count(points.draft) });
            self.units.entry(earned.unit.clone()).or_default().add(points);
        }
        self.figures.records += 1;
        self.figures.differing += u64::from(sum.difference() != 0);
        self.figures.total.add(sum);
        if let Some((key, week)) = week_of(at) {
            self.weeks.entry(key).or_insert(week).points.add(sum);
        }
        sum
    }

    /// True if a difference is among the largest so far.
    pub fn is_large(&self, sum: Sum) -> bool {
        let size = sum.difference().unsigned_abs();
        let largest = &self.figures.largest;
        size > 0 && (largest.len() < LARGEST || largest.last().is_some_and(|last| size_of(last) < size))
    }

    /// Adds one of the largest. Of equal ones, the first is kept.
    pub fn add_large(&mut self, record: Largest) {
        let largest = &mut self.figures.largest;
        let place = largest.partition_point(|other| size_of(other) >= size_of(&record));
        largest.insert(place, record);
        largest.truncate(LARGEST);
    }

    /// The figures, with the differences of the members.
    pub fn finish(mut self, members: impl Iterator<Item = i64>) -> Figures {
        for difference in members {
            self.figures.members.seen += 1;
            self.figures.members.gain += u64::from(difference > 0);
            self.figures.members.lose += u64::from(difference < 0);
        }
        self.figures.offers = self.offers.into_values().collect();
        self.figures.units = self.units.into_iter().map(|(unit, points)| OfUnit { unit, points }).collect();
        self.figures.weeks = self.weeks.into_values().collect();
        self.figures
    }
}

fn size_of(record: &Largest) -> u64 {
    record.points.difference().unsigned_abs()
}

fn week_of(at: Timestamp) -> Option<((i32, u32), OfWeek)> {
    let date = DateTime::<Utc>::from_timestamp_millis(at.as_millis())?.date_naive();
    let (year, number) = (date.iso_week().year(), date.iso_week().week());
    let monday = date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into()))?;
    let week = OfWeek { week: format!("{year}-W{number:02}"), from: monday.to_string(), points: Sum::default() };
    Some(((year, number), week))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_those_of_iso_8601() {
        for (time, week, from) in [
            ("2024-12-30T00:00:00Z", "2025-W01", "2024-12-30"),
            ("2024-12-29T23:59:59.999Z", "2024-W52", "2024-12-23"),
            ("2027-01-03T12:00:00Z", "2026-W53", "2026-12-28"),
        ] {
            let found = week_of(Timestamp::from_text(time).expect("a time")).expect("a week").1;
            assert_eq!((found.week.as_str(), found.from.as_str()), (week, from), "{time}");
        }
    }

    #[test]
    fn the_ten_largest_differences_are_kept_in_order() {
        let mut tally = Tally::default();
        for number in 1..=30_i64 {
            let points = Sum { actual: 100, draft: 100 + if number % 2 == 0 { number } else { -number } };
            if tally.is_large(points) {
                let record = number.to_string();
                let (member, received_at) = (String::new(), String::new());
                tally.add_large(Largest { record, member, received_at, points, explanation: Vec::new() });
            }
        }
        assert!(!tally.is_large(Sum { actual: 5, draft: 5 }) && !tally.is_large(Sum { actual: 0, draft: 21 }));
        let kept: Vec<_> = tally.figures.largest.iter().map(|one| one.record.as_str()).collect();
        assert_eq!(kept, ["30", "29", "28", "27", "26", "25", "24", "23", "22", "21"]);
    }
}
