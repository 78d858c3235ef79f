//! `POST /client/users/{correlation_id}/activities/{activity_id}` with limits per period.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use jiff::{Timestamp, ToSpan as _, Zoned, tz::TimeZone};
use serde_json::{Value, json};

use crate::{
    operator::punchcard,
    support::activities::{Programme, activity, number, text, with},
};

/// Zones with daylight saving. At any time it is between morning and evening in one of them, so that no test runs across
/// the midnight that its requests are around.
const ZONES: [&str; 3] = ["Europe/Berlin", "America/Los_Angeles", "Australia/Sydney"];

/// Now, in a zone where it is day.
fn now_by_day() -> Zoned {
    let now = Timestamp::now();
    let mut zones = ZONES.iter().map(|name| now.to_zoned(TimeZone::get(name).expect("a zone")));
    zones.find(|now| (4..20).contains(&now.hour())).expect("a zone where it is day")
}

fn catalog(zone: &str, limits: &str) -> String {
    format!(
        "timezone: {zone}\nbusinessUnits: {{U: enabled}}\noffers:\n  \
         - {{id: CHECK_IN, unit: U, kind: base, reward: {{flat: 10}}, limits: {limits}}}\n"
    )
}

fn check_in(when: &Timestamp) -> Value {
    with(activity("APP_CHECKIN"), "when", when.to_string())
}

fn is_paid(answer: &Value) -> bool {
    answer["earned"] == json!({"U": {"loyalty": {"base": 10, "bonus": 0, "targeted": 0, "total": 10}}})
}

