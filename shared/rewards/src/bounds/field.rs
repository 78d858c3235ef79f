//! Tests of one field: whether a value can meet all of them, and whether every value that does meets another.

use std::collections::BTreeSet;

use punchcard_models::{
    data::{Datum, Scalar},
    decimal::Decimal,
};

use super::answer::Answer;
use crate::condition::Test;

/// Maximum number of values of one test around which samples are taken.
const MAX_SAMPLED: usize = 50;
/// Maximum number of steps that samples are away from a value.
const MAX_STEPS: usize = 20;

/// A value of a field, or its absence.
#[derive(Debug)]
pub(super) struct Sample(Option<Datum>);

impl Sample {
    /// The value. `None`: the field is absent.
    pub fn datum(self) -> Option<Datum> {
        self.0
    }

    fn meets(&self, tests: &[&Test]) -> bool {
        are_met(tests, self.0.as_ref())
    }
}

/// Returns whether any value of a field, or its absence, meets all tests. Fields of activities are never arrays.
pub(super) fn can_be_met(tests: &[&Test], may_be_array: bool) -> Answer {
    if example(tests, may_be_array).is_some() {
        return Answer::Yes;
    }
    if numbers_can_meet(tests) || texts_can_meet(tests) {
        // Only text that spells a number and has a part that `contains` asks for is not found among the samples.
        return Answer::Undecided;
    }
    Answer::No
}

/// Returns a value that meets all tests, if one is found.
pub(super) fn example(tests: &[&Test], may_be_array: bool) -> Option<Sample> {
    samples(tests, may_be_array).into_iter().find(|sample| sample.meets(tests))
}

/// Returns whether every value that meets all of some tests meets another one. At least one value must.
pub(super) fn implies(tests: &[&Test], other: &Test, may_be_array: bool) -> Answer {
    if tests.contains(&other) {
        return Answer::Yes;
    }
    let all: Vec<_> = tests.iter().copied().chain([other]).collect();
    let is_counterexample = |sample: &Sample| sample.meets(tests) && !sample.meets(&[other]);
    if samples(&all, may_be_array).iter().any(is_counterexample) {
        return Answer::No;
    }
    if is_certain(tests, other, may_be_array) { Answer::Yes } else { Answer::Undecided }
}

/// Returns true if a rule of inference says that values that meet the tests meet the other one.
fn is_certain(tests: &[&Test], other: &Test, may_be_array: bool) -> bool {
    if let Some(values) = finite(tests) {
        return values.iter().all(|value| !are_met(tests, Some(value)) || other.is_met_by(Some(value)));
    }
    let none_of = |opposite: Test| are_numbers(tests) && !numbers_can_meet(&with(tests, &opposite));
    match other {
        // All other tests need a value.
        Test::Exists(true) => tests.iter().any(|test| !matches!(test, Test::Exists(false))),
        Test::Lt(bound) => none_of(Test::Ge(bound.clone())),
        Test::Le(bound) => none_of(Test::Gt(bound.clone())),
        Test::Gt(bound) => none_of(Test::Le(bound.clone())),
        Test::Ge(bound) => none_of(Test::Lt(bound.clone())),
        Test::Ne(Scalar::Number(number)) => none_of(Test::Eq(Scalar::Number(number.clone()))),
        Test::Eq(value) => are_among(tests, std::slice::from_ref(value)),
        Test::In(values) => are_among(tests, values),
        // An array may have the longer text only.
        Test::Contains(Scalar::String(part)) => tests.iter().any(|test| match test {
            Test::Contains(Scalar::String(longer)) => !may_be_array && longer.contains(&**part),
            _ => false,
        }),
        Test::Ne(_) | Test::Contains(_) | Test::Exists(false) => false,
    }
}

/// Returns true if the tests accept only numbers that are among some values, and text that spells one.
fn are_among(tests: &[&Test], values: &[Scalar]) -> bool {
    let wanted: BTreeSet<_> = values
        .iter()
        .filter_map(|value| match value {
            Scalar::Number(number) => Some(number),
            _ => None,
        })
        .collect();
    are_numbers(tests) && named_numbers(tests).is_some_and(|named| named.iter().all(|number| wanted.contains(number)))
}

