//! Explanations: every reason, in JSON and in sentences. The changes have tests of their own.

mod support;

use punchcard_models::{data::OpenData, ids::AccountId};
use punchcard_rewards::{Member, Occurrence, Trigger, Usage, yaml};
use serde_json::{Value, json};

use support::{as_json, data, moment, read};

/// An activity or event, where it differs from a check-in of account A-1 on 2024-10-01.
struct Case<'a> {
    trigger: Trigger<'a>,
    channel: &'a str,
    unit: Option<&'a str>,
    at: &'a str,
    account: &'a str,
    data: Value,
    used: &'a [(&'a str, u64)],
}

const CHECK_IN: Case<'static> = Case {
    trigger: Trigger::Action("APP_CHECKIN"),
    channel: "APP",
    unit: None,
    at: "2024-10-01T07:00:00Z",
    account: "A-1",
    data: Value::Null,
    used: &[],
};

/// The explanation of each rule: the JSON with which the case's table begins, and the sentence.
fn explained(case: &Case<'_>) -> Vec<(Value, String)> {
    let catalog = yaml::read(yaml::DEMO).expect("a catalog").into_catalog();
    let data = if case.data.is_null() { OpenData::new() } else { data(&case.data) };
    let account = case.account.parse::<AccountId>().expect("an id");
    let mut usage = Usage::default();
    for (counter, used) in case.used {
        usage.set(*counter, *used);
    }
    let at = moment(case.at);
    let occurrence = Occurrence {
        trigger: case.trigger,
        channel: Some(case.channel),
        business_unit: case.unit,
        at,
        received_at: at,
        data: &data,
    };
    let explanations = catalog.explain(&occurrence, Member { account: Some(&account), loyalty: None }, &usage);
    explanations.iter().map(|explanation| (as_json(explanation), explanation.to_string())).collect()
}

/// The rows of the table of offers: id, paid, due, reason, then the detail and the change if there are any.
fn rows(case: &Case<'_>) -> Vec<Value> {
    let row = |(explanation, _): (Value, String)| {
        let id = explanation.get("offer").or(explanation.get("campaign")).expect("an id");
        let [paid, due, reason, detail] = ["paid", "due", "reason", "detail"].map(|name| &explanation[name]);
        let detail = Some(detail).filter(|detail| **detail != json!({}));
        let row = [id, paid, due, reason].into_iter().chain(detail).chain(explanation.get("change"));
        Value::Array(row.cloned().collect())
    };
    explained(case).into_iter().map(row).collect()
}

#[test]
fn every_offer_of_the_demo_is_explained_for_a_check_in() {
    let targeted = json!(["XYZ_VIP", 0, 0, "NOT_TARGETED"]);
    let expected = [
        json!(["ABC_BASE", 3, 3, "PAID"]),
        json!(["ABC_LAUNCH", 7, 7, "PAID"]),
        json!(["OLD_BASE", 0, 0, "UNIT_DISABLED", {"unit": "OLD"}]),
        json!(["XYZ_BASE", 10, 10, "PAID"]),
        targeted.clone(),
    ];
    assert_eq!(rows(&CHECK_IN), expected);

    let after = rows(&Case { at: "2025-01-01T00:00:00Z", ..CHECK_IN });
    let until = json!({"until": "2025-01-01T00:00:00.000Z", "found": "2025-01-01T00:00:00.000Z"});
    let window = json!([{"time": {"from": "2024-01-01T00:00:00.000Z", "until": "2025-01-01T00:00:00.000Z"}}]);
    assert_eq!(after[1], json!(["ABC_LAUNCH", 0, 0, "AFTER_WINDOW", until, window]));
    let before = rows(&Case { at: "2023-12-31T23:59:59Z", ..CHECK_IN });
    let from = json!({"from": "2024-01-01T00:00:00.000Z", "found": "2023-12-31T23:59:59.000Z"});
    assert_eq!(before[1], json!(["ABC_LAUNCH", 0, 0, "BEFORE_WINDOW", from, window]));
    let sold_out = rows(&Case { used: &[("cap#ABC_LAUNCH", 100)], ..CHECK_IN });
    let limit = json!({"which": "usesInTotal", "limit": 100, "used": 100});
    assert_eq!(sold_out[1], json!(["ABC_LAUNCH", 0, 7, "LIMIT_REACHED", limit]));
    let of_abc = rows(&Case { unit: Some("ABC"), ..CHECK_IN });
    let unit = json!({"wanted": "XYZ", "found": "ABC"});
    assert_eq!(of_abc[3], json!(["XYZ_BASE", 0, 0, "OTHER_UNIT", unit, [{"businessUnit": "XYZ"}]]));
    let for_vip = json!(["XYZ_VIP", 0, 0, "OTHER_UNIT", unit]);
    assert_eq!(of_abc[4], for_vip, "the activity of another account would not have been paid either");
}

