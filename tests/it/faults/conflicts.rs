//! Conflicts between transactions: DynamoDB cancels a write while another one holds its item, the embedded store never
//! does.

use serde_json::{Value, json};

use crate::support::{
    activities::{Programme, activities_token, activity},
    app::{Answer, App},
    proxy::{Fault, Proxy},
};

/// More than the SDK's own three attempts.
const CONFLICTS: usize = 5;

#[tokio::test]
async fn a_write_succeeds_once_after_five_conflicts_in_a_row() {
    let app = App::start().await;
    let bearer = format!("Bearer {}", activities_token(&app).await);
    let activity = json!({"action": "APP_CHECKIN", "channel": "APP", "when": "2024-10-01T07:00:00Z"});
    let order = json!({"playerUniqueId": "player-1", "events": {"place_order": {"total_amount": 120}}});
    for (path, header, body, table) in [
        ("/client/users/c-1/activities/a-1", ("authorization", bearer.as_str()), activity, "Activities"),
        ("/integrations/event", ("apikey", "demo-api-key"), order, "PlayerEvents"),
    ] {
        let proxy = Proxy::start(&app.endpoint).await;
        let through = app.through(&proxy.url).await;
        for _ in 0..CONFLICTS {
            proxy.fail_next("TransactWriteItems", Fault::Conflict);
        }
        let answer = through.post(path, &[header], &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(proxy.all_faults_happened(), "{path}");
        assert_eq!(proxy.count("TransactWriteItems"), CONFLICTS + 1, "{path}");
        assert_eq!(app.items(table).await.len(), 1, "{path}");
    }
    assert_eq!(app.totals("player-1").await, (50, 1));
}

/// Sends a request whose first write takes effect without an answer. The second write fails on the first one's items,
/// and the condition of its record is hidden by throttling.
async fn post_twice_written(programme: &Programme, path: &str, body: &Value) -> Answer {
    let proxy = Proxy::start(&programme.app.endpoint).await;
    let through = programme.app.through(&proxy.url).await;
    proxy.fail_next("TransactWriteItems", Fault::AnswerLost);
    proxy.fail_next("TransactWriteItems", Fault::ConditionHidden);
    let answer = through.post(path, &[("authorization", programme.bearer().as_str())], body).await;
    assert!(proxy.all_faults_happened(), "{path}");
    answer
}

#[tokio::test]
async fn a_request_is_not_refused_because_of_its_own_write() {
    let catalog = r#"{"businessUnits": {"U": "enabled"}, "negativeBalances": "refused", "offers": [
        {"id": "BASE", "unit": "U", "kind": "base", "reward": {"flat": 7}}]}"#;
    let programme = Programme::with(catalog).await;
    for id in ["a-1", "a-2"] {
        programme.send("c-1", id, &activity("APP_CHECKIN")).await;
    }
    let void = post_twice_written(&programme, "/client/users/c-1/void", &json!({"originalTransactionId": "a-1"})).await;
    assert_eq!((void.status.as_u16(), void.header("idempotent-replayed")), (200, None), "{}", void.body);
    let taken = json!({"channel": "WEB", "businessUnit": "U", "issuerId": "jane", "rewardAmount": -5,
        "externalReferenceId": "t-1"});
    let adjusted = post_twice_written(&programme, "/client/users/c-1/adhoc-reward", &taken).await;
    assert_eq!((adjusted.status.as_u16(), adjusted.header("idempotent-replayed")), (200, None), "{}", adjusted.body);
    assert_eq!(programme.balances("c-1").await, json!({"U": {"loyalty": 2}}));
    let session = json!({"correlationId": "c-2", "channel": "APP"});
    let opened = post_twice_written(&programme, "/client/users/A-1/sessions", &session).await;
    assert_eq!(opened.status, 200, "{}", opened.body);
}
