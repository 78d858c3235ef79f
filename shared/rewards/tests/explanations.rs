//! Explanations: of the demo catalog, and properties of all.

use proptest::{collection::vec, option, prelude::*, sample::select};
use punchcard_models::{
    data::{self, OpenData},
    fault::Faults,
    ids::AccountId,
    json,
    timestamp::Timestamp,
};
use punchcard_rewards::{Catalog, Edit, Explanation, Line, Member, Occurrence, Trigger, Usage, yaml};
use serde_json::{Value, json};

fn moment(text: &str) -> Timestamp {
    Timestamp::from_text(text).expect("a moment")
}

fn data(json: &Value) -> OpenData {
    json::parse(json.to_string().as_bytes(), &Faults::default(), data::parse_object).expect("open data")
}

fn read(catalog: &Value) -> Catalog {
    let catalog = catalog.to_string();
    Catalog::from_json(&catalog).unwrap_or_else(|faults| panic!("{:?} in {catalog}", faults.into_iter().next()))
}

fn as_json(explanation: &Explanation<'_>) -> Value {
    serde_json::from_str(&explanation.to_json().to_string()).expect("JSON")
}

/// What an activity or event is, beyond a check-in of account A-1 on 2024-10-01.
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
    let occurrence =
        Occurrence { trigger: case.trigger, channel: Some(case.channel), business_unit: case.unit, at, data: &data };
    let explanations = catalog.explain(&occurrence, Member { account: Some(&account), loyalty: None }, &usage);
    explanations.iter().map(|explanation| (as_json(explanation), explanation.to_string())).collect()
}

/// The rows of the table of offers: id, paid, due, reason, detail.
fn rows(case: &Case<'_>) -> Vec<Value> {
    let row = |(explanation, _): (Value, String)| {
        let id = explanation.get("offer").or(explanation.get("campaign")).expect("an id");
        let [paid, due, reason, detail] = ["paid", "due", "reason", "detail"].map(|name| &explanation[name]);
        let mut row = json!([id, paid, due, reason]);
        if *detail != json!({}) {
            row.as_array_mut().expect("a row").push(detail.clone());
        }
        row
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
    assert_eq!(after[1], json!(["ABC_LAUNCH", 0, 0, "AFTER_WINDOW", until]));
    let before = rows(&Case { at: "2023-12-31T23:59:59Z", ..CHECK_IN });
    let from = json!({"from": "2024-01-01T00:00:00.000Z", "found": "2023-12-31T23:59:59.000Z"});
    assert_eq!(before[1], json!(["ABC_LAUNCH", 0, 0, "BEFORE_WINDOW", from]));
    let sold_out = rows(&Case { used: &[("cap#ABC_LAUNCH", 100)], ..CHECK_IN });
    let limit = json!({"which": "usesInTotal", "limit": 100, "used": 100});
    assert_eq!(sold_out[1], json!(["ABC_LAUNCH", 0, 7, "LIMIT_REACHED", limit]));
    let of_abc = rows(&Case { unit: Some("ABC"), ..CHECK_IN });
    assert_eq!(of_abc[3], json!(["XYZ_BASE", 0, 0, "OTHER_UNIT", {"wanted": "XYZ", "found": "ABC"}]));
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
    assert_eq!(rows(&download)[3], json!(["XYZ_DOWNLOAD", 0, 0, "OTHER_CHANNEL", channels]));
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
            json!(["BIG_ORDER", 0, 0, "CONDITION_NOT_MET", amount]),
            json!(["ELECTRONICS", 0, 0, "CONDITION_NOT_MET", category]),
        ]
    );
    let both = order(json!({"total_amount": "120", "category": ["books", "electronics"]}));
    assert_eq!(rows(&both), [json!(["BIG_ORDER", 50, 50, "PAID"]), json!(["ELECTRONICS", 20, 20, "PAID"])]);
    let review = Case { trigger: Trigger::Event("review"), used: &[("use#REVIEW", 3)], ..CHECK_IN };
    let uses = json!({"which": "usesPerMember", "limit": 3, "used": 3});
    assert_eq!(rows(&review), [json!(["REVIEW", 0, 5, "LIMIT_REACHED", uses])]);
}

/// The JSON of the change and the sentence of one rule.
fn change(case: &Case<'_>, rule: &str) -> (Value, String) {
    let found = explained(case).into_iter().find(|(json, _)| json["offer"] == rule || json["campaign"] == rule);
    let (json, sentence) = found.expect("the rule answers");
    (json.get("change").cloned().unwrap_or_default(), sentence)
}