#[test]
fn every_offer_of_the_demo_is_explained_for_surveys_and_downloads() {
    let survey = Case { trigger: Trigger::Action("SURVEY_RESPONSE"), account: "A-1001", ..CHECK_IN };
    let expected = [
        json!(["ABC_BASE", 3, 3, "PAID"]),
        json!(["OLD_BASE", 0, 0, "UNIT_DISABLED", {"unit": "OLD"}]),
        json!(["XYZ_BASE", 10, 10, "PAID"]),
        json!(["XYZ_SURVEY", 5, 5, "PAID"]),
        json!(["XYZ_VIP", 5, 5, "PAID"]),
    ];
    assert_eq!(rows(&survey), expected);
    let later = rows(&Case { used: &[("use#XYZ_SURVEY", 2), ("sum#XYZ_VIP", 5)], ..survey });
    let uses = json!({"which": "usesPerMember", "limit": 2, "used": 2});
    assert_eq!(later[3], json!(["XYZ_SURVEY", 0, 5, "LIMIT_REACHED", uses]));
    let points = json!({"which": "pointsPerMember", "limit": 8, "used": 5});
    assert_eq!(later[4], json!(["XYZ_VIP", 3, 5, "PAID_IN_PART", points]));

    let download = Case { trigger: Trigger::Action("APP_DOWNLOAD"), channel: "WEB", ..CHECK_IN };
    let channels = json!({"wanted": ["APP"], "found": "WEB"});
    assert_eq!(rows(&download)[3], json!(["XYZ_DOWNLOAD", 0, 0, "OTHER_CHANNEL", channels, [{"channel": ["APP"]}]]));
    assert_eq!(rows(&Case { channel: "APP", ..download })[3], json!(["XYZ_DOWNLOAD", 10, 10, "PAID"]));
}

#[test]
fn every_campaign_of_the_demo_is_explained() {
    let order = |data: Value| Case { trigger: Trigger::Event("place_order"), data, ..CHECK_IN };
    let amount = json!({"field": "total_amount", "test": "ge", "wanted": 100, "found": 80});
    let category =
        json!({"field": "category", "test": "contains", "wanted": "electronics", "found": null, "absent": true});
    assert_eq!(
        rows(&order(json!({"total_amount": 80}))),
        [
            json!(["BIG_ORDER", 0, 0, "CONDITION_NOT_MET", amount, [{"field": "total_amount", "to": 100, "more": 20}]]),
            json!(["ELECTRONICS", 0, 0, "CONDITION_NOT_MET", category, [{"field": "category", "to": ["electronics"]}]]),
        ]
    );
    let both = order(json!({"total_amount": "120", "category": ["books", "electronics"]}));
    assert_eq!(rows(&both), [json!(["BIG_ORDER", 50, 50, "PAID"]), json!(["ELECTRONICS", 20, 20, "PAID"])]);
    let review = Case { trigger: Trigger::Event("review"), used: &[("use#REVIEW", 3)], ..CHECK_IN };
    let uses = json!({"which": "usesPerMember", "limit": 3, "used": 3});
    assert_eq!(rows(&review), [json!(["REVIEW", 0, 5, "LIMIT_REACHED", uses])]);
}

/// The sentence of one rule.
fn sentence(case: &Case<'_>, rule: &str) -> String {
    let found = explained(case).into_iter().find(|(json, _)| json["offer"] == rule || json["campaign"] == rule);
    found.expect("the rule answers").1
}

