//! Each event is stored exactly once, and the response names those that existed before.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ID, activation, assert_accepted, assert_rejected, enrollment, enrollments, with, without};
use crate::support::app::{Answer, App};

const OTHER_ID: &str = "22222222-1565-4565-bf99-3f94ee505d12";

fn id(event: &Value) -> &str {
    event["clientEventId"].as_str().expect("an id")
}

#[tokio::test]
async fn an_id_is_a_customers_own() {
    let app = App::start().await;
    for customer in ["customer-1", "customer-2", "Customer-1", "customer-1 x"] {
        assert_accepted(&app.session(customer).await.post(&[enrollment(ID)]).await, customer);
    }
    assert_eq!(app.items("ClientEvents").await.len(), 4);
}

#[tokio::test]
async fn the_same_event_is_recognised_in_every_spelling() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let event = with(activation(ID), "clientEventMetadata/section", 5);
    assert_accepted(&session.post(std::slice::from_ref(&event)).await, "the first time");

    let same = |change: &dyn Fn(Value) -> Value| json!({"clientEvents": [change(event.clone())]}).to_string();
    let text = same(&|event| event);
    let spellings = [
        ("as it was", text.clone()),
        ("id in upper case", same(&|event| with(event, "clientEventId", ID.to_uppercase()))),
        ("another offset", same(&|event| with(event, "clientEventTimestamp", "2024-10-01T09:30:00+02:30"))),
        ("another precision", same(&|event| with(event, "clientEventTimestamp", "2024-10-01T07:00:00.000400Z"))),
        ("section as a string", same(&|event| with(event, "clientEventMetadata/section", "5"))),
        ("numbers with fractions", text.replace("\"displayPosition\":3", "\"displayPosition\":3.00")),
        ("numbers with exponents", text.replace("\"displayPosition\":3", "\"displayPosition\":0.3E+1")),
        ("escapes", text.replace("travel", r"tr\u0061vel")),
        ("an unknown member", same(&|event| with(event, "color", "red"))),
        ("unknown metadata", same(&|event| with(event, "clientEventMetadata/color", json!({"a": null})))),
        ("spaces", serde_json::to_string_pretty(&json!({"clientEvents": [event]})).expect("JSON")),
        (
            "another order",
            r#"{"clientEvents":[{"clientEventMetadata":{"displayPosition":3,"curationId":"summer","categoryId":"travel",
            "imageSlots":["logo","smallRectangle"],"channel":"OLB","section":5,"serveToken":"CiQ3MGU5"},
            "clientEventTimestamp":"2024-10-01T07:00:00Z","clientEvent":"ActivateOffer",
            "clientEventType":"AdInteraction","clientEventId":"12395199-1565-4565-bf99-3f94ee505d12"}]}"#
                .to_owned(),
        ),
    ];
    for (case, body) in spellings {
        assert_rejected(&session.post_raw(&[], body).await, 409, &[(ID, "DUPLICATE_ID")], case);
    }

    let changes = [
        (
            "another type and event",
            with(with(event.clone(), "clientEventType", "AdImpression"), "clientEvent", "AdViewableImpression"),
        ),
        ("another event", with(event.clone(), "clientEvent", "ParkOffer")),
        ("another moment", with(event.clone(), "clientEventTimestamp", "2024-10-01T07:00:00.001Z")),
        ("another serve token", with(event.clone(), "clientEventMetadata/serveToken", "ciQ3MGU5")),
        ("another section", with(event.clone(), "clientEventMetadata/section", 6)),
        ("another channel", with(event.clone(), "clientEventMetadata/channel", "SMS")),
        (
            "image slots in another order",
            with(event.clone(), "clientEventMetadata/imageSlots", json!(["smallRectangle", "logo"])),
        ),
        ("no image slots", with(event.clone(), "clientEventMetadata/imageSlots", json!([]))),
        ("image slots left out", without(event.clone(), "clientEventMetadata/imageSlots")),
        ("another category", with(event.clone(), "clientEventMetadata/categoryId", "Travel")),
        ("no category", with(event.clone(), "clientEventMetadata/categoryId", Value::Null)),
        ("another curation", with(event.clone(), "clientEventMetadata/curationId", "winter")),
        ("another position", with(event.clone(), "clientEventMetadata/displayPosition", 4)),
        ("no position", without(event.clone(), "clientEventMetadata/displayPosition")),
    ];
    let known = enrollment(OTHER_ID);
    assert_accepted(&session.post(std::slice::from_ref(&known)).await, "another event");
    let before = app.items("ClientEvents").await;
    for (case, changed) in changes {
        let answer = session.post(std::slice::from_ref(&changed)).await;
        assert_rejected(&answer, 409, &[(ID, "ID_REUSED")], case);
        // The answer is no other in a batch, where it is found out in another way.
        let answer = session.post(&[changed, known.clone()]).await;
        assert_rejected(&answer, 409, &[(ID, "ID_REUSED"), (OTHER_ID, "DUPLICATE_ID")], case);
    }
    assert_eq!(app.items("ClientEvents").await, before, "what was stored first stays");
}

