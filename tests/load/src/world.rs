//! The state that a function finds at its start: a catalog, clients, keys, a session. Set up as an operator would, in an
//! embedded store whose answers the canned endpoint repeats.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use axum::body::Bytes;
use dynoxide::Database;
use punchcard::{
    demo,
    embedded::{ANY_PORT, TABLE_PREFIX},
    set_up,
    store::Server,
};
use punchcard_http::token::{self, Claims};
use punchcard_models::{
    access::{Scope, SigningKey},
    ids::CorrelationId,
    session::{Identifier, SessionRequest},
};
use punchcard_rewards::yaml;
use punchcard_store::{Admin, SessionWriter, SigningKeyReader};
use serde_json::{Value, json};

/// The customer of all client events.
pub const CUSTOMER: &str = "customer-1";
/// The correlation id of all activities, and the account that a session ties it to.
pub const CORRELATION_ID: &str = "session-1";
const ACCOUNT: &str = "A-1001";
/// The events of a player request.
pub const EVENTS: [&str; 10] = [
    "place_order",
    "review",
    "sign_up",
    "login",
    "share",
    "add_to_cart",
    "view_item",
    "refer_friend",
    "level_up",
    "spin",
];

/// The catalog of a programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Catalog {
    /// The demo's.
    Demo,
    /// So many offers, of which three pay for a download, two for a check-in and none for a survey.
    Offers(usize),
    /// So many campaigns, of which three pay.
    Campaigns(usize),
}

impl Catalog {
    fn text(self) -> String {
        let few = |mut paying: Vec<Value>, count: usize, other: fn(usize) -> Value| {
            paying.extend((paying.len()..count).map(other));
            Value::from(paying)
        };
        match self {
            Catalog::Demo => yaml::DEMO.to_owned(),
            Catalog::Offers(count) => json!({
                "businessUnits": {"XYZ": "enabled"},
                "actions": ["STORE_VISIT"],
                "offers": few(paying_offers(), count, other_offer),
            })
            .to_string(),
            Catalog::Campaigns(count) => {
                json!({"campaigns": few(paying_campaigns(), count, other_campaign)}).to_string()
            }
        }
    }
}

fn paying_offers() -> Vec<Value> {
    let offer = |id: &str, kind: &str, actions: Value, reward: Value| json!({"id": id, "unit": "XYZ", "kind": kind, "actions": actions, "reward": reward});
    let base = offer("XYZ_BASE", "base", json!(["APP_DOWNLOAD", "APP_CHECKIN"]), json!({"flat": 10}));
    let mut limited = offer("XYZ_DOWNLOAD", "bonus", json!(["APP_DOWNLOAD"]), json!({"multiplier": 2}));
    limited["limits"] = json!({"usesPerMember": 1_000_000_000});
    let mut targeted = offer("XYZ_VIP", "targeted", json!(["APP_DOWNLOAD"]), json!({"percentage": 55}));
    targeted["accounts"] = json!([ACCOUNT]);
    let mut capped = offer("XYZ_LAUNCH", "bonus", json!(["APP_CHECKIN"]), json!({"flat": 7}));
    capped["limits"] = json!({"usesInTotal": 1_000_000_000});
    vec![base, limited, targeted, capped]
}

/// An offer that doesn't pay, each for one of four reasons.
fn other_offer(index: usize) -> Value {
    let mut offer = json!({"id": format!("OTHER_{index:04}"), "unit": "XYZ", "kind": "bonus", "reward": {"flat": 5}});
    let (name, value) = match index % 4 {
        0 => ("actions", json!(["STORE_VISIT"])),
        1 => ("channels", json!(["WEB", "KIOSK"])),
        2 => ("window", json!({"from": "2019-01-01T00:00:00Z", "until": "2020-01-01T00:00:00Z"})),
        _ => ("conditions", json!([{"field": "tier", "in": ["gold", "platinum"]}])),
    };
    offer[name] = value;
    offer
}

fn paying_campaigns() -> Vec<Value> {
    vec![
        json!({"id": "BIG_ORDER", "event": "place_order", "points": 50,
               "conditions": [{"field": "total_amount", "ge": 100}]}),
        json!({"id": "ELECTRONICS", "event": "place_order", "points": 20,
               "conditions": [{"field": "category", "contains": "electronics"}]}),
        json!({"id": "REVIEW", "event": "review", "points": 5, "limits": {"usesPerMember": 1_000_000_000}}),
    ]
}

