//! Open data: what clients may attach to an event, of any name and value.

use std::borrow::Cow;

use crate::{
    decimal::Decimal,
    fault::Noted,
    json::{At, Value},
};

/// A value without parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Decimal<'static>),
    /// A string.
    String(String),
}

/// A value of an event's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datum {
    /// A single value.
    One(Scalar),
    /// An array of values.
    Many(Vec<Scalar>),
}

/// Names and values, in the order sent; no name twice.
pub type OpenData = Vec<(String, Datum)>;

impl Scalar {
    /// Parses a value without parts, `null` included.
    ///
    /// # Errors
    /// An object or an array.
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        match at.value {
            Value::Null => Ok(Scalar::Null),
            Value::Bool(value) => Ok(Scalar::Bool(*value)),
            Value::Number(number) => Ok(Scalar::Number(number.clone().into_owned())),
            Value::String(text) => Ok(Scalar::String(text.clone().into_owned())),
            Value::Array(_) | Value::Object(_) => Err(at.invalid("must be a number, a string, a boolean or null")),
        }
    }

    /// The value as JSON.
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
    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value<'_> {
        match self {
            Datum::One(value) => value.to_json(),
            Datum::Many(values) => Value::Array(values.iter().map(Scalar::to_json).collect()),
        }
    }
}