/// Returns true if the tests accept only numbers and text that spells one.
fn are_numbers(tests: &[&Test]) -> bool {
    tests.iter().any(|test| match test {
        Test::Lt(_) | Test::Le(_) | Test::Gt(_) | Test::Ge(_) | Test::Eq(Scalar::Number(_)) => true,
        Test::In(values) => values.iter().all(|value| matches!(value, Scalar::Number(_))),
        Test::Eq(_) | Test::Ne(_) | Test::Contains(_) | Test::Exists(_) => false,
    })
}

fn with<'t>(tests: &[&'t Test], other: &'t Test) -> Vec<&'t Test> {
    tests.iter().copied().chain([other]).collect()
}

/// The values that an `eq` or `in` with text and truth values alone leaves. Numbers have too many spellings.
fn finite(tests: &[&Test]) -> Option<Vec<Datum>> {
    let named = tests.iter().find_map(|test| match test {
        Test::Eq(value) => Some(std::slice::from_ref(value)),
        Test::In(values) => Some(&values[..]),
        _ => None,
    })?;
    named.iter().all(|value| !matches!(value, Scalar::Number(_))).then(|| {
        let number = |value: &Scalar| match value {
            Scalar::String(text) => Decimal::parse(text).map(|number| Scalar::Number(number.into_owned())),
            _ => None,
        };
        named.iter().flat_map(|value| [Some(value.clone()), number(value)]).flatten().map(Datum::One).collect()
    })
}

fn are_met(tests: &[&Test], datum: Option<&Datum>) -> bool {
    tests.iter().all(|test| test.is_met_by(datum))
}

/// Returns false if no number meets the tests. Text that spells a number, and contains what it must, is a number here.
fn numbers_can_meet(tests: &[&Test]) -> bool {
    let (mut low, mut high) = (None::<(&Decimal<'_>, bool)>, None::<(&Decimal<'_>, bool)>);
    for test in tests {
        match test {
            Test::Gt(bound) | Test::Ge(bound) => {
                let closed = matches!(test, Test::Ge(_));
                let is_tighter = low.is_none_or(|(low, was)| (bound, !closed) > (low, !was));
                low = if is_tighter { Some((bound, closed)) } else { low };
            }
            Test::Lt(bound) | Test::Le(bound) => {
                let closed = matches!(test, Test::Le(_));
                let is_tighter = high.is_none_or(|(high, was)| (bound, closed) < (high, was));
                high = if is_tighter { Some((bound, closed)) } else { high };
            }
            Test::Exists(false) => return false,
            Test::Contains(part) if !may_be_in_number(part) => return false,
            Test::Contains(_) | Test::Eq(_) | Test::In(_) | Test::Ne(_) | Test::Exists(true) => {}
        }
    }
    let is_inside = |number: &Decimal<'_>| {
        low.is_none_or(|(low, closed)| low < number || (closed && low == number))
            && high.is_none_or(|(high, closed)| number < high || (closed && high == number))
    };
    let is_excluded = |number: &Decimal<'_>| {
        tests.iter().any(|test| matches!(test, Test::Ne(Scalar::Number(unwanted)) if unwanted == number))
    };
    match (named_numbers(tests), low.zip(high)) {
        (Some(named), _) => named.iter().any(|number| is_inside(number) && !is_excluded(number)),
        (None, None) => true,
        (None, Some(((low, low_closed), (high, high_closed)))) => match low.cmp(high) {
            // Infinitely many numbers are between two, and finitely many are excluded.
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => low_closed && high_closed && !is_excluded(low),
            std::cmp::Ordering::Greater => false,
        },
    }
}

/// The numbers that every `eq` and `in` names. `None`: there is none of these tests.
fn named_numbers<'t>(tests: &[&'t Test]) -> Option<BTreeSet<Decimal<'t>>> {
    let mut named = None;
    for test in tests {
        match test {
            Test::Eq(value) => keep(&mut named, std::slice::from_ref(value)),
            Test::In(values) => keep(&mut named, values),
            _ => {}
        }
    }
    named
}