#[test]
fn people_read_sentences() {
    let survey = || Case { trigger: Trigger::Action("SURVEY_RESPONSE"), account: "A-1001", ..CHECK_IN };
    let later = Case { used: &[("use#XYZ_SURVEY", 2), ("sum#XYZ_VIP", 5)], ..survey() };
    let download = Case { trigger: Trigger::Action("APP_DOWNLOAD"), channel: "WEB", ..CHECK_IN };
    let order = Case { trigger: Trigger::Event("place_order"), data: json!({"total_amount": 80}), ..CHECK_IN };
    let late = || Case { at: "2025-03-01T00:00:00Z", ..CHECK_IN };
    for (case, rule, expected) in [
        (&survey(), "XYZ_SURVEY", "XYZ_SURVEY paid 5 of 5 points."),
        (&later, "XYZ_VIP", "XYZ_VIP paid 3 of 5 points: 3 points were left of its limit of 8 points per member."),
        (&later, "XYZ_SURVEY", "XYZ_SURVEY paid nothing: its limit of 2 uses per member is used up (2 used)."),
        (&survey(), "OLD_BASE", "OLD_BASE paid nothing: business unit OLD was disabled."),
        (&CHECK_IN, "XYZ_VIP", "XYZ_VIP paid nothing: it is targeted at other members."),
        (
            &download,
            "XYZ_DOWNLOAD",
            "XYZ_DOWNLOAD paid nothing: its channel is APP, and the activity's is WEB. It would have paid in channel APP.",
        ),
        (
            &order,
            "BIG_ORDER",
            "BIG_ORDER paid nothing: total_amount must be at least 100, and it was 80. 20 more would have paid 50 points.",
        ),
        (
            &order,
            "ELECTRONICS",
            "ELECTRONICS paid nothing: category must contain \"electronics\", and it was absent. It would have paid 20 \
             points with category [\"electronics\"].",
        ),
        (
            &late(),
            "ABC_LAUNCH",
            "ABC_LAUNCH paid nothing: it ended at 2025-01-01T00:00:00.000Z, and the activity is of \
             2025-03-01T00:00:00.000Z. At or after 2024-01-01T00:00:00.000Z and before 2025-01-01T00:00:00.000Z it would \
             have paid 7 points, within its limit of 100 uses in total.",
        ),
        (
            &Case { unit: Some("XYZ"), ..late() },
            "ABC_LAUNCH",
            "ABC_LAUNCH paid nothing: it is of business unit ABC, and the activity names XYZ. It would have paid 7 \
             points for business unit ABC or none and at or after 2024-01-01T00:00:00.000Z and before \
             2025-01-01T00:00:00.000Z, within its limit of 100 uses in total.",
        ),
        (
            &Case { unit: Some("XYZ"), used: &[("cap#ABC_LAUNCH", 100)], ..late() },
            "ABC_LAUNCH",
            "ABC_LAUNCH paid nothing: it is of business unit ABC, and the activity names XYZ.",
        ),
    ] {
        assert_eq!(sentence(case, rule), expected);
    }
    let launch = explained(&late()).into_iter().find(|(json, _)| json["offer"] == "ABC_LAUNCH");
    assert_eq!(launch.map(|(json, _)| json["within"].clone()), Some(json!({"usesInTotal": 100})));
}

/// The JSON and the sentence of the last rule of a catalog.
fn last(catalog: &Value, trigger: Trigger<'_>, channel: &str, sent: &Value) -> (Value, String) {
    let (catalog, data, at) = (read(catalog), data(sent), moment("2024-10-01T07:00:00Z"));
    let occurrence =
        Occurrence { trigger, channel: Some(channel), business_unit: None, at, received_at: at, data: &data };
    let explanations = catalog.explain(&occurrence, Member::default(), &Usage::default());
    let last = explanations.last().expect("an explanation");
    (as_json(last), last.to_string())
}

