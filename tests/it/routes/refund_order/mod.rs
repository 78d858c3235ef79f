//! `POST /api/v4.0/integrations/transactions/refund`.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    operator::punchcard,
    support::{
        app::{Answer, App},
        players::{API_KEY, JSON, fault_v4, limited, text},
    },
};

const PATH: &str = "/api/v4.0/integrations/transactions/refund";
const SECRET_KEY: (&str, &str) = ("secretkey", "demo-secret-key");

/// Places an order of 100, which earns 70 points with the demo's catalog.
async fn place(app: &App, id: &str) {
    place_by(app, "player123", id, &json!({"totalPaid": 100})).await;
}

async fn place_by(app: &App, player: &str, id: &str, more: &Value) {
    let mut order = json!({
        "playerUniqueId": player, "orderId": id, "orderDate": "2024-10-16T08:13:29Z", "totalPrice": 100,
        "total_amount": 120, "category": ["electronics"],
    });
    order.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let answer = app.send(Method::POST, "/integrations/order", &[API_KEY, JSON], order.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// A refund of order `O-1`.
fn refund(id: &str, amount: impl Into<Value>) -> Value {
    json!({
        "customerId": "player123", "refundTransactionId": id, "reverseTransactionId": "O-1",
        "transactionTime": "2024-10-17T08:13:29Z", "refundAmount": amount.into(),
    })
}

async fn send(app: &App, body: &Value) -> Answer {
    app.send(Method::POST, PATH, &[API_KEY, SECRET_KEY, JSON], body.to_string()).await
}

/// The points that a refund takes back.
async fn taken(app: &App, body: &Value) -> u64 {
    let answer = send(app, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["refundEquivalentPoints"].as_u64().expect("points")
}

async fn points(app: &App, player: &str) -> i64 {
    app.get_player(player).await.json()["points"].as_i64().expect("points")
}

async fn assert_audited(app: &App) {
    let audit = punchcard(app, &["audit", "--json"]).await;
    assert!(audit.succeeded, "{}", audit.output);
}

#[tokio::test]
async fn a_refund_takes_back_what_the_order_earned() {
    let app = App::start().await;
    place(&app, "O-1").await;
    place(&app, "O-2").await;
    let answer = send(&app, &refund("R-1", Value::Null)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    let number: u64 = body["gameballTransactionId"].as_str().expect("text").parse().expect("a number");
    let expected = json!({
        "gameballTransactionId": number.to_string(), "refundTransactionId": "R-1", "refundAmount": 100,
        "refundEquivalentPoints": 70,
    });
    assert_eq!(body, expected);
    assert_eq!(app.totals("player123").await, (70, 2));
    assert_audited(&app).await;
}

#[tokio::test]
async fn refunds_in_parts_take_back_the_share_of_their_sum() {
    let app = App::start().await;
    place(&app, "O-1").await;
    // ⌊70 × 33.33 ÷ 100⌋ is 23, of 66.66 it is 46, and of 99.99 it is 69.
    for (id, points) in [("R-1", 23), ("R-2", 23), ("R-3", 23)] {
        assert_eq!(taken(&app, &refund(id, "33.33")).await, points, "{id}");
    }
    // The rest, and nothing more after it.
    let rest = send(&app, &refund("R-4", Value::Null)).await.json();
    assert_eq!((&rest["refundAmount"], &rest["refundEquivalentPoints"]), (&json!(0.01), &json!(1)));
    for amount in [json!(50), Value::Null] {
        assert_eq!(taken(&app, &refund(&format!("R-{amount}"), amount)).await, 0);
    }
    assert_eq!(app.totals("player123").await, (0, 1));
    assert_audited(&app).await;
}

#[tokio::test]
async fn more_than_was_paid_takes_back_no_more_than_the_award() {
    let app = App::start().await;
    place(&app, "O-1").await;
    assert_eq!(taken(&app, &refund("R-1", 60)).await, 42);
    assert_eq!(taken(&app, &refund("R-2", 60)).await, 28);
    // An order of nothing is refunded whole.
    place_by(&app, "player123", "O-2", &json!({"totalPaid": 0})).await;
    let mut free = refund("R-3", 1);
    free["reverseTransactionId"] = json!("O-2");
    assert_eq!(taken(&app, &free).await, 70);
    assert_eq!(points(&app, "player123").await, 0);
    assert_audited(&app).await;
}

#[tokio::test]
async fn a_refund_is_recorded_once_and_its_id_stands_for_one_refund() {
    let app = App::start().await;
    place(&app, "O-1").await;
    place(&app, "O-2").await;
    let first = send(&app, &refund("R-1", 30)).await;
    let mut respelled = refund("R-1", "30.00");
    respelled["transactionTime"] = json!("2024-10-17T10:13:29+02:00");
    respelled["merchant"] = json!({"name": "Shop"});
    for again in [refund("R-1", 30), respelled] {
        let again = send(&app, &again).await;
        let replayed = again.header("idempotent-replayed");
        assert_eq!((again.status.as_u16(), &again.body, replayed), (200, &first.body, Some("true")));
    }
    let before = (app.items("PlayerEvents").await, app.items("Members").await);
    for (member, value) in [
        ("refundAmount", json!(31)),
        ("refundAmount", Value::Null),
        ("transactionTime", json!("2024-10-17T08:13:30Z")),
        ("reverseTransactionId", json!("O-2")),
        ("reverseTransactionId", json!("nothing")),
    ] {
        let mut other = refund("R-1", 30);
        other[member] = value;
        let message = "The refundTransactionId was used with another refund".to_owned();
        assert_eq!(fault_v4(&send(&app, &other).await), (422, 9004, message), "{other}");
    }
    assert_eq!((app.items("PlayerEvents").await, app.items("Members").await), before);
    // The order itself is still a duplicate.
    place(&app, "O-1").await;
    assert_eq!(points(&app, "player123").await, 140 - 21);
    assert_audited(&app).await;
}

#[tokio::test]
async fn only_an_order_of_the_customer_can_be_refunded() {
    let app = App::start().await;
    place_by(&app, "player456", "O-1", &json!({"totalPaid": 100})).await;
    assert_eq!(app.track_once("O-1", r#"{"playerUniqueId":"player123","events":{"review":{}}}"#).await.status, 200);
    let message = "The customer has no order with the id reverseTransactionId".to_owned();
    for order in ["O-1", "o-1", "key#O-1", "nothing"] {
        let mut other = refund("R-1", 30);
        other["reverseTransactionId"] = json!(order);
        assert_eq!(fault_v4(&send(&app, &other).await), (404, 9005, message.clone()), "{order}");
    }
    // A refund is no order.
    place(&app, "O-2").await;
    let mut of_refund = refund("R-1", 30);
    of_refund["reverseTransactionId"] = json!("O-2");
    assert_eq!(send(&app, &of_refund).await.status, 200);
    of_refund["refundTransactionId"] = json!("R-2");
    of_refund["reverseTransactionId"] = json!("R-1");
    assert_eq!(fault_v4(&send(&app, &of_refund).await), (404, 9005, message));
}

#[tokio::test]
async fn a_recorded_refund_is_answered_as_before_even_if_its_order_is_gone() {
    let app = App::start().await;
    place(&app, "O-1").await;
    let first = send(&app, &refund("R-1", 30)).await;
    app.remove("PlayerEvents", [("playerId", "player123"), ("recordId", "order#O-1")]).await;
    let again = send(&app, &refund("R-1", 30)).await;
    assert_eq!((again.status.as_u16(), &again.body), (200, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let (status, code, _) = fault_v4(&send(&app, &refund("R-1", 31)).await);
    assert_eq!((status, code), (422, 9004));
    let (status, code, _) = fault_v4(&send(&app, &refund("R-2", 30)).await);
    assert_eq!((status, code), (404, 9005));
}

#[tokio::test]
async fn the_secret_key_of_the_api_key_is_needed() {
    let mut app = App::start().await;
    place(&app, "O-1").await;
    let added = punchcard(&app, &["client", "add", "shop", "--for", "player-events", "--json"]).await.json();
    app.restart().await;
    let sent = async |key: &str, secret: Option<&str>| {
        let secret = secret.map(|secret| ("secretkey", secret));
        let headers: Vec<_> = [("apikey", key), JSON].into_iter().chain(secret).collect();
        app.send(Method::POST, PATH, &headers, refund("R-1", 30).to_string()).await
    };
    let (key, secret) = (added["apiKey"].as_str().expect("a key"), added["secretKey"].as_str().expect("a secret"));
    let refusals =
        [("demo-api-key", None), ("demo-api-key", Some(secret)), (key, Some("demo-secret-key")), (key, Some(key))];
    for (key, secret) in refusals {
        let (status, code, _) = fault_v4(&sent(key, secret).await);
        assert_eq!((status, code), (401, 1000), "{secret:?}");
    }
    assert_eq!(points(&app, "player123").await, 70);
    assert_eq!(sent(key, Some(secret)).await.status, 200);
    // Other routes ignore it.
    let headers = [API_KEY, JSON, ("secretkey", "wrong")];
    let tracked =
        app.send(Method::POST, "/integrations/event", &headers, r#"{"playerUniqueId":"p","events":{}}"#).await;
    assert_eq!(tracked.status, 200);
}

#[tokio::test]
async fn points_of_limits_come_back_in_proportion_and_uses_with_the_whole() {
    let limits = json!({"usesPerMember": 1, "usesInTotal": 1, "pointsPerMember": 10});
    let app = App::with_catalog(&json!({"campaigns": [limited("ONCE", "place_order", 10, &limits)]})).await;
    let earned = async |player: &str, id: &str| {
        let before = app.get_player(player).await.json()["points"].as_i64().unwrap_or(0);
        place_by(&app, player, id, &json!({"totalPaid": 100})).await;
        points(&app, player).await - before
    };
    assert_eq!(earned("player123", "O-1").await, 10);
    assert_eq!(taken(&app, &refund("R-1", 50)).await, 5);
    let member = async || {
        let members = app.items("Members").await;
        let member = members.iter().find(|item| text(item, "memberId") == "player#player123").expect("a player");
        ["use#ONCE", "sum#ONCE"].map(|name| member[name].as_n().expect("a number").clone())
    };
    assert_eq!(member().await, ["1", "5"]);
    assert_eq!(earned("player123", "O-2").await, 0);
    assert_eq!(taken(&app, &refund("R-2", 50)).await, 5);
    assert_eq!(member().await, ["0", "0"]);
    // Another player may use it now.
    assert_eq!(earned("player456", "O-3").await, 10);
    assert_eq!(earned("player123", "O-4").await, 0);
    assert_audited(&app).await;
}

#[tokio::test]
async fn what_the_catalog_says_now_does_not_matter_for_a_refund() {
    let mut app = App::start().await;
    place(&app, "O-1").await;
    app.apply(&json!({"rewards": "disabled", "campaigns": []})).await;
    assert_eq!(taken(&app, &refund("R-1", 50)).await, 35);
    assert_eq!(taken(&app, &refund("R-2", Value::Null)).await, 35);
    assert_eq!(points(&app, "player123").await, 0);
    assert_audited(&app).await;
}

#[tokio::test]
async fn points_that_were_spent_may_become_negative_or_not() {
    for (negative, status) in [("allowed", 200), ("refused", 422)] {
        let campaigns = json!([limited("ORDER", "place_order", 10, &json!({}))]);
        let app = App::with_catalog(&json!({"negativeBalances": negative, "campaigns": campaigns})).await;
        place(&app, "O-1").await;
        // Nothing spends a player's points yet.
        let spent = app.dynamo().update_item().table_name(format!("{}Members", app.prefix));
        let spent = spent.key("memberId", AttributeValue::S("player#player123".to_owned()));
        let minus = AttributeValue::N("-4".to_owned());
        let spent = spent.update_expression("ADD points :minus").expression_attribute_values(":minus", minus);
        spent.send().await.expect("spent");
        let answer = send(&app, &refund("R-1", Value::Null)).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        if status == 422 {
            let message = "The balance must not fall below zero".to_owned();
            assert_eq!(fault_v4(&answer), (422, 9008, message));
        }
        assert_eq!(points(&app, "player123").await, if status == 200 { -4 } else { 6 });
    }
}

#[tokio::test]
async fn a_refund_is_of_the_customer_that_the_order_was_credited_to() {
    let campaigns = json!([limited("ORDER", "place_order", 10, &json!({}))]);
    let app = App::with_catalog(&json!({"channelMerging": "email", "campaigns": campaigns})).await;
    for (player, id) in [("player123", "O-1"), ("phone", "O-2")] {
        place_by(&app, player, id, &json!({"totalPaid": 100, "email": "ada@example.com"})).await;
    }
    let mut of_phone = refund("R-1", 50);
    of_phone["customerId"] = json!("phone");
    of_phone["reverseTransactionId"] = json!("O-2");
    assert_eq!(taken(&app, &of_phone).await, 5);
    assert_eq!((points(&app, "player123").await, points(&app, "phone").await), (15, 15));
    assert_audited(&app).await;
}

#[tokio::test]
async fn a_dry_run_is_answered_like_the_refund_and_writes_nothing() {
    let app = App::start().await;
    place(&app, "O-1").await;
    let body = refund("R-1", 30).to_string();
    let dry =
        async || app.send(Method::POST, PATH, &[API_KEY, SECRET_KEY, JSON, ("prefer", "dry-run")], body.clone()).await;
    let stored = app.stored().await;
    let before = dry().await;
    assert_eq!((before.status.as_u16(), before.header("preference-applied")), (200, Some("dry-run")));
    assert_eq!((app.stored().await, points(&app, "player123").await), (stored, 70));
    assert_eq!(send(&app, &refund("R-1", 30)).await.body, before.body);
    let after = dry().await;
    assert_eq!((after.header("idempotent-replayed"), &after.body), (Some("true"), &before.body));
}

#[tokio::test]
async fn an_order_uses_no_more_limits_than_a_refund_can_give_back() {
    // The refund, the order, the player and 97 total limits are one transaction.
    let campaign = |number: usize| {
        let mut campaign = limited(&format!("ORDER_{number}"), "place_order", 1, &json!({"usesInTotal": 9}));
        campaign["conditions"] = json!([{"field": "total_amount", "ge": if number < 97 { 100 } else { 200 }}]);
        campaign
    };
    let app = App::with_catalog(&json!({"campaigns": (0..98).map(campaign).collect::<Vec<_>>()})).await;
    place(&app, "O-1").await;
    assert_eq!(taken(&app, &refund("R-1", Value::Null)).await, 97);
    let expensive = json!({
        "playerUniqueId": "player123", "orderId": "O-2", "orderDate": "2024-10-16T08:13:29Z", "totalPaid": 200,
        "totalPrice": 200, "total_amount": 200,
    });
    let answer = app.send(Method::POST, "/integrations/order", &[API_KEY, JSON], expensive.to_string()).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    assert_audited(&app).await;
}

#[tokio::test]
async fn the_amount_of_an_answer_is_exact() {
    let app = App::start().await;
    place_by(&app, "player123", "O-1", &json!({"totalPaid": "999999999999999.123456789"})).await;
    let answer = send(&app, &refund("R-1", "999999999999.999999999")).await;
    assert!(answer.body.contains("\"refundAmount\":999999999999.999999999,"), "{}", answer.body);
    let rest = send(&app, &refund("R-2", Value::Null)).await;
    assert!(rest.body.contains("\"refundAmount\":998999999999999.12345679,"), "{}", rest.body);
}

#[tokio::test]
async fn an_invalid_refund_is_refused_with_the_vendors_codes() {
    let app = App::start().await;
    place(&app, "O-1").await;
    for (name, value, expected, message) in [
        ("customerId", None, (400, 3000), "The CustomerId field is required."),
        ("reverseTransactionId", None, (400, 3000), "The ReverseTransactionId field is required."),
        ("transactionTime", None, (400, 3000), "The TransactionTime field is required."),
        ("refundTransactionId", Some(Value::Null), (422, 3001), "The RefundTransactionId field must not be null."),
        ("transactionTime", Some(json!("now")), (422, 3003), "transactionTime must be an RFC 3339 timestamp"),
        ("refundAmount", Some(json!(-1)), (422, 3003), "refundAmount must be a number that is not negative."),
        ("refundAmount", Some(json!(0)), (422, 3003), "refundAmount must be more than 0"),
        ("refundAmount", Some(json!("1e16")), (422, 3003), "refundAmount must be more than 0"),
    ] {
        let mut body = refund("R-1", 30);
        match &value {
            Some(value) => body[name] = value.clone(),
            None => drop(body.as_object_mut().expect("an object").remove(name)),
        }
        let (status, code, told) = fault_v4(&send(&app, &body).await);
        assert_eq!((status, code), expected, "{name} {value:?}");
        assert!(told.starts_with(message), "{told}");
    }
    assert_eq!(points(&app, "player123").await, 70);
}

#[tokio::test]
async fn the_history_lists_refunds_and_marks_the_order() {
    let app = App::start().await;
    place(&app, "O-1").await;
    send(&app, &refund("R-1", 30)).await;
    let listed = punchcard(&app, &["history", "--player", "player123", "--json"]).await.json();
    let records = listed["records"].as_array().expect("records");
    let of = |id: &str| records.iter().find(|record| record["recordId"] == id).expect("a record");
    assert_eq!(of("order#O-1")["refunded"], "30");
    let record = of("refund#R-1");
    assert_eq!(
        (&record["kind"], &record["order"], &record["amount"]),
        (&json!("refund"), &json!("order#O-1"), &json!("30"))
    );
    assert_eq!(record["taken"], json!({"points": 21}));
    let text = punchcard(&app, &["history", "--player", "player123"]).await.output;
    assert!(text.contains("refund#R-1  refund of order#O-1  30") && text.contains("30 refunded"), "{text}");
    let explained = punchcard(&app, &["explain", "player", "player123", "refund#R-1"]).await;
    assert!(!explained.succeeded && explained.errors.contains("is a refund of order#O-1"), "{explained:?}");
}

#[tokio::test]
async fn an_audit_names_a_refund_or_order_that_was_tampered_with() {
    let linked = "player request player123 order#O-1 and its reversal or refund refund#R-2 do not name each other";
    let unlinked = "player request player123 order#O-1 and its reversal or refund refund#R-1 do not name each other";
    for (record, name, value, says) in [
        ("refund#R-1", "amount", "1", "refund#R-1 says that 30 is refunded in all, and its amount gives 1"),
        ("refund#R-1", "order", "order#O-2", &unlinked.replace("O-1", "O-2")),
        ("refund#R-2", "previous", "refund#R-2", unlinked),
        ("refund#R-2", "refundedBefore", "0", "refund#R-2 says that 80 is refunded in all, and its amount gives 50"),
        ("order#O-1", "refunded", "whole", linked),
        ("order#O-1", "lastRefund", "refund#R-1", linked),
    ] {
        let app = App::start().await;
        place(&app, "O-1").await;
        assert_eq!((taken(&app, &refund("R-1", 30)).await, taken(&app, &refund("R-2", 50)).await), (21, 35));
        assert_audited(&app).await;
        let key = [("playerId", "player123"), ("recordId", record)];
        app.set("PlayerEvents", key, name, AttributeValue::S(value.to_owned())).await;
        let audit = punchcard(&app, &["audit"]).await;
        assert!(!audit.succeeded && audit.output.contains(says), "{record} {name}: {}", audit.output);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_parallel_refunds_take_back_each_part_once() {
    let app = App::start().await;
    place(&app, "O-1").await;
    // 16 refunds of 5, each sent four times.
    let bodies: Vec<_> = (0..64).map(|n| refund(&format!("R-{}", n % 16), 5)).collect();
    let mut answers = join_all(bodies.iter().map(|body| send(&app, body))).await;
    for (body, answer) in bodies.iter().zip(&mut answers) {
        for _ in 0..20 {
            if answer.status != 503 {
                break;
            }
            *answer = send(&app, body).await;
        }
    }
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    // ⌊70 × 80 ÷ 100⌋ in all.
    assert_eq!(points(&app, "player123").await, 14);
    assert_eq!(app.stored().await, (17, 1));
    assert_audited(&app).await;
}