/// Keeps the numbers that some values name, among those kept so far.
fn keep<'t>(named: &mut Option<BTreeSet<Decimal<'t>>>, values: &'t [Scalar]) {
    let number = |value: &'t Scalar| match value {
        Scalar::Number(number) => Some(number.clone()),
        Scalar::String(text) => Decimal::parse(text),
        Scalar::Null | Scalar::Bool(_) => None,
    };
    let numbers: BTreeSet<_> = values.iter().filter_map(number).collect();
    *named = Some(match named.take() {
        None => numbers,
        Some(kept) => kept.into_iter().filter(|number| numbers.contains(number)).collect(),
    });
}

/// Returns true if text that spells a number may contain the part.
fn may_be_in_number(part: &Scalar) -> bool {
    matches!(part, Scalar::String(part) if part.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)))
}

/// Returns false if no text that does not spell a number meets the tests.
fn texts_can_meet(tests: &[&Test]) -> bool {
    tests.iter().all(|test| match test {
        Test::Eq(value) => matches!(value, Scalar::String(_)),
        Test::In(values) => values.iter().any(|value| matches!(value, Scalar::String(_))),
        Test::Contains(part) => matches!(part, Scalar::String(_)),
        Test::Ne(_) | Test::Exists(true) => true,
        Test::Lt(_) | Test::Le(_) | Test::Gt(_) | Test::Ge(_) | Test::Exists(false) => false,
    }) && finite(tests).is_none_or(|values| values.iter().any(|value| are_met(tests, Some(value))))
}

