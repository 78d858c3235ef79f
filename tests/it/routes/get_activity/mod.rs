//! `GET /client/users/{correlation_id}/activities/{activity_id}`.

use reqwest::Method;
use serde_json::json;

use crate::support::activities::{
    Programme, activity, activity_path, assert_error, assert_headers, assert_invalid, points, with,
};

#[tokio::test]
async fn an_activity_is_read_back_as_it_was_answered_with_what_was_sent() {
    let programme = Programme::start().await;
    let loyalty_id = programme.tie("A-1", "c-1").await;
    let sent = format!(
        r#"{{"action":"SURVEY_RESPONSE","channel":"Kiosk \u0000 é","businessUnit":"XYZ","when":"2024-10-01T09:00:00.1239+02:00",
        "loyaltyId":"{loyalty_id}","note":"thanks\u0000!","unknown":{{"x":[1]}},"extendedData":[
            {{"name":"b","value":1.50}},{{"name":"a","value":null,"unknown":1}},{{"name":"","value":"\u0000"}},
            {{"name":"big","value":123456789012345678901234567890.5}},{{"name":"yes","value":true}}]}}"#
    );
    let answer = programme.post(&activity_path("c-1", "a-1"), &[], &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.body);

    let read = programme.get(&activity_path("c-1", "a-1")).await;
    assert_eq!(read.status, 200);
    assert_headers(&read);
    assert!(read.body.contains("123456789012345678901234567890.5"), "{}", read.body);
    let mut body = read.json();
    for (name, value) in answer.json().as_object().expect("an object") {
        assert_eq!(&body[name].take(), value, "{name}");
    }
    assert_eq!(body["extendedData"][3]["value"].take().to_string(), "1.2345678901234568e+29");
    let expected = json!({
        "activityId": null, "type": null, "earned": null,
        "action": "SURVEY_RESPONSE", "channel": "Kiosk \u{0} é", "businessUnit": "XYZ", "when": "2024-10-01T07:00:00.123Z",
        "loyaltyId": loyalty_id, "note": "thanks\u{0}!",
        "extendedData": [
            {"name": "b", "value": 1.5}, {"name": "a", "value": null}, {"name": "", "value": "\u{0}"},
            {"name": "big", "value": null}, {"name": "yes", "value": true},
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn absent_members_stay_absent() {
    let programme = Programme::start().await;
    let body = with(with(activity("APP_CHECKIN"), "note", json!(null)), "extendedData", json!(null));
    programme.send("c-1", "a-1", &with(body, "businessUnit", json!(null))).await;
    let expected = json!({
        "activityId": "a-1", "type": "APP_CHECKIN", "earned": {"ABC": points(3, 7, 0), "XYZ": points(10, 0, 0)},
        "action": "APP_CHECKIN", "channel": "STORE", "when": "2024-10-01T07:00:00.000Z",
    });
    assert_eq!(programme.get(&activity_path("c-1", "a-1")).await.json(), expected);
}

#[tokio::test]
async fn a_client_that_got_no_answer_learns_what_happened_and_what_happens_later_changes_nothing() {
    let programme = Programme::start().await;
    programme.tie("A-1001", "c-1").await;
    let body = with(activity("APP_CHECKIN"), "businessUnit", "XYZ");
    programme.send("c-1", "a-1", &body).await;
    let first = programme.get(&activity_path("c-1", "a-1")).await;
    assert_eq!(first.json()["earned"], json!({"XYZ": points(10, 0, 5)}));
    for number in 2..5 {
        programme.send("c-1", &format!("a-{number}"), &body).await;
    }
    assert_invalid(&programme.send("c-1", "a-1", &activity("APP_DOWNLOAD")).await, "ActivityID already exists");
    assert_eq!(programme.get(&activity_path("c-1", "a-1")).await.body, first.body);
}

#[tokio::test]
async fn an_activity_is_found_under_the_correlation_id_that_it_was_sent_with_and_no_other() {
    let programme = Programme::start().await;
    let guid = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9";
    programme.send(guid, guid, &activity("APP_CHECKIN")).await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    // Two sessions of one account are still two correlation ids.
    programme.tie("A-1", "c-1").await;
    programme.tie("A-1", "c-2").await;
    programme.send("c-2", "a-2", &activity("APP_CHECKIN")).await;
    for (correlation_id, activity_id) in
        [("c-1", "a-1"), ("c-2", "a-2"), (guid, guid), (&guid.to_uppercase(), &guid.to_uppercase())]
    {
        assert_eq!(programme.get(&activity_path(correlation_id, activity_id)).await.status, 200, "{correlation_id}");
    }
    for (correlation_id, activity_id) in
        [("c-2", "a-1"), ("c-1", "a-2"), ("A-1", "a-1"), ("c-1", "a-3"), ("c-1", "A-1"), ("C-1", "a-1"), ("c-1", guid)]
    {
        let answer = programme.get(&activity_path(correlation_id, activity_id)).await;
        assert_error(&answer, 404, "NOT_FOUND", "Activity not found");
    }
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_its_reason() {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    let rule = "must be 1 to 128 of A-Z a-z 0-9 . _ : -";
    assert_invalid(&programme.get(&activity_path("c 1", "a-1")).await, &format!("correlation_id {rule}"));
    assert_invalid(&programme.get(&activity_path("c-1", "a%2F1")).await, &format!("activity_id {rule}"));
    for path in [activity_path("c-1", "a-1"), activity_path("c 1", "a 1")] {
        for headers in [vec![], vec![("authorization", "Bearer no")]] {
            let answer = programme.app.send(Method::GET, &path, &headers, "").await;
            assert_error(&answer, 401, "UNAUTHORIZED", "The credentials are missing or not valid");
            assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer ")));
        }
    }
}
