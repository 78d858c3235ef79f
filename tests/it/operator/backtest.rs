//! `punchcard backtest`.

use std::time::Duration;

use futures_util::future::join_all;
use punchcard::backtest::{Figures, Source, Step, Sum, Window, backtest};
use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::yaml;
use reqwest::Method;
use serde_json::{Value, json};

use super::{audit, bare, file, punchcard, run};
use crate::support::{
    activities::{Programme, activity},
    app::App,
    players::{API_KEY, JSON, limited},
};

const SECRET_KEY: (&str, &str) = ("secretkey", "demo-secret-key");
/// Rules whose total limit has shards, and one that orders reach at once.
const MORE_RULES: &str = "  - {id: MANY, event: visit, points: 1, limits: {usesInTotal: 1000}}
  - {id: PAID, event: place_order, points: 100, limits: {usesInTotal: 9, usesPerMember: {week: 4}, pointsPerMember: 370}}
";

async fn tested_in(app: &App, draft: &str, window: Window) -> Figures {
    let draft = yaml::read(draft).unwrap_or_else(|problems| panic!("{problems:?}")).into_catalog();
    let read = std::cell::Cell::new([0; 3]);
    let progress = |step| {
        let [mut first, mut total, mut replayed] = read.get();
        match step {
            Step::Read(records) => first += records,
            Step::Total(records) => total = records,
            Step::Replayed(records) => replayed += records,
        }
        read.set([first, total, replayed]);
    };
    let figures = backtest(&Source::of_store(&app.store, 0), &draft, window, progress).await.expect("a backtest");
    let [first, total, replayed] = read.get();
    assert_eq!((first, replayed), (total, total));
    assert_eq!(figures.total.actual, figures.offers.iter().map(|offer| offer.points.actual).sum::<i64>());
    assert_eq!(figures.total.draft, figures.weeks.iter().map(|week| week.points.draft).sum::<i64>());
    assert_eq!(figures.total.draft, figures.units.iter().map(|unit| unit.points.draft).sum::<i64>());
    figures
}

async fn tested(app: &App, draft: &Value) -> Figures {
    tested_in(app, &draft.to_string(), Window::default()).await
}

fn sum(actual: i64, draft: i64) -> Sum {
    Sum { actual, draft }
}

fn campaigns(campaigns: &[Value]) -> Value {
    json!({"campaigns": campaigns})
}

fn review(limits: &Value) -> Value {
    campaigns(&[limited("REVIEW", "review", 10, limits)])
}

async fn order(app: &App, player: &str, id: &str, paid: u32) {
    let order = json!({
        "customerId": player, "orderId": id, "orderDate": "2024-10-01T07:00:00Z", "totalPaid": paid,
        "total_amount": paid, "lineItems": [{"productId": "P-1"}],
    });
    let answer = app.send(Method::POST, "/api/v4.0/integrations/orders", &[API_KEY, JSON], order.to_string()).await;
    assert!([200, 503].contains(&answer.status.as_u16()), "{}", answer.body);
}

async fn refund(app: &App, player: &str, order: &str, id: &str, amount: Option<u32>) -> u16 {
    let mut refund = json!({
        "customerId": player, "refundTransactionId": id, "reverseTransactionId": order,
        "transactionTime": "2024-10-02T07:00:00Z",
    });
    if let Some(amount) = amount {
        refund["refundAmount"] = json!(amount);
    }
    let path = "/api/v4.0/integrations/transactions/refund";
    app.send(Method::POST, path, &[API_KEY, SECRET_KEY, JSON], refund.to_string()).await.status.as_u16()
}

