//! Open data: names and values that clients attach to events, beyond the documented members.

use std::borrow::Cow;

use crate::{
    decimal::Decimal,
    fault::Noted,
    json::{At, MAX_TEXT, Value},
};

/// A JSON value that is neither an array nor an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, compared by its exact decimal value.
    Number(Decimal<'static>),
    /// A string.
    String(String),
}

/// A value of open data, classified by what the conditions of rules can test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datum {
    /// A scalar. `null` counts as an absent value.
    One(Scalar),
    /// An array of numbers, strings and booleans.
    Many(Vec<Scalar>),
    /// An object, or an array with other items. It is recorded, and conditions can only test that it is present.
    Nested(Value<'static>),
}

/// Names and values in the order sent. No name appears twice.
pub type OpenData = Vec<(String, Datum)>;

impl Scalar {
    fn from_json(value: &Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(Scalar::Null),
            Value::Bool(value) => Some(Scalar::Bool(*value)),
            Value::Number(number) => Some(Scalar::Number(number.clone().into_owned())),
            Value::String(text) => Some(Scalar::String(text.clone().into_owned())),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Parses a scalar.
    ///
    /// # Errors
    /// An object or an array.
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        Scalar::from_json(at.value).ok_or_else(|| at.invalid("must be a number, a string, a boolean or null"))
    }

    /// Returns the scalar as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value<'_> {
        match self {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(*value),
            Scalar::Number(number) => Value::Number(number.clone()),
            Scalar::String(text) => Value::String(Cow::Borrowed(text)),
        }
    }
}

impl Datum {
    /// Parses a value of event metadata: any JSON.
    ///
    /// # Errors
    /// A string or key, at any depth, that is longer than [`MAX_TEXT`].
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        check_strings(at)?;
        let many = |items: &[Value<'_>]| {
            let testable = |item| Scalar::from_json(item).filter(|scalar| *scalar != Scalar::Null);
            items.iter().map(testable).collect::<Option<Vec<_>>>()
        };
        let scalar_or_array = match at.value {
            Value::Array(items) => many(items).map(Datum::Many),
            value => Scalar::from_json(value).map(Datum::One),
        };
        Ok(scalar_or_array.unwrap_or_else(|| Datum::Nested(at.value.clone().into_owned())))
    }

    /// Returns the value as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value<'_> {
        match self {
            Datum::One(value) => value.to_json(),
            Datum::Many(values) => Value::Array(values.iter().map(Scalar::to_json).collect()),
            Datum::Nested(value) => value.clone(),
        }
    }
}

/// Parses the members of an open object.
///
/// # Errors
/// Not an object, or a string or key that is longer than [`MAX_TEXT`].
pub fn parse_object(at: At<'_, '_>) -> Result<OpenData, Noted> {
    at.object()?.each(parse_member)
}

/// Parses one member of an open object.
///
/// # Errors
/// A string or key that is longer than [`MAX_TEXT`].
pub fn parse_member(key: &str, value: At<'_, '_>) -> Result<(String, Datum), Noted> {
    check_key(key, value)?;
    Ok((key.to_owned(), Datum::parse(value)?))
}

fn check_strings(at: At<'_, '_>) -> Result<(), Noted> {
    match at.value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(_) => at.string_up_to(MAX_TEXT).map(|_| ()),
        Value::Array(_) => at.items(0..=usize::MAX, check_strings).map(|_| ()),
        Value::Object(_) => {
            let check = |key: &str, value: At<'_, '_>| check_key(key, value).and_then(|()| check_strings(value));
            at.object()?.each(check).map(|_| ())
        }
    }
}

fn check_key(key: &str, value: At<'_, '_>) -> Result<(), Noted> {
    if key.len() > MAX_TEXT {
        return Err(value.invalid(format!("must have a key of at most {MAX_TEXT} bytes of UTF-8")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Faults, json};

    fn datum(text: &str) -> Result<Datum, Vec<String>> {
        let faults = Faults::default();
        let parsed = json::parse(text.as_bytes(), &faults, Datum::parse);
        faults
            .none_or(parsed)
            .map_err(|faults| faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.message)).collect())
    }

    #[test]
    fn a_value_is_classified_by_what_conditions_can_test() {
        for scalar in ["null", "true", "1.5", "\"x\"", "\"\\u0000\""] {
            assert!(matches!(datum(scalar), Ok(Datum::One(_))), "{scalar}");
        }
        for array in ["[]", "[1]", "[1,\"a\",false]"] {
            assert!(matches!(datum(array), Ok(Datum::Many(_))), "{array}");
        }
        for nested in ["{}", "{\"a\":1}", "[null]", "[1,[2]]", "[{}]", "[[[[{\"a\":null}]]]]"] {
            assert!(matches!(datum(nested), Ok(Datum::Nested(_))), "{nested}");
        }
    }

    #[test]
    fn a_value_is_recorded_as_it_was_sent() {
        for text in ["null", "1.5", "[1,\"a\",true]", "[null,{\"a\":{\"b\":[[]]},\"c\":1e300}]"] {
            assert_eq!(datum(text).expect("a value").to_json().to_string(), text);
        }
    }

    #[test]
    fn strings_have_a_limit_at_every_depth() {
        let longest = "x".repeat(MAX_TEXT);
        for text in [format!("\"{longest}\""), format!("[{{\"{longest}\":\"{longest}\"}}]")] {
            assert!(datum(&text).is_ok());
        }
        let too_long =
            [format!("\"{longest}x\""), format!("[1,\"{longest}x\"]"), format!("{{\"a\":[\"{longest}x\"]}}")];
        for text in too_long {
            let faults = datum(&text).expect_err("too long");
            assert!(faults.len() == 1 && faults[0].ends_with("must be at most 4096 bytes of UTF-8"), "{faults:?}");
        }
        let faults = datum(&format!("{{\"{longest}x\":1}}")).expect_err("too long");
        assert!(faults[0].ends_with("must have a key of at most 4096 bytes of UTF-8"), "{faults:?}");
    }
}
