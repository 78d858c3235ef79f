//! The clients' requests.

use std::collections::HashMap;

use lambda_http::{
    Body, Request, RequestExt as _,
    http::{HeaderValue, Method},
};
use punchcard_http::{
    Route,
    route::{self, MatchedPath},
};
use punchcard_models::idempotency::IdempotencyKey;
use serde_json::{Value, json};

use crate::history::{Ask, Event};

/// The time of all events and activities.
pub(crate) const WHEN: &str = "2039-12-01T07:00:00.000Z";
/// The client events' names that a tag chooses from.
const NAMES: [&str; 3] = ["ActivateOffer", "ParkOffer", "UrlLinkClicked"];
/// The amount paid for every order.
pub(crate) const ORDER_PAID: i64 = 90;
/// The secret of every client and API key.
pub(crate) const SECRET: &str = "secret";

impl Event {
    /// The event's name, which goes with its tag.
    pub(crate) fn name(&self) -> &'static str {
        NAMES[usize::try_from(self.tag).unwrap_or(0) % NAMES.len()]
    }

    /// The serve token, in which the tag stands.
    pub(crate) fn serve_token(&self) -> String {
        format!("tag {}", self.tag)
    }

    fn to_json(&self) -> Value {
        json!({
            "clientEventId": self.id,
            "clientEventType": "AdInteraction",
            "clientEvent": self.name(),
            "clientEventTimestamp": WHEN,
            "clientEventMetadata": {"serveToken": self.serve_token(), "section": "Dashboard", "channel": "OLB"},
        })
    }
}

