//! Items: attributes in and out.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

/// An item as DynamoDB has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

#[expect(clippy::needless_pass_by_value, reason = "callers pass what they have, owned or borrowed")]
pub(crate) fn s(text: impl ToString) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass what they have, owned or borrowed")]
pub(crate) fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn b(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// Reading an item's attributes, each of which may be missing or of another type.
pub(crate) trait Attributes {
    fn text(&self, name: &str) -> Option<&str>;
    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N>;
    fn bytes(&self, name: &str) -> Option<&[u8]>;
}

impl Attributes for Item {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_s().ok().map(String::as_str)
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.get(name)?.as_n().ok()?.parse().ok()
    }

    fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.get(name)?.as_b().ok().map(AsRef::as_ref)
    }
}
