//! `GET /client/users/{correlation_id}/activities`.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::activities::{Programme, activity, activity_path, assert_error, assert_headers, assert_invalid};

fn path(correlation_id: &str, query: &str) -> String {
    format!("/client/users/{correlation_id}/activities{query}")
}

/// The ids of a page, and the query of the next page.
async fn page(programme: &Programme, correlation_id: &str, query: &str) -> (Vec<String>, Option<String>) {
    let answer = programme.get(&path(correlation_id, query)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    let ids = body["activities"].as_array().expect("activities").iter();
    let next = body.get("next").map(|next| next.as_str().expect("a cursor").to_owned());
    (ids.map(|one| one["activityId"].as_str().expect("an id").to_owned()).collect(), next)
}

async fn all_pages(programme: &Programme, correlation_id: &str, limit: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut query = format!("?limit={limit}");
    loop {
        let (ids, next) = page(programme, correlation_id, &query).await;
        assert!(ids.len() <= limit);
        all.extend(ids);
        let Some(next) = next else { return all };
        assert!(!all.is_empty());
        query = format!("?limit={limit}&next={next}");
    }
}

#[tokio::test]
async fn activities_are_listed_newest_first_as_each_is_read_by_itself() {
    let programme = Programme::start().await;
    assert_eq!(page(&programme, "c-1", "").await, (vec![], None));
    for (id, action) in [("a-1", "SURVEY_RESPONSE"), ("a-2", "APP_DOWNLOAD"), ("a-3", "APP_CHECKIN")] {
        let mut body = activity(action);
        body["note"] = json!(id);
        body["extendedData"] = json!([{"name": "n", "value": 1.5}]);
        assert_eq!(programme.send("c-1", id, &body).await.status, 200);
    }
    let answer = programme.get(&path("c-1", "")).await;
    assert_headers(&answer);
    let mut expected = Vec::new();
    for id in ["a-3", "a-2", "a-1"] {
        expected.push(programme.get(&activity_path("c-1", id)).await.json());
    }
    assert_eq!(answer.json(), json!({"activities": expected}));
}

#[tokio::test]
async fn pages_of_any_size_add_up_to_the_whole_list() {
    let programme = Programme::start().await;
    let mut sent = Vec::new();
    for number in 0..37 {
        let id = format!("a-{number}");
        assert_eq!(programme.send("c-1", &id, &activity("APP_CHECKIN")).await.status, 200);
        sent.push(id);
    }
    programme.send("c-2", "of another", &activity("APP_CHECKIN")).await;
    sent.reverse();
    // Activities of one millisecond have no order among them, but a fixed one.
    let in_order = page(&programme, "c-1", "?limit=150").await.0;
    let sorted = |ids: &[String]| {
        let mut ids = ids.to_vec();
        ids.sort();
        ids
    };
    assert_eq!(sorted(&in_order), sorted(&sent));
    for limit in [1, 2, 7, 36, 37, 38, 150] {
        assert_eq!(all_pages(&programme, "c-1", limit).await, in_order, "{limit}");
    }
    let (first, next) = page(&programme, "c-1", "").await;
    assert_eq!((first.len(), next.is_some()), (30, true), "the default");
    // New activities do not shift later pages.
    programme.send("c-1", "newer", &activity("APP_CHECKIN")).await;
    let (rest, last) = page(&programme, "c-1", &format!("?next={}", next.expect("a cursor"))).await;
    assert_eq!((rest.as_slice(), last), (&in_order[30..], None));
}

#[tokio::test]
async fn a_page_of_more_than_one_batch_read_is_whole() {
    let programme = Programme::start().await;
    for number in 0..130 {
        assert_eq!(programme.send("c-1", &format!("a-{number}"), &activity("APP_CHECKIN")).await.status, 200);
    }
    let (ids, next) = page(&programme, "c-1", "?limit=150").await;
    assert_eq!((ids.len(), next), (130, None));
}

#[tokio::test]
async fn the_list_is_that_of_the_member() {
    let programme = Programme::start().await;
    programme.send("c-1", "before", &activity("APP_CHECKIN")).await;
    programme.tie("A-1", "c-1").await;
    programme.tie("A-1", "c-2").await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    programme.send("c-2", "a-2", &activity("APP_CHECKIN")).await;
    for correlation_id in ["c-1", "c-2"] {
        let mut ids = page(&programme, correlation_id, "").await.0;
        ids.sort();
        // An activity from before the session stays the correlation id's own.
        assert_eq!(ids, ["a-1", "a-2"], "{correlation_id}");
    }
    // An account and a correlation id of one name are two members.
    assert_eq!(page(&programme, "A-1", "").await.0, Vec::<String>::new());
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_its_reason() {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    for limit in ["0", "151", "-1", "1.5", "ten", "1e1", "99999999999999999999", "%00"] {
        let answer = programme.get(&path("c-1", &format!("?limit={limit}"))).await;
        assert_invalid(&answer, "limit must be a whole number from 1 to 150");
    }
    let cursor = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    for next in [
        "x".to_owned(),
        "%FF".to_owned(),
        cursor("no position"),
        cursor("2024-10-01T07:00:00.000Z"),
        cursor("2024-10-01T07:00:00.000Z a b"),
        cursor("yesterday a-1"),
        BASE64_URL_SAFE_NO_PAD.encode([0xff, 0xfe]),
    ] {
        let answer = programme.get(&path("c-1", &format!("?next={next}"))).await;
        assert_invalid(&answer, "next must be the one that an earlier page had");
    }
    assert_invalid(&programme.get(&path("c%201", "")).await, "correlation_id must be 1 to 128 of A-Z a-z 0-9 . _ : -");
    // Empty parameters count as absent, and unknown ones as not sent.
    let answer: Value = programme.get(&path("c-1", "?limit=&next=&x=1&limit=5")).await.json();
    assert_eq!(answer["activities"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_cursor_reveals_nothing_of_another_member() {
    let programme = Programme::start().await;
    for id in ["a-1", "a-2", "a-3"] {
        programme.send("c-1", id, &activity("APP_CHECKIN")).await;
    }
    let (_, next) = page(&programme, "c-1", "?limit=1").await;
    let query = format!("?next={}", next.expect("a cursor"));
    assert_eq!(page(&programme, "c-2", &query).await, (vec![], None));
    for headers in [vec![], vec![("authorization", "Bearer no")]] {
        let answer = programme.app.send(Method::GET, &path("c-1", &query), &headers, "").await;
        assert_error(&answer, 401, "UNAUTHORIZED", "The credentials are missing or not valid");
    }
}
