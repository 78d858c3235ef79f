//! The nearest value of a field that meets all of a rule's tests.

use punchcard_models::{
    data::{Datum, Scalar},
    decimal::Decimal,
};

use super::change::Edit;
use crate::condition::Test;

/// Returns the change of a field to the nearest value that meets all tests, or `None` if none is found: the tests
/// contradict each other, or a bound is a number too large to calculate with.
///
/// Fields of activities have no arrays.
pub(super) fn nearest<'a>(
    field: &'a str,
    tests: &[&'a Test],
    found: Option<&Datum>,
    may_be_array: bool,
) -> Option<Edit<'a>> {
    if are_met(tests, None) {
        return Some(Edit::Absent { field });
    }
    let found_number = found.and_then(number);
    let is_open = tests.iter().all(|test| matches!(test, Test::Ne(_) | Test::Exists(true)));
    if is_open && found_number.is_none() {
        return Some(other_than(field, tests));
    }
    let distance = |to: &Datum| number(to)?.checked_sub(found_number.as_ref()?);
    let decimals = decimals(tests, found_number.as_ref());
    // The second step is for bounds between which no number of so many decimals is, such as 4 and 5.
    for step in [Decimal::step(decimals), Decimal::step(decimals.saturating_add(1))] {
        let candidates = candidates(tests, found, &step).into_iter();
        let possible = candidates.filter(|value| may_be_array || !matches!(value, Datum::Many(_)));
        let meeting = possible.filter(|value| are_met(tests, Some(value)));
        // Numbers by their distance; the others follow in the order of the tests.
        let nearest = meeting.map(|to| (distance(&to), to)).min_by_key(|(by, _)| {
            let distance = by.as_ref().map(|by| by.abs().into_owned());
            (distance.is_none(), distance)
        });
        if let Some((by, to)) = nearest {
            return Some(Edit::Field { field, to, by });
        }
    }
    is_open.then(|| other_than(field, tests))
}

fn are_met(tests: &[&Test], datum: Option<&Datum>) -> bool {
    tests.iter().all(|test| test.is_met_by(datum))
}

/// Any value meets `exists: true`, and any other scalar `ne`.
fn other_than<'a>(field: &'a str, tests: &[&'a Test]) -> Edit<'a> {
    let excluded = tests.iter().filter_map(|test| match test {
        Test::Ne(value) => Some(value),
        _ => None,
    });
    let values: Vec<_> = excluded.collect();
    if values.is_empty() { Edit::Present { field } } else { Edit::OtherThan { field, values } }
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
    let mut parts = Vec::new();
    for test in tests {
        if let Test::Contains(part) = test
            && !parts.iter().any(|(known, _)| *known == part)
        {
            parts.push((part, test.is_met_by(found)));
        }
    }
    if parts.is_empty() {
        return Vec::new();
    }
    let all = || parts.iter().map(|(part, _)| *part);
    let missing = || parts.iter().filter(|(_, is_met)| !is_met).map(|(part, _)| *part);
    let text = |text: String| Datum::One(Scalar::String(text));
    let mut values = Vec::new();
    match found {
        Some(Datum::One(Scalar::String(found))) => values.extend(joined(found, missing()).map(text)),
        Some(Datum::Many(items)) => values.push(Datum::Many(items.iter().chain(missing()).cloned().collect())),
        Some(Datum::One(_) | Datum::Nested(_)) | None => {}
    }
    values.push(Datum::Many(all().cloned().collect()));
    if let Some(parts) = joined("", all()) {
        // Twice, for a test that excludes the part by itself.
        let twice = format!("{parts},{parts}");
        values.extend([parts, twice].map(text));
    }
    values
}

/// Appends parts that a text lacks, or returns `None` if one of them is no text.
fn joined<'p>(text: &str, parts: impl Iterator<Item = &'p Scalar>) -> Option<String> {
    let mut text = text.to_owned();
    for part in parts {
        let Scalar::String(part) = part else { return None };
        if !text.contains(&**part) {
            text = if text.is_empty() { part.clone() } else { format!("{text},{part}") };
        }
    }
    Some(text)
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