#[test]
fn the_smallest_change_that_would_have_paid_is_named() {
    let order = Case { trigger: Trigger::Event("place_order"), data: json!({"total_amount": 80}), ..CHECK_IN };
    let (edits, sentence) = change(&order, "BIG_ORDER");
    assert_eq!(edits, json!([{"field": "total_amount", "to": 100, "more": 20}]));
    assert_eq!(
        sentence,
        "BIG_ORDER paid nothing: total_amount must be at least 100, and it was 80. It would have paid with 20 more \
         total_amount (100)."
    );
    let (edits, sentence) = change(&Case { data: json!({"category": "books"}), ..order }, "ELECTRONICS");
    assert_eq!(edits, json!([{"field": "category", "to": "books,electronics"}]));
    assert!(
        sentence.ends_with(r#"and it was "books". It would have paid with category "books,electronics"."#),
        "{sentence}"
    );

    let late = Case { at: "2025-03-01T00:00:00Z", unit: Some("XYZ"), ..CHECK_IN };
    let (edits, sentence) = change(&late, "ABC_LAUNCH");
    let window = json!({"from": "2024-01-01T00:00:00.000Z", "until": "2025-01-01T00:00:00.000Z"});
    assert_eq!(edits, json!([{"businessUnit": "ABC"}, {"time": window}]));
    assert_eq!(
        sentence,
        "ABC_LAUNCH paid nothing: it is of business unit ABC, and the activity names XYZ. It would have paid with \
         business unit ABC, or none and a time from 2024-01-01T00:00:00.000Z to before 2025-01-01T00:00:00.000Z, within \
         its limit of 100 uses in total."
    );
    let launch = explained(&late).into_iter().find(|(json, _)| json["offer"] == "ABC_LAUNCH");
    assert_eq!(launch.map(|(json, _)| json["within"].clone()), Some(json!({"usesInTotal": 100})));
    let sold_out = Case { used: &[("cap#ABC_LAUNCH", 100)], ..late };
    assert_eq!(change(&sold_out, "ABC_LAUNCH").0, Value::Null, "no change of the activity helps");
    for rule in ["OLD_BASE", "XYZ_VIP", "ABC_BASE"] {
        assert_eq!(change(&CHECK_IN, rule).0, Value::Null, "{rule}");
    }
    let (edits, sentence) =
        change(&Case { used: &[("use#REVIEW", 3)], trigger: Trigger::Event("review"), ..CHECK_IN }, "REVIEW");
    assert_eq!(
        (edits, sentence.as_str()),
        (Value::Null, "REVIEW paid nothing: its limit is reached, 3 uses per member (3 used).")
    );
}

/// The change for a campaign with these conditions, given the data.
fn edits(conditions: &Value, found: &Value) -> Value {
    let catalog = read(&json!({"campaigns": [{"id": "ONE", "event": "e", "points": 1, "conditions": conditions}]}));
    let (data, at) = (data(found), moment("2024-10-01T07:00:00Z"));
    let occurrence = Occurrence { trigger: Trigger::Event("e"), channel: None, business_unit: None, at, data: &data };
    let explanations = catalog.explain(&occurrence, Member::default(), &Usage::default());
    as_json(&explanations[0]).get("change").cloned().unwrap_or_default()
}

#[test]
fn a_field_moves_to_the_nearest_value_that_meets_all_its_tests() {
    for (tests, found, expected) in [
        (json!({"gt": 100}), json!(100), json!({"to": 101, "more": 1})),
        (json!({"gt": 100}), json!(99.5), json!({"to": 100.1, "more": 0.6})),
        (json!({"lt": 10, "gt": 5}), json!("20"), json!({"to": 9, "less": 11})),
        (json!({"le": 2.5}), json!(4), json!({"to": 2.5, "less": 1.5})),
        (json!({"ge": 10, "ne": 10}), json!(3), json!({"to": 11, "more": 8})),
        (json!({"in": [1, 5, 9]}), json!(6), json!({"to": 5, "less": 1})),
        (json!({"in": ["gold", "platinum"]}), json!("silver"), json!({"to": "gold"})),
        (json!({"eq": true}), json!(false), json!({"to": true})),
        (json!({"contains": "a"}), json!(["b"]), json!({"to": ["b", "a"]})),
        (json!({"contains": 5}), json!(7), json!({"to": [5]})),
        (json!({"exists": true}), Value::Null, json!({"present": true})),
        (json!({"exists": false}), json!(1), json!({"present": false})),
        (json!({"ne": "gold"}), json!("gold"), json!({"otherThan": "gold"})),
        (json!({"ge": 1e300}), json!(1), json!({"to": 1e300})),
    ] {
        let mut condition = tests.clone();
        condition["field"] = json!("x");
        let mut expected = expected;
        expected["field"] = json!("x");
        assert_eq!(edits(&json!([condition]), &json!({"x": found})), json!([expected]), "{tests} {found}");
    }
    // Conditions on one field count together, and those on several are all needed.
    let two = json!([{"field": "x", "ge": 10}, {"field": "x", "lt": 12}, {"field": "y", "exists": true}]);
    let needed = json!([{"field": "x", "to": 11, "less": 9}, {"field": "y", "present": true}]);
    assert_eq!(edits(&two, &json!({"x": 20})), needed);
    let contradictory = json!([{"field": "x", "ge": 10}, {"field": "x", "lt": 5}]);
    assert_eq!(edits(&contradictory, &json!({"x": 7})), Value::Null);
}

#[test]
fn a_long_value_is_shown_in_part() {
    let found = json!({"x": "y".repeat(4000)});
    let catalog = read(&json!({"campaigns": [
        {"id": "ONE", "event": "e", "points": 1, "conditions": [{"field": "x", "eq": 1}]}]}));
    let (data, at) = (data(&found), moment("2024-10-01T07:00:00Z"));
    let occurrence = Occurrence { trigger: Trigger::Event("e"), channel: None, business_unit: None, at, data: &data };
    let explanations = catalog.explain(&occurrence, Member::default(), &Usage::default());
    let shown = as_json(&explanations[0])["detail"]["found"].as_str().map(|text| text.chars().count());
    assert_eq!(shown, Some(257));
    assert!(explanations[0].to_string().len() < 500);
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..12i64).prop_map(|number| json!(number)),
        (0..24i32).prop_map(|half| json!(f64::from(half) / 2.0)),
        select(vec![json!("gold"), json!("7"), json!(true), json!(""), json!("a,b")]),
    ]
}

