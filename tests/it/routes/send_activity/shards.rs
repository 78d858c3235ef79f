//! `POST /client/users/{correlation_id}/activities/{activity_id}` with a total limit that several items count.

use futures_util::future::join_all;
use punchcard_rewards::{Shares, equal_shares, yaml};
use punchcard_store::{Admin, Annotation, ShareChange};
use serde_json::{Value, json};

use crate::{
    operator::punchcard,
    support::activities::{Programme, activity, number, text},
};

fn catalog(limit: u64) -> String {
    format!(
        "businessUnits: {{U: enabled}}\noffers:\n  \
         - {{id: RUSH, unit: U, kind: base, reward: {{flat: 7}}, limits: {{usesInTotal: {limit}}}}}\n"
    )
}

/// A programme whose total limit has four shards, although it is small.
async fn programme(limit: u64) -> Programme {
    let mut programme = Programme::start().await;
    let source = yaml::read(&catalog(limit)).expect("a catalog");
    let shares = Shares::from([("RUSH".to_owned(), equal_shares(limit, 4))]);
    let admin = Admin::new(&programme.app.store);
    let seen = admin.rules().await.expect("the demo").map_or(0, |rules| rules.version);
    let now = punchcard_runtime::now();
    admin.apply_rules(&source.to_applied_json(&shares), seen, &Annotation::default(), now).await.expect("applied");
    programme.app.restart().await;
    programme
}

/// Sends activities at once, and returns how many are paid.
async fn send(programme: &Programme, prefix: &str, count: usize) -> usize {
    let body = activity("APP_CHECKIN");
    let answers = (0..count).map(async |number| {
        programme.send_until_recorded(&format!("c-{}", number % 20), &format!("{prefix}-{number}"), &body).await
    });
    join_all(answers).await.iter().filter(|answer| answer["earned"]["U"]["loyalty"]["total"] == 7).count()
}

/// The uses of the shards, by name.
async fn shards(programme: &Programme) -> Vec<(String, u64)> {
    let members = programme.app.items("Members").await;
    let shards = members.iter().filter(|item| text(item, "memberId").starts_with("cap#RUSH"));
    let mut shards: Vec<_> = shards.map(|item| (text(item, "memberId").to_owned(), number(item, "used"))).collect();
    shards.sort();
    shards
}

