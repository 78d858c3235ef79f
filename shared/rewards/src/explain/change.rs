//! The smallest change of an occurrence with which a rule would have paid.
//!
//! All obstacles are collected, not only the first. Fields move to the nearest value that meets all of the rule's
//! tests. The changed occurrence is then evaluated: a change is given only if the rule pays with it.

use std::collections::BTreeSet;

use punchcard_models::{
    data::{Datum, OpenData, Scalar},
    decimal::Decimal,
    json::Value,
    timestamp::Timestamp,
};

use super::{object, shown, text};
use crate::{
    award::{Line, Verdict},
    catalog::Catalog,
    condition::{Test, datum},
    counter::Counter,
    occurrence::{Member, Occurrence},
    rule::Rule,
    usage::Usage,
};

/// Changes that together would have made a rule pay.
///
/// An evaluation reads a rule's counters only if the rule applies. A stored record therefore does not tell whether the
/// limits of other rules were used up, so a change names the limits that it presumes are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    /// The changes, at least one.
    pub(super) edits: Vec<Edit<'a>>,
    /// The counters and the limits of the rule.
    pub(super) within: Vec<(Counter, u64)>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit<'a> {
    /// The activity names this business unit, or none.
    BusinessUnit(&'a str),
    /// The activity has one of these channels.
    Channel(&'a BTreeSet<String>),
    /// The time is within the rule's window.
    Time {
        /// The first time, inclusive.
        from: Option<Timestamp>,
        /// The end, exclusive.
        until: Option<Timestamp>,
    },
    /// A field has a value.
    Field {
        /// The field.
        field: &'a str,
        /// The value.
        to: Datum,
        /// The distance from the value found, if both are numbers.
        by: Option<Decimal<'static>>,
    },
    /// A field has any value except one.
    OtherThan {
        /// The field.
        field: &'a str,
        /// The excluded value.
        value: &'a Scalar,
    },
    /// A field has any value.
    Present {
        /// The field.
        field: &'a str,
    },
    /// A field is absent.
    Absent {
        /// The field.
        field: &'a str,
    },
}

impl<'a> Change<'a> {
    /// The changes.
    #[must_use]
    pub fn edits(&self) -> &[Edit<'a>] {
        &self.edits
    }

    pub(super) fn to_json(&self) -> Value<'_> {
        Value::Array(self.edits.iter().map(Edit::to_json).collect())
    }
}

/// Returns the smallest change with which the rule of a line would have paid.
pub(super) fn smallest<'a>(
    catalog: &'a Catalog,
    line: &Line<'a>,
    occurrence: &Occurrence<'a>,
    member: Member<'_>,
    usage: &Usage,
) -> Option<Change<'a>> {
    if matches!(line.verdict, Verdict::Paid { .. }) {
        return None;
    }
    let limits = line.rule.limits;
    let within = [
        (Counter::MemberUses, limits.uses_per_member),
        (Counter::TotalUses, limits.uses_in_total),
        (Counter::MemberPoints, limits.points_per_member),
    ];
    let within = within.into_iter().filter_map(|(counter, limit)| Some((counter, limit?))).collect();
    let change = Change { edits: edits(line.rule, occurrence)?, within };
    if change.edits.is_empty() {
        return None;
    }
    change.pays(catalog, line.rule, occurrence, member, usage).then_some(change)
}

impl Change<'_> {
    /// Evaluates the changed occurrence.
    fn pays(
        &self,
        catalog: &Catalog,
        rule: &Rule,
        occurrence: &Occurrence<'_>,
        member: Member<'_>,
        usage: &Usage,
    ) -> bool {
        let mut data = occurrence.data.clone();
        for edit in &self.edits {
            edit.apply_to(&mut data);
        }
        let mut changed = Occurrence { data: &data, ..*occurrence };
        for edit in &self.edits {
            match edit {
                Edit::BusinessUnit(unit) => changed.business_unit = Some(unit),
                Edit::Channel(channels) => changed.channel = channels.first().map(String::as_str),
                Edit::Time { from, until } => changed.at = nearest_time(changed.at, *from, *until),
                Edit::Field { .. } | Edit::OtherThan { .. } | Edit::Present { .. } | Edit::Absent { .. } => {}
            }
        }
        let award = catalog.evaluate(&changed, member, usage);
        award.trace().iter().any(|line| line.rule.id() == rule.id() && line.points() > 0)
    }
}

fn nearest_time(at: Timestamp, from: Option<Timestamp>, until: Option<Timestamp>) -> Timestamp {
    match (from, until) {
        (Some(from), _) if at < from => from,
        (_, Some(until)) if at >= until => Timestamp::from_millis(until.as_millis() - 1),
        _ => at,
    }
}

