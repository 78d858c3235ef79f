//! `POST /client/users/{correlation_id}/void`.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    operator::punchcard,
    support::{
        activities::{Programme, activity, error},
        app::Answer,
    },
};

async fn void(programme: &Programme, correlation_id: &str, body: &Value) -> Answer {
    programme.post(&format!("/client/users/{correlation_id}/void"), &[], &body.to_string()).await
}

async fn balances(programme: &Programme) -> Value {
    programme.get("/client/users/c-1/balances").await.json()["balances"].clone()
}

async fn assert_audited(programme: &Programme) {
    let audit = punchcard(&programme.app, &["audit", "--json"]).await;
    assert!(audit.succeeded, "{}", audit.output);
}

#[tokio::test]
async fn a_reversal_takes_back_exactly_what_the_activity_earned() {
    let programme = Programme::start().await;
    for id in ["a-1", "a-2"] {
        assert_eq!(programme.send("c-1", id, &activity("SURVEY_RESPONSE")).await.status, 200);
    }
    assert_eq!(balances(&programme).await, json!({"ABC": {"loyalty": 6}, "XYZ": {"loyalty": 30}}));
    let answer = void(&programme, "c-1", &json!({"originalTransactionId": "a-1", "channel": "STORE"})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["message"]), (200, &json!("The activity is reversed")));
    assert_eq!(balances(&programme).await, json!({"ABC": {"loyalty": 3}, "XYZ": {"loyalty": 15}}));
    // The activity stays, and names its reversal; the reversal is no activity.
    let stored = programme.get("/client/users/c-1/activities/a-1").await.json();
    assert_eq!(stored["reversedBy"], answer.json()["transactionId"]);
    assert_eq!(stored["earned"]["XYZ"]["loyalty"]["total"], 15);
    let listed = programme.get("/client/users/c-1/activities").await.json();
    assert_eq!(listed["activities"].as_array().map(Vec::len), Some(2));
    let id = stored["reversedBy"].as_str().expect("an id");
    assert_eq!(programme.get(&format!("/client/users/c-1/activities/{id}")).await.status, 404);
    assert_audited(&programme).await;
}

#[tokio::test]
async fn uses_of_limits_are_given_back() {
    let programme = Programme::start().await;
    let survey = activity("SURVEY_RESPONSE");
    let bonus = async |id: &str| {
        let answer = programme.send("c-1", id, &survey).await;
        answer.json()["earned"]["XYZ"]["loyalty"]["bonus"].clone()
    };
    // XYZ_SURVEY pays each member twice.
    assert_eq!([bonus("a-1").await, bonus("a-2").await, bonus("a-3").await], [json!(5), json!(5), json!(0)]);
    assert_eq!(void(&programme, "c-1", &json!({"originalTransactionId": "a-1"})).await.status, 200);
    assert_eq!([bonus("a-4").await, bonus("a-5").await], [json!(5), json!(0)]);
    assert_audited(&programme).await;
}

#[tokio::test]
async fn points_of_limits_are_given_back() {
    let catalog = r#"{"businessUnits": {"U": "enabled"}, "offers": [
        {"id": "LESS", "unit": "U", "kind": "base", "reward": {"flat": 7}, "limits": {"pointsPerMember": 3}}]}"#;
    let programme = Programme::with(catalog).await;
    for id in ["a-1", "a-2"] {
        let sent = programme.send("c-1", id, &activity("APP_CHECKIN")).await;
        assert_eq!(sent.json()["earned"]["U"]["loyalty"]["total"], 3, "{}", sent.body);
        assert_eq!(void(&programme, "c-1", &json!({"originalTransactionId": id})).await.status, 200);
    }
    assert_audited(&programme).await;
}