async fn assert_audited(programme: &Programme) {
    let audit = punchcard(&programme.app, &["audit", "--json"]).await;
    assert!(audit.succeeded, "{}", audit.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shards_of_a_limit_pay_exactly_the_limit_together() {
    let mut programme = programme(30).await;
    assert_eq!(send(&programme, "first", 90).await, 30);
    let expected: Vec<_> = [8, 8, 7, 7].into_iter().enumerate().collect();
    let expected: Vec<_> = expected.into_iter().map(|(index, used)| (format!("cap#RUSH#{index}"), used)).collect();
    assert_eq!(shards(&programme).await, expected);
    // A process that has seen nothing of it pays no more, and says why.
    programme.app.restart().await;
    let answer = programme.send("c-1", "late", &activity("APP_CHECKIN")).await;
    assert_eq!(answer.json()["earned"], json!({}));
    let explained = programme.get("/client/users/c-1/activities/late/explanation").await.json();
    assert_eq!(explained["offers"][0]["detail"], json!({"which": "usesInTotal", "limit": 30, "used": 30}));
    assert_audited(&programme).await;
}

#[tokio::test]
async fn uses_are_given_back_to_the_shard_that_they_came_from() {
    let mut programme = programme(4).await;
    assert_eq!(send(&programme, "first", 6).await, 4);
    let full = shards(&programme).await;
    let paid = programme.app.items("Activities").await;
    let paid = paid.iter().find(|item| text(item, "earned") != "{}").expect("a paid activity");
    let (id, correlation_id) = (text(paid, "activityId"), text(paid, "correlationId"));
    let void = json!({"originalTransactionId": id}).to_string();
    assert_eq!(programme.post(&format!("/client/users/{correlation_id}/void"), &[], &void).await.status, 200);
    let open: Vec<_> = shards(&programme).await;
    assert_eq!(open.iter().zip(&full).filter(|(open, full)| open.1 == full.1 - 1).count(), 1);
    assert_audited(&programme).await;
    // An instance remembers an exhausted limit for a while.
    programme.app.restart().await;
    assert_eq!(send(&programme, "again", 3).await, 1);
    assert_eq!(shards(&programme).await, full);
    assert_audited(&programme).await;
}

#[tokio::test]
async fn a_changed_limit_is_paid_exactly() {
    let mut programme = programme(20).await;
    assert_eq!(send(&programme, "first", 7).await, 7);
    // Lower, with the uses spread unevenly.
    programme.apply(&catalog(9)).await;
    assert_eq!(send(&programme, "lower", 10).await, 2);
    programme.apply(&catalog(3)).await;
    assert_eq!(send(&programme, "exhausted", 5).await, 0);
    programme.apply(&catalog(14)).await;
    assert_eq!(send(&programme, "higher", 10).await, 5);
    assert_audited(&programme).await;
}

#[tokio::test]
async fn a_function_with_an_older_catalog_is_held_to_a_lowered_limit() {
    let programme = programme(20).await;
    assert_eq!(send(&programme, "first", 4).await, 4);
    // The server keeps the catalog that it has read.
    let source = yaml::read(&catalog(6)).expect("a catalog");
    let admin = Admin::new(&programme.app.store);
    punchcard::set_up::apply(&admin, &source, punchcard_runtime::now()).await.expect("applied");
    assert_eq!(send(&programme, "later", 30).await, 2);
    assert_audited(&programme).await;
}

#[tokio::test]
async fn a_limit_that_is_lowered_below_its_uses_pays_only_what_is_above_all_of_them() {
    let mut programme = programme(20).await;
    assert_eq!(send(&programme, "first", 16).await, 16);
    for (limit, paid) in [(8, 0), (15, 0), (12, 0), (17, 1), (9, 0), (20, 3)] {
        programme.apply(&catalog(limit)).await;
        assert_eq!(send(&programme, &format!("limit-{limit}"), 6).await, paid, "{limit}");
    }
    assert_audited(&programme).await;
}

#[tokio::test]
async fn a_change_that_was_not_completed_is_completed_by_the_same_catalog() {
    let mut programme = programme(20).await;
    let admin = Admin::new(&programme.app.store);
    // As if the command had been killed after its first write, or another catalog had been applied meanwhile.
    let change = ShareChange { seen: None, share: 0, most_used: None };
    assert!(admin.set_share("cap#RUSH#0", change).await.expect("a share"));
    assert!(!admin.set_share("cap#RUSH#0", ShareChange { share: 3, ..change }).await.expect("another share"), "seen");
    assert_eq!(send(&programme, "before", 20).await, 15);
    programme.apply(&catalog(20)).await;
    assert_eq!(send(&programme, "after", 20).await, 5);
    assert_audited(&programme).await;
}

#[tokio::test]
async fn large_limits_get_shards_and_a_limit_that_had_one_item_keeps_it() {
    let mut programme = Programme::with(&catalog(10)).await;
    assert_eq!(send(&programme, "single", 3).await, 3);
    programme.apply(&catalog(5_000)).await;
    assert_eq!(send(&programme, "still-single", 3).await, 3);
    assert_eq!(shards(&programme).await, [("cap#RUSH".to_owned(), 6)]);

    let mut programme = Programme::with(&catalog(5_000)).await;
    assert_eq!(send(&programme, "many", 40).await, 40);
    let used = shards(&programme).await;
    assert!(used.len() > 1 && used.iter().all(|(name, _)| name.starts_with("cap#RUSH#")), "{used:?}");
    assert_eq!(used.iter().map(|(_, used)| used).sum::<u64>(), 40);
    let usage = punchcard(&programme.app, &["catalog", "show", "--usage", "--json"]).await;
    let usage: Value = serde_json::from_str(&usage.output).expect("JSON");
    assert_eq!(usage, json!([{"rule": "RUSH", "limit": 5000, "used": 40, "left": 4960, "shards": 8}]));
    let usage = punchcard(&programme.app, &["catalog", "show", "--usage"]).await.output;
    assert!(usage.contains("RUSH") && usage.contains("40 of 5000 uses, 4960 left, in 8 shards"), "{usage}");
    // Shares are no part of what an operator sees.
    let shown = punchcard(&programme.app, &["catalog", "show"]).await;
    let shown: Value = serde_json::from_str(&shown.output).expect("JSON");
    assert_eq!(shown.get("applied"), None);
    programme.apply(&catalog(5_000)).await;
    assert_audited(&programme).await;
}