/// Returns what has to change for the rule to apply, or `None` if its tests of a field contradict each other.
fn edits<'a>(rule: &'a Rule, occurrence: &Occurrence<'a>) -> Option<Vec<Edit<'a>>> {
    let mut edits = Vec::new();
    if let Some(offer) = rule.offer() {
        if occurrence.business_unit.is_some_and(|unit| unit != offer.unit) {
            edits.push(Edit::BusinessUnit(&offer.unit));
        }
        if let Some(channels) = &offer.channels
            && occurrence.channel.is_none_or(|channel| !channels.contains(channel))
        {
            edits.push(Edit::Channel(channels));
        }
    }
    let window = rule.window;
    if nearest_time(occurrence.at, window.from, window.until) != occurrence.at {
        edits.push(Edit::Time { from: window.from, until: window.until });
    }
    let fields: BTreeSet<_> = rule.conditions.iter().map(|condition| condition.field.as_str()).collect();
    for field in fields {
        let of_field = rule.conditions.iter().filter(|condition| condition.field == field);
        let tests: Vec<_> = of_field.flat_map(|condition| &condition.tests).collect();
        let found = datum(occurrence.data, field);
        if !are_met(&tests, found) {
            edits.push(nearest(field, &tests, found)?);
        }
    }
    Some(edits)
}

fn are_met(tests: &[&Test], datum: Option<&Datum>) -> bool {
    tests.iter().all(|test| test.is_met_by(datum))
}

/// Returns the change of a field to the nearest value that meets all tests.
fn nearest<'a>(field: &'a str, tests: &[&'a Test], found: Option<&Datum>) -> Option<Edit<'a>> {
    if are_met(tests, None) {
        return Some(Edit::Absent { field });
    }
    let found_number = found.and_then(number);
    let distance = |to: &Datum| number(to)?.checked_sub(found_number.as_ref()?);
    let decimals = decimals(tests, found_number.as_ref());
    // The second step is for bounds between which no number of so many decimals is, such as 4 and 5.
    for step in [Decimal::step(decimals), Decimal::step(decimals + 1)] {
        let mut candidates = candidates(tests, found, &step);
        candidates.retain(|candidate| are_met(tests, Some(candidate)));
        // Numbers by their distance; the others follow in the order of the tests.
        candidates.sort_by_key(|candidate| {
            let distance = distance(candidate).map(|by| by.abs().into_owned());
            (distance.is_none(), distance)
        });
        if let Some(to) = candidates.into_iter().next() {
            let by = distance(&to);
            return Some(Edit::Field { field, to, by });
        }
    }
    // Any value meets `exists: true`, and any but one `ne`.
    if !tests.iter().all(|test| matches!(test, Test::Ne(_) | Test::Exists(true))) {
        return None;
    }
    let excluded = tests.iter().find_map(|test| match test {
        Test::Ne(value) => Some(value),
        _ => None,
    });
    Some(excluded.map_or(Edit::Present { field }, |value| Edit::OtherThan { field, value }))
}

/// Returns values that may be the nearest: those that the tests name, and for numbers their neighbours.
fn candidates(tests: &[&Test], found: Option<&Datum>, step: &Decimal<'_>) -> Vec<Datum> {
    let mut values = Vec::new();
    for test in tests {
        match test {
            Test::Eq(value) => values.push(Datum::One(value.clone())),
            Test::In(wanted) => values.extend(wanted.iter().cloned().map(Datum::One)),
            Test::Lt(bound) | Test::Le(bound) | Test::Gt(bound) | Test::Ge(bound) => {
                values.extend(neighbours(bound, step));
            }
            Test::Ne(Scalar::Number(value)) => values.extend(neighbours(value, step)),
            Test::Ne(_) | Test::Contains(_) | Test::Exists(_) => {}
        }
    }
    values.extend(with_parts(tests, found));
    // `contains` accepts text that spells a number, but no number.
    let spelled = values.iter().filter_map(|value| match value {
        Datum::One(Scalar::Number(number)) => Some(Datum::One(Scalar::String(number.to_string()))),
        _ => None,
    });
    let spelled: Vec<_> = spelled.collect();
    values.extend(spelled);
    values
}

fn neighbours(number: &Decimal<'static>, step: &Decimal<'_>) -> impl Iterator<Item = Datum> {
    let around = [Some(number.clone()), number.checked_add(step), number.checked_sub(step)];
    around.into_iter().flatten().map(|number| Datum::One(Scalar::Number(number)))
}

/// Returns values with all parts that `contains` asks for: the value found with the missing ones added, and new ones.
fn with_parts(tests: &[&Test], found: Option<&Datum>) -> Vec<Datum> {
    let parts = || {
        tests.iter().filter_map(|test| match test {
            Test::Contains(part) => Some((part, test.is_met_by(found))),
            _ => None,
        })
    };
    let all = parts().map(|(part, _)| part);
    let missing = || parts().filter(|(_, is_met)| !is_met).map(|(part, _)| part);
    let mut values = Vec::new();
    match found {
        Some(Datum::One(Scalar::String(text))) => values.extend(joined(text, missing())),
        Some(Datum::Many(items)) => values.push(Datum::Many(items.iter().chain(missing()).cloned().collect())),
        Some(Datum::One(_) | Datum::Nested(_)) | None => {}
    }
    let all: Vec<_> = all.collect();
    if !all.is_empty() {
        values.push(Datum::Many(all.iter().copied().cloned().collect()));
        values.extend(joined("", all.iter().copied()));
        // Twice, for a test that excludes the part by itself.
        values.extend(joined("", all.iter().chain(&all).copied()));
    }
    values
}

/// Appends parts to a text, or returns `None` if one of them is no text.
fn joined<'p>(text: &str, parts: impl Iterator<Item = &'p Scalar>) -> Option<Datum> {
    let mut text = text.to_owned();
    for part in parts {
        let Scalar::String(part) = part else { return None };
        text = if text.is_empty() { part.clone() } else { format!("{text},{part}") };
    }
    Some(Datum::One(Scalar::String(text)))
}

