//! Items: building and reading attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

/// A DynamoDB item: attribute values by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Maximum item size in bytes: DynamoDB's 400 KB, less a margin because [`size_bytes`] is approximate, and for the marks
/// that corrections set on an item.
pub(crate) const MAX_ITEM_BYTES: usize = 400 * 1024 - 1024;

/// Returns an item's size by DynamoDB's rules. Numbers are counted as text, which never underestimates them.
pub(crate) fn size_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    /// Overhead of a list or map, in addition to one byte per element.
    const CONTAINER: usize = 3;
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len() + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::M(members) => CONTAINER + members.len() + size_bytes(members),
        AttributeValue::L(values) => CONTAINER + values.iter().map(|value| 1 + value_bytes(value)).sum::<usize>(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.iter().map(|text| text.len() + 1).sum(),
        _ => 1,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass owned or borrowed values")]
pub(crate) fn s(text: impl ToString) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass owned or borrowed values")]
pub(crate) fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn b(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// Converts an amount of points or uses, which is never near the limit.
pub(crate) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Typed access to attributes. Returns `None` for a missing attribute or one of another type.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_as_large_as_its_names_and_values() {
        let item = Item::from([
            ("id".to_owned(), s("äb")),
            ("points".to_owned(), n(12)),
            ("digest".to_owned(), b(&[1, 2, 3])),
            ("unused".to_owned(), AttributeValue::Bool(true)),
            ("list".to_owned(), AttributeValue::L(vec![s("x"), s("y")])),
            ("map".to_owned(), AttributeValue::M(Item::from([("a".to_owned(), s("z"))]))),
        ]);
        let names = "idpointsdigestunusedlistmap".len();
        let values = (3 + 1) + (2 + 1) + 3 + 1 + (3 + 2 * (1 + 2)) + (3 + 1 + 1 + 2);
        assert_eq!(size_bytes(&item), names + values);
    }
}
