//! `POST /integrations/order`.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, App},
    players::{API_KEY, JSON, assert_tracked, fault, fault_v4, json, limited, text},
};

const V3: [&str; 4] = [
    "/integrations/order",
    "/api/v3.0/integrations/order",
    "/api/v3.0/Integrations/order",
    "/api/v2.0/Integrations/order",
];
const V4: &str = "/api/v4.0/integrations/orders";

fn order(id: &str) -> Value {
    json!({
        "playerUniqueId": "player123", "orderId": id, "orderDate": "2024-10-16T10:13:29+02:00", "totalPaid": "90.50",
        "totalPrice": 100, "total_amount": 120, "category": ["electronics"],
        "lineItems": [{"productId": "P-1", "quantity": 2, "price": 50, "extra": {}}], "totalTax": null,
    })
}

/// The same order as a client of version 4 sends it.
fn order_v4(id: &str) -> Value {
    let mut order = order(id);
    let members = order.as_object_mut().expect("an object");
    let player = members.remove("playerUniqueId").expect("a player");
    members.insert("customerId".to_owned(), player);
    order
}

async fn place(app: &App, path: &str, order: &Value) -> Answer {
    app.send(Method::POST, path, &[API_KEY, JSON], order.to_string()).await
}

fn recorded(id: &str, points: u64) -> Value {
    json!({
        "playerUniqueId": "player123", "customerId": "player123", "orderId": id, "rewardedPoints": points, "pointsEarned": points, "redeemedPoints": 0,
        "status": "completed", "lineItems": [],
    })
}

#[tokio::test]
async fn an_order_earns_what_its_event_earns() {
    let app = App::start().await;
    for (id, path) in ["O-1", "O-2", "O-3", "O-4"].into_iter().zip(V3) {
        let answer = place(&app, path, &order(id)).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, recorded(id, 70)));
    }
    let answer = place(&app, V4, &order_v4("O-5")).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, recorded("O-5", 70)));
    let mut cheap = order("O-6");
    cheap["total_amount"] = json!(99);
    cheap["category"] = json!("books");
    assert_eq!(place(&app, V3[0], &cheap).await.json(), recorded("O-6", 0));
    assert_eq!(app.totals("player123").await, (350, 6));
}

#[tokio::test]
async fn one_customer_who_sends_events_by_version_3_and_orders_by_version_4_has_one_balance() {
    let app = App::start().await;
    app.did("player123", "review").await;
    assert_eq!(place(&app, V4, &order_v4("O-1")).await.status, 200);
    assert_eq!(app.totals("player123").await, (75, 2));
    for path in
        ["/api/v3.0/integrations/player/player123/balance", "/api/v4.0/integrations/customers/player123/balance"]
    {
        let balance = app.send(Method::GET, path, &[API_KEY], "").await.json();
        let points = balance.get("pointsBalance").or(balance.get("availablePointsBalance"));
        assert_eq!(points, Some(&json!(75)), "{path}");
    }
}

#[tokio::test]
async fn an_order_is_stored_under_its_id_with_its_members_as_metadata() {
    let app = App::start().await;
    let mut sent = order("O-1");
    for (name, value) in [
        ("email", json!("jon@example.com")),
        ("mobile", json!("+4915112345678")),
        ("playerAttributes", json!({"displayName": "Jon Snow"})),
        ("customerId", json!("jon")),
    ] {
        sent[name] = value;
    }
    assert_eq!(place(&app, V3[0], &sent).await.status, 200);
    let record = app.items("PlayerEvents").await.remove(0);
    assert_eq!((text(&record, "playerId"), text(&record, "recordId")), ("player123", "order#O-1"));
    let expected = json!({"place_order": {
        "orderId": "O-1", "orderDate": "2024-10-16T08:13:29.000Z", "totalPaid": 90.5, "totalPrice": 100,
        "total_amount": 120, "category": ["electronics"],
        "lineItems": [{"productId": "P-1", "quantity": 2, "price": 50, "extra": {}}],
    }});
    assert_eq!(json(&record, "events"), expected);
    assert_eq!(json(&record, "earned"), json!({"place_order": {"BIG_ORDER": 50, "ELECTRONICS": 20}}));
    assert!(!format!("{:?}{:?}", app.items("PlayerEvents").await, app.items("Members").await).contains("jon"));
}

