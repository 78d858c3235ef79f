//! A client of the activities' API, with its token: what the tests of that API's routes share.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use punchcard::set_up;
use punchcard_rewards::yaml;
use punchcard_store::Admin;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{Answer, App};

/// Names that every answer has a header of, with its value (seed B, and `Permissions-Policy` beside its predecessor).
const HEADERS: [(&str, &str); 11] = [
    ("access-control-allow-origin", "*"),
    ("cache-control", "no-cache, no-store, must-revalidate"),
    (
        "content-security-policy",
        "connect-src 'none';object-src https://*.cloudfront.net;script-src https://*.cloudfront.net",
    ),
    ("expect-ct", "max-age=86400"),
    ("feature-policy", "vibrate 'none'; geolocation 'none'"),
    ("permissions-policy", "vibrate=(), geolocation=()"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "sameorigin"),
    ("x-xss-protection", "1;mode=block"),
];

/// A loyalty programme: the API with a catalog, and a client that has a token for activities.
pub struct Programme {
    pub app: App,
    token: String,
}

impl Programme {
    /// The demo.
    pub async fn start() -> Self {
        Self::on(App::start().await).await
    }

    /// The programme of an app.
    pub async fn on(app: App) -> Self {
        let token = activities_token(&app).await;
        Programme { app, token }
    }

    /// One with another catalog.
    pub async fn with(catalog: &str) -> Self {
        let mut programme = Self::start().await;
        programme.apply(catalog).await;
        programme
    }

    /// Applies a catalog. What has to read it first is started anew.
    pub async fn apply(&mut self, catalog: &str) {
        let source = yaml::read(catalog).unwrap_or_else(|problems| panic!("{problems:?}"));
        set_up::apply(&Admin::new(&self.app.store), &source, punchcard_runtime::now()).await.expect("applied");
        self.app.restart().await;
    }

