//! `POST /client/users/{correlation_id}/sessions`.

mod anonymous;

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue},
};
use serde_json::{Value, json};

use crate::support::{
    activities::{Programme, activity, assert_error, assert_headers, assert_invalid, points, text, with},
    app::{Answer, header},
};

const SESSIONS: &str = "/client/users/A-1/sessions";

fn session(correlation_id: &str) -> Value {
    json!({"correlationId": correlation_id, "channel": "APP"})
}

async fn open_by_loyalty_id(programme: &Programme, loyalty_id: &str, correlation_id: &str) -> Answer {
    let path = format!("/client/users/{loyalty_id}/sessions");
    programme.post(&path, &[("x-identifier-type", "LOYALTY_ID")], &session(correlation_id).to_string()).await
}

#[tokio::test]
async fn a_session_enrols_a_new_account_and_gives_it_a_loyalty_id() {
    let programme = Programme::start().await;
    let answer = programme.open("A-1", "c-1").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_headers(&answer);
    let mut body = answer.json();
    let loyalty_id = body["loyaltyId"].take();
    assert!(loyalty_id.as_str().is_some_and(|id| !id.is_empty()), "{loyalty_id}");
    assert_eq!(body, json!({"correlationId": "c-1", "accountId": "A-1", "loyaltyId": null}));

    // Its next session, also one that says by what it is named, finds it enrolled; another account is another one.
    let headers = [("X-IDENTIFIER-TYPE", "ACCOUNT_ID")];
    let again = programme.post(SESSIONS, &headers, &session("c-2").to_string()).await;
    assert_eq!(again.json(), json!({"correlationId": "c-2", "accountId": "A-1", "loyaltyId": loyalty_id}));
    assert_ne!(programme.tie("A-2", "c-3").await, loyalty_id.as_str().expect("an id"));
}

#[tokio::test]
async fn the_same_session_again_is_answered_the_same() {
    let programme = Programme::start().await;
    let first = programme.open("A-1", "c-1").await;
    let stored = programme.stored().await;
    let other_channel = json!({"channel": "STORE", "correlationId": "c-1", "colour": "blue"}).to_string();
    let loyalty_id = first.json()["loyaltyId"].as_str().expect("an id").to_owned();
    for again in [
        programme.open("A-1", "c-1").await,
        programme.post(SESSIONS, &[], &other_channel).await,
        open_by_loyalty_id(&programme, &loyalty_id, "c-1").await,
    ] {
        assert_eq!((again.status.as_u16(), &again.body), (200, &first.body));
    }
    assert_eq!(programme.stored().await, stored);
}

#[tokio::test]
async fn a_correlation_id_of_one_account_is_not_tied_to_another() {
    let programme = Programme::start().await;
    programme.tie("A-1", "c-1").await;
    let of_two = programme.tie("A-2", "c-2").await;
    let stored = programme.stored().await;
    let message = "CorrelationID already belongs to another account";
    // Neither to an enrolled one, by either of its ids, nor to a new one, which is not enrolled then.
    assert_error(&programme.open("A-2", "c-1").await, 409, "CONFLICT", message);
    assert_error(&open_by_loyalty_id(&programme, &of_two, "c-1").await, 409, "CONFLICT", message);
    assert_error(&programme.open("A-3", "c-1").await, 409, "CONFLICT", message);
    assert_eq!(programme.stored().await, stored);
}

#[tokio::test]
async fn a_loyalty_id_names_its_account_if_it_has_one() {
    let programme = Programme::start().await;
    let loyalty_id = programme.tie("A-1", "c-1").await;
    let answer = open_by_loyalty_id(&programme, &loyalty_id, "c-2").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json(), json!({"correlationId": "c-2", "accountId": "A-1", "loyaltyId": loyalty_id}));

    let stored = programme.stored().await;
    // An account's id is no loyalty id, nor is a loyalty id an account's.
    for unknown in ["L-0", "A-1"] {
        assert_error(&open_by_loyalty_id(&programme, unknown, "c-3").await, 404, "NOT_FOUND", "LoyaltyId not found");
    }
    assert_eq!(programme.stored().await, stored);
    assert_ne!(programme.tie(&loyalty_id, "c-3").await, loyalty_id);
}