async fn assert_audited(programme: &Programme) {
    let audit = punchcard(&programme.app, &["audit", "--json"]).await;
    assert!(audit.succeeded, "{}", audit.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_300_parallel_check_ins_around_midnight_a_limit_per_day_is_paid_exactly() {
    let now = now_by_day();
    let zone = now.time_zone().iana_name().expect("a name");
    let rest = "{usesPerMember: {day: 1}}}\n  - {id: FOUR, unit: U, kind: bonus, reward: {flat: 1}, limits: {usesPerMember: {day: 4}}}\n  \
                - {id: POINTS, unit: U, kind: bonus, reward: {flat: 2}, pointsType: status, limits: {pointsPerMember: {day: 7}}";
    let programme = &Programme::with(&catalog(zone, rest)).await;
    let midnight = now.start_of_day().expect("midnight").timestamp();
    // The last and the first second, and times further away, some of which are later than the request.
    let times = [-1, 0, -1000, 1000, -3_600_000, 3_600_000].map(|millis: i64| midnight + millis.milliseconds());
    let answers = (0..300).map(async |number: usize| {
        programme.send_until_recorded("c-1", &format!("a-{number}"), &check_in(&times[number % times.len()])).await
    });
    let answers = join_all(answers).await;
    for parity in 0..2 {
        let sum = |path: &str| -> u64 {
            let of_day = answers.iter().enumerate().filter(|(number, _)| number % 2 == parity);
            of_day.filter_map(|(_, answer)| answer["earned"]["U"].pointer(path)?.as_u64()).sum()
        };
        assert_eq!((sum("/loyalty/base"), sum("/loyalty/bonus"), sum("/status/total")), (10, 4, 7), "{parity}");
    }
    assert_audited(programme).await;
}

#[tokio::test]
async fn an_audit_names_the_counter_of_a_period_that_was_tampered_with() {
    let programme = Programme::with(&catalog("UTC", "{usesPerMember: {day: 5}}")).await;
    let body = check_in(&Timestamp::now());
    assert_eq!(programme.send("c-1", "a-1", &body).await.status, 200);
    let members = programme.app.items("Members").await;
    let member = members.iter().find(|item| text(item, "memberId") == "corr#c-1").expect("the member");
    let slot = member.keys().find(|name| name.starts_with("use#CHECK_IN#day")).expect("a slot");
    let value = number(member, slot);
    programme.app.set("Members", [("memberId", "corr#c-1")], slot, AttributeValue::N((value + 1).to_string())).await;
    let audit = punchcard(&programme.app, &["audit"]).await;
    let day = value / 1_000_000_000_000;
    let difference = format!("use#CHECK_IN#day#{day} of corr#c-1 is 2, and its records add up to 1");
    assert!(!audit.succeeded && audit.output.contains(&difference), "{}", audit.output);
}

#[tokio::test]
async fn a_time_that_is_too_old_or_too_new_earns_nothing_and_says_so() {
    let now = now_by_day();
    let zone = now.time_zone().iana_name().expect("a name");
    let programme = Programme::with(&catalog(zone, "{usesPerMember: {day: 5}}")).await;
    let midnight = now.start_of_day().expect("midnight");
    let yesterday = midnight.yesterday().expect("yesterday");
    let tomorrow = midnight.tomorrow().expect("tomorrow");
    for (id, when, paid) in [
        ("today", midnight.timestamp(), true),
        ("yesterday", yesterday.timestamp(), true),
        ("too-old", yesterday.timestamp() - 1.millisecond(), false),
        ("too-new", tomorrow.timestamp(), false),
    ] {
        let answer = programme.send("c-1", id, &check_in(&when)).await;
        assert_eq!((answer.status.as_u16(), is_paid(&answer.json())), (200, paid), "{id}");
        let explained = programme.get(&format!("/client/users/c-1/activities/{id}/explanation")).await.json();
        let reason = if paid { "PAID" } else { "PERIOD_CLOSED" };
        assert_eq!(explained["offers"][0]["reason"], reason, "{id}: {explained}");
    }
    assert_audited(&programme).await;
}

#[tokio::test]
async fn a_reversal_gives_the_uses_of_its_day_back() {
    let now = now_by_day();
    let zone = now.time_zone().iana_name().expect("a name");
    let limits = "{usesPerMember: {day: 1, month: 3}, pointsPerMember: {week: 25}}";
    let programme = Programme::with(&catalog(zone, limits)).await;
    let today = check_in(&now.timestamp());
    let total = async |id: &str, body: &Value| {
        let earned = programme.send("c-1", id, body).await.json()["earned"].clone();
        earned["U"]["loyalty"]["total"].as_u64().unwrap_or(0)
    };
    let void = async |id: &str| {
        let body = json!({"originalTransactionId": id}).to_string();
        assert_eq!(programme.post("/client/users/c-1/void", &[], &body).await.status, 200);
    };
    assert_eq!([total("a-1", &today).await, total("a-2", &today).await], [10, 0]);
    void("a-1").await;
    assert_eq!([total("a-3", &today).await, total("a-4", &today).await], [10, 0]);
    void("a-4").await;
    assert_eq!(total("a-5", &today).await, 0);
    void("a-3").await;
    assert_audited(&programme).await;
}

#[tokio::test]
async fn a_reversal_gives_the_first_place_back_and_keeps_the_count_of_every() {
    let rest = "{usesPerMember: 100}}\n  - {id: SECOND, unit: U, kind: bonus, reward: {flat: 5}, every: 2}\n  \
                - {id: FIRST, unit: U, kind: bonus, reward: {flat: 100}, first: true";
    let programme = Programme::with(&catalog("UTC", rest)).await;
    let body = activity("APP_CHECKIN");
    let bonus = async |id: &str| {
        let earned = programme.send("c-1", id, &body).await.json()["earned"].clone();
        earned["U"]["loyalty"]["bonus"].as_u64().unwrap_or(0)
    };
    let void = async |id: &str| {
        let body = json!({"originalTransactionId": id}).to_string();
        assert_eq!(programme.post("/client/users/c-1/void", &[], &body).await.status, 200);
    };
    assert_eq!([bonus("a-1").await, bonus("a-2").await], [100, 5]);
    // The second one stays paid, so the third one is not a second one again.
    void("a-1").await;
    assert_eq!([bonus("a-3").await, bonus("a-4").await], [100, 5]);
    void("a-2").await;
    assert_eq!([bonus("a-5").await, bonus("a-6").await], [0, 5]);
    assert_audited(&programme).await;
}

#[tokio::test]
async fn a_dry_run_and_the_request_that_follows_agree_on_periods_and_frequencies() {
    let now = now_by_day();
    let zone = now.time_zone().iana_name().expect("a name");
    let rest = "{usesPerMember: {day: 4}}}\n  - {id: THIRD, unit: U, kind: bonus, reward: {flat: 5}, every: 3}\n  \
                - {id: FIRST, unit: U, kind: bonus, reward: {flat: 100}, first: true, limits: {usesInTotal: 5}";
    let programme = Programme::with(&catalog(zone, rest)).await;
    let body = check_in(&now.timestamp()).to_string();
    let mut totals = Vec::new();
    for number in 0..7 {
        let path = format!("/client/users/c-1/activities/a-{number}");
        let preview = programme.post(&path, &[("prefer", "dry-run")], &body).await.json();
        let real = programme.post(&path, &[], &body).await.json();
        assert_eq!(preview["earned"], real["earned"], "{number}");
        totals.push(real["earned"]["U"]["loyalty"]["total"].as_u64().unwrap_or(0));
    }
    assert_eq!(totals, [110, 10, 15, 10, 0, 5, 0]);
    assert_audited(&programme).await;
}