#[tokio::test]
async fn uses_of_total_limits_are_given_back() {
    let catalog = r#"{"businessUnits": {"U": "enabled"}, "offers": [
        {"id": "ONCE", "unit": "U", "kind": "base", "reward": {"flat": 7}, "limits": {"usesInTotal": 1}}]}"#;
    let programme = Programme::with(catalog).await;
    let checkin = activity("APP_CHECKIN");
    assert_eq!(programme.send("c-1", "a-1", &checkin).await.json()["earned"]["U"]["loyalty"]["total"], 7);
    assert_eq!(void(&programme, "c-1", &json!({"originalTransactionId": "a-1"})).await.status, 200);
    // Another member may use it now.
    assert_eq!(programme.send("c-2", "a-2", &checkin).await.json()["earned"]["U"]["loyalty"]["total"], 7);
    assert_eq!(programme.send("c-3", "a-3", &checkin).await.json()["earned"], json!({}));
    assert_audited(&programme).await;
}

#[tokio::test]
async fn an_activity_is_reversed_once_whatever_the_reference() {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    programme.send("c-1", "a-2", &activity("APP_CHECKIN")).await;
    let body =
        |original: &str, reference: &str| json!({"originalTransactionId": original, "externalReferenceId": reference});
    let first = void(&programme, "c-1", &body("a-1", "r-1")).await;
    let again = void(&programme, "c-1", &body("a-1", "r-1")).await;
    assert_eq!(
        (first.status.as_u16(), &again.body, again.header("idempotent-replayed")),
        (200, &first.body, Some("true"))
    );
    let id = first.json()["transactionId"].as_str().expect("an id").to_owned();
    let reversed = (400, "INVALID_REQUEST".to_owned(), format!("The activity is already reversed, by {id}"));
    assert_eq!(error(&void(&programme, "c-1", &body("a-1", "r-2")).await), reversed);
    assert_eq!(error(&void(&programme, "c-1", &json!({"originalTransactionId": "a-1"})).await), reversed);
    // The reference is used up, whether the other activity exists or not.
    for other in ["a-2", "unknown"] {
        let (status, code, _) = error(&void(&programme, "c-1", &body(other, "r-1")).await);
        assert_eq!((status, code.as_str()), (409, "CONFLICT"), "{other}");
    }
    // A retry of the activity itself is still a duplicate.
    assert_eq!(programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await.status, 400);
    assert_eq!(balances(&programme).await["XYZ"]["loyalty"], 10);
    // The reversal is answered as before even if its activity is gone.
    programme.app.remove("Activities", [("activityId", "a-1")]).await;
    let again = void(&programme, "c-1", &body("a-1", "r-1")).await;
    assert_eq!((again.body, again.headers.contains_key("idempotent-replayed")), (first.body, true));
}

#[tokio::test]
async fn only_an_activity_of_the_correlation_id_can_be_reversed() {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    let voided = void(&programme, "c-1", &json!({"originalTransactionId": "a-1"})).await.json();
    let reversal = voided["transactionId"].as_str().expect("an id");
    programme.send("c-2", "a-2", &activity("APP_CHECKIN")).await;
    for original in ["unknown", "a-2", reversal] {
        let answer = void(&programme, "c-1", &json!({"originalTransactionId": original})).await;
        assert_eq!(error(&answer), (404, "NOT_FOUND".to_owned(), "Activity not found".to_owned()), "{original}");
    }
}

#[tokio::test]
async fn what_the_catalog_says_now_does_not_matter() {
    let mut programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("SURVEY_RESPONSE")).await;
    programme.apply("rewards: disabled").await;
    assert_eq!(void(&programme, "c-1", &json!({"originalTransactionId": "a-1"})).await.status, 200);
    assert_eq!(balances(&programme).await, json!({"ABC": {"loyalty": 0}, "XYZ": {"loyalty": 0}}));
    assert_audited(&programme).await;
}

