//! Limits per period, time conditions, alternatives and frequencies.

mod support;

use punchcard_models::data::OpenData;
use punchcard_rewards::{Catalog, Member, Occurrence, Shares, Trigger, Usage, yaml};
use serde_json::{Value, json};
use support::{as_json, data, moment, read};

const CHECK_IN: Trigger<'static> = Trigger::Action("APP_CHECKIN");

fn fields(fields: &[(&str, Value)]) -> OpenData {
    data(&fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// A catalog with one base offer, `RULE`.
fn catalog(timezone: &str, rest: &str) -> Catalog {
    let text = format!(
        "timezone: {timezone}\nbusinessUnits: {{U: enabled}}\noffers:\n  \
         - {{id: RULE, unit: U, kind: base, reward: {{flat: 10}}, {rest}}}\n"
    );
    let source = yaml::read(&text).unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
    Catalog::from_json(&source.to_applied_json(&Shares::new())).expect("a stored catalog")
}

/// The reason of `RULE` for an activity, with its detail. Counts it.
fn judge(catalog: &Catalog, usage: &mut Usage, when: &str, received_at: &str) -> String {
    judge_with(catalog, usage, [when, received_at], &[])
}

fn judge_with(catalog: &Catalog, usage: &mut Usage, times: [&str; 2], given: &[(&str, Value)]) -> String {
    let [at, received_at] = times.map(moment);
    let data = fields(given);
    let occurrence = Occurrence { trigger: CHECK_IN, channel: None, business_unit: None, at, received_at, data: &data };
    let explanations = catalog.explain(&occurrence, Member::default(), usage);
    let [explanation] = &explanations[..] else { panic!("{explanations:?}") };
    let said = explanation.reason().to_owned();
    usage.add(&catalog.evaluate(&occurrence, Member::default(), usage));
    // Each explanation is a sentence, and JSON.
    assert!(!explanation.to_string().is_empty() && !explanation.to_json().to_string().is_empty());
    said
}

/// The explanation of `RULE` for an activity with this data.
fn explained(catalog: &Catalog, usage: &Usage, times: [&str; 2], given: &[(&str, Value)]) -> (Value, String) {
    let [at, received_at] = times.map(moment);
    let data = fields(given);
    let occurrence = Occurrence { trigger: CHECK_IN, channel: None, business_unit: None, at, received_at, data: &data };
    let explanations = catalog.explain(&occurrence, Member::default(), usage);
    (as_json(&explanations[0]), explanations[0].to_string())
}

#[test]
fn one_a_day_is_one_per_day_of_the_zone() {
    let berlin = catalog("Europe/Berlin", "limits: {usesPerMember: {day: 1}}");
    let mut usage = Usage::default();
    for (when, reason) in [
        // 2024-03-31 had 23 hours in Berlin, from 23:00Z until 22:00Z.
        ("2024-03-30T22:59:59.999Z", "PAID"),
        ("2024-03-30T23:00:00Z", "PAID"),
        ("2024-03-31T21:59:59.999Z", "LIMIT_REACHED"),
        ("2024-03-31T22:00:00Z", "PAID"),
        ("2024-04-01T21:59:59.999Z", "LIMIT_REACHED"),
        // 2024-10-27 had 25, from 22:00Z until 23:00Z.
        ("2024-10-26T21:59:59.999Z", "PAID"),
        ("2024-10-26T22:00:00Z", "PAID"),
        ("2024-10-27T22:59:59.999Z", "LIMIT_REACHED"),
        ("2024-10-27T23:00:00Z", "PAID"),
    ] {
        assert_eq!(judge(&berlin, &mut usage, when, when), reason, "{when}");
    }
}

#[test]
fn the_period_of_the_arrival_and_the_one_before_are_open() {
    for (unit, now, before, too_old, too_new) in [
        ("day", "2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z", "2026-02-28T23:59:59Z", "2026-03-03T00:00:00Z"),
        ("week", "2026-03-02T00:00:00Z", "2026-02-23T00:00:00Z", "2026-02-22T23:59:59Z", "2026-03-09T00:00:00Z"),
        ("month", "2026-03-02T00:00:00Z", "2026-02-01T00:00:00Z", "2026-01-31T23:59:59Z", "2026-04-01T00:00:00Z"),
        ("year", "2026-03-02T00:00:00Z", "2025-01-01T00:00:00Z", "2024-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
    ] {
        let catalog = catalog("UTC", &format!("limits: {{pointsPerMember: {{{unit}: 15}}}}"));
        let mut usage = Usage::default();
        for (when, reason) in [
            (before, "PAID"),
            (now, "PAID"),
            (too_old, "PERIOD_CLOSED"),
            (too_new, "PERIOD_CLOSED"),
            (now, "PAID_IN_PART"),
            (before, "PAID_IN_PART"),
            (now, "LIMIT_REACHED"),
            (before, "LIMIT_REACHED"),
        ] {
            assert_eq!(judge(&catalog, &mut usage, when, now), reason, "{unit} {when}");
        }
    }
}

#[test]
fn a_slot_of_a_later_period_is_not_reused() {
    let catalog = catalog("UTC", "limits: {usesPerMember: {day: 5}}");
    let mut usage = Usage::default();
    // An instance whose clock is ahead has begun the day after tomorrow, in the slot of today.
    assert_eq!(judge(&catalog, &mut usage, "2026-03-03T00:00:01Z", "2026-03-03T00:00:01Z"), "PAID");
    assert_eq!(judge(&catalog, &mut usage, "2026-03-01T23:59:59Z", "2026-03-01T23:59:59Z"), "PERIOD_CLOSED");
    assert_eq!(judge(&catalog, &mut usage, "2026-03-02T23:59:59Z", "2026-03-02T23:59:59Z"), "PAID");
    assert_eq!(usage.used("use#RULE#day1"), usage.used("use#RULE#day0") - 1_000_000_000_000);
}

#[test]
fn limits_per_period_and_for_ever_hold_together() {
    let catalog = catalog("UTC", "limits: {usesPerMember: {day: 2, month: 5, ever: 6}}");
    let mut usage = Usage::default();
    let mut paid = Vec::new();
    for day in 1..6 {
        for hour in 0..4 {
            let when = format!("2026-03-{day:02}T{hour:02}:00:00Z");
            paid.push(u64::from(judge(&catalog, &mut usage, &when, &when) == "PAID"));
        }
    }
    let by_day: Vec<u64> = paid.chunks(4).map(|day| day.iter().sum()).collect();
    assert_eq!(by_day, [2, 2, 1, 0, 0]);
    let april = |usage: &mut Usage| judge(&catalog, usage, "2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z");
    assert_eq!([april(&mut usage), april(&mut usage)], ["PAID", "LIMIT_REACHED"]);
    let (json, sentence) = explained(&catalog, &usage, ["2026-04-01T00:00:00Z"; 2], &[]);
    assert_eq!(json["detail"], json!({"which": "usesPerMember", "limit": 6, "used": 6}));
    assert_eq!(sentence, "RULE paid nothing: its limit of 6 uses per member is used up (6 used).");
}

#[test]
fn explanations_name_the_period() {
    let catalog = catalog("UTC", "limits: {usesPerMember: {week: 1}, pointsPerMember: {month: 100}}");
    let mut usage = Usage::default();
    let now = "2026-03-04T12:00:00Z";
    assert_eq!(judge(&catalog, &mut usage, now, now), "PAID");
    let (json, sentence) = explained(&catalog, &usage, [now; 2], &[]);
    assert_eq!(json["detail"], json!({"which": "usesPerMember", "per": "week", "limit": 1, "used": 1}));
    assert_eq!(json["due"], 10);
    assert_eq!(sentence, "RULE paid nothing: its limit of 1 use per member and week is used up (1 used).");
    let (json, sentence) = explained(&catalog, &usage, ["2026-02-20T12:00:00Z", now], &[]);
    assert_eq!(json["reason"], "PERIOD_CLOSED");
    assert_eq!(json["detail"]["per"], "week");
    assert_eq!(
        sentence,
        "RULE paid nothing: its limit per week counts the week of the arrival, 2026-03-04T12:00:00.000Z, and the one \
         before, and the activity is of 2026-02-20T12:00:00.000Z."
    );
}

#[test]
fn a_first_occurrence_is_the_first_with_the_trigger_whatever_its_data() {
    let catalog = catalog("UTC", "first: true, conditions: [{field: amount, ge: 100}]");
    let now = ["2026-03-04T12:00:00Z"; 2];
    let mut usage = Usage::default();
    assert_eq!(judge_with(&catalog, &mut usage, now, &[("amount", json!(200))]), "PAID");
    assert_eq!(judge_with(&catalog, &mut usage, now, &[("amount", json!(200))]), "CONDITION_NOT_MET");
    let mut usage = Usage::default();
    assert_eq!(judge_with(&catalog, &mut usage, now, &[("amount", json!(50))]), "CONDITION_NOT_MET");
    assert_eq!(judge_with(&catalog, &mut usage, now, &[("amount", json!(200))]), "CONDITION_NOT_MET");
    let (json, sentence) = explained(&catalog, &usage, now, &[("amount", json!(200))]);
    assert_eq!(json["detail"], json!({"test": "first", "wanted": true, "found": false}));
    assert_eq!(sentence, "RULE paid nothing: it pays for a member's first occurrence only.");
}

#[test]
fn every_third_pays_and_only_those_to_which_the_rule_applies_count() {
    let catalog = catalog("UTC", "every: 3, conditions: [{field: amount, ge: 100}]");
    let now = ["2026-03-04T12:00:00Z"; 2];
    let mut usage = Usage::default();
    let amounts = [100, 50, 100, 50, 100, 100, 100, 100];
    let paid = amounts.map(|amount| judge_with(&catalog, &mut usage, now, &[("amount", json!(amount))]) == "PAID");
    assert_eq!(paid, [false, false, false, false, true, false, false, true]);
    let (json, sentence) = explained(&catalog, &usage, now, &[("amount", json!(100))]);
    assert_eq!(json["detail"], json!({"test": "every", "wanted": 3, "found": 1}));
    assert_eq!(sentence, "RULE paid nothing: it pays every 3 times, and this was number 1.");
}

#[test]
fn one_of_several_alternatives_is_enough() {
    let catalog = catalog(
        "UTC",
        "conditions: [{field: country, eq: DE}, {any: [{field: amount, ge: 100}, \
         {all: [{field: tier, eq: gold}, {field: amount, ge: 50}]}]}]",
    );
    let now = ["2026-03-04T12:00:00Z"; 2];
    for (amount, tier, reason) in [
        (100, "none", "PAID"),
        (50, "gold", "PAID"),
        (50, "none", "CONDITION_NOT_MET"),
        (49, "gold", "CONDITION_NOT_MET"),
    ] {
        let data = [("country", json!("DE")), ("amount", json!(amount)), ("tier", json!(tier))];
        assert_eq!(judge_with(&catalog, &mut Usage::default(), now, &data), reason, "{amount} {tier}");
    }
    let data = [("country", json!("DE")), ("amount", json!(49)), ("tier", json!("gold"))];
    let (json, sentence) = explained(&catalog, &Usage::default(), now, &data);
    assert_eq!(
        json["detail"],
        json!({"test": "any", "unmet": [
            {"field": "amount", "test": "ge", "wanted": 100, "found": 49},
            {"field": "amount", "test": "ge", "wanted": 50, "found": 49},
        ]})
    );
    // The alternative with the fewest changes, and among these the first.
    assert_eq!(
        sentence,
        "RULE paid nothing: none of its alternatives was met: amount must be at least 100, and it was 49; or amount must \
         be at least 50, and it was 49. It would have paid 10 points with amount 100 (51 more)."
    );
}

#[test]
fn weekdays_and_times_of_day_are_those_of_the_zone() {
    let happy = "conditions: [{weekday: [friday, saturday]}, {timeOfDay: {from: '22:00', until: '02:00'}}]";
    let catalog = catalog("America/New_York", happy);
    for (when, reason) in [
        // 2026-03-06 was a Friday; New York was five hours behind.
        ("2026-03-07T02:59:59Z", "CONDITION_NOT_MET"),
        ("2026-03-07T03:00:00Z", "PAID"),
        ("2026-03-07T06:59:59Z", "PAID"),
        ("2026-03-07T07:00:00Z", "CONDITION_NOT_MET"),
        // After Saturday's midnight it is Sunday.
        ("2026-03-08T04:59:59Z", "PAID"),
        ("2026-03-08T05:00:00Z", "CONDITION_NOT_MET"),
    ] {
        assert_eq!(judge(&catalog, &mut Usage::default(), when, when), reason, "{when}");
    }
    let (json, sentence) = explained(&catalog, &Usage::default(), ["2026-03-05T16:30:00Z"; 2], &[]);
    assert_eq!(json["detail"], json!({"test": "weekday", "wanted": ["friday", "saturday"], "found": "thursday"}));
    assert_eq!(json["change"][0], json!({"weekday": ["friday", "saturday"]}));
    assert_eq!(json["change"][1], json!({"timeOfDay": {"from": "22:00", "until": "02:00"}}));
    assert_eq!(
        sentence,
        "RULE paid nothing: the weekday must be friday or saturday, and it was thursday. It would have paid 10 points on \
         friday or saturday and from 22:00 until 02:00."
    );
}

#[test]
fn a_change_of_the_time_names_the_schedules_that_must_still_be_met() {
    let catalog = catalog(
        "UTC",
        "window: {from: '2026-03-10T00:00:00Z'}, conditions: [{timeOfDay: {from: '08:00', until: '20:00'}}]",
    );
    // Early enough in the day, and too early for the window.
    let (json, sentence) = explained(&catalog, &Usage::default(), ["2026-03-05T12:00:00Z"; 2], &[]);
    assert_eq!(json["reason"], "BEFORE_WINDOW");
    assert_eq!(json["change"][1], json!({"timeOfDay": {"from": "08:00", "until": "20:00"}}));
    assert!(sentence.ends_with("at or after 2026-03-10T00:00:00.000Z and from 08:00 until 20:00."), "{sentence}");
}

#[test]
fn shards_are_chosen_until_all_are_exhausted() {
    let limits = json!({"usesInTotal": 7});
    let catalog = read(&json!({
        "businessUnits": {"U": "enabled"},
        "offers": [{"id": "RULE", "unit": "U", "kind": "base", "reward": {"flat": 10}, "limits": limits}],
        "applied": {"shares": {"RULE": [3, 2, 2]}},
    }));
    let data = fields(&[]);
    let at = moment("2026-03-05T12:00:00Z");
    let occurrence =
        Occurrence { trigger: CHECK_IN, channel: None, business_unit: None, at, received_at: at, data: &data };
    let mut used = [0; 3];
    let mut stored = Vec::new();
    for seed in 0..9 {
        let mut usage = Usage::with_seed(seed);
        for (index, used) in used.iter().enumerate() {
            usage.set(format!("cap#RULE#{index}"), *used);
        }
        let award = catalog.evaluate(&occurrence, Member::default(), &usage);
        for spend in award.spends() {
            used[spend.shard.expect("a shard").index] += spend.amount;
        }
        let mut again = Usage::default();
        award.assumed().iter().for_each(|(name, used)| again.set(name.as_str(), *used));
        // The stored award follows from what it assumed, without the seed.
        assert_eq!(catalog.evaluate(&occurrence, Member::default(), &again), award);
        stored.push(award.points());
    }
    assert_eq!((used, stored), ([3, 2, 2], vec![10, 10, 10, 10, 10, 10, 10, 0, 0]));
    let mut usage = Usage::default();
    (0..3).for_each(|index| usage.set(format!("cap#RULE#{index}"), used[index]));
    let (json, _) = explained(&catalog, &usage, ["2026-03-05T12:00:00Z"; 2], &[]);
    assert_eq!(json["detail"], json!({"which": "usesInTotal", "limit": 7, "used": 7}));
}

#[test]
fn shares_that_are_not_the_limit_are_refused() {
    let stored = r#"{"campaigns":[{"id":"RUSH","event":"e","points":1,"limits":{"usesInTotal":9}}],
                     "applied":{"shares":{"RUSH":[5,5],"GONE":[1,1]}}}"#;
    assert!(Catalog::from_json(stored).is_err());
    assert!(Catalog::from_json(&stored.replace("[5,5]", "[5,4]")).is_ok());
    // A single share is the item without a number, as in catalogs that were applied before there were shards.
    let single = Catalog::from_json(&stored.replace("[5,5]", "[9]")).expect("a catalog");
    assert_eq!(single.rules().next().expect("a rule").total_names(), ["cap#RUSH"]);
}

#[test]
fn malformed_periods_and_conditions_are_reported() {
    for (rest, message) in [
        (
            "limits: {usesPerMember: {}}",
            "/offers/0/limits/usesPerMember must have at least one of day, week, month, year, ever",
        ),
        ("limits: {usesPerMember: {hour: 1}}", "/offers/0/limits/usesPerMember/hour is not a known member"),
        ("limits: {usesPerMember: {day: 0}}", "/offers/0/limits/usesPerMember/day must be a whole number from 1"),
        ("limits: {usesInTotal: {day: 1}}", "/offers/0/limits/usesInTotal must be a whole number"),
        ("first: true, every: 2", "/offers/0 must not have both first and every"),
        ("every: 1", "/offers/0/every must be at least 2"),
        ("conditions: [{any: []}]", "/offers/0/conditions/0/any must"),
        (
            "conditions: [{any: [{field: a, eq: 1}], field: b, eq: 1}]",
            "/offers/0/conditions/0 must have nothing beside",
        ),
        ("conditions: [{weekday: [funday]}]", "/offers/0/conditions/0/weekday/0 must be monday, tuesday"),
        (
            "conditions: [{timeOfDay: {from: '1:00', until: '02:00'}}]",
            "/offers/0/conditions/0/timeOfDay/from must be a time of day",
        ),
        ("conditions: [{timeOfDay: {from: '02:00', until: '02:00'}}]", "/offers/0/conditions/0/timeOfDay must end"),
    ] {
        let text = format!(
            "businessUnits: {{U: enabled}}\noffers:\n  - {{id: RULE, unit: U, kind: base, reward: {{flat: 1}}, {rest}}}\n"
        );
        let problems = yaml::read(&text).expect_err("a problem");
        let found = problems.iter().any(|problem| problem.to_string().contains(message));
        assert!(found, "{message}: {problems:?}");
    }
    for text in ["timezone: Europe/Nowhere\n", "applied: {}\n"] {
        assert!(yaml::read(text).is_err(), "{text}");
    }
}
