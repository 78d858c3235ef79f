//! Store failures: no event is lost or counted twice, and no response reveals internals.

use lambda_http::Body;
use punchcard_http::{Call, Reply, Route, route};
use punchcard_runtime::{Failure, Handler, Service};
use punchcard_store::Store;
use serde_json::json;

use super::{
    ID, activation, assert_accepted, assert_error, assert_nothing_stored, assert_rejected, enrollment, enrollments,
};
use crate::support::{
    app::{Answer, App},
    proxy::{Fault, Proxy},
};

/// An app, and another process of it that reaches the store through a proxy only.
async fn behind_a_proxy() -> (App, Proxy, App) {
    let app = App::start().await;
    let proxy = Proxy::start(&app.endpoint).await;
    let shaky = app.through(&proxy.url).await;
    (app, proxy, shaky)
}

fn assert_outage(answer: &Answer, case: &str) {
    assert_error(answer, 500, "InternalServerError", case);
    let body = answer.body.to_lowercase();
    for detail in ["punchcard", "dynamo", "table", "http", "127.0.0.1", "connect", "sdk", "denied", "panic", "catalog"]
    {
        assert!(!body.contains(detail), "{case}: {detail}: {body}");
    }
}

#[tokio::test]
async fn a_store_out_of_reach_is_an_internal_server_error_that_reveals_nothing() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let lost = app.through("http://127.0.0.1:1").await;
    assert_outage(&session.at(&lost).post(&[enrollment(ID)]).await, "never reached");
    let credentials = json!({"clientId": "demo-client", "secret": "demo-secret"});
    let answer = lost.post("/v2/session/startSession", &[("x-source-customer-id", "customer-1")], &credentials).await;
    assert_outage(&answer, "never reached, for a token");
    // Responses that need no store are given as usual.
    assert_eq!(lost.send(reqwest::Method::GET, "/v2/events/clientEvent", &[], "").await.status, 405);
}

#[tokio::test]
async fn a_store_that_fails_after_the_catalog_was_read_is_an_outage_until_it_is_back() {
    let (app, proxy, shaky) = behind_a_proxy().await;
    let session = shaky.session("customer-1").await;
    proxy.set_down(true);
    assert_outage(&session.post(&[enrollment(ID)]).await, "one event");
    assert_outage(&session.post(&enrollments(30)).await, "a batch");
    assert_nothing_stored(&app, "down").await;

    // Neither a mock request nor a refusal needs the store.
    let calls = proxy.calls().len();
    let body = json!({"clientEvents": [enrollment(ID)]}).to_string();
    assert_accepted(&session.post_raw(&[("x-mock-data", "true")], body).await, "a mock event");
    assert_eq!(session.post_raw(&[], "{}").await.status, 400);
    assert_eq!(proxy.calls().len(), calls);

    proxy.set_down(false);
    assert_accepted(&session.post(&[enrollment(ID)]).await, "back again");
}

#[tokio::test]
async fn a_refusal_by_the_store_is_an_outage_and_no_duplicate() {
    let (app, proxy, shaky) = behind_a_proxy().await;
    let session = shaky.session("customer-1").await;
    for code in ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"] {
        proxy.fail_next("PutItem", Fault::Refused(code));
        assert_outage(&session.post(&[enrollment(ID)]).await, code);
        proxy.fail_next("BatchExecuteStatement", Fault::Refused(code));
        assert_outage(&session.post(&enrollments(2)).await, code);
        assert_nothing_stored(&app, code).await;
    }
    for code in ["AccessDenied", "ValidationError", "ResourceNotFound"] {
        proxy.fail_next("BatchExecuteStatement", Fault::LastMember(code));
        assert_outage(&session.post(&enrollments(2)).await, code);
    }
    assert!(proxy.all_faults_happened());
}

#[tokio::test]
async fn a_retry_after_a_lost_response_recognises_its_own_write_as_new() {
    let (app, proxy, shaky) = behind_a_proxy().await;
    let session = shaky.session("customer-1").await;
    proxy.fail_next("PutItem", Fault::AnswerLost);
    assert_accepted(&session.post(&[activation(ID)]).await, "one event");
    assert_eq!(proxy.count("PutItem"), 2);
    assert_rejected(&session.post(&[activation(ID)]).await, 409, &[(ID, "DUPLICATE_ID")], "sent again");

    let events = enrollments(30);
    proxy.fail_next("BatchExecuteStatement", Fault::AnswerLost);
    proxy.fail_next("BatchExecuteStatement", Fault::AnswerLost);
    assert_accepted(&session.post(&events).await, "a batch");
    assert!(proxy.all_faults_happened());
    assert_eq!(app.items("ClientEvents").await.len(), 31);
}

