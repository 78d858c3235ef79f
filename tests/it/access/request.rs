//! The requests of every route, and attempts to authenticate them.

use punchcard_http::{Dialect, route::ROUTES};
use punchcard_models::access::Scope;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CUSTOMER, EVENT};

/// The credential that a route requires.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guard {
    /// A client's id and secret, in JSON.
    Credentials,
    /// A client's id and secret, as OAuth 2.0 has them.
    OAuth,
    /// A token for one API.
    Token(Scope),
    /// An API key.
    ApiKey,
    /// An API key and its secret key.
    SecretKey,
}

/// A path that a function answers.
pub(super) struct Route {
    pub(super) endpoint: &'static punchcard_http::Route,
    pub(super) path: &'static str,
    pub(super) dialect: Dialect,
}

pub(super) fn routes() -> Vec<Route> {
    ROUTES
        .iter()
        .flat_map(|endpoint| {
            endpoint.paths.iter().map(|path| Route { endpoint, path: path.template, dialect: path.dialect })
        })
        .collect()
}

/// The resource that a request names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// It exists.
    Existing,
    /// It does not exist.
    Missing,
}

/// A request without a credential, and the status of its response to a valid one.
pub(super) struct Request {
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) status: u16,
}

impl Route {
    pub(super) fn guard(&self) -> Guard {
        match (self.endpoint.function, self.dialect) {
            ("start-session", _) => Guard::Credentials,
            ("refund-order", _) => Guard::SecretKey,
            (_, Dialect::OAuth) => Guard::OAuth,
            (_, Dialect::ClientEvents) => Guard::Token(Scope::ClientEvents),
            (_, Dialect::Activities) => Guard::Token(Scope::Activities),
            (_, Dialect::PlayerEvents | Dialect::PlayerEventsV4) => Guard::ApiKey,
        }
    }

    pub(super) fn request(&self, target: Target) -> Request {
        let new = Uuid::new_v4().to_string();
        let id = |known: &str| match target {
            Target::Existing => known.to_owned(),
            Target::Missing => new.clone(),
        };
        let either = |known, unknown| match target {
            Target::Existing => known,
            Target::Missing => unknown,
        };
        let player = self.dialect.api_version().player_member();
        let has_id = self.path.contains("{activity_id}");
        let (body, status) = match self.endpoint.function {
            "start-session" | "issue-token" | "list-activities" | "get-balances" => (Value::Null, 200),
            "send-client-event" => (event(&id(EVENT)), either(409, 200)),
            "open-session" => (json!({"correlationId": id("c-1"), "channel": "APP"}), 200),
            "send-activity" => (activity(), if has_id { either(400, 200) } else { 200 }),
            "get-activity" | "explain-activity" | "get-player" | "get-player-balance" => {
                (Value::Null, either(200, 404))
            }
            "void-activity" => {
                (json!({"originalTransactionId": id("a-1"), "externalReferenceId": "r-1"}), either(200, 404))
            }
            "adjust-balance" => (
                json!({
                    "channel": "WEB", "businessUnit": "XYZ", "issuerId": "jane", "rewardAmount": 5,
                    "externalReferenceId": id("r-1"),
                }),
                200,
            ),
            "track-event" => (json!({player: id("player-1"), "events": {}}), 200),
            "preview-rewards" => (json!({player: id("player-1"), "events": {}}), either(200, 404)),
            "save-player" => (json!({player: id("player-1")}), 200),
            "place-order" => (order(player, &id("player-1")), 200),
            "refund-order" => (
                json!({
                    "customerId": "player-1", "refundTransactionId": id("R-1"), "reverseTransactionId": id("O-1"),
                    "transactionTime": "2024-10-13T17:11:00Z",
                }),
                either(200, 404),
            ),
            function => panic!("nothing is known of {function}"),
        };
        let customer = match self.guard() {
            Guard::Credentials => Some(id(CUSTOMER)),
            Guard::Token(Scope::ClientEvents) => Some(CUSTOMER.to_owned()),
            _ => None,
        };
        let mut headers: Vec<_> = customer.into_iter().map(|customer| ("x-source-customer-id", customer)).collect();
        if !body.is_null() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let ids = [("correlation_id", "c-1"), ("activity_id", "a-1"), ("playerUniqueId", "player-1")];
        let path = ids
            .into_iter()
            .fold(self.path.to_owned(), |path, (name, known)| path.replace(&format!("{{{name}}}"), &id(known)));
        Request { path, headers, body: if body.is_null() { String::new() } else { body.to_string() }, status }
    }
}

pub(super) fn event(id: &str) -> Value {
    json!({"clientEvents": [{
        "clientEventId": id,
        "clientEventType": "SessionAction",
        "clientEvent": "LogEnrollment",
        "clientEventTimestamp": "2024-10-01T07:00:00Z",
    }]})
}

fn order(player_member: &str, player: &str) -> Value {
    json!({
        player_member: player,
        "orderId": "O-1",
        "orderDate": "2024-10-01T07:00:00Z",
        "totalPaid": 90,
        "totalPrice": 100,
    })
}

pub(super) fn activity() -> Value {
    json!({"action": "APP_CHECKIN", "channel": "STORE", "when": "2024-10-01T07:00:00Z"})
}

/// An attempt to authenticate, and the status of the response.
pub(super) struct Attempt {
    pub(super) name: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) query: String,
    pub(super) body: Option<(&'static str, String)>,
    pub(super) status: u16,
}

impl Attempt {
    /// Without a credential.
    pub(super) fn new(name: impl Into<String>) -> Self {
        Attempt { name: name.into(), headers: Vec::new(), query: String::new(), body: None, status: 401 }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn authorization(self, value: impl Into<String>) -> Self {
        self.header("authorization", value)
    }

    pub(super) fn query(self, query: impl Into<String>) -> Self {
        Attempt { query: query.into(), ..self }
    }

    pub(super) fn json(self, body: &Value) -> Self {
        Attempt { body: Some(("application/json", body.to_string())), ..self }
    }

    pub(super) fn form(self, body: impl Into<String>) -> Self {
        Attempt { body: Some(("application/x-www-form-urlencoded", body.into())), ..self }
    }

    pub(super) fn answered(self, status: u16) -> Self {
        Attempt { status, ..self }
    }

    /// Returns true if the request has the header that the route reads its credential from.
    pub(super) fn has_authorization(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == "authorization")
    }
}