impl Ask {
    /// The kind of request.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Ask::Token { .. } => "token",
            Ask::ClientEvents { .. } => "client events",
            Ask::Activity { id: Some(_), .. } => "activity with an id",
            Ask::Activity { key: Some(_), .. } => "activity with a key",
            Ask::Activity { .. } => "activity",
            Ask::ReadActivity { .. } => "activity read",
            Ask::Void { .. } => "reversal",
            Ask::Adjust { .. } => "adjustment",
            Ask::OpenSession { .. } => "session",
            Ask::ReadBalances { .. } => "balances read",
            Ask::PlayerEvents { id: Some(id), .. } if id.starts_with("order#") => "order",
            Ask::PlayerEvents { id: Some(_), .. } => "player events with a key",
            Ask::PlayerEvents { .. } => "player events",
            Ask::Refund { .. } => "refund",
            Ask::SavePlayer { .. } => "player",
            Ask::ReadPlayer { .. } => "player read",
            Ask::DryRun(_) => "dry run",
        }
    }

    /// The function that it is for, and the request as API Gateway passes it on.
    pub(crate) fn to_request(&self, caller: &str, credential: &str) -> (&'static Route, Request) {
        if let Ask::DryRun(ask) = self {
            let (route, mut request) = ask.to_request(caller, credential);
            request.headers_mut().insert("prefer", HeaderValue::from_static("dry-run"));
            return (route, request);
        }
        let bearer = format!("Bearer {credential}");
        let key = |key: &Option<String>| key.iter().map(|key| ("idempotency-key", key.clone())).collect::<Vec<_>>();
        let post = |body: &Value, headers: Vec<(&'static str, String)>| (Method::POST, Some(body.to_string()), headers);
        let get = |headers: Vec<(&'static str, String)>| (Method::GET, None, headers);
        let authorization = ("authorization", bearer);
        let (function, (method, body, headers), path) = match self {
            Ask::Token { customer: Some(customer) } => {
                let body = json!({"clientId": caller, "secret": SECRET});
                (&route::START_SESSION, post(&body, vec![(CUSTOMER, (*customer).to_owned())]), vec![])
            }
            Ask::Token { customer: None } => {
                let form = format!("grant_type=client_credentials&client_id={caller}&client_secret={SECRET}");
                (&route::ISSUE_TOKEN, (Method::POST, Some(form), vec![]), vec![])
            }
            Ask::ClientEvents { customer, request_id, events } => {
                let body = json!({"clientEvents": events.iter().map(Event::to_json).collect::<Vec<_>>()});
                let mut headers = vec![authorization, (CUSTOMER, (*customer).to_owned())];
                headers.extend(request_id.iter().map(|id| ("x-cdlx-request-id", id.clone())));
                (&route::SEND_CLIENT_EVENT, post(&body, headers), vec![])
            }
            Ask::Activity { correlation, id, key: sent_key, body, .. } => {
                let mut path = vec![("correlation_id", correlation)];
                path.extend(id.iter().map(|id| ("activity_id", id)));
                let headers = [vec![authorization], key(sent_key)].concat();
                (&route::SEND_ACTIVITY, post(body, headers), path)
            }
            Ask::ReadActivity { correlation, id } => {
                let path = vec![("correlation_id", correlation), ("activity_id", id)];
                (&route::GET_ACTIVITY, get(vec![authorization]), path)
            }
            Ask::Void { correlation, original, reference } => {
                let mut body = json!({"originalTransactionId": original});
                if let Some(reference) = reference {
                    body["externalReferenceId"] = json!(reference);
                }
                (&route::VOID_ACTIVITY, post(&body, vec![authorization]), vec![("correlation_id", correlation)])
            }
            Ask::Adjust { correlation, reference, amount } => {
                let body = json!({
                    "channel": "WEB", "businessUnit": "A", "issuerId": "support", "rewardAmount": amount,
                    "externalReferenceId": reference,
                });
                (&route::ADJUST_BALANCE, post(&body, vec![authorization]), vec![("correlation_id", correlation)])
            }
            Ask::OpenSession { correlation, identifier, by_loyalty_id } => {
                let body = json!({"correlationId": correlation, "channel": "APP"});
                let by = if *by_loyalty_id { "LOYALTY_ID" } else { "ACCOUNT_ID" };
                let headers = vec![authorization, ("x-identifier-type", by.to_owned())];
                (&route::OPEN_SESSION, post(&body, headers), vec![("correlation_id", identifier)])
            }
            Ask::ReadBalances { correlation } => {
                (&route::GET_BALANCES, get(vec![authorization]), vec![("correlation_id", correlation)])
            }
            Ask::PlayerEvents { id, body, .. } => {
                let mut headers = vec![("apikey", credential.to_owned())];
                let route = if id.as_ref().is_some_and(|id| id.starts_with("order#")) {
                    &route::PLACE_ORDER
                } else {
                    let key = id.as_ref().and_then(|id| id.strip_prefix("key#"));
                    headers.extend(key.map(|key| ("idempotency-key", key.to_owned())));
                    &route::TRACK_EVENT
                };
                (route, post(body, headers), vec![])
            }
            Ask::Refund { player, id, order, amount } => {
                let body = refund(player, id, order, *amount);
                let headers = vec![("apikey", credential.to_owned()), ("secretkey", SECRET.to_owned())];
                (&route::REFUND_ORDER, post(&body, headers), vec![])
            }
            Ask::SavePlayer { body, .. } => {
                (&route::SAVE_PLAYER, post(body, vec![("apikey", credential.to_owned())]), vec![])
            }
            Ask::ReadPlayer { player } => {
                let headers = vec![("apikey", credential.to_owned())];
                (&route::GET_PLAYER, get(headers), vec![("playerUniqueId", player)])
            }
            Ask::DryRun(_) => unreachable!("a dry run is another request with a header"),
        };
        let content_type = match self {
            Ask::Token { customer: None } => "application/x-www-form-urlencoded",
            _ => "application/json",
        };
        // Version 4 has paths of its own.
        let is_v4 = |body: &String| body.contains("\"customerId\":");
        let path_v4 = function.paths.last().filter(|_| body.as_ref().is_some_and(is_v4));
        let mut request = lambda_http::http::Request::builder().method(method).header("content-type", content_type);
        if let Some(path) = path_v4 {
            request = request.extension(MatchedPath(path.template));
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = body.map_or(Body::Empty, Body::Text);
        let request = request.body(body).expect("a request of plain names and values");
        let path: HashMap<_, _> = path.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        (function, request.with_path_parameters(path))
    }
}

fn refund(player: &str, id: &str, order: &str, amount: Option<i64>) -> Value {
    json!({
        "customerId": player, "refundTransactionId": id, "reverseTransactionId": order,
        "transactionTime": "1999-12-31T23:30:00.000Z", "refundAmount": amount,
    })
}

const CUSTOMER: &str = "x-source-customer-id";

/// The id under which an activity is recorded, if it has one before.
pub(crate) fn record_id(correlation: &str, id: Option<&String>, key: Option<&String>) -> Option<String> {
    match (id, key) {
        (Some(id), _) => Some(id.clone()),
        (None, Some(key)) => {
            let key = key.parse::<IdempotencyKey>().ok()?;
            Some(key.activity_id(&correlation.parse().ok()?).to_string())
        }
        (None, None) => None,
    }
}
