//! Anonymous sessions: customers without an account, whose activities are recorded and earn nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::activities::Programme;

const ANONYMOUS: &str = "/client/users/anonymous/sessions";

async fn open(programme: &Programme, path: &str, headers: &[(&str, &str)], correlation_id: &str) -> (u16, Value) {
    let body = json!({"correlationId": correlation_id, "channel": "APP"}).to_string();
    let answer = programme.post(path, headers, &body).await;
    (answer.status.as_u16(), answer.json())
}

async fn balances(programme: &Programme, correlation_id: &str) -> Value {
    let answer = programme.call(Method::GET, &format!("/client/users/{correlation_id}/balances"), &[], "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["balances"].clone()
}

fn survey() -> Value {
    json!({"action": "SURVEY_RESPONSE", "channel": "APP", "when": "2024-10-01T07:00:00Z"})
}

#[tokio::test]
async fn an_anonymous_session_has_no_account_and_can_be_opened_again() {
    let programme = Programme::start().await;
    let expected = json!({
        "correlationId": "c-1", "loyaltyId": "anonymous", "membershipType": "N", "status": "NO_CARD",
    });
    for headers in [&[][..], &[("x-identifier-type", "ACCOUNT_ID")], &[("x-identifier-type", "LOYALTY_ID")]] {
        assert_eq!(open(&programme, ANONYMOUS, headers, "c-1").await, (200, expected.clone()));
    }
    assert!(programme.app.items("Members").await.is_empty(), "no account is enrolled");
}

#[tokio::test]
async fn activities_of_anonymous_customers_are_recorded_and_earn_nothing() {
    let programme = Programme::start().await;
    for (correlation_id, activity_id) in [("c-1", "a-1"), ("c-2", "a-2")] {
        assert_eq!(open(&programme, ANONYMOUS, &[], correlation_id).await.0, 200);
        let answer = programme.send(correlation_id, activity_id, &survey()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["earned"]), (200, &json!({})));
        assert_eq!(balances(&programme, correlation_id).await, json!({}));
        // The same id again is a duplicate, as for everybody else.
        assert_eq!(programme.send(correlation_id, activity_id, &survey()).await.status, 400);
    }
    assert_eq!(programme.app.items("Activities").await.len(), 2);
    assert!(programme.app.items("Members").await.is_empty());
}

#[tokio::test]
async fn a_correlation_id_is_anonymous_or_an_accounts_and_never_both() {
    let programme = Programme::start().await;
    let account = "/client/users/A-1/sessions";
    assert_eq!(open(&programme, ANONYMOUS, &[], "c-1").await.0, 200);
    assert_eq!(open(&programme, account, &[], "c-1").await.0, 409);
    assert_eq!(open(&programme, account, &[], "c-2").await.0, 200);
    assert_eq!(open(&programme, ANONYMOUS, &[], "c-2").await.0, 409);
}

#[tokio::test]
async fn anonymous_is_the_loyalty_id_of_no_account() {
    let programme = Programme::start().await;
    assert_eq!(open(&programme, "/client/users/A-1/sessions", &[], "c-1").await.0, 200);
    let mut activity = survey();
    activity["loyaltyId"] = json!("anonymous");
    let answer = programme.send("c-1", "a-1", &activity).await;
    assert_eq!(answer.json()["errorMessage"], "LoyaltyId specified is not associated with this Account");
}