/// Values around those that the tests name, and absence.
fn samples(tests: &[&Test], may_be_array: bool) -> Vec<Sample> {
    let text = |text: String| Datum::One(Scalar::String(text));
    let mut values = vec![Datum::One(Scalar::Bool(true)), Datum::One(Scalar::Bool(false))];
    let mut parts = Vec::new();
    let mut numbers = vec![Decimal::from(0)];
    for test in tests {
        match test {
            Test::Eq(value) | Test::Ne(value) => values.push(Datum::One(value.clone())),
            Test::In(named) => values.extend(named.iter().take(MAX_SAMPLED).cloned().map(Datum::One)),
            Test::Lt(bound) | Test::Le(bound) | Test::Gt(bound) | Test::Ge(bound) => numbers.push(bound.clone()),
            Test::Contains(part) => parts.push(part.clone()),
            Test::Exists(_) => {}
        }
    }
    let named = values.iter().filter_map(|value| match value {
        Datum::One(Scalar::Number(number)) => Some(number.clone()),
        Datum::One(Scalar::String(text)) => Decimal::parse(text).map(Decimal::into_owned),
        _ => None,
    });
    numbers.extend(named.collect::<Vec<_>>());
    // A step smaller than any distance between two of the numbers, so that open intervals have a sample.
    let decimals = numbers.iter().map(Decimal::decimals).max().unwrap_or(0);
    let step = Decimal::step(decimals.saturating_add(3));
    let near = |number: &Decimal<'static>| {
        let mut near = vec![number.clone()];
        let (mut up, mut down) = (number.checked_add(&step), number.checked_sub(&step));
        // As many as there are tests, which may exclude each.
        for _ in 0..=tests.len().min(MAX_STEPS) {
            near.extend(up.iter().chain(&down).cloned());
            up = up.and_then(|number| number.checked_add(&step));
            down = down.and_then(|number| number.checked_sub(&step));
        }
        near
    };
    let numbers: Vec<_> = numbers.iter().flat_map(near).collect();
    // Text that spells a number is that number, unless `ne` excludes the spelling or `contains` asks for it.
    let spellings = numbers.iter().flat_map(|number| {
        let spelled = number.to_string();
        let longer = spelled.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-').then(|| format!("{spelled}.0"));
        [Some(spelled), longer].into_iter().flatten()
    });
    values.extend(spellings.map(text));
    values.extend(numbers.iter().cloned().map(|number| Datum::One(Scalar::Number(number))));
    let words: Vec<_> =
        parts.iter().filter_map(|part| if let Scalar::String(part) = part { Some(&**part) } else { None }).collect();
    // Text that no test names, with all parts.
    values.extend(["", "~", "~~", "other~"].map(|other| text(format!("{}{other}", words.join("~")))));
    values.extend(words.iter().map(|word| text((*word).to_owned())));
    if may_be_array {
        values.extend(parts.iter().map(|part| Datum::Many(vec![part.clone()])));
        values.extend([Datum::Many(parts), Datum::Many(Vec::new())]);
    }
    [None].into_iter().chain(values.into_iter().map(Some)).map(Sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{condition::FieldCondition, parse::read};

    fn tests(text: &str) -> Vec<Test> {
        let text = format!(r#"{{"field":"x",{text}}}"#);
        read(&text, FieldCondition::parse).map_or_else(|_| panic!("{text}"), |condition| condition.tests)
    }

    fn met(text: &str, may_be_array: bool) -> Answer {
        can_be_met(&tests(text).iter().collect::<Vec<_>>(), may_be_array)
    }

    fn implied(text: &str, other: &str) -> Answer {
        implies(&tests(text).iter().collect::<Vec<_>>(), &tests(other)[0], true)
    }

    #[test]
    fn contradictions_are_found() {
        for text in [
            r#""gt":5,"lt":5"#,
            r#""gt":5,"le":5"#,
            r#""ge":5,"le":5,"ne":5"#,
            r#""ge":10,"lt":9.5"#,
            r#""exists":false,"ne":1"#,
            r#""eq":"gold","ge":1"#,
            r#""eq":"gold","ne":"gold""#,
            r#""eq":"5","gt":5"#,
            r#""eq":5,"in":[4,6,"gold"]"#,
            r#""eq":true,"ne":true"#,
            r#""in":["a","b"],"contains":"c""#,
            r#""lt":5,"contains":"x""#,
        ] {
            assert_eq!(met(text, true), Answer::No, "{text}");
        }
        assert_eq!((met(r#""contains":5"#, true), met(r#""contains":5"#, false)), (Answer::Yes, Answer::No));
    }

    #[test]
    fn tests_that_can_be_met_are_not_contradictions() {
        for text in [
            r#""gt":5,"lt":5.0000001"#,
            r#""ge":5,"le":5"#,
            r#""ge":0,"le":1,"ne":0"#,
            r#""exists":false"#,
            r#""ne":"gold""#,
            r#""contains":"a","ne":"a""#,
            r#""eq":5,"ne":"6""#,
            r#""in":["5",true],"lt":6"#,
            r#""gt":9007199254740992,"lt":9007199254740993"#,
            r#""ge":5,"contains":"5""#,
        ] {
            assert_eq!(met(text, false), Answer::Yes, "{text}");
        }
        // A number can be spelled in more ways than the analysis tries.
        assert_eq!(met(r#""eq":5,"contains":"00""#, false), Answer::Undecided);
        assert_eq!(met(r#""ge":5,"le":5,"contains":"00""#, false), Answer::Undecided);
    }

    #[test]
    fn implications_are_decided_where_possible() {
        let contains = |part: &str| Test::Contains(Scalar::String(part.to_owned()));
        assert_eq!(implies(&[&contains("ab")], &contains("a"), false), Answer::Yes);
        for (text, other, answer) in [
            (r#""ge":100"#, r#""ge":50"#, Answer::Yes),
            (r#""ge":100"#, r#""gt":100"#, Answer::No),
            (r#""gt":100"#, r#""ge":100"#, Answer::Yes),
            (r#""ge":1,"lt":9"#, r#""le":9"#, Answer::Yes),
            (r#""ge":1"#, r#""exists":true"#, Answer::Yes),
            (r#""ge":1"#, r#""ne":0"#, Answer::Yes),
            (r#""ne":0"#, r#""ge":1"#, Answer::No),
            (r#""eq":"gold""#, r#""in":["gold","silver"]"#, Answer::Yes),
            (r#""in":["gold","silver"]"#, r#""eq":"gold""#, Answer::No),
            (r#""eq":"gold""#, r#""ne":"silver""#, Answer::Yes),
            (r#""eq":"goldfish""#, r#""contains":"fish""#, Answer::Yes),
            (r#""eq":5"#, r#""lt":6"#, Answer::Yes),
            (r#""contains":"ab""#, r#""contains":"a""#, Answer::No),
            (r#""in":[1,2]"#, r#""in":[1,2,3]"#, Answer::Yes),
        ] {
            assert_eq!(implied(text, other), answer, "{text} {other}");
        }
    }
}
