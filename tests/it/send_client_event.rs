//! `POST /v2/events/clientEvent`.

use serde_json::{Value, json};

use crate::app::App;

fn enrollment(id: &str) -> Value {
    json!({
        "clientEventId": id,
        "clientEventType": "SessionAction",
        "clientEvent": "LogEnrollment",
        "clientEventTimestamp": "2024-10-01T07:00:00Z",
    })
}

#[tokio::test]
async fn thirty_two_parallel_posts_of_one_id_store_it_once() {
    let app = App::start().await;
    let body = json!({"clientEvents": [enrollment("12395199-1565-4565-bf99-3f94ee505d12")]});
    let posts = (0..32).map(|_| app.post_events("customer-1", &body));
    let answers = futures_util::future::join_all(posts).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 31);
    assert_eq!(app.items("ClientEvents").await.len(), 1);
}
