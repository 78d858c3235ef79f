//! `GET /client/users/{correlation_id}/balances`.

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    activities::{Programme, activity, assert_error, assert_headers, assert_invalid, with},
    chance::Chance,
};

#[tokio::test]
async fn a_member_without_points_or_records_has_no_balances() {
    let programme = Programme::start().await;
    programme.tie("A-1", "c-1").await;
    let path = |id: &str| format!("/client/users/{id}/balances");
    let known = programme.get(&path("c-1")).await;
    assert_eq!((known.status.as_u16(), known.json()), (200, json!({"accountId": "A-1", "balances": {}})));
    assert_headers(&known);
    let unknown = programme.get(&path("c-2")).await;
    assert_eq!((unknown.status.as_u16(), unknown.json()), (200, json!({"accountId": "c-2", "balances": {}})));
    // The request stores nothing.
    assert_eq!(programme.stored().await, [0, 2, 1]);
}

#[tokio::test]
async fn balances_are_listed_by_unit_and_type_for_every_session_of_the_account() {
    let programme = Programme::start().await;
    programme.tie("A-1", "c-1").await;
    programme.tie("A-1", "c-2").await;
    programme.send("c-1", "a-1", &activity("SURVEY_RESPONSE")).await;
    programme.send("c-2", "a-2", &with(activity("APP_CHECKIN"), "businessUnit", "ABC")).await;
    programme.send("c-3", "a-3", &activity("APP_DOWNLOAD")).await;
    for (correlation_id, account_id, xyz, abc) in
        [("c-1", "A-1", 15, 13), ("c-2", "A-1", 15, 13), ("c-3", "c-3", 10, 3)]
    {
        let answer = programme.get(&format!("/client/users/{correlation_id}/balances")).await;
        let balances = json!({"XYZ": {"loyalty": xyz}, "ABC": {"loyalty": abc}});
        assert_eq!(answer.json(), json!({"accountId": account_id, "balances": balances}));
    }
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_its_reason() {
    let programme = Programme::start().await;
    let (path, bad) = ("/client/users/c-1/balances", "/client/users/c%201/balances");
    assert_invalid(&programme.get(bad).await, "correlation_id must be 1 to 128 of A-Z a-z 0-9 . _ : -");
    for headers in [vec![], vec![("authorization", "Bearer no")]] {
        for path in [path, bad] {
            let answer = programme.app.send(Method::GET, path, &headers, "").await;
            assert_error(&answer, 401, "UNAUTHORIZED", "The credentials are missing or not valid");
            assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer ")));
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = programme.app.send(method, bad, &headers, "").await;
            assert_error(&answer, 405, "METHOD_NOT_ALLOWED", "The method is not allowed here");
            assert_eq!(answer.header("allow"), Some("GET"));
        }
    }
}

/// Something that a client may do.
enum Deed {
    Open { account: &'static str, correlation_id: &'static str },
    Send { correlation_id: &'static str, id: Option<String>, key: Option<String>, body: Value },
}

fn deed(chance: &mut Chance) -> Deed {
    let correlation_id = chance.of(&["c-1", "c-2", "c-3", "c-4", "c-5"]);
    if chance.below(12) == 0 {
        return Deed::Open { account: chance.of(&["A-1", "A-1001"]), correlation_id };
    }
    let action = chance.of(&["SURVEY_RESPONSE", "APP_DOWNLOAD", "APP_CHECKIN"]);
    let unit = chance.of(&["", "XYZ", "ABC", "OLD"]);
    let body = with(with(activity(action), "businessUnit", unit), "channel", chance.of(&["APP", "STORE"]));
    // Few enough ids and keys that many are used again, with the same and with another payload.
    let (id, key) = match chance.below(3) {
        0 => (Some(format!("a-{}", chance.below(60))), None),
        1 => (None, Some(format!("k-{}", chance.below(12)))),
        _ => (None, None),
    };
    Deed::Send { correlation_id, id, key, body }
}

async fn run(programme: &Programme, deed: Deed) {
    let (status, expected): (_, &[u16]) = match deed {
        Deed::Open { account, correlation_id } => (programme.open(account, correlation_id).await.status, &[200, 409]),
        Deed::Send { correlation_id, id, key, body } => {
            let path = format!("/client/users/{correlation_id}/activities");
            let path = id.map_or(path.clone(), |id| format!("{path}/{id}"));
            let headers: Vec<_> = key.iter().map(|key| ("idempotency-key", key.as_str())).collect();
            (programme.post(&path, &headers, &body.to_string()).await.status, &[200, 400, 422])
        }
    };
    assert!(expected.contains(&status.as_u16()), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_the_sum_of_what_its_activities_earned_after_any_interleaving() {
    for seed in 1..=4 {
        let programme = &Programme::start().await;
        let mut chance = Chance::new(seed);
        let deeds: Vec<_> = (0..120).map(|_| deed(&mut chance)).collect();
        stream::iter(deeds).for_each_concurrent(16, |deed| run(programme, deed)).await;

        let [activities, members, sessions] = programme.stored().await;
        assert!(activities > 40 && members > 4 && sessions > 1, "seed {seed}: {activities} {members} {sessions}");
        programme.assert_books_balance().await;
        for member in programme.app.items("Members").await {
            for (limit, most) in [("use#XYZ_SURVEY", 2), ("sum#XYZ_VIP", 8)] {
                let used = member.get(limit).map_or(0, |used| used.as_n().expect("n").parse().expect("a number"));
                assert!(used <= most, "seed {seed}: {limit} is {used}");
            }
        }
    }
}