#[tokio::test]
async fn a_balance_that_was_spent_may_become_negative_or_not() {
    for (negative, status) in [("allowed", 200), ("refused", 409)] {
        let catalog = json!({"businessUnits": {"U": "enabled"}, "negativeBalances": negative, "offers": [
            {"id": "BASE", "unit": "U", "kind": "base", "reward": {"flat": 7}}]});
        let programme = Programme::with(&catalog.to_string()).await;
        programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
        let purchase = json!({"channel": "WEB", "businessUnit": "U", "issuerId": "till", "rewardAmount": -5,
            "externalReferenceId": "t-1"});
        let spent = programme.post("/client/users/c-1/adhoc-reward", &[], &purchase.to_string()).await;
        assert_eq!(spent.status, 200, "{}", spent.body);
        assert_eq!(void(&programme, "c-1", &json!({"originalTransactionId": "a-1"})).await.status, status);
        assert_eq!(balances(&programme).await["U"]["loyalty"], if status == 200 { -5 } else { 2 });
        assert_audited(&programme).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_reversal_is_told_of_the_first_and_not_of_the_balance() {
    let catalog = r#"{"businessUnits": {"U": "enabled"}, "negativeBalances": "refused", "offers": [
        {"id": "BASE", "unit": "U", "kind": "base", "reward": {"flat": 7}}]}"#;
    let programme = Programme::with(catalog).await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    let body = |n: usize| json!({"originalTransactionId": "a-1", "externalReferenceId": format!("r-{n}")});
    let bodies: Vec<_> = (0..16).map(body).collect();
    let answers = join_all(bodies.iter().map(|body| void(&programme, "c-1", body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 400).count(), 15, "{answers:?}");
}

#[tokio::test]
async fn a_dry_run_answers_as_the_reversal_would_and_writes_nothing() {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("SURVEY_RESPONSE")).await;
    let body = json!({"originalTransactionId": "a-1", "externalReferenceId": "r-1"});
    let dry_run = async || {
        let path = "/client/users/c-1/void";
        programme.post(path, &[("prefer", "dry-run")], &body.to_string()).await
    };
    let dry = dry_run().await;
    assert_eq!((dry.status.as_u16(), dry.header("preference-applied")), (200, Some("dry-run")));
    assert_eq!(programme.app.items("Activities").await.len(), 1);
    assert_eq!(void(&programme, "c-1", &body).await.body, dry.body);
    assert_eq!(dry_run().await.header("idempotent-replayed"), Some("true"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_parallel_reversals_of_one_activity_have_one_effect() {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("SURVEY_RESPONSE")).await;
    let bodies: Vec<_> = (0..64)
        .map(|n| match n % 4 {
            0 => json!({"originalTransactionId": "a-1"}),
            n => json!({"originalTransactionId": "a-1", "externalReferenceId": format!("r-{n}")}),
        })
        .collect();
    let answers = join_all(bodies.iter().map(|body| void(&programme, "c-1", body))).await;
    let new = answers.iter().filter(|answer| answer.status == 200 && answer.header("idempotent-replayed").is_none());
    assert_eq!(new.count(), 1);
    assert!(answers.iter().all(|answer| [200, 400].contains(&answer.status.as_u16())), "{answers:?}");
    assert_eq!(balances(&programme).await, json!({"ABC": {"loyalty": 0}, "XYZ": {"loyalty": 0}}));
    assert_eq!(programme.app.items("Activities").await.len(), 2);
    assert_audited(&programme).await;
}

#[tokio::test]
async fn only_a_client_for_corrections_may_correct() {
    let mut programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    let alone = punchcard(&programme.app, &["client", "add", "support", "--for", "corrections"]).await;
    assert!(!alone.succeeded && alone.errors.contains("--for corrections needs --for activities too"), "{alone:?}");

    let added = punchcard(&programme.app, &["client", "add", "till", "--for", "activities", "--json"]).await.json();
    // The callers that a process knows are read again after a while.
    programme.app.restart().await;
    let app = &programme.app;
    let secret = added["secret"].as_str().expect("a secret");
    let form = format!("grant_type=client_credentials&client_id=till&client_secret={secret}");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let token = app.send(Method::POST, "/oauth2/token", &headers, form).await.json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
    let bearer = [("authorization", bearer.as_str())];
    let adjustment = json!({"channel": "WEB", "businessUnit": "XYZ", "issuerId": "till", "rewardAmount": 5,
        "externalReferenceId": "t-1"});
    for (path, body) in [("void", json!({"originalTransactionId": "a-1"})), ("adhoc-reward", adjustment)] {
        let answer = app.post(&format!("/client/users/c-1/{path}"), &bearer, &body).await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.body);
    }
    let sent = app.post("/client/users/c-1/activities/a-2", &bearer, &activity("APP_CHECKIN")).await;
    assert_eq!((sent.status.as_u16(), &balances(&programme).await["XYZ"]["loyalty"]), (200, &json!(20)));
}
