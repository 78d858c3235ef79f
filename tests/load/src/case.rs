//! The cases: what is sent, by whom it is answered, and how it has to be.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use axum::body::Bytes;
use punchcard_models::access::Scope;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    endpoint::KNOWN,
    world::{CORRELATION_ID, CUSTOMER, Catalog, EVENTS, World},
};

/// The program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Program {
    /// A function of the product, by its name.
    Function(&'static str),
    /// One of `references`.
    Reference(&'static str),
}

impl Program {
    /// Its binary's name.
    pub fn name(self) -> &'static str {
        let (Program::Function(name) | Program::Reference(name)) = self;
        name
    }
}

/// The way the samples do it.
pub const PLAIN: Program = Program::Reference("plain");

/// The content of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Client events that are new, and some that are there already.
    ClientEvents { new: usize, known: usize, token: Token },
    /// An activity, by its action.
    Activity(&'static str),
    /// So many player events, with so many KB of metadata beside what they need.
    PlayerEvents { events: usize, kilobytes: usize },
    /// The function's happy event, of `events/`.
    Happy,
}

/// The token of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// The one that the last request had.
    Same,
    /// Another one each time.
    New,
}

/// One thing to measure.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub program: Program,
    /// The write that `bare` makes.
    pub write: Option<&'static str>,
    pub catalog: Catalog,
    pub work: Work,
    /// The calls of one request, and how many of each.
    pub calls: Vec<(&'static str, usize)>,
}

const ONE: Work = Work::ClientEvents { new: 1, known: 0, token: Token::Same };
/// The actions: one that earns, one with a limit for all, one that earns nothing.
const EARNS: Work = Work::Activity("APP_DOWNLOAD");
const CAPPED: Work = Work::Activity("APP_CHECKIN");
const EARNS_NOTHING: Work = Work::Activity("SURVEY_RESPONSE");

pub mod name {
    //! The names by which targets refer to cases.
    pub const HELLO: &str = "hello";
    pub const BARE_PUT: &str = "bare, a put";
    pub const BARE_TRANSACTION: &str = "bare, a transaction of two";
    pub const BARE_SESSION: &str = "bare, a session's read and a transaction";
    pub const BARE_PLAYER: &str = "bare, a transaction of two, 10 events";
    pub const PLAIN: &str = "plain, a put";
    pub const PLAIN_25: &str = "plain, 25 puts";
    pub const ONE_SAME: &str = "1 client event, token seen before";
    pub const ONE_NEW: &str = "1 client event, new token";
    pub const BATCH_25: &str = "25 client events";
    pub const BATCH_100: &str = "100 client events";
    pub const DUPLICATES: &str = "25 client events, 5 there already";
    pub const EARNS: &str = "activity that earns, 200 offers";
    pub const CAPPED: &str = "activity with a total cap, 200 offers";
    pub const EARNS_NOTHING: &str = "activity that earns nothing, 200 offers";
    pub const PLAYER: &str = "10 player events, 50 campaigns";
}

fn client_events(name: &str, new: usize, known: usize, token: Token) -> Case {
    let mut calls = match new + known {
        1 => vec![("PutItem", 1)],
        all => vec![("BatchExecuteStatement", all.div_ceil(25))],
    };
    calls.extend((known > 0).then_some(("BatchGetItem", 1)));
    Case {
        name: name.to_owned(),
        program: Program::Function("send-client-event"),
        write: None,
        catalog: Catalog::Demo,
        work: Work::ClientEvents { new, known, token },
        calls,
    }
}

fn activity(name: &str, work: Work, offers: usize) -> Case {
    let write = if work == EARNS_NOTHING { "PutItem" } else { "TransactWriteItems" };
    Case {
        name: name.to_owned(),
        program: Program::Function("send-activity"),
        write: None,
        catalog: Catalog::Offers(offers),
        work,
        calls: vec![("GetItem", 1), (write, 1)],
    }
}

fn player_events(name: &str, events: usize, kilobytes: usize) -> Case {
    Case {
        name: name.to_owned(),
        program: Program::Function("track-event"),
        write: None,
        catalog: Catalog::Campaigns(50),
        work: Work::PlayerEvents { events, kilobytes },
        calls: vec![("TransactWriteItems", 1)],
    }
}

fn reference(name: &str, program: &'static str, work: Work, calls: &[(&'static str, usize)]) -> Case {
    let catalog = if matches!(work, Work::PlayerEvents { .. }) { Catalog::Campaigns(50) } else { Catalog::Offers(200) };
    Case {
        name: name.to_owned(),
        program: Program::Reference(program),
        write: None,
        catalog,
        work,
        calls: calls.to_vec(),
    }
}

fn bare(name: &str, write: &'static str, work: Work, calls: &[(&'static str, usize)]) -> Case {
    Case { write: Some(write), ..reference(name, "bare", work, calls) }
}