/// Returns the most decimals of the numbers involved.
fn decimals(tests: &[&Test], found: Option<&Decimal<'_>>) -> u64 {
    let of_test = |test: &&Test| match test {
        Test::Lt(number)
        | Test::Le(number)
        | Test::Gt(number)
        | Test::Ge(number)
        | Test::Ne(Scalar::Number(number)) => number.decimals(),
        _ => 0,
    };
    tests.iter().map(of_test).chain(found.map(Decimal::decimals)).max().unwrap_or(0)
}

fn number(datum: &Datum) -> Option<Decimal<'static>> {
    match datum {
        Datum::One(Scalar::Number(number)) => Some(number.clone()),
        Datum::One(Scalar::String(text)) => Decimal::parse(text).map(Decimal::into_owned),
        Datum::One(Scalar::Bool(_) | Scalar::Null) | Datum::Many(_) | Datum::Nested(_) => None,
    }
}

impl Edit<'_> {
    /// A value of the field with the change, or `None` if it is absent or no field changes.
    fn example(&self) -> Option<Datum> {
        match self {
            Edit::Field { to, .. } => Some(to.clone()),
            Edit::OtherThan { value: Scalar::String(text), .. } => {
                Some(Datum::One(Scalar::String(format!("{text} or other"))))
            }
            Edit::OtherThan { .. } => Some(Datum::One(Scalar::String("other".to_owned()))),
            Edit::Present { .. } => Some(Datum::One(Scalar::Bool(true))),
            Edit::BusinessUnit(_) | Edit::Channel(_) | Edit::Time { .. } | Edit::Absent { .. } => None,
        }
    }

    fn apply_to(&self, data: &mut OpenData) {
        let (Edit::Field { field, .. }
        | Edit::OtherThan { field, .. }
        | Edit::Present { field }
        | Edit::Absent { field }) = self
        else {
            return;
        };
        data.retain(|(name, _)| name != field);
        data.extend(self.example().map(|datum| ((*field).to_owned(), datum)));
    }

    fn to_json(&self) -> Value<'_> {
        let moment = |name, at: &Option<Timestamp>| at.map(|at| (name, Value::String(at.to_string().into())));
        match self {
            Edit::BusinessUnit(unit) => object(vec![("businessUnit", text(unit))]),
            Edit::Channel(channels) => {
                object(vec![("channel", Value::Array(channels.iter().map(|name| text(name)).collect()))])
            }
            Edit::Time { from, until } => {
                let bounds = moment("from", from).into_iter().chain(moment("until", until)).collect();
                object(vec![("time", object(bounds))])
            }
            Edit::Field { field, to, by } => {
                let mut members = vec![("field", text(field)), ("to", shown(to.to_json()))];
                members.extend(by.as_ref().map(|by| {
                    let name = if by.is_negative() { "less" } else { "more" };
                    (name, Value::Number(by.abs()))
                }));
                object(members)
            }
            Edit::OtherThan { field, value } => object(vec![("field", text(field)), ("otherThan", value.to_json())]),
            Edit::Present { field } => object(vec![("field", text(field)), ("present", Value::Bool(true))]),
            Edit::Absent { field } => object(vec![("field", text(field)), ("present", Value::Bool(false))]),
        }
    }
}