#[tokio::test]
async fn the_same_order_again_is_answered_as_before_byte_for_byte() {
    let app = App::start().await;
    let first = place(&app, V3[0], &order("O-1")).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let mut respelled = order("O-1");
    respelled["totalPaid"] = json!(90.5);
    respelled["totalPrice"] = json!("100.00");
    respelled["orderDate"] = json!("2024-10-16T08:13:29Z");
    respelled["discountCodes"] = Value::Null;
    respelled["email"] = json!("new@example.com");
    for (path, order) in [(V3[0], order("O-1")), (V3[1], respelled), (V4, order_v4("O-1"))] {
        let again = place(&app, path, &order).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    assert_eq!((app.stored().await, app.totals("player123").await), ((1, 1), (70, 1)));
}

#[tokio::test]
async fn another_order_under_the_same_id_is_refused_and_stores_nothing() {
    let app = App::start().await;
    assert_eq!(place(&app, V3[0], &order("O-1")).await.status, 200);
    let before = (app.items("PlayerEvents").await, app.items("Members").await);
    for (name, value) in [
        ("totalPaid", json!(90.51)),
        ("orderDate", json!("2024-10-16T08:13:30Z")),
        ("lineItems", json!([])),
        ("guest", json!(false)),
    ] {
        let (mut other, mut other_v4) = (order("O-1"), order_v4("O-1"));
        other[name] = value.clone();
        other_v4[name] = value;
        let message = "The orderId was used with another order".to_owned();
        assert_eq!(fault(&place(&app, V3[0], &other).await), (422, 2002, message.clone()), "{name}");
        assert_eq!(fault_v4(&place(&app, V4, &other_v4).await), (422, 9004, message), "{name}");
    }
    assert_eq!((app.items("PlayerEvents").await, app.items("Members").await), before);
}

#[tokio::test]
async fn an_order_id_is_one_of_its_players_and_no_idempotency_key() {
    let app = App::start().await;
    assert_eq!(place(&app, V3[0], &order("O-1")).await.status, 200);
    let mut others = order("O-1");
    others["playerUniqueId"] = json!("player456");
    assert_eq!(place(&app, V3[0], &others).await.header("idempotent-replayed"), None);
    assert_tracked(&app.track_once("O-1", r#"{"playerUniqueId":"player123","events":{"review":{}}}"#).await);
    // Case counts, and a key in the header does not.
    let headers = [API_KEY, JSON, ("idempotency-key", "O-1")];
    assert_eq!(app.send(Method::POST, V3[0], &headers, order("o-1").to_string()).await.status, 200);
    assert_eq!(app.totals("player123").await, (145, 3));
    assert_eq!(app.totals("player456").await, (70, 1));
}

#[tokio::test]
async fn an_invalid_order_is_refused_in_the_dialect_of_the_version() {
    let app = App::start().await;
    for (name, value, v3, v4, message) in [
        ("orderId", None, (400, 4), (400, 3000), "The OrderId field is required."),
        ("totalPaid", None, (400, 4), (400, 3000), "The TotalPaid field is required."),
        ("orderDate", Some(Value::Null), (400, 5), (422, 3001), "The OrderDate field must not be null."),
        ("orderDate", Some(json!("yesterday")), (400, 7), (422, 3003), "orderDate must be an RFC 3339 timestamp"),
        ("totalPaid", Some(json!(-1)), (400, 7), (422, 3003), "totalPaid must be a number that is not negative."),
        ("totalPaid", Some(json!("1e999")), (400, 7), (422, 3003), "totalPaid must be a number that is not negative."),
        ("totalPaid", Some(json!("")), (400, 7), (422, 3003), "totalPaid must be a number that is not negative."),
        ("note", Some(json!("x".repeat(4097))), (400, 7), (422, 3003), "note must be at most 4096 bytes of UTF-8."),
    ] {
        let edit = |mut order: Value| {
            match &value {
                Some(value) => order[name] = value.clone(),
                None => drop(order.as_object_mut().expect("an object").remove(name)),
            }
            order
        };
        let (status, code, told) = fault(&place(&app, V3[0], &edit(order("O-1"))).await);
        assert_eq!((status, code), v3, "{name} {value:?}");
        assert!(told.starts_with(message), "{told}");
        let (status, code, told) = fault_v4(&place(&app, V4, &edit(order_v4("O-1"))).await);
        assert_eq!((status, code), v4, "{name} {value:?}");
        assert!(told.starts_with(message), "{told}");
    }
    // Version 4 names the customer, and has no need of a price.
    let (_, _, told) = fault_v4(&place(&app, V4, &order("O-1")).await);
    assert_eq!(told, "The CustomerId field is required.");
    let without_price = |mut order: Value| {
        order.as_object_mut().expect("an object").remove("totalPrice");
        order
    };
    let (_, _, told) = fault(&place(&app, V3[0], &without_price(order("O-1"))).await);
    assert_eq!(told, "The TotalPrice field is required.");
    assert_eq!(app.stored().await, (0, 0));
    assert_eq!(place(&app, V4, &without_price(order_v4("O-1"))).await.status, 200);
}

#[tokio::test]
async fn a_dry_run_is_answered_like_the_order_and_writes_nothing() {
    let app = App::start().await;
    let dry = async || {
        let headers = [API_KEY, JSON, ("prefer", "dry-run")];
        app.send(Method::POST, V3[0], &headers, order("O-1").to_string()).await
    };
    let before = dry().await;
    assert_eq!((before.status.as_u16(), before.json()), (200, recorded("O-1", 70)));
    assert_eq!(before.header("preference-applied"), Some("dry-run"));
    assert_eq!(app.stored().await, (0, 0));
    let real = place(&app, V3[0], &order("O-1")).await;
    assert_eq!(real.body, before.body);
    let after = dry().await;
    assert_eq!((after.body, after.headers.contains_key("idempotent-replayed")), (real.body, true));
    assert_eq!(app.totals("player123").await, (70, 1));
}

#[tokio::test]
async fn limits_and_merging_count_orders_like_events() {
    let app = App::with_catalog(&json!({"channelMerging": "email", "campaigns": [
        limited("TWICE", "place_order", 10, &json!({"usesPerMember": 2}))]}))
    .await;
    let placed = async |player: &str, id: &str| {
        let mut order = order(id);
        order["playerUniqueId"] = json!(player);
        order["email"] = json!("Ada@example.com");
        place(&app, V3[0], &order).await.json()["rewardedPoints"].clone()
    };
    assert_eq!(placed("web", "O-1").await, 10);
    assert_tracked(
        &app.track(r#"{"playerUniqueId":"app","email":"ada@example.com","events":{"place_order":{}}}"#).await,
    );
    assert_eq!(placed("shop", "O-2").await, 0);
    assert_eq!(app.totals("shop").await, (20, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_parallel_posts_of_one_order_have_one_effect_and_one_answer() {
    let app = App::start().await;
    let sent = order("O-1");
    let answers = join_all((0..32).map(|_| place(&app, V3[0], &sent))).await;
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), answer.json()), (200, recorded("O-1", 70)));
    }
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true")).count();
    assert_eq!(replayed, 31);
    assert_eq!((app.stored().await, app.totals("player123").await), ((1, 1), (70, 1)));
}