/// The cases of every run.
pub fn cases() -> Vec<Case> {
    let batch = Work::ClientEvents { new: 25, known: 0, token: Token::Same };
    let players = Work::PlayerEvents { events: 10, kilobytes: 0 };
    vec![
        reference(name::HELLO, "hello", ONE, &[]),
        bare(name::BARE_PUT, "put", ONE, &[("PutItem", 1)]),
        bare(name::BARE_TRANSACTION, "transaction", EARNS, &[("TransactWriteItems", 1)]),
        bare(name::BARE_SESSION, "session", EARNS, &[("GetItem", 1), ("TransactWriteItems", 1)]),
        bare(name::BARE_PLAYER, "transaction", players, &[("TransactWriteItems", 1)]),
        reference(name::PLAIN, "plain", ONE, &[("PutItem", 1)]),
        reference(name::PLAIN_25, "plain", batch, &[("PutItem", 25)]),
        client_events(name::ONE_SAME, 1, 0, Token::Same),
        client_events(name::ONE_NEW, 1, 0, Token::New),
        client_events(name::BATCH_25, 25, 0, Token::Same),
        client_events(name::BATCH_100, 100, 0, Token::Same),
        client_events(name::DUPLICATES, 20, 5, Token::Same),
        activity(name::EARNS, EARNS, 200),
        activity(name::CAPPED, CAPPED, 200),
        activity(name::EARNS_NOTHING, EARNS_NOTHING, 200),
        player_events(name::PLAYER, 10, 0),
    ]
}

/// The cases of growth: by events, by offers, by KB of the body.
pub fn growth() -> Vec<Case> {
    let batches = [1, 2, 5, 10, 25, 50, 100]
        .map(|events| client_events(&format!("client events: {events}"), events, 0, Token::Same));
    let offers = [10, 50, 200, 500, 1000, 2000]
        .map(|offers| activity(&format!("activity that earns, offers: {offers}"), EARNS, offers));
    let bodies = [0, 4, 16, 64, 128, 250]
        .map(|kilobytes| player_events(&format!("player event, KB of metadata: {kilobytes}"), 1, kilobytes));
    batches.into_iter().chain(offers).chain(bodies).collect()
}

/// All functions.
const FUNCTIONS: [&str; 18] = [
    "start-session",
    "send-client-event",
    "issue-token",
    "open-session",
    "send-activity",
    "get-activity",
    "explain-activity",
    "list-activities",
    "get-balances",
    "void-activity",
    "adjust-balance",
    "track-event",
    "preview-rewards",
    "save-player",
    "place-order",
    "refund-order",
    "get-player",
    "get-player-balance",
];

/// Every function with its happy event.
pub fn happy() -> Vec<Case> {
    let case = |name| Case {
        name: format!("{name}, happy"),
        program: Program::Function(name),
        write: None,
        catalog: Catalog::Demo,
        work: Work::Happy,
        calls: Vec::new(),
    };
    FUNCTIONS.map(case).into()
}

impl Case {
    /// Number of events in a request.
    pub fn events(&self) -> usize {
        match self.work {
            Work::ClientEvents { new, known, .. } => new + known,
            Work::Activity(_) | Work::Happy => 1,
            Work::PlayerEvents { events, .. } => events,
        }
    }

    /// So many requests, each another.
    pub fn requests(&self, count: usize, world: &World) -> Result<Vec<Bytes>> {
        let client_events = self.program == Program::Function("send-client-event");
        let scope = match self.work {
            Work::Activity(_) => Scope::Activities,
            Work::Happy if !client_events => Scope::Activities,
            _ => Scope::ClientEvents,
        };
        let mut token = world.token(scope)?;
        let mut requests = Vec::with_capacity(count);
        for _ in 0..count {
            if matches!(self.work, Work::ClientEvents { token: Token::New, .. }) {
                token = world.token(scope)?;
            }
            requests.push(self.request(&token).to_string().into());
        }
        Ok(requests)
    }

    /// The request that makes what a case takes to be there already.
    pub fn before(&self, world: &World) -> Result<Option<Bytes>> {
        let Work::ClientEvents { known: 1.., .. } = self.work else { return Ok(None) };
        let known =
            Case { work: Work::ClientEvents { new: 0, known: self.known(), token: Token::Same }, ..self.clone() };
        Ok(Some(known.request(&world.token(Scope::ClientEvents)?).to_string().into()))
    }

    fn known(&self) -> usize {
        if let Work::ClientEvents { known, .. } = self.work { known } else { 0 }
    }

