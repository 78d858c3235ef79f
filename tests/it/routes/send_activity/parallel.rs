//! `POST /client/users/{correlation_id}/activities/{activity_id}`, many at once: limits hold exactly, nothing is paid
//! twice, and the books balance.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::activities::{Programme, activity, assert_invalid, number, points, text, with};

fn in_unit(unit: &str, action: &str) -> Value {
    with(activity(action), "businessUnit", unit)
}

/// The number of responses with so many bonus points.
fn paid(answers: &[Value], unit: &str, bonus: u64) -> usize {
    answers.iter().filter(|answer| answer["earned"][unit]["loyalty"]["bonus"] == bonus).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_parallel_posts_of_one_id_one_is_recorded_and_paid() {
    let programme = &Programme::start().await;
    let body = in_unit("XYZ", "SURVEY_RESPONSE");
    let answers = join_all((0..64).map(async |number| {
        // From two correlation ids.
        programme.send(["c-1", "c-2"][number % 2], "a-1", &body).await
    }));
    let answers = answers.await;
    let (new, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((new.len(), refused.len()), (1, 63));
    assert_eq!(new[0].json()["earned"], json!({"XYZ": points(10, 5, 0)}));
    for answer in refused {
        assert_invalid(answer, "ActivityID already exists");
    }
    assert_eq!(programme.stored().await, [1, 1, 0]);
    programme.assert_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_parallel_activities_a_limit_of_2_uses_pays_exactly_2() {
    let programme = &Programme::start().await;
    for session in 0..4 {
        programme.tie("A-1001", &format!("A-1001-{session}")).await;
    }
    let body = in_unit("XYZ", "SURVEY_RESPONSE");
    // Of a correlation id of its own, and of an account in four sessions with a points limit beside it.
    for (who, sessions, targeted) in [("c-1", 1, 0), ("A-1001", 4, 8)] {
        let answers = join_all((0..200).map(async |number| {
            let correlation_id = if sessions == 1 { who.to_owned() } else { format!("{who}-{}", number % sessions) };
            programme.send_until_recorded(&correlation_id, &format!("{who}:{number}"), &body).await
        }));
        let answers = answers.await;
        assert_eq!((paid(&answers, "XYZ", 5), paid(&answers, "XYZ", 0)), (2, 198), "{who}");
        let sum = |kind: &str| -> u64 {
            let of = |answer: &Value| answer["earned"]["XYZ"]["loyalty"][kind].as_u64().expect("points");
            answers.iter().map(of).sum()
        };
        assert_eq!((sum("base"), sum("bonus"), sum("targeted")), (2000, 10, targeted), "{who}");
    }
    programme.assert_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_300_parallel_activities_a_limit_of_100_uses_in_total_pays_exactly_100() {
    let programme = &Programme::start().await;
    let body = in_unit("ABC", "APP_CHECKIN");
    let answers = join_all((0..300).map(async |number| {
        programme.send_until_recorded(&format!("c-{}", number % 30), &format!("a-{number}"), &body).await
    }));
    let answers = answers.await;
    assert_eq!((paid(&answers, "ABC", 7), paid(&answers, "ABC", 0)), (100, 200));
    let members = programme.app.items("Members").await;
    let cap = members.iter().find(|item| text(item, "memberId") == "cap#ABC_LAUNCH").expect("the total");
    assert_eq!(number(cap, "used"), 100);
    programme.assert_books_balance().await;

    // Also a process that has seen nothing of it pays no more.
    assert_eq!(programme.earned("c-1", &body).await, json!({"ABC": points(3, 0, 0)}));
}

/// Offers with more counters than one expression can name. Odd ones end, by uses or by points, after less than 30
/// activities; what is left then, one can.
fn many_counters() -> String {
    let offers: Vec<_> = (0..60_u64)
        .map(|number| {
            let limits = match number % 4 {
                1 => json!({"usesPerMember": 20 + number % 9}),
                3 => json!({"pointsPerMember": 100 + number}),
                _ => json!({"usesPerMember": 1000}),
            };
            json!({
                "id": format!("OFFER_{number}"), "unit": format!("U{}", number % 5), "kind": "bonus",
                "reward": {"flat": 3 + number % 4}, "pointsType": if number % 7 == 0 { "status" } else { "loyalty" },
                "limits": limits,
            })
        })
        .collect();
    let units = json!({"U0": "enabled", "U1": "enabled", "U2": "enabled", "U3": "enabled", "U4": "enabled"});
    json!({"businessUnits": units, "offers": offers}).to_string()
}

/// The points of so many activities by [`many_counters`].
fn many_points(activities: u64) -> u64 {
    let earned = |number: u64| {
        let reward = 3 + number % 4;
        match number % 4 {
            1 => reward * activities.min(20 + number % 9),
            3 => (reward * activities).min(100 + number),
            _ => reward * activities,
        }
    };
    (0..60).map(earned).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_more_counters_than_an_update_can_name_stays_exact_under_parallel_posts() {
    let programme = &Programme::with(&many_counters()).await;
    programme.tie("A-1", "account").await;
    let body = activity("APP_CHECKIN");
    for (who, rounds) in [("alone", 1), ("account", 2)] {
        for round in 1..=rounds {
            let answers = join_all((0..32).map(async |number| {
                programme.send_until_recorded(who, &format!("{who}:{round}:{number}"), &body).await
            }));
            assert_eq!(answers.await.len(), 32);
            let balances = programme.balances(who).await;
            let points = balances.as_object().expect("units").values().flat_map(|types| {
                types.as_object().expect("types").values().map(|points| points.as_u64().expect("points"))
            });
            assert_eq!(points.sum::<u64>(), many_points(32 * round), "{who}");
        }
    }
    programme.assert_books_balance().await;
}