#[tokio::test]
async fn null_is_the_same_as_an_absent_member() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let bare = enrollment(ID);
    assert_accepted(&session.post(std::slice::from_ref(&bare)).await, "left out");
    for metadata in [Value::Null, json!({}), json!({"serveToken": null, "section": null, "imageSlots": null})] {
        let answer = session.post(&[with(bare.clone(), "clientEventMetadata", metadata.clone())]).await;
        assert_rejected(&answer, 409, &[(ID, "DUPLICATE_ID")], &metadata.to_string());
    }
}

#[tokio::test]
async fn the_response_to_a_batch_has_the_result_of_each_event() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    assert_accepted(&session.post(&[enrollment(ID), activation(OTHER_ID)]).await, "the first time");

    let new = enrollments(30);
    let mut batch = new.clone();
    batch.insert(3, with(enrollment(ID), "clientEvent", "UnParkAllOffers"));
    batch.insert(28, with(activation(OTHER_ID.to_uppercase()), "color", "red"));
    let answer = session.post(&batch).await;
    assert_rejected(&answer, 207, &[(ID, "ID_REUSED"), (OTHER_ID, "DUPLICATE_ID")], "new and known ones");
    assert_eq!(app.items("ClientEvents").await.len(), 32);

    let known = [with(enrollment(ID), "clientEvent", "UnParkAllOffers"), activation(OTHER_ID)];
    let answer = session.post(&known).await;
    assert_rejected(&answer, 409, &[(ID, "ID_REUSED"), (OTHER_ID, "DUPLICATE_ID")], "known ones only");
}

#[tokio::test]
async fn a_batch_sent_again_merged_with_new_events_loses_nothing_and_counts_nothing_twice() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let (first, more) = (enrollments(40), enrollments(40));
    assert_accepted(&session.post(&first).await, "the first time");
    let merged: Vec<_> = first.iter().chain(&more).cloned().collect();
    let rejected: Vec<_> = first.iter().map(|event| (id(event), "DUPLICATE_ID")).collect();
    assert_rejected(&session.post(&merged).await, 207, &rejected, "merged");
    let rejected: Vec<_> = merged.iter().map(|event| (id(event), "DUPLICATE_ID")).collect();
    assert_rejected(&session.post(&merged).await, 409, &rejected, "merged, again");
    assert_eq!(app.items("ClientEvents").await.len(), 80);
}

#[tokio::test]
async fn thirty_two_parallel_posts_of_one_id_store_it_once() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let event = [activation(ID)];
    let answers = join_all((0..32).map(|_| session.post(&event))).await;
    let (accepted, rejected): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((accepted.len(), rejected.len()), (1, 31));
    for answer in rejected {
        assert_rejected(answer, 409, &[(ID, "DUPLICATE_ID")], "in parallel");
    }
    assert_eq!(app.items("ClientEvents").await.len(), 1);
}

#[tokio::test]
async fn two_events_that_claim_one_id_at_once_are_not_both_new() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let events = [[enrollment(ID)], [activation(ID)]];
    let answers = join_all((0..16).map(|index| session.post(&events[index % 2]))).await;
    let winner = answers.iter().position(|answer| answer.status == 200).expect("one is new");
    for (index, answer) in answers.iter().enumerate().filter(|(index, _)| *index != winner) {
        let reason = if index % 2 == winner % 2 { "DUPLICATE_ID" } else { "ID_REUSED" };
        assert_rejected(answer, 409, &[(ID, reason)], "at once");
    }
}

/// The ids that an answer calls new.
fn new_ids<'e>(events: &'e [Value], answer: &Answer) -> BTreeSet<&'e str> {
    let rejected: Vec<String> = match answer.status.as_u16() {
        200 => Vec::new(),
        207 | 409 => {
            let rejected = answer.json()["rejected"].as_array().expect("a list").clone();
            assert!(rejected.iter().all(|rejected| rejected["reason"] == "DUPLICATE_ID"), "{}", answer.body);
            rejected.iter().map(|rejected| id(rejected).to_owned()).collect()
        }
        _ => panic!("{}: {}", answer.status, answer.body),
    };
    events.iter().map(id).filter(|id| !rejected.iter().any(|rejected| rejected == id)).collect()
}

#[tokio::test]
async fn of_parallel_overlapping_batches_each_event_is_stored_once_and_called_new_once() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let events = enrollments(16 * 5 + 20);
    let batches: Vec<_> = (0..16).map(|index| &events[index * 5..index * 5 + 25]).collect();
    let answers = join_all(batches.iter().map(|batch| session.post(batch))).await;
    let mut called_new: BTreeMap<&str, usize> = BTreeMap::new();
    for (batch, answer) in batches.iter().zip(&answers) {
        for id in new_ids(batch, answer) {
            *called_new.entry(id).or_default() += 1;
        }
    }
    let expected: BTreeMap<_, _> = events.iter().map(|event| (id(event), 1)).collect();
    assert_eq!(called_new, expected);
    assert_eq!(app.items("ClientEvents").await.len(), events.len());
}