    fn request(&self, token: &str) -> Value {
        let bearer = format!("Bearer {token}");
        match self.work {
            Work::ClientEvents { new, known, .. } => {
                let known = (0..known).map(|index| client_event(&format!("{KNOWN}{index:012}")));
                let events = known.chain((0..new).map(|_| client_event(&Uuid::new_v4().to_string())));
                let body = json!({"clientEvents": events.collect::<Value>()});
                let mut event = event(include_str!("../../../events/send-client-event.happy.json"), &body);
                event["headers"]["authorization"] = bearer.into();
                event["headers"]["x-source-customer-id"] = CUSTOMER.into();
                event
            }
            Work::Activity(action) => {
                let id = Uuid::new_v4().to_string();
                let body = json!({
                    "action": action,
                    "channel": "APP",
                    "businessUnit": "XYZ",
                    "when": "2024-10-01T07:00:00Z",
                    "extendedData": [{"name": "appVersion", "value": "4.2"}],
                });
                let mut event = event(include_str!("../../../events/send-activity.happy.json"), &body);
                event["headers"]["authorization"] = bearer.into();
                event["pathParameters"] = json!({"correlation_id": CORRELATION_ID, "activity_id": id});
                event["rawPath"] = format!("/client/users/{CORRELATION_ID}/activities/{id}").into();
                event
            }
            Work::PlayerEvents { events, kilobytes } => {
                let body = json!({"playerUniqueId": "player123", "events": player_metadata(events, kilobytes)});
                let mut event = event(include_str!("../../../events/track-event.happy.json"), &body);
                event["headers"]["idempotency-key"] = Uuid::new_v4().to_string().into();
                event
            }
            Work::Happy => {
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
                let text = fs::read_to_string(format!("{folder}/{}.happy.json", self.program.name()));
                let text = text.expect("its happy event").replace("${TOKEN}", token);
                serde_json::from_str(&text).expect("an event in JSON")
            }
        }
    }

    /// Checks an answer, and the last call that led to it.
    pub fn check(&self, answer: &[u8], last_call: &[u8]) -> Result<()> {
        let answer: Value = serde_json::from_slice(answer)?;
        let body: Value = serde_json::from_str(answer["body"].as_str().context("no body")?)?;
        let is_id = |id: &Value| id.as_str().is_some_and(|id| Uuid::try_parse(id).is_ok());
        let status = answer["statusCode"].as_u64().context("no status")?;
        let expected = if self.known() > 0 { 207 } else { 200 };
        let right = match (self.program, self.work) {
            (Program::Reference(_), _) => body == json!({}),
            (_, Work::ClientEvents { known: 0, .. }) => is_id(&body["requestId"]) && body.get("rejected").is_none(),
            (_, Work::ClientEvents { known, .. }) => {
                let rejected = body["rejected"].as_array().context("nothing rejected")?;
                rejected.len() == known
                    && rejected.iter().all(|event| {
                        event["reason"] == "DUPLICATE_ID"
                            && event["clientEventId"].as_str().is_some_and(|id| id.starts_with(KNOWN))
                    })
            }
            (_, Work::Activity(action)) => {
                body["type"] == action && is_id(&body["activityId"]) && body["earned"] == earned(self.work)
            }
            // The response does not contain the award, so the write has to.
            (_, Work::PlayerEvents { .. }) => {
                let write = String::from_utf8_lossy(last_call);
                body == json!({}) && write.contains(r#"\"place_order\":{\"BIG_ORDER\":50,\"ELECTRONICS\":20}"#)
            }
            // Reads and retries need not be new.
            (_, Work::Happy) => status < 500,
        };
        ensure!(right && (status == expected || self.work == Work::Happy), "answered {answer}");
        Ok(())
    }
}

fn earned(work: Work) -> Value {
    match work {
        EARNS => json!({"XYZ": {"loyalty": {"base": 10, "bonus": 10, "targeted": 5, "total": 25}}}),
        CAPPED => json!({"XYZ": {"loyalty": {"base": 10, "bonus": 7, "targeted": 0, "total": 17}}}),
        _ => json!({}),
    }
}

/// One of `events/`, with another body.
fn event(text: &str, body: &Value) -> Value {
    let mut event: Value = serde_json::from_str(text).expect("an event in JSON");
    let body = body.to_string();
    event["headers"]["content-length"] = body.len().to_string().into();
    event["body"] = body.into();
    event
}

fn client_event(id: &str) -> Value {
    json!({
        "clientEventId": id,
        "clientEventType": "AdInteraction",
        "clientEvent": "ActivateOffer",
        "clientEventTimestamp": "2024-10-01T07:00:00Z",
        "clientEventMetadata": {
            "serveToken": "CiQ3MGU5ZjQzMy0xMjQxLTRlZTctOTZlZi02ZWM4MDQwZjg3MzgQqoTjo6syGgoxMDAwMDYyNzQwIgVFbWFpbA==",
            "section": "Dashboard",
            "channel": "OLB",
        },
    })
}

fn player_metadata(events: usize, kilobytes: usize) -> Value {
    let metadata = |name: &&str| {
        let metadata = match *name {
            "place_order" => json!({"total_amount": "120", "category": ["electronics", "cosmetics"]}),
            "review" => json!({"stars": 5}),
            _ => json!({"source": "app", "screen": "home", "position": 3}),
        };
        ((*name).to_owned(), metadata)
    };
    let mut events: Map<String, Value> = EVENTS.iter().take(events).map(metadata).collect();
    for index in 0..kilobytes {
        events["place_order"][format!("note{index:03}")] = "x".repeat(1010).into();
    }
    events.into()
}