#[tokio::test]
async fn a_busy_store_is_tried_again() {
    let (app, proxy, shaky) = behind_a_proxy().await;
    let session = shaky.session("customer-1").await;
    let whole = ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError"];
    for code in whole {
        for operation in ["PutItem", "BatchExecuteStatement"] {
            proxy.fail_next(operation, Fault::Refused(code));
        }
        assert_accepted(&session.post(&enrollments(1)).await, code);
        assert_accepted(&session.post(&enrollments(3)).await, code);
    }
    let members = ["ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict", "InternalServerError"];
    for code in members {
        let before = proxy.calls().len();
        proxy.fail_next("BatchExecuteStatement", Fault::LastMember(code));
        proxy.fail_next("BatchExecuteStatement", Fault::LastMember(code));
        assert_accepted(&session.post(&enrollments(25)).await, code);
        let calls = proxy.calls().split_off(before);
        let sent: Vec<_> =
            calls.iter().map(|(_, batch)| batch["Statements"].as_array().expect("statements").len()).collect();
        assert_eq!(sent, [25, 1, 1], "{code}: what went through is not sent again");
    }
    assert!(proxy.all_faults_happened());
    assert_eq!(app.items("ClientEvents").await.len(), whole.len() * 4 + members.len() * 25);
}

#[tokio::test]
async fn existing_events_are_read_again_until_all_are_read() {
    let (_app, proxy, shaky) = behind_a_proxy().await;
    let session = shaky.session("customer-1").await;
    let events = enrollments(3);
    assert_accepted(&session.post(&events).await, "the first time");
    proxy.fail_next("BatchGetItem", Fault::NothingRead);
    proxy.fail_next("BatchGetItem", Fault::NothingRead);
    let ids: Vec<_> = events.iter().map(|event| event["clientEventId"].as_str().expect("an id")).collect();
    let rejected: Vec<_> = ids.iter().map(|id| (*id, "DUPLICATE_ID")).collect();
    assert_rejected(&session.post(&events).await, 409, &rejected, "again");
    assert_eq!(proxy.count("BatchGetItem"), 3);
}

#[tokio::test]
async fn a_batch_that_failed_halfway_may_be_sent_again_as_it_stands() {
    let (app, proxy, shaky) = behind_a_proxy().await;
    let session = shaky.session("customer-1").await;
    let events = enrollments(10);
    proxy.fail_next("BatchExecuteStatement", Fault::LastMember("AccessDenied"));
    assert_outage(&session.post(&events).await, "halfway");
    let ids: Vec<_> = events.iter().map(|event| event["clientEventId"].as_str().expect("an id")).collect();
    let rejected: Vec<_> = ids[..9].iter().map(|id| (*id, "DUPLICATE_ID")).collect();
    assert_rejected(&session.post(&events).await, 207, &rejected, "again");
    assert_eq!(app.items("ClientEvents").await.len(), 10);
}

#[tokio::test]
async fn a_batch_goes_out_in_as_few_calls_as_its_rejections_allow() {
    let (_app, proxy, shaky) = behind_a_proxy().await;
    let session = shaky.session("customer-1").await;
    for (count, inserts) in [(2, 1), (25, 1), (26, 2), (100, 4)] {
        let events = enrollments(count);
        let before = proxy.calls().len();
        assert_accepted(&session.post(&events).await, "new");
        let new = proxy.calls().split_off(before);
        assert_eq!(new.len(), inserts, "{count} new events");
        session.post(&events).await;
        let again = proxy.calls().split_off(before + inserts);
        let reads = again.iter().filter(|(operation, _)| operation == "BatchGetItem").count();
        assert_eq!((again.len(), reads), (inserts + 1, 1), "{count} known events");
    }
    let before = proxy.calls().len();
    let event = enrollments(1);
    session.post(&event).await;
    session.post(&event).await;
    let calls = proxy.calls().split_off(before);
    assert!(calls.len() == 2 && calls.iter().all(|(operation, _)| operation == "PutItem"), "one event, one write");
}

#[tokio::test]
async fn a_slow_store_is_an_outage_before_the_function_is_cut_off() {
    let (_app, proxy, shaky) = behind_a_proxy().await;
    let session = shaky.session("customer-1").await;
    let events = enrollments(2);
    assert_accepted(&session.post(&events).await, "the first time");
    // Each call is answered at its second try, after two seconds, and each answer asks for another call.
    for _ in 0..3 {
        proxy.fail_next("BatchExecuteStatement", Fault::NoAnswer);
        proxy.fail_next("BatchExecuteStatement", Fault::LastMember("ThrottlingError"));
    }
    proxy.fail_next("BatchExecuteStatement", Fault::NoAnswer);
    proxy.fail_next("BatchGetItem", Fault::NoAnswer);
    assert_outage(&session.post(&events).await, "slow");
    assert_eq!(proxy.count("BatchGetItem"), 0, "the request had ended before");
}

#[tokio::test]
async fn a_panic_is_an_internal_server_error_that_reveals_nothing() {
    /// A handler that panics.
    struct Panics;

    impl Handler for Panics {
        const ROUTE: &'static Route = &route::SEND_CLIENT_EVENT;

        async fn open(_: &Store) -> Self {
            Panics
        }

        async fn respond(&self, _: &Call<'_>) -> Result<Reply, Failure> {
            panic!("the table punchcard-secret")
        }
    }

    let request = lambda_http::http::Request::builder().method("POST").body(Body::Empty).expect("a request");
    let service = Service::open::<Panics>(&Store::local("http://127.0.0.1:1", ""), None).await;
    let response = service.respond(request).await;
    let (parts, body) = response.into_parts();
    assert!(parts.headers.contains_key("x-amzn-requestid") && parts.headers.contains_key("cache-control"));
    let body = String::from_utf8(body.to_vec()).expect("text");
    assert_outage(&Answer { status: parts.status, headers: parts.headers, body }, "a panic");
}
