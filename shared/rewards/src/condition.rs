//! Conditions on the data of an activity or event.

use std::cmp::Ordering;

use punchcard_models::{
    data::{Datum, OpenData, Scalar},
    decimal::Decimal,
    fault::Noted,
    json::{At, MAX_TEXT, Value},
};

use crate::{
    parse::{MAX_ITEMS, only},
    schedule::Schedule,
    zone::LocalTime,
};

/// A condition on an occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Tests of a field, all of which must be met.
    Field(FieldCondition),
    /// A test of the local time.
    Schedule(Schedule),
    /// One of several conditions must be met.
    Any(Vec<Condition>),
    /// All of several conditions must be met.
    All(Vec<Condition>),
}

/// One or more tests of a field, all of which must be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldCondition {
    pub field: String,
    pub tests: Vec<Test>,
}

/// A condition that is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet<'c> {
    /// A field does not meet a test.
    Field {
        /// The field.
        field: &'c str,
        /// The first test that it does not meet.
        test: &'c Test,
    },
    /// The local time does not meet a test.
    Schedule(&'c Schedule),
    /// None of several conditions is met.
    Any(Alternatives<'c>),
    /// It is not the member's first occurrence with the rule's trigger.
    First,
    /// It is not an n-th occurrence.
    Every {
        /// The n.
        every: u64,
        /// The number of this occurrence among the n.
        counted: u64,
    },
}

/// Conditions of which one must be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alternatives<'c>(pub(crate) &'c [Condition]);

/// One test of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Equal to a value.
    Eq(Scalar),
    /// Different from a value.
    Ne(Scalar),
    /// Less than a number.
    Lt(Decimal<'static>),
    /// At most a number.
    Le(Decimal<'static>),
    /// Greater than a number.
    Gt(Decimal<'static>),
    /// At least a number.
    Ge(Decimal<'static>),
    /// One of several values.
    In(Vec<Scalar>),
    /// A list with a value, or text with a part.
    Contains(Scalar),
    /// Present or absent.
    Exists(bool),
}

impl Condition {
    /// Parses `{field: name, ge: 100}`, `{any: […]}`, `{all: […]}`, `{weekday: […]}` or `{timeOfDay: {…}}`.
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let condition = at.object()?;
        let list = |at: At<'_, '_>| at.items(1..=MAX_ITEMS, Condition::parse);
        let others = condition.each(|name, at| match name {
            "any" => list(at).map(|conditions| Some(Condition::Any(conditions))),
            "all" => list(at).map(|conditions| Some(Condition::All(conditions))),
            "weekday" => Schedule::parse_weekdays(at).map(|schedule| Some(Condition::Schedule(schedule))),
            "timeOfDay" => Schedule::parse_time_of_day(at).map(|schedule| Some(Condition::Schedule(schedule))),
            _ => Ok(None),
        })?;
        let count = others.len();
        match others.into_iter().flatten().next() {
            None => FieldCondition::parse(at).map(Condition::Field),
            Some(only) if count == 1 => Ok(only),
            Some(_) => Err(at.invalid("must have nothing beside any, all, weekday or timeOfDay")),
        }
    }

    /// Returns what is not met, or `None` if the condition is met.
    pub fn unmet_by<'c>(&'c self, data: &OpenData, local: LocalTime) -> Option<Unmet<'c>> {
        match self {
            Condition::Field(condition) => {
                condition.unmet_by(data).map(|test| Unmet::Field { field: &condition.field, test })
            }
            Condition::Schedule(schedule) => (!schedule.is_met_at(local)).then_some(Unmet::Schedule(schedule)),
            Condition::All(conditions) => conditions.iter().find_map(|condition| condition.unmet_by(data, local)),
            Condition::Any(conditions) => {
                let mut unmet = Vec::new();
                for condition in conditions {
                    unmet.push(condition.unmet_by(data, local)?);
                }
                match unmet[..] {
                    [only] => Some(only),
                    _ => Some(Unmet::Any(Alternatives(conditions))),
                }
            }
        }
    }

    /// Returns true if the condition, or a part of it, is one that `is_wanted` accepts.
    pub fn contains(&self, is_wanted: &impl Fn(&Condition) -> bool) -> bool {
        let parts = match self {
            Condition::Field(_) | Condition::Schedule(_) => &[][..],
            Condition::Any(parts) | Condition::All(parts) => parts,
        };
        is_wanted(self) || parts.iter().any(|part| part.contains(is_wanted))
    }
}

impl FieldCondition {
    /// Parses an object such as `{field: name, ge: 100}`.
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        const TESTS: [&str; 9] = ["eq", "ne", "lt", "le", "gt", "ge", "in", "contains", "exists"];
        // The others are conditions of their own, which have no field.
        const OTHERS: [&str; 5] = ["field", "any", "all", "weekday", "timeOfDay"];
        let condition = at.object()?;
        only(&condition, &[&OTHERS[..1], &TESTS[..], &OTHERS[1..]].concat())?;
        let field = condition.required("field", |at| {
            let text = at.string_up_to(MAX_TEXT)?;
            if text.is_empty() { Err(at.invalid("must not be empty")) } else { Ok(text.to_owned()) }
        });
        let tests = condition.each(|name, at| match name {
            "field" => Ok(None),
            test => Test::parse(test, at).map(Some),
        })?;
        let tests: Vec<_> = tests.into_iter().flatten().collect();
        if tests.is_empty() {
            return Err(at.invalid(format!("must have at least one test: {}", TESTS.join(", "))));
        }
        Ok(FieldCondition { field: field?, tests })
    }

    /// Returns the first test that the data does not meet. An absent field meets only `exists: false`.
    pub fn unmet_by(&self, data: &OpenData) -> Option<&Test> {
        let datum = datum(data, &self.field);
        self.tests.iter().find(|test| !test.is_met_by(datum))
    }
}