/// A campaign that doesn't pay: half are for events that happen.
fn other_campaign(index: usize) -> Value {
    let event = if index.is_multiple_of(2) { "another_event" } else { EVENTS[index % EVENTS.len()] };
    json!({"id": format!("OTHER_{index:04}"), "event": event, "points": 5,
           "conditions": [{"field": "coupon", "exists": true}]})
}

/// A page of the catalog: the values of its query, and the key that it begins after.
pub fn page_key(query: &Value) -> String {
    format!("{}{}", query["ExpressionAttributeValues"], query["ExclusiveStartKey"])
}

/// A store with a catalog, and what it answers.
pub struct World {
    /// The URL of the embedded store.
    pub url: String,
    /// The pages of the catalog, by [`page_key`].
    pub catalog: HashMap<String, Bytes>,
    /// The session.
    pub session: Bytes,
    signing_key: SigningKey,
    http: reqwest::Client,
    // Dropped with the rest, which stops it.
    _server: Server,
}

impl World {
    pub async fn make(catalog: Catalog) -> Result<Self> {
        let now = punchcard_runtime::now();
        let database = Database::memory().map_err(|error| anyhow!("{error}"))?;
        let server = Server::start(database, ANY_PORT, None).await?;
        let (store, admin) = (&server.store, Admin::new(&server.store));
        demo::set_up(&admin, now).await?;
        let source = yaml::read(&catalog.text()).map_err(|problems| anyhow!("{catalog:?}: {}", problems[0]))?;
        set_up::apply(&admin, &source, now).await?;
        let version = admin.snapshot().await?.version;

        let correlation_id = CORRELATION_ID.parse::<CorrelationId>()?;
        let session = SessionRequest { correlation_id, channel: "APP".to_owned() };
        let account = Identifier::Account(ACCOUNT.parse()?);
        let deadline = tokio::time::Instant::now() + punchcard_runtime::REQUEST_LIMIT;
        SessionWriter::new(store).open(&account, &session, now, deadline).await?;

        let signing_key = SigningKeyReader::new(store).newest(now).await?.as_ref().clone();
        let mut world = World {
            url: format!("http://{}", server.address),
            catalog: HashMap::new(),
            session: Bytes::new(),
            signing_key,
            http: reqwest::Client::new(),
            _server: server,
        };
        world.capture(version).await?;
        Ok(world)
    }

    /// Asks what a function will ask, and keeps the answers.
    async fn capture(&mut self, version: u64) -> Result<()> {
        // Callers and keys, and the rules of the catalog in force.
        let chunks = format!("{version:010}#");
        for (part, condition, id) in
            [("open", "id < :id", "rules#"), ("history", "begins_with(id, :id)", chunks.as_str())]
        {
            let mut query = json!({
                "TableName": format!("{TABLE_PREFIX}Catalog"),
                "KeyConditionExpression": format!("part = :part AND {condition}"),
                "ExpressionAttributeValues": {":part": {"S": part}, ":id": {"S": id}},
                "ConsistentRead": true,
            });
            loop {
                let (_, page) = self.call("Query", query.to_string().into()).await?;
                let answered: Value = serde_json::from_slice(&page)?;
                ensure!(answered["Count"] != 0, "part {part} is empty");
                self.catalog.insert(page_key(&query), page);
                match answered.get("LastEvaluatedKey") {
                    Some(key) => query["ExclusiveStartKey"] = key.clone(),
                    None => break,
                }
            }
        }
        let key = json!({"correlationId": {"S": CORRELATION_ID}});
        let get = json!({"TableName": format!("{TABLE_PREFIX}Sessions"), "Key": key});
        (_, self.session) = self.call("GetItem", get.to_string().into()).await?;
        ensure!(self.session.len() > 2, "the session is not there");
        Ok(())
    }

    /// Calls the embedded store.
    pub async fn call(&self, operation: &str, parameters: Bytes) -> Result<(u16, Bytes)> {
        let target = format!("DynamoDB_20120810.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.0"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=any/20240101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
            ),
            ("x-amz-date", "20240101T000000Z"),
        ];
        let request =
            headers.into_iter().fold(self.http.post(&self.url), |request, (name, value)| request.header(name, value));
        let answer = request.body(parameters).send().await.context("the embedded store")?;
        Ok((answer.status().as_u16(), answer.bytes().await?))
    }

    /// A token that lives longer than the benchmark.
    pub fn token(&self, scope: Scope) -> Result<String> {
        let customer = (scope == Scope::ClientEvents).then_some(CUSTOMER);
        let claims = Claims::new(scope, "demo-client", customer, punchcard_runtime::now(), Duration::from_hours(1));
        Ok(token::sign(&claims, &self.signing_key)?)
    }
}
