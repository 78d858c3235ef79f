//! Requests without an id of their own, and a store whose answers get lost: a retry is invited only if nothing can have
//! been recorded.

use serde_json::{Value, json};

use crate::support::{
    activities::activities_token,
    app::{Answer, App},
    proxy::{Fault, Proxy},
};

const UNKNOWN: &str = "The outcome is unknown: the request may have been recorded";

/// More attempts than a request has time for.
const FOR_EVER: usize = 60;

struct Shaky {
    app: App,
    proxy: Proxy,
    through: App,
}

impl Shaky {
    async fn start() -> Self {
        let app = App::start().await;
        let proxy = Proxy::start(&app.endpoint).await;
        let through = app.through(&proxy.url).await;
        Shaky { app, proxy, through }
    }

    fn fail(&self, fault: Fault, times: usize) {
        for _ in 0..times {
            self.proxy.fail_next("TransactWriteItems", fault);
        }
    }

    async fn order(&self, key: Option<&str>) -> Answer {
        let headers: Vec<_> =
            [("apikey", "demo-api-key")].into_iter().chain(key.map(|key| ("idempotency-key", key))).collect();
        let body = json!({"playerUniqueId": "player-1", "events": {"place_order": {"total_amount": 120}}});
        self.through.post("/integrations/event", &headers, &body).await
    }

    async fn points(&self) -> Value {
        let answer =
            self.app.send(reqwest::Method::GET, "/integrations/player/player-1", &[("apikey", "demo-api-key")], "");
        answer.await.json()["points"].clone()
    }
}

fn assert_unknown(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, None), "{}", answer.body);
    assert!(answer.body.contains(UNKNOWN), "{}", answer.body);
}

fn assert_retry_invited(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("1")), "{}", answer.body);
    assert!(answer.body.contains("can be sent again as it is"), "{}", answer.body);
}

#[tokio::test]
async fn a_store_that_stalls_for_six_seconds_is_waited_for_and_the_points_are_credited_once() {
    let shaky = Shaky::start().await;
    shaky.fail(Fault::NoAnswer, 3);
    assert_eq!(shaky.order(None).await.status, 200);
    assert_eq!(shaky.points().await, 50);
}

#[tokio::test]
async fn a_write_whose_answers_get_lost_is_recognised_and_the_points_are_credited_once() {
    let shaky = Shaky::start().await;
    shaky.fail(Fault::AnswerLost, 3);
    assert_eq!(shaky.order(None).await.status, 200);
    assert_eq!(shaky.points().await, 50);
    assert_eq!(shaky.app.items("PlayerEvents").await.len(), 1);
}

#[tokio::test]
async fn player_events_without_a_key_are_not_to_be_sent_again_if_they_may_be_recorded() {
    let shaky = Shaky::start().await;
    shaky.fail(Fault::NoAnswer, FOR_EVER);
    assert_unknown(&shaky.order(None).await);
}

#[tokio::test]
async fn player_events_with_a_key_may_be_sent_again_after_every_failure() {
    let shaky = Shaky::start().await;
    shaky.fail(Fault::NoAnswer, FOR_EVER);
    assert_retry_invited(&shaky.order(Some("order-17")).await);
}

#[tokio::test]
async fn player_events_that_were_only_refused_may_be_sent_again() {
    let shaky = Shaky::start().await;
    shaky.fail(Fault::Refused("ThrottlingException"), FOR_EVER);
    assert_retry_invited(&shaky.order(None).await);
    assert!(shaky.app.items("PlayerEvents").await.is_empty());
}

#[tokio::test]
async fn one_attempt_without_an_answer_makes_the_outcome_unknown_for_good() {
    let shaky = Shaky::start().await;
    shaky.fail(Fault::NoAnswer, 1);
    shaky.fail(Fault::Refused("ThrottlingException"), FOR_EVER);
    assert_unknown(&shaky.order(None).await);
}

#[tokio::test]
async fn a_store_that_was_never_reached_recorded_nothing() {
    let app = App::start().await;
    let token = format!("Bearer {}", activities_token(&app).await);
    let lost = app.through("http://127.0.0.1:1").await;
    let activity = json!({"action": "APP_CHECKIN", "channel": "APP", "when": "2024-10-01T07:00:00Z"});
    let answer = lost.post("/client/users/c-1/activities", &[("authorization", &token)], &activity).await;
    assert_retry_invited(&answer);
}

#[tokio::test]
async fn an_activity_without_an_id_is_not_to_be_sent_again_if_it_may_be_recorded() {
    let shaky = Shaky::start().await;
    let token = format!("Bearer {}", activities_token(&shaky.app).await);
    let activity = json!({"action": "APP_CHECKIN", "channel": "APP", "when": "2024-10-01T07:00:00Z"});
    shaky.fail(Fault::NoAnswer, FOR_EVER);
    let answer = shaky.through.post("/client/users/c-1/activities", &[("authorization", &token)], &activity).await;
    assert_unknown(&answer);
}

#[tokio::test]
async fn an_activity_with_an_id_may_be_sent_again_after_every_failure() {
    let shaky = Shaky::start().await;
    let token = format!("Bearer {}", activities_token(&shaky.app).await);
    let activity = json!({"action": "APP_CHECKIN", "channel": "APP", "when": "2024-10-01T07:00:00Z"});
    shaky.fail(Fault::NoAnswer, FOR_EVER);
    let answer = shaky.through.post("/client/users/c-1/activities/a-1", &[("authorization", &token)], &activity).await;
    assert_retry_invited(&answer);
}