/// Orders and refunds of a few players, at the same time as others.
async fn shop(programme: &Programme, seed: u32) {
    for number in 0..12 {
        let (player, id) = (format!("p-{}", number % 3), format!("{seed}-{number}"));
        order(&programme.app, &player, &id, 90 + number).await;
        if number % 2 == 0 {
            let status = refund(&programme.app, &player, &id, &format!("r-{id}"), Some(31)).await;
            assert!([200, 404, 503].contains(&status), "{status}");
        }
        if number % 4 == 0 {
            refund(&programme.app, &player, &id, &format!("s-{id}"), None).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_catalog_makes_no_difference_whatever_the_order_of_requests_was() {
    let rules = format!("{}{MORE_RULES}", audit::RULES);
    let programme = Programme::with(&rules).await;
    tokio::join!(
        join_all((1..5).map(|seed| audit::send(&programme, seed, 80))),
        join_all((5..8).map(|seed| shop(&programme, seed))),
    );
    let figures = tested_in(&programme.app, &rules, Window::default()).await;
    assert!(figures.total.actual > 1000 && figures.offers.len() > 15 && figures.records > 200, "{figures:?}");
    assert!(figures.not_compared.adjustments > 0 && figures.not_compared.unreadable == 0, "{figures:?}");
    let used = |id: &str| figures.offers.iter().find(|offer| offer.id == id).map_or(0, |offer| offer.uses.actual);
    assert!(used("MANY") > 10 && used("PAID") > 0, "{figures:?}");
    for offer in &figures.offers {
        assert_eq!((offer.points.difference(), offer.uses.difference()), (0, 0), "{offer:?}");
    }
    assert_eq!((figures.differing, figures.members.gain, figures.members.lose), (0, 0, 0));
    assert_eq!(figures.largest, []);
}

#[tokio::test]
async fn another_limit_differs_by_exactly_what_it_lets_through() {
    let app = App::with_catalog(&review(&json!({"usesPerMember": 2}))).await;
    for _ in 0..5 {
        app.did("p-1", "review").await;
    }
    app.did("p-2", "review").await;
    for (limits, would) in [
        (json!({"usesPerMember": 2}), 30),
        (json!({"usesPerMember": 4}), 50),
        (json!({"usesPerMember": 1}), 20),
        (json!({}), 60),
        (json!({"usesPerMember": {"day": 3}}), 40),
        (json!({"pointsPerMember": 15}), 25),
        (json!({"usesInTotal": 1}), 10),
    ] {
        let figures = tested(&app, &review(&limits)).await;
        assert_eq!(figures.total, sum(30, would), "{limits}");
        assert_eq!(figures.records, 6);
    }
    let figures = tested(&app, &campaigns(&[])).await;
    assert_eq!((figures.total, figures.members.lose), (sum(30, 0), 2));
}

#[tokio::test]
async fn total_limits_are_used_in_the_order_of_arrival_over_all_members() {
    let app = App::with_catalog(&review(&json!({"usesInTotal": 3}))).await;
    for player in ["p-4", "p-1", "p-3", "p-2"] {
        app.did(player, "review").await;
    }
    for (limit, total, member, change) in [(2, sum(30, 20), "player#p-3", -10), (4, sum(30, 40), "player#p-2", 10)] {
        let figures = tested(&app, &review(&json!({"usesInTotal": limit}))).await;
        assert_eq!(figures.total, total);
        let largest: Vec<_> =
            figures.largest.iter().map(|one| (one.member.as_str(), one.points.difference())).collect();
        assert_eq!(largest, [(member, change)]);
        assert_eq!((figures.members.gain, figures.members.lose), (u64::from(change > 0), u64::from(change < 0)));
    }
    let figures = tested(&app, &review(&json!({"usesInTotal": 2}))).await;
    let sentence = &figures.largest[0].explanation[0].sentences[0];
    assert!(sentence.contains("REVIEW") && sentence.contains('2'), "{sentence}");
    assert_eq!(figures.largest[0].explanation[0].rules[0]["reason"], "LIMIT_REACHED");
}

/// A moment that no request before or after it shares.
async fn moment() -> Timestamp {
    tokio::time::sleep(Duration::from_millis(20)).await;
    let now = punchcard_runtime::now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    now
}

#[tokio::test]
async fn a_draft_is_in_force_from_a_time_and_earlier_uses_count() {
    let app = App::with_catalog(&review(&json!({"usesPerMember": 2}))).await;
    app.did("p-1", "review").await;
    app.did("p-1", "review").await;
    let since = Some(moment().await);
    app.did("p-1", "review").await;
    let until = Some(moment().await);
    app.did("p-1", "review").await;
    for (limit, since, until, records, total) in [
        (3, since, None, 2, sum(0, 10)),
        (1, since, None, 2, sum(0, 0)),
        (5, since, until, 1, sum(0, 10)),
        (5, None, until, 3, sum(20, 30)),
        (5, until, None, 1, sum(0, 10)),
    ] {
        let draft = review(&json!({"usesPerMember": limit})).to_string();
        let figures = tested_in(&app, &draft, Window { since, until }).await;
        assert_eq!((figures.records, figures.total), (records, total), "{limit} {since:?} {until:?}");
    }
}

#[tokio::test]
async fn a_reversal_takes_back_what_each_world_paid_and_gives_the_use_back() {
    let rules = |points: u32| {
        json!({
            "businessUnits": {"A": "enabled"},
            "offers": [
                {"id": "BASE", "unit": "A", "kind": "base", "reward": {"flat": points}, "limits": {"usesPerMember": 1}},
                {"id": "HALF", "unit": "A", "kind": "bonus", "reward": {"percentage": 50}, "limits": {"usesInTotal": 1}},
            ],
        })
    };
    let programme = Programme::with(&rules(10).to_string()).await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    programme.send("c-1", "a-2", &activity("APP_CHECKIN")).await;
    let reversal = json!({"originalTransactionId": "a-1"}).to_string();
    assert_eq!(programme.post("/client/users/c-1/void", &[], &reversal).await.status, 200);
    programme.send("c-1", "a-3", &activity("APP_CHECKIN")).await;
    let figures = tested(&programme.app, &rules(16)).await;
    // Each paid twice, and was taken back once.
    assert_eq!((figures.total, figures.records), (sum(15, 24), 4));
    let offers: Vec<_> = figures.offers.iter().map(|offer| (offer.id.as_str(), offer.points, offer.uses)).collect();
    assert_eq!(offers, [("BASE", sum(10, 16), sum(1, 1)), ("HALF", sum(5, 8), sum(1, 1))]);
    assert_eq!((figures.differing, figures.members.gain), (3, 1));
}

#[tokio::test]
async fn a_refund_takes_back_the_same_share_of_what_each_world_paid() {
    let rules = |points: u64| campaigns(&[limited("ORDER", "place_order", points, &json!({"usesPerMember": 1}))]);
    let app = App::with_catalog(&rules(50)).await;
    order(&app, "p-1", "O-1", 100).await;
    assert_eq!(refund(&app, "p-1", "O-1", "R-1", Some(40)).await, 200);
    order(&app, "p-1", "O-2", 100).await;
    assert_eq!(tested(&app, &rules(70)).await.total, sum(30, 42));
    assert_eq!(refund(&app, "p-1", "O-1", "R-2", None).await, 200);
    order(&app, "p-1", "O-3", 100).await;
    let figures = tested(&app, &rules(70)).await;
    assert_eq!((figures.total, figures.offers[0].uses), (sum(50, 70), sum(1, 1)));
}

#[tokio::test]
async fn the_command_reports_in_words_in_json_and_as_a_page() {
    let app = App::with_catalog(&review(&json!({"usesPerMember": 1}))).await;
    let hostile = "<script>alert(1)</script>";
    for _ in 0..3 {
        app.did(hostile, "review").await;
    }
    let draft = file(&review(&json!({"usesPerMember": 2})).to_string());
    let path = draft.path().to_str().expect("a path");
    let said = punchcard(&app, &["backtest", path]).await;
    assert!(said.succeeded, "{}", said.errors);
    for part in ["REVIEW", "+10", "3 records of 1 members", "1 members would have more points, 0 fewer"] {
        assert!(said.output.contains(part), "{part}: {}", said.output);
    }

    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("report.html");
    let page = page.to_str().expect("a path");
    let mut found = punchcard(&app, &["backtest", path, "--json", "--report", page]).await.json();
    let html = std::fs::read_to_string(page).expect("a report");
    assert!(html.contains("&#60;script&#62;alert(1)") && !html.contains("<script>alert"), "escaped");
    assert_eq!(html.matches("<script").count(), 2, "the data and the charts");
    // The policy permits no load. A comment of the charting library has the address of its project.
    assert!(html.contains("content=\"default-src &#39;none&#39;; script-src"), "a policy");
    assert!(!html.contains(" src=") && !html.contains(" href="), "no network");
    assert!(found["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
    let largest = found["largest"].take();
    assert_eq!(largest.as_array().map(Vec::len), Some(1));
    assert_eq!((&largest[0]["member"], &largest[0]["difference"]), (&json!(format!("player#{hostile}")), &json!(10)));
    assert_eq!(largest[0]["explanation"][0]["rules"][0]["campaign"], "REVIEW");
    let week = found["weeks"][0].take();
    assert!(week["week"].is_string() && week["from"].is_string() && week["draft"] == 20, "{week}");
    found["seconds"] = Value::Null;
    let expected = json!({
        "draft": path, "since": null, "until": null, "records": 3, "differing": 1,
        "notCompared": {"adjustments": 0, "unversioned": 0, "erased": 0, "unreadable": 0, "corrections": 0},
        "members": {"seen": 1, "gain": 1, "lose": 0},
        "total": {"actual": 10, "draft": 20, "difference": 10},
        "offers": [{
            "id": "REVIEW", "kind": "campaign", "unit": null, "actual": 10, "draft": 20, "difference": 10,
            "uses": {"actual": 1, "draft": 2, "difference": 1},
        }],
        "units": [{"unit": null, "actual": 10, "draft": 20, "difference": 10}],
        "weeks": [null], "largest": null, "seconds": null,
    });
    assert_eq!(found, expected);

    // An archive has the same records and catalogs.
    let archive = folder.path().join("archive");
    let archive = archive.to_str().expect("a path");
    assert!(punchcard(&app, &["export", "--to", archive]).await.succeeded);
    let mut command = bare();
    command.args(["backtest", path, "--json", "--archive", archive]);
    let mut of_archive = run(command).await.json();
    assert_eq!(of_archive["largest"].take(), largest);
    of_archive["weeks"][0].take();
    of_archive["seconds"] = Value::Null;
    assert_eq!(of_archive, expected);
}

#[tokio::test]
async fn an_invalid_draft_is_refused_with_its_faults() {
    let draft = file("campaigns:\n  - {id: REVIEW, event: review, points: 0}\n");
    let mut command = bare();
    command.args(["backtest", draft.path().to_str().expect("a path"), "--data", "/nowhere"]);
    let said = run(command).await;
    assert!(!said.succeeded && said.errors.contains("line 2: /campaigns/0/points"), "{}", said.errors);
}