fn tests() -> impl Strategy<Value = Value> {
    let test = prop_oneof![
        (select(vec!["lt", "le", "gt", "ge"]), 0..12i64).prop_map(|(name, bound)| (name, json!(bound))),
        (select(vec!["eq", "ne"]), value()),
        // Text that is only part of every text has no nearest value.
        value().prop_filter("empty", |value| value != "").prop_map(|value| ("contains", value)),
        vec(value(), 1..3).prop_map(|values| ("in", json!(values))),
        any::<bool>().prop_map(|wanted| ("exists", json!(wanted))),
    ];
    vec(test, 1..3).prop_map(|tests| tests.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn condition() -> impl Strategy<Value = Value> {
    (select(vec!["x", "y"]), tests()).prop_map(|(field, mut condition)| {
        condition["field"] = json!(field);
        condition
    })
}

fn offer() -> impl Strategy<Value = Value> {
    let scope = (select(vec!["A", "B"]), option::of(select(vec!["APP", "WEB"])), option::of(1..9u32));
    let limits = option::of(1..3u64);
    (scope, vec(condition(), 0..3), limits).prop_map(|((unit, channel, day), conditions, limit)| {
        let mut offer = json!({"unit": unit, "kind": "base", "reward": {"flat": 5}, "conditions": conditions});
        if let Some(channel) = channel {
            offer["channels"] = json!([channel]);
        }
        if let Some(day) = day {
            let at = |day: u32| format!("2024-01-{day:02}T00:00:00Z");
            offer["window"] = json!({"from": at(day), "until": at(day + 3)});
        }
        if let Some(limit) = limit {
            offer["limits"] = json!({"usesPerMember": limit});
        }
        offer
    })
}

#[derive(Debug, Clone)]
struct Sent {
    channel: &'static str,
    unit: Option<&'static str>,
    day: u32,
    data: Value,
}

fn sent() -> impl Strategy<Value = Sent> {
    let field = || option::of(prop_oneof![value(), Just(json!(["gold", 3])), Just(json!({"nested": 1}))]);
    let scope = (select(vec!["APP", "WEB"]), option::of(select(vec!["A", "B"])), 1..13u32);
    (scope, field(), field()).prop_map(|((channel, unit, day), x, y)| {
        let fields = [("x", x), ("y", y)].into_iter();
        let data = fields.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Sent { channel, unit, day, data }
    })
}

/// The paid points of a rule.
fn paid(catalog: &Catalog, rule: &str, sent: &Sent, usage: &Usage) -> u64 {
    let data = data(&sent.data);
    let award = catalog.evaluate(&occurrence(sent, &data), Member::default(), usage);
    award.trace().iter().find(|line| **line.rule.id() == *rule).map_or(0, Line::points)
}

fn occurrence<'a>(sent: &'a Sent, data: &'a OpenData) -> Occurrence<'a> {
    Occurrence {
        trigger: Trigger::Action("APP_CHECKIN"),
        channel: Some(sent.channel),
        business_unit: sent.unit,
        at: moment(&format!("2024-01-{:02}T12:00:00Z", sent.day)),
        data,
    }
}

/// The activity with a change, as a reader of it would make it.
fn changed(mut sent: Sent, edits: &[Edit<'_>]) -> Sent {
    for edit in edits {
        match edit {
            Edit::BusinessUnit(_) => sent.unit = None,
            Edit::Channel(channels) => sent.channel = if channels.contains("APP") { "APP" } else { "WEB" },
            Edit::Time { from, .. } => {
                let from = from.expect("all windows have a start").to_string();
                sent.day = from[8..10].parse().expect("a day");
            }
            Edit::Field { field, to, .. } => {
                sent.data[*field] = serde_json::from_str(&to.to_json().to_string()).expect("JSON");
            }
            Edit::OtherThan { field, .. } => sent.data[*field] = json!("something else"),
            Edit::Present { field } => sent.data[*field] = json!("anything"),
            Edit::Absent { field } => {
                sent.data.as_object_mut().expect("an object").remove(*field);
            }
        }
    }
    sent
}

/// Activities that differ in one thing.
fn neighbours(sent: &Sent) -> Vec<Sent> {
    let with = |change: &dyn Fn(&mut Sent)| {
        let mut sent = sent.clone();
        change(&mut sent);
        sent
    };
    let mut all = vec![with(&|sent| sent.unit = None)];
    all.extend(["APP", "WEB"].map(|channel| with(&|sent| sent.channel = channel)));
    all.extend((1..13).map(|day| with(&|sent| sent.day = day)));
    for field in ["x", "y"] {
        let values = (0..24).map(|half| json!(f64::from(half) / 2.0));
        let others =
            [json!("gold"), json!("7"), json!(true), json!(""), json!("a,b"), json!(["gold"]), json!([7, true])];
        for value in values.chain(others) {
            all.push(with(&|sent| sent.data[field] = value.clone()));
        }
        all.push(changed(sent.clone(), &[Edit::Absent { field }]));
    }
    all
}

proptest! {
    #[test]
    fn a_change_would_have_paid_and_is_given_where_a_single_one_would_have(
        mut offers in vec(offer(), 1..4),
        sent in sent(),
        used in 0..3u64,
    ) {
        for (index, offer) in offers.iter_mut().enumerate() {
            offer["id"] = json!(format!("RULE_{index}"));
        }
        let catalog = read(&json!({"businessUnits": {"A": "enabled", "B": "enabled"}, "offers": offers}));
        let mut usage = Usage::default();
        usage.set("use#RULE_0", used);
        let data = data(&sent.data);
        for explanation in catalog.explain(&occurrence(&sent, &data), Member::default(), &usage) {
            let id = explanation.rule().id();
            match explanation.change() {
                Some(change) => {
                    prop_assert_eq!(explanation.paid(), 0);
                    let after = changed(sent.clone(), change.edits());
                    prop_assert!(paid(&catalog, id, &after, &usage) > 0, "{explanation} {after:?}");
                }
                None if explanation.paid() == 0 => {
                    let found = neighbours(&sent).into_iter().find(|other| paid(&catalog, id, other, &usage) > 0);
                    prop_assert!(found.is_none(), "{explanation} {found:?}");
                }
                None => {}
            }
        }
    }

    #[test]
    fn the_counters_that_an_award_assumed_explain_it(
        mut offers in vec(offer(), 1..4),
        sent in sent(),
        used in vec(0..3u64, 4),
    ) {
        for (index, offer) in offers.iter_mut().enumerate() {
            offer["id"] = json!(format!("RULE_{index}"));
        }
        let catalog = read(&json!({"businessUnits": {"A": "enabled", "B": "enabled"}, "offers": offers}));
        let mut usage = Usage::default();
        for (index, used) in used.into_iter().enumerate() {
            usage.set(format!("use#RULE_{index}"), used);
        }
        let data = data(&sent.data);
        let occurrence = occurrence(&sent, &data);
        let mut assumed = Usage::default();
        for (counter, used) in catalog.evaluate(&occurrence, Member::default(), &usage).assumed() {
            assumed.set(counter, *used);
        }
        let all = |usage: &Usage| {
            let explanations = catalog.explain(&occurrence, Member::default(), usage);
            explanations.iter().map(|one| {
                // A change is checked against counters that the award did not read.
                let mut json = as_json(one);
                let members = json.as_object_mut().expect("an object");
                members.retain(|name, _| name != "change" && name != "within");
                json
            }).collect::<Vec<_>>()
        };
        prop_assert_eq!(all(&usage), all(&assumed));
    }
}
