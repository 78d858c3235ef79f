//! The capacity units that a request consumes, which determine its cost.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{activities::activities_token, app::App, customers::erase_unknown_customer, proxy::Proxy};

/// The API behind a proxy that knows what each call took.
struct Metered {
    app: App,
    proxy: Proxy,
    bearer: String,
    _store: App,
}

/// Units written and read.
type Units = (f64, f64);

impl Metered {
    async fn start() -> Self {
        let store = App::start().await;
        let proxy = Proxy::start(&store.endpoint).await;
        let app = store.through(&proxy.url).await;
        let bearer = format!("Bearer {}", activities_token(&app).await);
        Metered { app, proxy, bearer, _store: store }
    }

    /// The capacity consumed by a request, which must be answered with this status.
    async fn units(
        &self,
        what: &str,
        status: u16,
        request: impl Future<Output = crate::support::app::Answer>,
    ) -> Units {
        let before = self.proxy.consumed().len();
        let answer = request.await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        let sum = |write: bool| {
            let new = self.proxy.consumed().split_off(before);
            let reads = ["GetItem", "BatchGetItem", "Query"];
            let of_kind = new.iter().filter(|(operation, _)| reads.contains(&operation.as_str()) != write);
            of_kind.fold(0.0, |sum, (_, units)| sum + units)
        };
        let units = (sum(true), sum(false));
        println!("{what:44} {:>5} written {:>5} read", units.0, units.1);
        units
    }

    async fn activity(&self, what: &str, status: u16, path: &str, body: Value) -> Units {
        let headers = [("authorization", self.bearer.as_str())];
        self.units(what, status, self.app.post(&format!("/client/users/{path}"), &headers, &body)).await
    }
}

