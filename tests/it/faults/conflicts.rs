//! Conflicts between transactions: DynamoDB cancels a write while another one holds its item, the embedded store never
//! does.

use serde_json::json;

use crate::support::{
    activities::activities_token,
    app::App,
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
