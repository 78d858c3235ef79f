//! What the references share: as much of a request as they need, and the items that they write.

use std::{borrow::Cow, collections::HashMap};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use chrono::{SecondsFormat, Utc};
use serde::Deserialize;
use uuid::Uuid;

/// The body of a request with client events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch<'a> {
    /// One or more.
    #[serde(borrow)]
    pub client_events: Vec<ClientEvent<'a>>,
}

/// A client event, unchecked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "named as in the body")]
pub struct ClientEvent<'a> {
    #[serde(borrow)]
    pub client_event_id: Cow<'a, str>,
    #[serde(borrow)]
    pub client_event_type: Cow<'a, str>,
    #[serde(borrow)]
    pub client_event: Cow<'a, str>,
    #[serde(borrow)]
    pub client_event_timestamp: Cow<'a, str>,
    #[serde(borrow)]
    pub client_event_metadata: Metadata<'a>,
}

/// Where a client event happened, unchecked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "named as in the body")]
pub struct Metadata<'a> {
    #[serde(borrow)]
    pub serve_token: Cow<'a, str>,
    #[serde(borrow)]
    pub section: Cow<'a, str>,
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
}

/// An item.
pub type Item = HashMap<String, AttributeValue>;

/// A client event as the product stores it.
#[must_use]
pub fn client_event(customer: &str, event: &ClientEvent<'_>) -> Item {
    let metadata = [
        ("serveToken", s(&event.client_event_metadata.serve_token)),
        ("section", s(&event.client_event_metadata.section)),
        ("channel", s(&event.client_event_metadata.channel)),
    ];
    item([
        ("customerId", s(customer)),
        ("clientEventId", s(&event.client_event_id)),
        ("type", s(&event.client_event_type)),
        ("event", s(&event.client_event)),
        ("timestamp", s(&event.client_event_timestamp)),
        ("metadata", AttributeValue::M(item(metadata))),
        ("receivedAt", s(&now())),
        ("writeId", AttributeValue::B(Blob::new(Uuid::new_v4().into_bytes()))),
    ])
}

/// Attributes, by name.
#[must_use]
pub fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A string.
#[must_use]
pub fn s(text: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

/// The time, as it is stored.
#[must_use]
pub fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}