fn event(number: usize) -> Value {
    json!({
        "clientEventId": format!("12395199-1565-4565-bf99-{number:012}"),
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

#[tokio::test]
async fn a_request_takes_the_units_that_operations_md_counts_with() {
    let metered = Metered::start().await;
    let session = metered.app.session("customer-1").await;
    let events = |numbers: std::ops::Range<usize>| numbers.map(event).collect::<Vec<_>>();

    assert_eq!(metered.units("a client event", 200, session.post(&events(0..1))).await, (1.0, 0.0));
    // The embedded store reports no capacity for a failed condition; AWS charges it like the write.
    metered.units("a client event, again", 409, session.post(&events(0..1))).await;
    assert_eq!(metered.units("a batch of 25 client events", 200, session.post(&events(1..26))).await, (25.0, 0.0));
    assert_eq!(metered.units("a batch of 100 client events", 200, session.post(&events(26..126))).await, (100.0, 0.0));

    let activity = |action: &str| json!({"action": action, "channel": "APP", "when": "2023-10-01T07:00:00Z"});
    let what = "an activity that earns";
    assert_eq!(metered.activity(what, 200, "c/activities/1", activity("APP_CHECKIN")).await, (5.0, 1.0));
    let mut limited = activity("APP_CHECKIN");
    limited["when"] = json!("2024-10-01T07:00:00Z");
    let what = "an activity that earns, with a total limit";
    assert_eq!(metered.activity(what, 200, "c/activities/2", limited).await, (7.0, 1.0));
    let what = "an activity, again";
    metered.activity(what, 400, "c/activities/1", activity("APP_CHECKIN")).await;

    // The first reversal also reads the catalog of the activity's version.
    let reversal = |id: &str| json!({"originalTransactionId": id});
    assert_eq!(metered.activity("a reversal", 200, "c/void", reversal("1")).await, (7.0, 2.0));
    let what = "a reversal, with a total limit";
    assert_eq!(metered.activity(what, 200, "c/void", reversal("2")).await, (9.0, 1.0));
    let adjustment = json!({
        "channel": "APP", "businessUnit": "XYZ", "issuerId": "jane", "rewardAmount": 5, "externalReferenceId": "t-1",
    });
    assert_eq!(metered.activity("an adjustment", 200, "c/adhoc-reward", adjustment).await, (5.0, 1.0));

    let order = json!({"playerUniqueId": "player123", "events": {"place_order": {"total_amount": 120}, "review": {}}});
    let key = [("apikey", "demo-api-key")];
    let what = "a player request that earns";
    let request = metered.app.post("/integrations/event", &key, &order);
    assert_eq!(metered.units(what, 200, request).await, (4.0, 0.0));
    let order = json!({
        "playerUniqueId": "player123", "orderId": "O-1", "orderDate": "2024-10-01T07:00:00Z", "totalPaid": 90,
        "totalPrice": 100, "lineItems": [{"productId": "P-1", "quantity": 2, "price": 50}],
    });
    let request = metered.app.post("/integrations/order", &key, &order);
    assert_eq!(metered.units("an order that earns nothing", 200, request).await, (1.0, 0.0));
    let tracked = json!({"playerUniqueId": "tracked", "events": {"profile_view": {}, "search": {"text": "shoes"}}});
    let what = "a player request that earns nothing, of a new player";
    let request = metered.app.post("/integrations/event", &key, &tracked);
    assert_eq!(metered.units(what, 200, request).await, (1.0, 0.0));
    let request = metered.app.send(Method::GET, "/integrations/player/tracked", &key, "");
    assert_eq!(metered.units("a player without points, read back", 200, request).await, (0.0, 3.0));
    // The demo pays nothing for it.
    let refund = json!({
        "customerId": "player123", "refundTransactionId": "R-1", "reverseTransactionId": "O-1",
        "transactionTime": "2024-10-02T07:00:00Z", "refundAmount": 45,
    });
    let with_secret = [key[0], ("secretkey", "demo-secret-key")];
    let refund_path = "/api/v4.0/integrations/transactions/refund";
    // The first refund also reads the catalog of the order's version.
    let request = metered.app.post(refund_path, &with_secret, &refund);
    assert_eq!(metered.units("a refund that takes nothing back", 200, request).await, (4.0, 2.0));
    let paid = json!({
        "playerUniqueId": "player123", "orderId": "O-2", "orderDate": "2024-10-01T07:00:00Z", "totalPaid": 90,
        "totalPrice": 100, "total_amount": 120,
    });
    let request = metered.app.post("/integrations/order", &key, &paid);
    assert_eq!(metered.units("an order that earns", 200, request).await, (4.0, 0.0));
    let mut refund = refund;
    refund["refundTransactionId"] = json!("R-2");
    refund["reverseTransactionId"] = json!("O-2");
    let request = metered.app.post(refund_path, &with_secret, &refund);
    assert_eq!(metered.units("a refund", 200, request).await, (6.0, 1.0));
    let player = json!({"playerUniqueId": "new"});
    let request = metered.app.post("/integrations/player", &key, &player);
    assert_eq!(metered.units("a new player", 200, request).await, (1.0, 0.0));
    let request = metered.app.send(Method::GET, "/integrations/player/player123", &key, "");
    assert_eq!(metered.units("a player, read back", 200, request).await, (0.0, 1.0));
}

#[tokio::test]
async fn an_activity_that_earns_nothing_takes_the_record_and_its_index_entry() {
    let mut metered = Metered::start().await;
    // The demo's offers answer to every action of an enabled unit, so the programme is disabled.
    let source = punchcard_rewards::yaml::read("rewards: disabled").expect("a catalog");
    let admin = punchcard_store::Admin::new(&metered.app.store);
    punchcard::set_up::apply(&admin, &source, punchcard_runtime::now()).await.expect("applied");
    metered.app.restart().await;
    let activity = json!({"action": "APP_CHECKIN", "channel": "APP", "when": "2024-10-01T07:00:00Z"});
    let what = "an activity that earns nothing";
    assert_eq!(metered.activity(what, 200, "c/activities/1", activity).await, (2.0, 1.0));
}

#[tokio::test]
async fn a_store_with_an_erasure_reads_before_it_writes() {
    let mut metered = Metered::start().await;
    erase_unknown_customer(&metered.app).await;
    metered.app.restart().await;
    let session = metered.app.session("customer-1").await;
    let events = |numbers: std::ops::Range<usize>| numbers.map(event).collect::<Vec<_>>();
    let what = "a client event, after an erasure";
    assert_eq!(metered.units(what, 200, session.post(&events(0..1))).await, (1.0, 1.0));
    let what = "a batch of 25 client events, after an erasure";
    assert_eq!(metered.units(what, 200, session.post(&events(1..26))).await, (25.0, 25.0));
    let activity = json!({"action": "APP_CHECKIN", "channel": "APP", "when": "2023-10-01T07:00:00Z"});
    let what = "an activity with an id, after an erasure";
    assert_eq!(metered.activity(what, 200, "c/activities/1", activity.clone()).await, (5.0, 2.0));
    let what = "an activity without an id, after an erasure";
    assert_eq!(metered.activity(what, 200, "c/activities", activity).await, (5.0, 1.0));
    let body = json!({"playerUniqueId": "player123", "events": {"review": {}}});
    for (headers, read) in
        [(&[("apikey", "demo-api-key")][..], 0.0), (&[("apikey", "demo-api-key"), ("idempotency-key", "k")], 1.0)]
    {
        let request = metered.app.post("/integrations/event", headers, &body);
        assert_eq!(metered.units("a player request, after an erasure", 200, request).await, (4.0, read));
    }
}

/// DynamoDB charges a write by the kilobyte.
const UNIT_BYTES: usize = 1024;

/// The attributes from which an award is derived again.
const DERIVED_FROM: [&str; 3] = ["accountLoyaltyId", "catalogVersion", "counters"];

fn attribute_bytes((name, value): (&String, &AttributeValue)) -> usize {
    name.len()
        + match value {
            AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            AttributeValue::M(members) => 3 + members.iter().map(|member| 1 + attribute_bytes(member)).sum::<usize>(),
            AttributeValue::Bool(_) => 1,
            other => panic!("{name}: {other:?}"),
        }
}

#[tokio::test]
async fn a_typical_record_takes_one_unit() {
    let app = App::start().await;
    let bearer = format!("Bearer {}", activities_token(&app).await);
    let headers = [("authorization", bearer.as_str())];
    let session = json!({"correlationId": "9f0d6ac0-7d61-4a4a-8a4a-6a1f3c1e2d11", "channel": "APP"});
    assert_eq!(app.post("/client/users/A-1001/sessions", &headers, &session).await.status, 200);
    for _ in 0..3 {
        let survey = json!({
            "action": "SURVEY_RESPONSE", "channel": "APP", "when": "2024-10-01T07:00:00Z", "note": "Store survey 42",
            "extendedData": [{"name": "surveyId", "value": "spring-2024"}, {"name": "score", "value": 9}],
        });
        let path = "/client/users/9f0d6ac0-7d61-4a4a-8a4a-6a1f3c1e2d11/activities";
        assert_eq!(app.post(path, &headers, &survey).await.status, 200);
    }
    for number in 0..4 {
        let order = json!({"playerUniqueId": "9f0d6ac0-7d61-4a4a-8a4a-6a1f3c1e2d11", "events": {
            "place_order": {"total_amount": 120.5, "category": ["electronics", "cosmetics"]}, "review": {}}});
        let key = format!("9f0d6ac0-7d61-4a4a-8a4a-6a1f3c1e2d{number:02}");
        let headers = [("apikey", "demo-api-key"), ("idempotency-key", key.as_str())];
        assert_eq!(app.post("/integrations/event", &headers, &order).await.status, 200);
    }
    for (table, most_derived_from) in [("Activities", 160), ("PlayerEvents", 60)] {
        for item in app.items(table).await {
            let bytes: usize = item.iter().map(attribute_bytes).sum();
            let derived_from = item.iter().filter(|(name, _)| DERIVED_FROM.contains(&name.as_str()));
            let derived_from: usize = derived_from.map(attribute_bytes).sum();
            println!("{table:14} {bytes:>4} bytes, of which {derived_from} to derive the award again");
            assert!(bytes <= UNIT_BYTES && derived_from <= most_derived_from, "{table}: {bytes}, {derived_from}");
            assert!(item.contains_key("catalogVersion"), "{table}");
        }
    }
}
