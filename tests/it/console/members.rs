//! Search, members and records.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::Console;
use crate::serve::{EVENTS, event};

const HOSTILE: &str = "<script>alert(1)</script>\"'&";

impl Console {
    /// Sends player events to the API of the same server.
    async fn track(&self, player: &str, events: &serde_json::Value) {
        let body = json!({"playerUniqueId": player, "events": events});
        let request = reqwest::Client::new().post(format!("{}/integrations/event", self.url));
        let response = request.header("APIKey", "demo-api-key").json(&body).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
    }

    /// Ties a correlation id to an account.
    pub async fn enrol(&self, account: &str, correlation: &str) {
        let body = json!({"correlationId": correlation, "channel": "APP"});
        self.call(&format!("/client/users/{account}/sessions"), &body).await;
    }

    /// Sends an activity to the API of the same server.
    pub async fn act(&self, correlation: &str, id: &str, action: &str) {
        let body = json!({"action": action, "channel": "APP", "when": "2024-10-01T07:00:00Z"});
        self.call(&format!("/client/users/{correlation}/activities/{id}"), &body).await;
    }

    async fn call(&self, path: &str, body: &serde_json::Value) {
        let request = reqwest::Client::new().post(format!("{}/oauth2/token", self.url));
        let request = request.basic_auth("demo-client", Some("demo-secret"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let token = request.body("grant_type=client_credentials").send().await.expect("an answer");
        let token: serde_json::Value = token.json().await.expect("JSON");
        let request = reqwest::Client::new()
            .post(format!("{}{path}", self.url))
            .bearer_auth(token["access_token"].as_str().expect("a token"));
        assert_eq!(request.json(body).send().await.expect("an answer").status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_member_is_found_by_its_id_with_its_balance_limits_and_reasons() {
    let console = Console::demo().await;
    console.act("correlation-1", "activity-1", "SURVEY_RESPONSE").await;

    let found = console.get("/console/members?q=correlation-1").await;
    assert_eq!(
        (found.status, found.header("location")),
        (StatusCode::SEE_OTHER, "/console/member?correlation=correlation-1")
    );
    let member = console.get(found.header("location")).await;
    assert_eq!(member.status, StatusCode::OK);
    for shown in ["XYZ loyalty", "SURVEY_RESPONSE", "+15", "XYZ_SURVEY", "uses, for ever"] {
        assert!(member.text.contains(shown), "{shown}: {}", member.text);
    }
    let found = console.get("/console/members?q=activity-1").await;
    let record = console.get(found.header("location")).await;
    assert_eq!(record.status, StatusCode::OK);
    assert!(record.text.contains("catalogVersion") && record.text.contains("XYZ_BASE"), "{}", record.text);

    console.track("player-1", &json!({"place_order": {"total_amount": "80"}})).await;
    let player = console.get("/console/member?player=player-1").await;
    assert!(player.text.contains("20 more would have paid 50 points"), "{}", player.text);

    let none = console.get("/console/members?q=Correlation-1").await;
    assert!(none.status == StatusCode::OK && none.text.contains("Nothing found"), "{}", none.text);
    assert_eq!(console.get("/console/member?correlation=other").await.status, StatusCode::NOT_FOUND);
    assert_eq!(console.get("/console/record?activity=other").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn hostile_ids_are_text() {
    let console = Console::demo().await;
    console.track(HOSTILE, &json!({HOSTILE: {HOSTILE: HOSTILE}, "review": {}})).await;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", HOSTILE).finish();
    let found = console.get(&format!("/console/members?{query}")).await;
    assert_eq!(found.status, StatusCode::SEE_OTHER);
    let member = console.get(found.header("location")).await;
    assert_eq!(member.status, StatusCode::OK, "{}", member.text);
    let (_, rest) = member.text.split_once("/console/record?").expect("a record");
    let address = rest.split_once('"').expect("its end").0.replace("&#38;", "&").replace("&amp;", "&");
    let record = console.get(&format!("/console/record?{address}")).await;
    assert_eq!(record.status, StatusCode::OK, "{}", record.text);
    for page in [member, record] {
        assert!(!page.text.contains("<script>alert"), "{}", page.text);
        assert!(page.text.contains("&#60;script&#62;alert(1)"), "{}", page.text);
    }
}

impl Console {
    /// Returns the number of pages of a member's timeline, and the records in them.
    async fn timeline(&self, member: &str) -> (usize, Vec<String>) {
        let mut path = format!("/console/member?{member}");
        let (mut pages, mut records) = (0, Vec::new());
        loop {
            let page = self.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text);
            pages += 1;
            let ids = page.text.split("/console/record?").skip(1);
            records.extend(ids.map(|rest| rest.split('"').next().expect("an id").to_owned()));
            let Some((_, rest)) = page.text.split_once("rel=\"next\" href=\"") else { return (pages, records) };
            path = rest.split_once('"').expect("its end").0.replace("&#38;", "&").replace("&amp;", "&");
        }
    }
}

#[tokio::test]
async fn a_timeline_is_paged_without_gaps_or_repetition() {
    let console = Console::demo().await;
    for number in 0..120 {
        console.track("player-1", &json!({"review": {"number": number}})).await;
    }
    let (pages, records) = console.timeline("player=player-1").await;
    assert_eq!((pages, records.len()), (3, 120));
    assert_eq!(records.into_iter().collect::<BTreeSet<_>>().len(), 120);
    assert_eq!(console.get("/console/member?player=player-1&next=x").await.status, StatusCode::BAD_REQUEST);

    // Too many to be ordered by arrival.
    let token = console.running.token("demo-client", "demo-secret").await;
    for _ in 0..6 {
        let events: Vec<_> = (0..90).map(|_| event(Uuid::new_v4())).collect();
        let (status, body) = console.running.post(EVENTS, &token, &json!({"clientEvents": events})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    assert!(console.get("/console/member?customer=customer-1").await.text.contains("ordered by their ids"));
    let (pages, records) = console.timeline("customer=customer-1").await;
    assert_eq!((pages, records.len()), (11, 540));
    assert!(records.is_sorted_by(|one, next| one > next), "last first, and none twice");
}
