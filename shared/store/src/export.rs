//! Items as JSON, with every attribute.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::value::RawValue;

use crate::item::Item;

/// Attributes whose text is JSON.
const JSON_TEXTS: [&str; 4] = ["earned", "events", "extendedData", "response"];

/// Formats an item as one line of JSON. Numbers keep all digits, and JSON in text becomes part of it.
pub(crate) fn record_json(item: &Item) -> String {
    let mut json = String::new();
    let attributes = item.iter().map(|(name, value)| (name.as_str(), value));
    write_object(attributes, &mut json, |name, value, json| match value {
        AttributeValue::S(text) if JSON_TEXTS.contains(&name) => write_raw(text, json),
        value => write_value(value, json),
    });
    json
}

fn write_object<'i>(
    attributes: impl Iterator<Item = (&'i str, &'i AttributeValue)>,
    json: &mut String,
    write: impl Fn(&str, &AttributeValue, &mut String),
) {
    json.push('{');
    for (index, (name, value)) in attributes.collect::<BTreeMap<_, _>>().into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write_text(name, json);
        json.push(':');
        write(name, value, json);
    }
    json.push('}');
}

fn write_list<T>(values: &[T], json: &mut String, write: impl Fn(&T, &mut String)) {
    json.push('[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write(value, json);
    }
    json.push(']');
}

fn write_value(value: &AttributeValue, json: &mut String) {
    let write_binary = |bytes: &aws_sdk_dynamodb::primitives::Blob, json: &mut String| {
        write_text(&BASE64_STANDARD.encode(bytes), json);
    };
    match value {
        AttributeValue::S(text) => write_text(text, json),
        AttributeValue::N(number) => write_raw(number, json),
        AttributeValue::B(bytes) => write_binary(bytes, json),
        AttributeValue::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
        AttributeValue::M(members) => {
            let members = members.iter().map(|(name, value)| (name.as_str(), value));
            write_object(members, json, |_, value, json| write_value(value, json));
        }
        AttributeValue::L(values) => write_list(values, json, write_value),
        AttributeValue::Ss(texts) => write_list(texts, json, |text, json| write_text(text, json)),
        AttributeValue::Ns(numbers) => write_list(numbers, json, |number, json| write_raw(number, json)),
        AttributeValue::Bs(values) => write_list(values, json, write_binary),
        // Null, and types that this version of the SDK does not know.
        _ => json.push_str("null"),
    }
}

/// Writes text that is JSON as it is. A line break would end the line.
fn write_raw(text: &str, json: &mut String) {
    let is_line = !text.contains(['\n', '\r']) && serde_json::from_str::<&RawValue>(text).is_ok();
    if is_line { json.push_str(text) } else { write_text(text, json) }
}

fn write_text(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{b, n, s};

    #[test]
    fn an_item_is_one_line_of_json_that_loses_nothing() {
        let item = Item::from([
            ("b".to_owned(), b(&[1, 2, 255])),
            ("n".to_owned(), n("12345678901234567890.10")),
            ("s".to_owned(), s("a\n\"b\"")),
            ("t".to_owned(), AttributeValue::Bool(true)),
            ("m".to_owned(), AttributeValue::M(Item::from([("earned".to_owned(), s("[1]"))]))),
            ("l".to_owned(), AttributeValue::L(vec![s("x"), AttributeValue::Null(true)])),
            ("earned".to_owned(), s(r#"{"U":{"t":1.50}}"#)),
            ("events".to_owned(), s("{\n}")),
            ("response".to_owned(), s("no JSON")),
        ]);
        let expected = r#"{"b":"AQL/","earned":{"U":{"t":1.50}},"events":"{\n}","l":["x",null],"m":{"earned":"[1]"},"n":12345678901234567890.10,"response":"no JSON","s":"a\n\"b\"","t":true}"#;
        assert_eq!(record_json(&item), expected);
    }
}