/// Returns a field's value. `null` counts as absent.
pub(crate) fn datum<'d>(data: &'d OpenData, field: &str) -> Option<&'d Datum> {
    let datum = data.iter().find(|(name, _)| name == field).map(|(_, datum)| datum);
    datum.filter(|datum| **datum != Datum::One(Scalar::Null))
}

impl Test {
    fn parse(name: &str, at: At<'_, '_>) -> Result<Self, Noted> {
        match name {
            "eq" => scalar(at).map(Test::Eq),
            "ne" => scalar(at).map(Test::Ne),
            "lt" => number(at).map(Test::Lt),
            "le" => number(at).map(Test::Le),
            "gt" => number(at).map(Test::Gt),
            "ge" => number(at).map(Test::Ge),
            "in" => at.items(1..=MAX_ITEMS, scalar).map(Test::In),
            "contains" => scalar(at).map(Test::Contains),
            _ => at.bool().map(Test::Exists),
        }
    }

    /// The test's name in the catalog.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Test::Eq(_) => "eq",
            Test::Ne(_) => "ne",
            Test::Lt(_) => "lt",
            Test::Le(_) => "le",
            Test::Gt(_) => "gt",
            Test::Ge(_) => "ge",
            Test::In(_) => "in",
            Test::Contains(_) => "contains",
            Test::Exists(_) => "exists",
        }
    }

    /// The value in the catalog with which the field is compared.
    #[must_use]
    pub fn wanted(&self) -> Value<'_> {
        match self {
            Test::Eq(value) | Test::Ne(value) | Test::Contains(value) => value.to_json(),
            Test::Lt(bound) | Test::Le(bound) | Test::Gt(bound) | Test::Ge(bound) => Value::Number(bound.clone()),
            Test::In(values) => Value::Array(values.iter().map(Scalar::to_json).collect()),
            Test::Exists(wanted) => Value::Bool(*wanted),
        }
    }

    pub(crate) fn is_met_by(&self, datum: Option<&Datum>) -> bool {
        match (self, datum) {
            (Test::Exists(wanted), datum) => *wanted == datum.is_some(),
            (Test::Contains(part), Some(Datum::Many(values))) => values.iter().any(|value| same(value, part)),
            (Test::Contains(Scalar::String(part)), Some(Datum::One(Scalar::String(text)))) => text.contains(&**part),
            (Test::Contains(_), Some(_)) | (_, Some(Datum::Many(_) | Datum::Nested(_)) | None) => false,
            (Test::Eq(wanted), Some(Datum::One(value))) => same(value, wanted),
            (Test::Ne(unwanted), Some(Datum::One(value))) => !same(value, unwanted),
            (Test::In(wanted), Some(Datum::One(value))) => wanted.iter().any(|wanted| same(value, wanted)),
            (Test::Lt(bound), Some(Datum::One(value))) => order(value, bound).is_some_and(Ordering::is_lt),
            (Test::Le(bound), Some(Datum::One(value))) => order(value, bound).is_some_and(Ordering::is_le),
            (Test::Gt(bound), Some(Datum::One(value))) => order(value, bound).is_some_and(Ordering::is_gt),
            (Test::Ge(bound), Some(Datum::One(value))) => order(value, bound).is_some_and(Ordering::is_ge),
        }
    }
}

fn scalar(at: At<'_, '_>) -> Result<Scalar, Noted> {
    match Scalar::parse(at)? {
        Scalar::Null => Err(at.invalid("must be a number, a string or a boolean")),
        value => Ok(value),
    }
}

fn number(at: At<'_, '_>) -> Result<Decimal<'static>, Noted> {
    match at.value {
        Value::Number(number) => Ok(number.clone().into_owned()),
        _ => Err(at.invalid("must be a number")),
    }
}

/// Returns true if two values are equal. A string that spells a number equals that number; two strings are compared
/// literally.
fn same(value: &Scalar, wanted: &Scalar) -> bool {
    match (value, wanted) {
        (Scalar::Number(number), other) | (other, Scalar::Number(number)) => {
            order(other, number) == Some(Ordering::Equal)
        }
        _ => value == wanted,
    }
}

