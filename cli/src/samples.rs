//! Sample requests of each API: those of `events/`, without what API Gateway adds.

use serde_json::Value;

use crate::api::Credential;

/// A sample request.
#[derive(Debug)]
pub struct Sample {
    /// Its name in addresses.
    pub name: &'static str,
    /// A description for people.
    pub title: &'static str,
    /// Its API.
    pub api: &'static str,
    /// The credential that it needs.
    pub credential: Credential,
    event: &'static str,
    /// Text that is replaced, so that the samples refer to each other.
    replaced: (&'static str, &'static str),
}

/// A request, without its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The method.
    pub method: String,
    /// The path and the query.
    pub path: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body, if it has one.
    pub body: String,
}

macro_rules! sample {
    ($name:literal, $title:literal, $api:literal, $credential:ident) => {
        sample!($name, $title, $api, $credential, "", "")
    };
    ($name:literal, $title:literal, $api:literal, $credential:ident, $from:literal, $to:literal) => {
        Sample {
            name: $name,
            title: $title,
            api: $api,
            credential: Credential::$credential,
            event: include_str!(concat!("../../events/", $name, ".json")),
            replaced: ($from, $to),
        }
    };
}

/// The samples, in the order in which they can be sent.
pub static SAMPLES: [Sample; 15] = [
    sample!("send-client-event.happy", "Send a client event", "Client events", Session),
    sample!("send-client-event.partial", "Send three, some of them known", "Client events", Session),
    sample!("send-client-event.invalid", "Send an invalid one", "Client events", Session),
    sample!("open-session.happy", "Open a session", "Activities", Client, "session-2", "session-1"),
    sample!(
        "send-activity.happy",
        "Send an activity",
        "Activities",
        Client,
        "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9",
        "activity-1"
    ),
    sample!("get-balances.happy", "Read the balances", "Activities", Client),
    sample!("explain-activity.happy", "Explain an activity", "Activities", Client),
    sample!("list-activities.happy", "List the activities", "Activities", Client),
    sample!("void-activity.happy", "Void an activity", "Activities", Client),
    sample!("adjust-balance.happy", "Adjust a balance", "Activities", Client),
    sample!("track-event.happy", "Send player events", "Player events", ApiKey),
    sample!("place-order.happy", "Place an order", "Player events", ApiKey),
    sample!("refund-order.happy", "Refund an order", "Player events", SecretKey, "O-900", "O-1001"),
    sample!("preview-rewards.happy", "Preview what events would earn", "Player events", ApiKey),
    sample!("get-player-balance.happy", "Read a player’s balance", "Player events", ApiKey),
];

impl Sample {
    /// Returns the sample with this name, or the first one.
    pub fn named(name: &str) -> &'static Sample {
        SAMPLES.iter().find(|sample| sample.name == name).unwrap_or(&SAMPLES[0])
    }

    /// Returns the request.
    pub fn request(&self) -> Sent {
        let (from, to) = self.replaced;
        let event = if from.is_empty() { self.event.to_owned() } else { self.event.replace(from, to) };
        let event: Value = serde_json::from_str(&event).unwrap_or_default();
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let query = text("/rawQueryString");
        let path = text("/rawPath");
        let headers = event.get("headers").and_then(Value::as_object).into_iter().flatten();
        let headers = headers.filter(|(name, _)| is_sent(name));
        Sent {
            method: text("/requestContext/http/method"),
            path: if query.is_empty() { path } else { format!("{path}?{query}") },
            headers: headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
            body: text("/body"),
        }
    }
}

/// Returns true for a header that the sender chooses, and that is no credential.
fn is_sent(name: &str) -> bool {
    const OTHERS: [&str; 7] =
        ["accept", "apikey", "authorization", "content-length", "host", "secretkey", "user-agent"];
    !name.starts_with("x-forwarded") && !name.starts_with("x-amzn") && !OTHERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_is_a_request_without_a_credential() {
        for sample in &SAMPLES {
            let sent = sample.request();
            assert!(["GET", "POST"].contains(&sent.method.as_str()), "{sent:?}");
            assert!(sent.path.starts_with('/') && (sent.method == "GET") == sent.body.is_empty(), "{sent:?}");
            let text = format!("{sent:?}");
            assert!(!text.contains("TOKEN") && !text.contains("demo-") && !text.contains("example"), "{text}");
            assert_eq!(Sample::named(sample.name).title, sample.title);
        }
    }
}