    /// The `Authorization` of its requests.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Sends a body as it is.
    pub async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let bearer = self.bearer();
        let headers: Vec<_> = [("authorization", bearer.as_str())].iter().chain(headers).copied().collect();
        self.app.send(method, path, &headers, body).await
    }

    /// Posts JSON text.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers: Vec<_> = [("content-type", "application/json")].iter().chain(headers).copied().collect();
        self.call(Method::POST, path, &headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], "").await
    }

    /// Sends an activity with an id of its own.
    pub async fn send(&self, correlation_id: &str, activity_id: &str, body: &Value) -> Answer {
        self.post(&activity_path(correlation_id, activity_id), &[], &body.to_string()).await
    }

    /// Sends an activity as a client does that wants it recorded: what is answered 5xx is sent again as it stands,
    /// and where that finds the id used, what happened is read back. Many at once may be more than a slow machine
    /// answers within a request's deadline.
    pub async fn send_until_recorded(&self, correlation_id: &str, activity_id: &str, body: &Value) -> Value {
        let first = self.send(correlation_id, activity_id, body).await;
        if first.status == 200 {
            return first.json();
        }
        assert_eq!(first.status, 503, "{}", first.body);
        for _ in 0..20 {
            let answer = self.get(&activity_path(correlation_id, activity_id)).await;
            if answer.status == 200 {
                return answer.json();
            }
            let again = self.send(correlation_id, activity_id, body).await;
            assert!([200, 400, 503].contains(&again.status.as_u16()), "{}", again.body);
        }
        panic!("{activity_id} is not recorded: {first:?}");
    }

    /// Sends an activity without an id, but with an Idempotency-Key.
    pub async fn send_keyed(&self, correlation_id: &str, key: &str, body: &Value) -> Answer {
        self.post(&activities_path(correlation_id), &[("idempotency-key", key)], &body.to_string()).await
    }

    /// The earnings of a new activity without id and key.
    pub async fn earned(&self, correlation_id: &str, body: &Value) -> Value {
        let answer = self.post(&activities_path(correlation_id), &[], &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["earned"].take()
    }

    /// Asks for a session of an account.
    pub async fn open(&self, account_id: &str, correlation_id: &str) -> Answer {
        let body = json!({"correlationId": correlation_id, "channel": "APP"});
        self.post(&format!("/client/users/{account_id}/sessions"), &[], &body.to_string()).await
    }

    /// Ties a correlation id to an account: its loyalty id.
    pub async fn tie(&self, account_id: &str, correlation_id: &str) -> String {
        let answer = self.open(account_id, correlation_id).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["loyaltyId"].as_str().expect("a loyalty id").to_owned()
    }

    /// The balances in the response of the API.
    pub async fn balances(&self, correlation_id: &str) -> Value {
        let answer = self.get(&format!("/client/users/{correlation_id}/balances")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["balances"].take()
    }

    /// The numbers of stored activities, members and sessions.
    pub async fn stored(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for (count, table) in counts.iter_mut().zip(["Activities", "Members", "Sessions"]) {
            *count = self.app.items(table).await.len();
        }
        counts
    }

    /// Every balance is the sum of what the member's activities earned, and a member was written as often as one of
    /// them earned something, or was counted for `first` or `every`: nothing is booked twice, nothing lost.
    pub async fn assert_books_balance(&self) {
        let (mut earned, mut awards) = (BTreeMap::<_, BTreeMap<_, u64>>::new(), BTreeMap::<_, u64>::new());
        for item in self.app.items("Activities").await {
            let member = text(&item, "memberId").to_owned();
            let units: Value = serde_json::from_str(text(&item, "earned")).expect("JSON");
            for (unit, types) in units.as_object().expect("units") {
                for (points_type, points) in types.as_object().expect("points types") {
                    let [base, bonus, targeted, total] =
                        ["base", "bonus", "targeted", "total"].map(|name| points[name].as_u64().expect("points"));
                    assert_eq!(base + bonus + targeted, total, "{item:?}");
                    let balance = format!("pts#{unit}#{points_type}");
                    *earned.entry(member.clone()).or_default().entry(balance).or_default() += total;
                }
            }
            if units != json!({}) {
                *awards.entry(member).or_default() += 1;
            }
        }
        let (mut balances, mut versions) = (BTreeMap::<_, BTreeMap<_, u64>>::new(), BTreeMap::<_, u64>::new());
        let mut counted = BTreeMap::<_, u64>::new();
        for item in self.app.items("Members").await {
            let member = text(&item, "memberId").to_owned();
            for name in item.keys().filter(|name| name.starts_with("pts#")) {
                balances.entry(member.clone()).or_default().insert(name.clone(), number(&item, name));
            }
            let is_count = |name: &&String| name.starts_with("first#") || name.starts_with("nth#");
            counted.insert(member.clone(), item.keys().filter(is_count).map(|name| number(&item, name)).sum());
            if item.contains_key("version") {
                versions.insert(member, number(&item, "version"));
            }
        }
        assert_eq!(balances, earned);
        for (member, version) in &versions {
            let least = awards.remove(member).unwrap_or(0);
            assert!((least..=least + counted[member]).contains(version), "{member}: {version}, {least} awards");
        }
        assert_eq!(awards, BTreeMap::new());
    }
}

/// A token for activities, from the demo client.
pub async fn activities_token(app: &App) -> String {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret";
    let answer = app.send(Method::POST, "/oauth2/token", &headers, form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["access_token"].as_str().expect("a token").to_owned()
}

pub fn activities_path(correlation_id: &str) -> String {
    format!("/client/users/{correlation_id}/activities")
}

pub fn activity_path(correlation_id: &str, activity_id: &str) -> String {
    format!("/client/users/{correlation_id}/activities/{activity_id}")
}

/// A valid activity in a store, on a day when every window of the demo is open.
pub fn activity(action: &str) -> Value {
    json!({"action": action, "channel": "STORE", "when": "2024-10-01T07:00:00Z"})
}

/// A body with one member more, or another value of it.
pub fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

/// The points of a unit.
pub fn points(base: u64, bonus: u64, targeted: u64) -> Value {
    json!({"loyalty": {"base": base, "bonus": bonus, "targeted": targeted, "total": base + bonus + targeted}})
}

/// It is an error in the dialect of activities.
#[track_caller]
pub fn assert_error(answer: &Answer, status: u16, code: &str, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let body = json!({"statusCode": status, "errorCode": code, "errorMessage": message});
    assert_eq!(answer.json(), body);
    assert_headers(answer);
}

/// It is a 400 of the seed's kind.
#[track_caller]
pub fn assert_invalid(answer: &Answer, message: &str) {
    assert_error(answer, 400, "INVALID_REQUEST", message);
}

/// It has the headers that every answer has.
#[track_caller]
pub fn assert_headers(answer: &Answer) {
    for (name, value) in HEADERS {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-amzn-requestid").is_some_and(|id| !id.is_empty()));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

pub fn text<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).unwrap_or_else(|| panic!("no text {name}: {item:?}"))
}

pub fn number(item: &HashMap<String, AttributeValue>, name: &str) -> u64 {
    let value = item.get(name).and_then(|value| value.as_n().ok()).and_then(|number| number.parse().ok());
    value.unwrap_or_else(|| panic!("no number {name}: {item:?}"))
}

/// An error's status, code and message; it has these three members and no other.
#[track_caller]
pub fn error(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let members = body.as_object().unwrap_or_else(|| panic!("no object: {body}"));
    assert_eq!(members.len(), 3, "{body}");
    assert_eq!(members["statusCode"], answer.status.as_u16());
    let text = |name: &str| members[name].as_str().expect("text").to_owned();
    (answer.status.as_u16(), text("errorCode"), text("errorMessage"))
}