#[test]
fn reasons_that_the_demo_has_no_example_of() {
    let share = |base: u64| {
        json!({"businessUnits": {"U": "enabled"}, "offers": [
            {"id": "BASE", "unit": "U", "kind": "base", "reward": {"flat": base}, "channels": ["APP"]},
            {"id": "SHARE", "unit": "U", "kind": "bonus", "reward": {"percentage": 5.5}}]})
    };
    let disabled = json!({"rewards": "disabled", "campaigns": [{"id": "ONE", "event": "e", "points": 1}]});
    let (check_in, event) = (Trigger::Action("APP_CHECKIN"), Trigger::Event("e"));
    for (catalog, trigger, channel, reason, detail, sentence) in [
        (
            share(10),
            check_in,
            "WEB",
            "NO_BASE_POINTS",
            json!({"basePoints": 0, "share": 0.055}),
            "SHARE paid nothing: it pays a share of the base points, and there were none.",
        ),
        (
            share(10),
            check_in,
            "APP",
            "LESS_THAN_ONE_POINT",
            json!({"basePoints": 10, "share": 0.055}),
            "SHARE paid nothing: its share of 0.055 of 10 base points is less than one point.",
        ),
        (disabled, event, "APP", "REWARDS_DISABLED", json!({}), "ONE paid nothing: rewards were disabled."),
    ] {
        let (json, said) = last(&catalog, trigger, channel, &json!({}));
        assert_eq!((&json["paid"], &json["due"]), (&json!(0), &json!(0)), "{reason}");
        assert_eq!((&json["reason"], &json["detail"], &json["change"]), (&json!(reason), &detail, &Value::Null));
        assert_eq!(said, sentence);
    }
}

#[test]
fn the_time_of_an_event_is_its_arrival() {
    let campaign = |window: Value, conditions: Value| json!({"campaigns": [{"id": "ONE", "event": "e", "points": 1, "window": window, "conditions": conditions}]});
    let soon = campaign(json!({"from": "2024-11-01T00:00:00Z"}), json!([]));
    assert_eq!(
        last(&soon, Trigger::Event("e"), "APP", &json!({})).1,
        "ONE paid nothing: it starts at 2024-11-01T00:00:00.000Z, and the event arrived at 2024-10-01T07:00:00.000Z. \
         Sent at or after 2024-11-01T00:00:00.000Z, it would have paid 1 point."
    );
    let over = campaign(json!({"until": "2024-09-01T00:00:00Z"}), json!([{"field": "x", "gt": 2}]));
    assert_eq!(
        last(&over, Trigger::Event("e"), "APP", &json!({"x": 1})).1,
        "ONE paid nothing: it ended at 2024-09-01T00:00:00.000Z, and the event arrived at 2024-10-01T07:00:00.000Z. It \
         would have paid 1 point sent before 2024-09-01T00:00:00.000Z and with x 3 (2 more)."
    );
}

#[test]
fn what_was_sent_cannot_steer_a_terminal() {
    let catalog = json!({"businessUnits": {"U": "enabled"}, "offers": [
        {"id": "ONE", "unit": "U", "kind": "base", "reward": {"flat": 1}, "channels": ["APP"]}]});
    let channel = "\u{1b}[31m\n\u{9b}\u{202e}é";
    let (json, said) = last(&catalog, Trigger::Action("APP_CHECKIN"), channel, &json!({}));
    assert_eq!(json["detail"]["found"], channel, "JSON is not changed");
    assert!(said.contains(r"the activity's is \u{1b}[31m\u{a}\u{9b}\u{202e}é."), "{said}");
}

#[test]
fn a_sentence_names_ten_channels_at_most() {
    let channels: Vec<_> = (10..22).map(|number| format!("C{number}")).collect();
    let catalog = json!({"businessUnits": {"U": "enabled"}, "offers": [
        {"id": "ONE", "unit": "U", "kind": "base", "reward": {"flat": 1}, "channels": channels}]});
    let (json, said) = last(&catalog, Trigger::Action("APP_CHECKIN"), "APP", &json!({}));
    assert_eq!(json["change"], json!([{"channel": channels}]));
    assert!(said.contains("its channels are C10, C11,") && said.contains("C19 and 2 more,"), "{said}");
    assert!(said.ends_with(
        "It would have paid 1 point in channel C10, C11, C12, C13, C14, C15, C16, C17, C18, C19 or 2 more."
    ));
}

#[test]
fn a_long_value_is_shown_in_part() {
    let catalog = json!({"campaigns": [
        {"id": "ONE", "event": "e", "points": 1, "conditions": [{"field": "x", "eq": 1}]}]});
    let (json, said) = last(&catalog, Trigger::Event("e"), "APP", &json!({"x": "y".repeat(4000)}));
    let shown = json["detail"]["found"].as_str().map(|text| text.chars().count());
    assert_eq!(shown, Some(257));
    assert!(said.len() < 500);
}
