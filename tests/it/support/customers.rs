//! Customers with data in every table. Each id and each free text of one contains its name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use punchcard_store::{Eraser, Pauses, Person, PersonIds};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    activities::{Programme, activity},
    app::{Answer, App},
    players::{API_KEY, EVENT, JSON},
};

pub const TABLES: [&str; 5] = ["ClientEvents", "Activities", "PlayerEvents", "Sessions", "Members"];

type Item = HashMap<String, AttributeValue>;

/// The catalog of these customers: limits of members and of all, and players merged by e-mail.
pub fn rules() -> String {
    include_str!("../../faults/src/catalog.yaml").replace("channelMerging: none", "channelMerging: email")
}

/// A customer.
pub struct Customer {
    name: &'static str,
}

impl Customer {
    /// Records something in every table.
    pub async fn record(programme: &Programme, name: &'static str) -> Self {
        let customer = Customer { name };
        let id = |what: &str| customer.id(what);
        for answer in customer.requests(programme).await {
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let reversal = customer.reverse(programme).await;
        assert_eq!(reversal.status, 200, "{}", reversal.body);
        // Sent with the same e-mail address, so it is the same customer.
        let merged = customer.track(&programme.app, "merged", "merged-key").await;
        assert_eq!(merged.status, 200, "{}", merged.body);
        programme.tie(&id("account"), &id("second-correlation")).await;
        customer
    }

    /// An id or text.
    pub fn id(&self, what: &str) -> String {
        format!("canary-{}-{what}", self.name)
    }

    /// The part that its ids and texts have in common.
    pub fn mark(&self) -> String {
        format!("canary-{}-", self.name)
    }

    pub fn event_id(&self, number: u32) -> String {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}-{number}", self.name).as_bytes()).to_string()
    }

    /// Sends every request with an id of its own that earns or records something.
    pub async fn requests(&self, programme: &Programme) -> Vec<Answer> {
        let id = |what: &str| self.id(what);
        let mut answers = vec![self.send_events(&programme.app).await];
        let check_in = activity("APP_CHECKIN");
        answers.push(programme.send(&id("correlation"), &id("before"), &check_in).await);
        programme.tie(&id("account"), &id("correlation")).await;
        let mut survey = activity("SURVEY_RESPONSE");
        survey["note"] = json!(id("note"));
        survey["channel"] = json!(id("channel"));
        survey["extendedData"] = json!([{"name": id("name"), "value": id("value")}]);
        answers.push(programme.send(&id("correlation"), &id("survey"), &survey).await);
        answers.push(programme.send(&id("correlation"), &id("reversed"), &check_in).await);
        answers.push(programme.send_keyed(&id("correlation"), &id("activity-key"), &activity("APP_DOWNLOAD")).await);
        answers.push(self.adjust(programme).await);
        answers.push(self.track(&programme.app, "player", "player-key").await);
        answers.push(self.order(&programme.app).await);
        answers.push(self.refund(&programme.app).await);
        answers
    }

    pub async fn send_events(&self, app: &App) -> Answer {
        let event = |number| {
            json!({
                "clientEventId": self.event_id(number), "clientEventType": "AdInteraction",
                "clientEvent": "ActivateOffer", "clientEventTimestamp": "2024-10-01T07:00:00Z",
                "clientEventMetadata": {
                    "serveToken": self.id("serve-token"), "section": "Dashboard", "channel": "OLB",
                    "imageSlots": [self.id("slot")], "categoryId": self.id("category"),
                    "curationId": self.id("curation"),
                },
            })
        };
        let customer = self.id("customer");
        app.session(&customer).await.post(&[event(1), event(2), event(3)]).await
    }

    pub async fn adjust(&self, programme: &Programme) -> Answer {
        let body = json!({
            "channel": self.id("channel"), "businessUnit": "A", "issuerId": self.id("issuer"), "rewardAmount": -3,
            "externalReferenceId": self.id("adjustment"), "note": self.id("note"),
        });
        let path = format!("/client/users/{}/adhoc-reward", self.id("correlation"));
        programme.post(&path, &[], &body.to_string()).await
    }

    pub async fn reverse(&self, programme: &Programme) -> Answer {
        let body = json!({"originalTransactionId": self.id("reversed"), "externalReferenceId": self.id("reversal")});
        programme.post(&format!("/client/users/{}/void", self.id("correlation")), &[], &body.to_string()).await
    }

    /// Two events of a player, under an Idempotency-Key.
    pub async fn track(&self, app: &App, player: &str, key: &str) -> Answer {
        let body = json!({
            "playerUniqueId": self.id(player), "email": format!("{}@b.example", self.id("mail")),
            "mobile": self.id("mobile"),
            "events": {"review": {self.id("field"): self.id("value")}, self.id("event"): {}},
        });
        let key = self.id(key);
        app.send(Method::POST, EVENT, &[API_KEY, JSON, ("idempotency-key", key.as_str())], body.to_string()).await
    }

    pub async fn order(&self, app: &App) -> Answer {
        let body = json!({
            "playerUniqueId": self.id("player"), "email": format!("{}@b.example", self.id("mail")),
            "orderId": self.id("order"), "orderDate": "2024-10-01T07:00:00Z", "totalPaid": 90, "totalPrice": 100,
            "total": 120, "lineItems": [{"productId": self.id("product")}],
        });
        app.post("/integrations/order", &[API_KEY], &body).await
    }

    /// A refund of a part of the order.
    pub async fn refund(&self, app: &App) -> Answer {
        let body = json!({
            "customerId": self.id("player"), "refundTransactionId": self.id("refund"),
            "reverseTransactionId": self.id("order"), "transactionTime": "2024-10-02T07:00:00Z", "refundAmount": 45,
        });
        let path = "/api/v4.0/integrations/transactions/refund";
        app.post(path, &[API_KEY, ("secretkey", "demo-secret-key")], &body).await
    }
}

/// All items of the tables with data of customers, by table, key and content.
pub async fn dump(app: &App) -> BTreeSet<String> {
    let mut dump = BTreeSet::new();
    for table in TABLES {
        dump.extend(app.items(table).await.iter().map(|item| format!("{table} {}", line(item))));
    }
    dump
}

/// The items that are kept of erased customers, without the number of writes of a member.
pub async fn erased(app: &App) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    for table in TABLES {
        for mut item in app.items(table).await {
            item.remove("version");
            kept.insert(format!("{table} {}", line(&item)));
        }
    }
    with(&kept, "erased#")
}

fn line(item: &Item) -> String {
    let attributes: BTreeMap<_, _> = item.iter().map(|(name, value)| (name, text(value))).collect();
    format!("{attributes:?}")
}

/// The same text for equal values: the members of a map have no order.
fn text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::M(members) => line(members),
        value => format!("{value:?}"),
    }
}

/// The items that contain a text.
pub fn with(dump: &BTreeSet<String>, mark: &str) -> BTreeSet<String> {
    dump.iter().filter(|item| item.contains(mark)).cloned().collect()
}

/// The response's reasons of rejected client events.
pub fn reasons(answer: &Answer) -> Vec<Value> {
    let body = answer.json();
    body["rejected"].as_array().expect("rejected events").iter().map(|event| event["reason"].clone()).collect()
}

/// Erases a customer without data, so that the store has a key and requests look for what was erased.
pub async fn erase_unknown_customer(app: &App) {
    let (ids, person) = (PersonIds::default(), Person::default());
    let now = punchcard_runtime::now;
    let begun = Eraser::begin(&app.store, &ids, &person, None, [7; 32], Pauses::NONE, now).await;
    begun.expect("begun").run(false, |_| {}).await.expect("erased");
}