/// Compares a value with a number, if the value is a number or spells one.
fn order(value: &Scalar, bound: &Decimal<'_>) -> Option<Ordering> {
    match value {
        Scalar::Number(number) => Some(number.cmp(bound)),
        Scalar::String(text) => Decimal::parse(text).map(|number| number.cmp(bound)),
        Scalar::Null | Scalar::Bool(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::read;

    fn condition(text: &str) -> Result<FieldCondition, Vec<String>> {
        read(text, FieldCondition::parse)
            .map_err(|faults| faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.message)).collect())
    }

    /// Parses a datum from JSON.
    fn datum(text: &str) -> Datum {
        read(text, Datum::parse).expect("a datum")
    }

    fn met(tests: &str, value: &str) -> bool {
        let condition = condition(&format!(r#"{{"field":"x",{tests}}}"#)).expect("a condition");
        condition.unmet_by(&vec![("y".to_owned(), datum("1")), ("x".to_owned(), datum(value))]).is_none()
    }

    #[test]
    fn these_tests_are_met() {
        for (tests, values) in [
            (r#""eq":100"#, &["100", "1e2", "100.0", "\"100\"", "\"1e2\""][..]),
            (r#""eq":"100""#, &["100", "\"100\""]),
            (r#""eq":"gold""#, &["\"gold\""]),
            (r#""eq":true"#, &["true"]),
            (r#""ne":100"#, &["99", "\"gold\"", "true"]),
            (r#""lt":0.3"#, &["0.29999999999999999999999", "-1", "\"0.1\""]),
            (r#""le":0.3"#, &["0.3", "\"0.30\""]),
            (r#""gt":9007199254740992"#, &["9007199254740993", "1e300"]),
            (r#""ge":100"#, &["100", "\"100\"", "\"1e2\"", "100.01"]),
            (r#""ge":100,"lt":200"#, &["100", "199.99"]),
            (r#""in":["a",5]"#, &["\"a\"", "5", "\"5.0\""]),
            (r#""contains":"electronics""#, &["\"home,electronics\"", "[\"home\",\"electronics\"]"]),
            (r#""contains":5"#, &["[4,\"5\"]"]),
            (r#""exists":true"#, &["0", "\"\"", "[]", "false", "{}", "{\"a\":1}", "[[1]]", "[null]", "[1,{}]"]),
            (r#""exists":false"#, &["null"]),
        ] {
            for value in values {
                assert!(met(tests, value), "{tests} {value}");
            }
        }
    }

    #[test]
    fn these_tests_are_not_met() {
        for (tests, values) in [
            (r#""eq":100"#, &["100.0000000000000000001", "\"a hundred\"", "true", "[100]", "null"][..]),
            (r#""eq":"100""#, &["\"1e2\"", "\"0100\"", "101"]),
            (r#""eq":"true""#, &["true"]),
            (r#""ne":100"#, &["100", "\"1e2\"", "[1]", "null", "{}", "[[1]]", "[null]"]),
            (r#""lt":100"#, &["100", "\"\"", "\"abc\"", "\" 1\"", "false", "[1]", "null"]),
            (r#""le":100"#, &["100.1", "\"abc\""]),
            (r#""gt":100"#, &["100", "\"abc\"", "true"]),
            (r#""ge":100"#, &["99.999", "\"99\"", "\"abc\"", "[100]"]),
            (r#""ge":100,"lt":200"#, &["99", "200"]),
            (r#""in":["a",5]"#, &["\"b\"", "[\"a\"]", "null"]),
            (r#""contains":"electronics""#, &["\"electronic\"", "[\"home electronics\"]", "5", "null"]),
            (r#""contains":5"#, &["\"15\"", "5", "[15]", "[[5]]", "[5,null]", "{\"a\":5}"]),
            (r#""exists":true"#, &["null"]),
            (r#""exists":false"#, &["0", "[]", "{}", "[null]"]),
        ] {
            for value in values {
                assert!(!met(tests, value), "{tests} {value}");
            }
        }
    }

    #[test]
    fn an_absent_field_meets_only_exists_false() {
        for (tests, is_met) in [
            (r#""eq":1"#, false),
            (r#""ne":1"#, false),
            (r#""lt":1"#, false),
            (r#""in":[1]"#, false),
            (r#""contains":"""#, false),
            (r#""exists":true"#, false),
            (r#""exists":false"#, true),
            (r#""exists":false,"ne":1"#, false),
        ] {
            let condition = condition(&format!(r#"{{"field":"x",{tests}}}"#)).expect("a condition");
            assert_eq!(condition.unmet_by(&OpenData::new()).is_none(), is_met, "{tests}");
        }
    }

    #[test]
    fn malformed_conditions_are_rejected() {
        for (text, faults) in [
            ("5", 1),
            ("{}", 2),
            (r#"{"field":"x"}"#, 1),
            (r#"{"field":"","ge":1}"#, 1),
            (r#"{"field":5,"ge":"1","exists":1}"#, 3),
            (r#"{"field":"x","gte":1}"#, 1),
            (r#"{"field":"x","eq":null}"#, 1),
            (r#"{"field":"x","eq":[1]}"#, 1),
            (r#"{"field":"x","in":[]}"#, 1),
            (r#"{"field":"x","in":[null,{}]}"#, 2),
        ] {
            assert_eq!(condition(text).map_err(|faults| faults.len()), Err(faults), "{text}");
        }
    }
}
