//! Items as JSON, with every attribute.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::value::RawValue;

use crate::item::{Item, b, n, s};

/// Attributes whose text is JSON.
const JSON_TEXTS: [&str; 4] = ["earned", "events", "extendedData", "response"];
/// The binary attributes of records.
const BINARY: [&str; 2] = ["payload", "writeId"];

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

/// Reads an item of a record table from what [`record_json`] wrote. `None` if it is no JSON object.
pub(crate) fn record_item(json: &str) -> Option<Item> {
    let members: HashMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    let attribute = |(name, value): (String, &RawValue)| {
        let value = match serde_json::from_str::<String>(value.get()) {
            Ok(text) if BINARY.contains(&&*name) => b(&BASE64_STANDARD.decode(text).ok()?),
            Ok(text) => s(text),
            Err(_) if JSON_TEXTS.contains(&&*name) => s(value.get()),
            Err(_) => read_value(value.get())?,
        };
        Some((name, value))
    };
    members.into_iter().map(attribute).collect()
}

/// Reads a value. Numbers keep all digits.
fn read_value(json: &str) -> Option<AttributeValue> {
    Some(match json.as_bytes().first()? {
        b'"' => s(serde_json::from_str::<String>(json).ok()?),
        b't' => AttributeValue::Bool(true),
        b'f' => AttributeValue::Bool(false),
        b'{' => {
            let members: HashMap<String, &RawValue> = serde_json::from_str(json).ok()?;
            let member = |(name, value): (String, &RawValue)| Some((name, read_value(value.get())?));
            AttributeValue::M(members.into_iter().map(member).collect::<Option<_>>()?)
        }
        b'[' => {
            let values: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            AttributeValue::L(values.into_iter().map(|value| read_value(value.get())).collect::<Option<_>>()?)
        }
        b'n' => AttributeValue::Null(true),
        _ => n(json),
    })
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

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let item = Item::from([
            ("payload".to_owned(), b(&[0, 200, 255])),
            ("writeId".to_owned(), b(&[7; 16])),
            ("amount".to_owned(), n("12345678901234567890.10")),
            ("note".to_owned(), s("{\"a\": \u{1f600}\n}")),
            ("anonymous".to_owned(), AttributeValue::Bool(true)),
            ("counters".to_owned(), AttributeValue::M(Item::from([("use#A".to_owned(), n(-3))]))),
            (
                "metadata".to_owned(),
                AttributeValue::M(Item::from([("slots".to_owned(), AttributeValue::L(vec![s("x")]))])),
            ),
            ("earned".to_owned(), s(r#"{"U":{"t":1.50}}"#)),
            ("response".to_owned(), s("no JSON")),
        ]);
        assert_eq!(record_item(&record_json(&item)), Some(item));
        for text in ["", "[]", "null", "{\"payload\":\"%\"}", "{\"a\":1"] {
            assert_eq!(record_item(text), None, "{text}");
        }
    }
}