#[tokio::test]
async fn an_account_id_is_opaque_and_a_guid_as_correlation_id_has_no_case() {
    let programme = Programme::start().await;
    let opaque = programme.open("caf%C3%A9%20%2F%231", "c-1").await;
    assert_eq!(opaque.json()["accountId"], "café /#1");
    assert_ne!(programme.tie("a-1", "c-2").await, programme.tie("A-1", "c-3").await);

    let upper = "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9";
    let guid = programme.open(upper, upper).await;
    assert_eq!(guid.json()["accountId"], upper);
    assert_eq!(guid.json()["correlationId"], upper.to_lowercase());
    assert_eq!(programme.open(upper, &upper.to_lowercase()).await.body, guid.body);
    assert_eq!(programme.open("A-1", &upper.to_lowercase()).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_parallel_enrolments_of_one_account_give_it_one_loyalty_id() {
    let programme = &Programme::start().await;
    let opened = (0..32).map(async |number| programme.tie("A-1", &format!("c-{number}")).await);
    let loyalty_ids: BTreeSet<_> = join_all(opened).await.into_iter().collect();
    assert_eq!(loyalty_ids.len(), 1, "{loyalty_ids:?}");
    // The account and what finds it by its loyalty id.
    assert_eq!(programme.stored().await, [0, 2, 32]);
    for session in programme.app.items("Sessions").await {
        assert!(loyalty_ids.contains(text(&session, "loyaltyId")), "{session:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_sessions_of_one_correlation_id_for_two_accounts_one_wins() {
    let programme = &Programme::start().await;
    let opened = (0..32).map(async |number| programme.open(["A-1", "A-2"][number % 2], "c-1").await);
    let answers = join_all(opened).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (16, 16));
    assert!(won.iter().all(|answer| answer.body == won[0].body), "{won:?}");
    for answer in lost {
        assert_error(answer, 409, "CONFLICT", "CorrelationID already belongs to another account");
    }
    // The other account is not enrolled.
    assert_eq!(programme.stored().await, [0, 2, 1]);
}

#[tokio::test]
async fn what_was_sent_before_a_session_stays_where_it_was_and_what_comes_after_belongs_to_the_account() {
    let programme = Programme::start().await;
    let survey = with(activity("SURVEY_RESPONSE"), "businessUnit", "XYZ");
    for _ in 0..2 {
        assert_eq!(programme.earned("c-1", &survey).await, json!({"XYZ": points(10, 5, 0)}));
    }
    programme.tie("A-1", "c-1").await;
    assert_eq!(programme.balances("c-1").await, json!({}));
    // The account has used nothing of the limit yet.
    assert_eq!(programme.earned("c-1", &survey).await, json!({"XYZ": points(10, 5, 0)}));
    programme.tie("A-1", "c-2").await;
    assert_eq!(programme.earned("c-2", &survey).await, json!({"XYZ": points(10, 5, 0)}));
    assert_eq!(programme.earned("c-1", &survey).await, json!({"XYZ": points(10, 0, 0)}));
    for correlation_id in ["c-1", "c-2"] {
        assert_eq!(programme.balances(correlation_id).await, json!({"XYZ": {"loyalty": 40}}));
    }
    let before = programme.app.items("Members").await;
    let before = before.iter().find(|member| text(member, "memberId") == "corr#c-1").expect("who it was before");
    assert_eq!(before["pts#XYZ#loyalty"].as_n().expect("a number"), "30");
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn a_correlation_id_that_reads_like_an_enrolled_account_is_apart_from_it() {
    let programme = Programme::start().await;
    programme.tie("A-1001", "c-1").await;
    let checkin = with(activity("APP_CHECKIN"), "businessUnit", "XYZ");
    // XYZ_VIP is for the account A-1001.
    assert_eq!(programme.earned("c-1", &checkin).await, json!({"XYZ": points(10, 0, 5)}));
    assert_eq!(programme.earned("A-1001", &checkin).await, json!({"XYZ": points(10, 0, 0)}));
    assert_eq!(programme.balances("c-1").await, json!({"XYZ": {"loyalty": 15}}));
    assert_eq!(programme.balances("A-1001").await, json!({"XYZ": {"loyalty": 10}}));
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn an_invalid_session_is_refused_with_its_reason_and_not_opened() {
    let programme = Programme::start().await;
    for (body, message) in [
        (r#"{"channel":"APP"}"#, "correlationId is required"),
        (r#"{"correlationId":null,"channel":"APP"}"#, "correlationId must not be null"),
        (r#"{"correlationId":7,"channel":"APP"}"#, "correlationId must be a string"),
        (r#"{"correlationId":"c 1","channel":"APP"}"#, "correlationId must be 1 to 128 of A-Z a-z 0-9 . _ : -"),
        (r#"{"correlationId":"","channel":"APP"}"#, "correlationId must be 1 to 128 of A-Z a-z 0-9 . _ : -"),
        (r#"{"correlationId":"c-1"}"#, "Channel not found"),
        (r#"{"correlationId":"c-1","channel":null}"#, "Channel not found"),
        (r#"{"correlationId":"c-1","channel":" "}"#, "Channel not found"),
        (r#"{"correlationId":"c-1","channel":"A","channel":"A"}"#, "channel appears more than once"),
    ] {
        assert_invalid(&programme.post(SESSIONS, &[], body).await, message);
    }
    let long = session(&"c".repeat(129)).to_string();
    assert_invalid(
        &programme.post(SESSIONS, &[], &long).await,
        "correlationId must be 1 to 128 of A-Z a-z 0-9 . _ : -",
    );
    let malformed = programme.post(SESSIONS, &[], r#"{"correlationId":"c-1","channel":"APP",}"#).await;
    assert_error(&malformed, 400, "MALFORMED_JSON", "trailing comma at line 1 column 40");

    let valid = session("c-1").to_string();
    for kind in ["", "account_id", "PLAYER_ID", "ACCOUNT_ID,LOYALTY_ID"] {
        let answer = programme.post(SESSIONS, &[("x-identifier-type", kind)], &valid).await;
        assert_invalid(&answer, "X-Identifier-Type must be ACCOUNT_ID or LOYALTY_ID");
    }
    for identifier in ["%20", "a%00b", &"a".repeat(129)] {
        let answer = programme.post(&format!("/client/users/{identifier}/sessions"), &[], &valid).await;
        assert_invalid(&answer, "The identifier must have 1 to 128 characters, not only blanks, and no NUL");
    }
    let mut headers: HeaderMap = [("content-type", "application/json"), ("authorization", &programme.bearer())]
        .iter()
        .map(|(name, value)| header(name, value))
        .collect();
    headers.insert("x-identifier-type", HeaderValue::from_bytes(b"ACCOUNT_ID\xff").expect("a value"));
    let answer = programme.app.send_raw(Method::POST, SESSIONS, headers, valid).await;
    assert_invalid(&answer, "The header x-identifier-type is not valid UTF-8");
    assert_eq!(programme.stored().await, [0, 0, 0]);
}

#[tokio::test]
async fn of_several_faults_the_first_of_method_token_size_and_type_answers() {
    let programme = Programme::start().await;
    let bearer = programme.bearer();
    let text_plain = ("content-type", "text/plain");
    let large = "x".repeat(256 * 1024 + 1);
    let send = async |method, bearer: &str, content_type, body: &str| {
        programme.app.send(method, SESSIONS, &[("authorization", bearer), content_type], body).await
    };
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = send(method, "Bearer no", text_plain, &large).await;
        assert_error(&answer, 405, "METHOD_NOT_ALLOWED", "The method is not allowed here");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let answer = send(Method::POST, "Bearer no", text_plain, &large).await;
    assert_error(&answer, 401, "UNAUTHORIZED", "The credentials are missing or not valid");
    assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer ")));
    let answer = send(Method::POST, &bearer, text_plain, &large).await;
    assert_error(&answer, 413, "PAYLOAD_TOO_LARGE", "The body must be at most 256 KiB");
    let answer = send(Method::POST, &bearer, text_plain, "{}").await;
    assert_error(&answer, 415, "UNSUPPORTED_MEDIA_TYPE", "The Content-Type is not supported here");
    assert_eq!(programme.stored().await, [0, 0, 0]);
}
