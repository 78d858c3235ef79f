//! The smallest change that would have paid: examples, and properties of all.

mod support;

use std::time::{Duration, Instant};

use proptest::{collection::vec, option, prelude::*, sample::select};
use punchcard_models::{
    data::{OpenData, Scalar},
    timestamp::Timestamp,
};
use punchcard_rewards::{Catalog, Edit, Explanation, Line, Member, Occurrence, Trigger, Usage};
use serde_json::{Value, json};

use support::{as_json, data, moment, read};

const CHECK_IN: Trigger<'static> = Trigger::Action("APP_CHECKIN");
const EVENT: Trigger<'static> = Trigger::Event("e");

/// The change for the last rule of a catalog, on 2024-10-01 on the web.
fn change(catalog: &Value, trigger: Trigger<'_>, sent: &Value) -> Value {
    let (catalog, data, at) = (read(catalog), data(sent), moment("2024-10-01T07:00:00Z"));
    let occurrence =
        Occurrence { trigger, channel: Some("WEB"), business_unit: None, at, received_at: at, data: &data };
    let explanations = catalog.explain(&occurrence, Member::default(), &Usage::default());
    as_json(explanations.last().expect("an explanation")).get("change").cloned().unwrap_or_default()
}

/// The change for a campaign with these conditions.
fn of_event(conditions: &Value, sent: &Value) -> Value {
    change(&json!({"campaigns": [{"id": "ONE", "event": "e", "points": 1, "conditions": conditions}]}), EVENT, sent)
}

fn offers(offers: &Value) -> Value {
    json!({"businessUnits": {"U": "enabled"}, "offers": offers})
}

/// The change for an offer with these conditions.
fn of_activity(conditions: &Value, sent: &Value) -> Value {
    let offer = json!([{"id": "ONE", "unit": "U", "kind": "base", "reward": {"flat": 1}, "conditions": conditions}]);
    change(&offers(&offer), CHECK_IN, sent)
}

#[test]
fn a_field_moves_to_the_nearest_value_that_meets_all_its_tests() {
    for (tests, found, expected) in [
        (json!({"gt": 100}), json!(100), json!({"to": 101, "more": 1})),
        (json!({"gt": 100}), json!(99.5), json!({"to": 100.1, "more": 0.6})),
        (json!({"gt": 4, "lt": 5}), json!(4), json!({"to": 4.1, "more": 0.1})),
        (json!({"lt": 10, "gt": 5}), json!("20"), json!({"to": 9, "less": 11})),
        (json!({"le": 2.5}), json!(4), json!({"to": 2.5, "less": 1.5})),
        (json!({"ge": 10, "ne": 10}), json!(3), json!({"to": 11, "more": 8})),
        (json!({"ge": 10}), json!("many"), json!({"to": 10})),
        (json!({"ge": 10}), Value::Null, json!({"to": 10})),
        (json!({"ge": 10}), json!([10]), json!({"to": 10})),
        (json!({"in": [1, 5, 9]}), json!(6), json!({"to": 5, "less": 1})),
        (json!({"in": ["gold", "platinum"]}), json!("silver"), json!({"to": "gold"})),
        (json!({"in": ["gold", "platinum"], "ne": "gold"}), json!("silver"), json!({"to": "platinum"})),
        (json!({"eq": true}), json!(false), json!({"to": true})),
        (json!({"contains": "a"}), json!(["b"]), json!({"to": ["b", "a"]})),
        (json!({"contains": "a"}), json!("b"), json!({"to": "b,a"})),
        (json!({"contains": "a", "ne": "a"}), json!(7), json!({"to": "a,a"})),
        (json!({"contains": "a", "gt": 0}), json!(7), Value::Null),
        (json!({"contains": "7", "gt": 0}), json!(5), json!({"to": "7", "more": 2})),
        (json!({"contains": 5}), json!(7), json!({"to": [5]})),
        (json!({"exists": true}), Value::Null, json!({"present": true})),
        (json!({"exists": false}), json!(1), json!({"present": false})),
        (json!({"ne": "gold"}), json!("gold"), json!({"otherThan": ["gold"]})),
        (json!({"ne": 5}), Value::Null, json!({"otherThan": [5]})),
        (json!({"ne": 5}), json!(5), json!({"to": 6, "more": 1})),
        (json!({"ge": 1e300}), json!(1), json!({"to": 1e300})),
    ] {
        let mut condition = tests.clone();
        condition["field"] = json!("x");
        let mut expected = expected;
        if !expected.is_null() {
            expected["field"] = json!("x");
            expected = json!([expected]);
        }
        assert_eq!(of_event(&json!([condition]), &json!({"x": found})), expected, "{tests} {found}");
    }
}

#[test]
fn conditions_on_one_field_count_together_and_those_on_several_are_all_needed() {
    let two = json!([{"field": "x", "ge": 10}, {"field": "x", "lt": 12}, {"field": "y", "exists": true}]);
    let needed = json!([{"field": "x", "to": 11, "less": 9}, {"field": "y", "present": true}]);
    assert_eq!(of_event(&two, &json!({"x": 20})), needed);
    let excluded = json!([{"field": "x", "ne": "a"}, {"field": "x", "ne": "b"}]);
    assert_eq!(of_event(&excluded, &json!({"x": "a"})), json!([{"field": "x", "otherThan": ["a", "b"]}]));
    let parts = json!([{"field": "x", "contains": "7"}, {"field": "x", "contains": "7", "gt": 0}]);
    assert_eq!(of_event(&parts, &json!({})), json!([{"field": "x", "to": "7"}]));
    let parts = json!([{"field": "x", "contains": "17"}, {"field": "x", "contains": "7", "gt": 0}]);
    assert_eq!(of_event(&parts, &json!({})), json!([{"field": "x", "to": "17"}]));
    for contradictory in [
        json!([{"field": "x", "ge": 10}, {"field": "x", "lt": 5}]),
        json!([{"field": "x", "exists": false}, {"field": "x", "ne": 1}]),
        json!([{"field": "x", "eq": "a"}, {"field": "x", "in": ["b", "c"]}]),
    ] {
        assert_eq!(of_event(&contradictory, &json!({"x": 7})), Value::Null, "{contradictory}");
    }
}

#[test]
fn an_activity_is_not_told_to_send_what_only_events_can() {
    let part = |part: Value| json!([{"field": "x", "contains": part}]);
    assert_eq!(of_activity(&part(json!(5)), &json!({"x": 7})), Value::Null, "only arrays contain a number");
    assert_eq!(of_activity(&part(json!("a")), &json!({})), json!([{"field": "x", "to": "a"}]));
    assert_eq!(of_event(&part(json!("a")), &json!({})), json!([{"field": "x", "to": ["a"]}]));
}

/// The change for an offer that doubles the points of base offers, all with these members.
fn of_share(base: &[Value], share: Value, sent: &Value) -> Value {
    let mut all = base.to_vec();
    for (index, offer) in all.iter_mut().enumerate() {
        (offer["id"], offer["kind"], offer["unit"]) = (json!(format!("BASE_{index}")), json!("base"), json!("U"));
    }
    let mut share = share;
    (share["id"], share["kind"], share["unit"]) = (json!("SHARE"), json!("bonus"), json!("U"));
    all.push(share);
    change(&offers(&json!(all)), CHECK_IN, sent)
}

#[test]
fn a_share_moves_only_to_where_base_offers_pay() {
    let twice = |more: Value| {
        let mut offer = more;
        offer["reward"] = json!({"multiplier": 2});
        offer
    };
    let ten = json!({"flat": 10});
    let channels = twice(json!({"channels": ["APP", "KIOSK"]}));
    let in_kiosk = json!({"reward": ten, "channels": ["KIOSK", "SHOP"]});
    assert_eq!(of_share(&[in_kiosk], channels.clone(), &json!({})), json!([{"channel": ["KIOSK"]}]));
    let everywhere = json!({"reward": ten});
    let both = json!([{"channel": ["APP", "KIOSK"]}]);
    assert_eq!(of_share(&[everywhere], channels.clone(), &json!({})), both);
    assert_eq!(of_share(&[], channels, &json!({})), Value::Null);

    let first_half = twice(json!({"window": {"from": "2024-01-01T00:00:00Z", "until": "2024-07-01T00:00:00Z"}}));
    let since_may = json!({"reward": ten, "window": {"from": "2024-05-01T00:00:00Z"}});
    let overlap = json!({"from": "2024-05-01T00:00:00.000Z", "until": "2024-07-01T00:00:00.000Z"});
    assert_eq!(of_share(&[since_may], first_half, &json!({})), json!([{"time": overlap}]));

    // Each base offer alone is not enough for one point.
    let share = json!({"reward": {"percentage": 10}, "conditions": [{"field": "x", "exists": true}]});
    let five = || json!({"reward": {"flat": 5}});
    assert_eq!(of_share(&[five(), five()], share.clone(), &json!({})), json!([{"field": "x", "present": true}]));
    assert_eq!(of_share(&[five()], share.clone(), &json!({})), Value::Null);
    // Any value of x is offered, and the base offer would not pay with every one of them.
    let picky = json!({"reward": ten, "conditions": [{"field": "x", "ne": 3}]});
    assert_eq!(of_share(&[picky], share, &json!({})), Value::Null);
}

/// Evaluating the whole catalog for each change would take minutes.
#[test]
fn changes_of_many_rules_are_found_within_seconds() {
    let offer = |index: usize| {
        let (kind, reward) =
            if index.is_multiple_of(2) { ("base", json!({"flat": 1})) } else { ("bonus", json!({"multiplier": 2})) };
        json!({"id": format!("RULE_{index}"), "unit": "U", "kind": kind, "reward": reward, "channels": ["APP"]})
    };
    let catalog = read(&offers(&(0..10_000).map(offer).collect()));
    let (data, at) = (OpenData::new(), Timestamp::from_millis(0));
    let occurrence =
        Occurrence { trigger: CHECK_IN, channel: Some("WEB"), business_unit: None, at, received_at: at, data: &data };
    let start = Instant::now();
    let explanations = catalog.explain(&occurrence, Member::default(), &Usage::default());
    assert!(explanations.iter().all(|explanation| explanation.change().is_some()));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
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

/// The members that offers and campaigns share.
fn rule() -> impl Strategy<Value = Value> {
    let (from, days) = (option::of(1..9u32), option::of(1..6u32));
    (from, days, vec(condition(), 0..3), option::of(1..3u64)).prop_map(|(from, days, conditions, limit)| {
        let at = |day: u32| format!("2024-01-{day:02}T00:00:00Z");
        let mut rule = json!({"conditions": conditions, "window": {}});
        if let Some(from) = from {
            rule["window"]["from"] = json!(at(from));
        }
        if let Some(days) = days {
            rule["window"]["until"] = json!(at(from.unwrap_or(1) + days));
        }
        if let Some(limit) = limit {
            rule["limits"] = json!({"usesPerMember": limit});
        }
        rule
    })
}

fn offer() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        2 => Just(("base", json!({"flat": 5}))),
        1 => Just(("bonus", json!({"flat": 5}))),
        2 => select(vec![json!({"multiplier": 2}), json!({"percentage": 10})]).prop_map(|reward| ("bonus", reward)),
    ];
    let channels = select(vec![json!(null), json!(["APP"]), json!(["WEB"]), json!(["APP", "KIOSK"])]);
    (kind, select(vec!["A", "A", "A", "B"]), channels, rule()).prop_map(|((kind, reward), unit, channels, mut rule)| {
        (rule["kind"], rule["reward"], rule["unit"]) = (json!(kind), reward, json!(unit));
        if !channels.is_null() {
            rule["channels"] = channels;
        }
        rule
    })
}

fn campaign() -> impl Strategy<Value = Value> {
    rule().prop_map(|mut rule| {
        (rule["event"], rule["points"]) = (json!("e"), json!(5));
        rule
    })
}

/// A catalog, with its text for messages.
fn catalog() -> impl Strategy<Value = Catalog> {
    let rules = (vec(offer(), 1..5), vec(campaign(), 1..3));
    rules.prop_map(|(mut offers, mut campaigns)| {
        for (index, rule) in offers.iter_mut().chain(&mut campaigns).enumerate() {
            rule["id"] = json!(format!("RULE_{index}"));
        }
        let units = json!({"A": "enabled", "B": "enabled"});
        read(&json!({"businessUnits": units, "offers": offers, "campaigns": campaigns}))
    })
}

/// An activity or an event.
#[derive(Debug, Clone)]
struct Sent {
    is_event: bool,
    channel: String,
    unit: Option<&'static str>,
    at: Timestamp,
    data: Value,
}

fn sent() -> impl Strategy<Value = Sent> {
    let array = || prop_oneof![Just(json!(["gold", 3])), Just(json!({"nested": 1}))];
    let field = move || (option::of(value()), option::weighted(0.3, array()));
    let scope = (select(vec!["APP", "WEB", "FAX"]), option::of(select(vec!["A", "B"])), 1..13u32);
    (any::<bool>(), scope, field(), field()).prop_map(|(is_event, (channel, unit, day), x, y)| {
        // Only events have arrays and objects.
        let of = |(scalar, array): (Option<Value>, Option<Value>)| array.filter(|_| is_event).or(scalar);
        let fields = [("x", of(x)), ("y", of(y))].into_iter();
        let data = fields.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let at = moment(&format!("2024-01-{day:02}T12:00:00Z"));
        let (channel, unit) = (channel.to_owned(), unit.filter(|_| !is_event));
        Sent { is_event, channel, unit, at, data }
    })
}

impl Sent {
    fn occurrence<'a>(&'a self, data: &'a OpenData) -> Occurrence<'a> {
        Occurrence {
            trigger: if self.is_event { EVENT } else { CHECK_IN },
            channel: (!self.is_event).then_some(&self.channel),
            business_unit: self.unit,
            at: self.at,
            received_at: self.at,
            data,
        }
    }

    /// The points that a rule pays.
    fn paid(&self, catalog: &Catalog, rule: &str, usage: &Usage) -> u64 {
        let data = data(&self.data);
        let award = catalog.evaluate(&self.occurrence(&data), Member::default(), usage);
        award.trace().iter().find(|line| **line.rule.id() == *rule).map_or(0, Line::points)
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut sent = self.clone();
        change(&mut sent);
        sent
    }

    fn without(&self, field: &str) -> Self {
        self.with(|sent| {
            sent.data.as_object_mut().expect("an object").remove(field);
        })
    }

    /// The ways in which a reader may make one change.
    fn edited(&self, edit: &Edit<'_>) -> Vec<Self> {
        let later = |at: Timestamp, millis: i64| Timestamp::from_millis(at.as_millis() + millis);
        match edit {
            Edit::BusinessUnit(unit) => {
                let unit = if *unit == "A" { "A" } else { "B" };
                [Some(unit), None].map(|unit| self.with(|sent| sent.unit = unit)).into()
            }
            Edit::Channel(channels) => {
                channels.iter().map(|channel| self.with(|sent| (*channel).clone_into(&mut sent.channel))).collect()
            }
            Edit::Time { from, until } => {
                const YEAR_MILLIS: i64 = 31_536_000_000;
                let first = from.or(until.map(|until| later(until, -YEAR_MILLIS)));
                let last = until.map(|until| later(until, -1)).or(from.map(|from| later(from, YEAR_MILLIS)));
                let bounds = first.into_iter().chain(last);
                bounds.map(|at| self.with(|sent| sent.at = at)).collect()
            }
            Edit::Field { field, to, .. } => {
                let to = serde_json::from_str(&to.to_json().to_string()).expect("JSON");
                vec![self.with(|sent| sent.data[*field] = to)]
            }
            Edit::OtherThan { field, values } => {
                let excluded: Vec<_> = values.iter().map(|value| spelled(value)).collect();
                let values = SCALARS.iter().map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
                let others = values.filter(|value| !excluded.contains(&value.to_string().replace('"', "")));
                others.map(|value| self.with(|sent| sent.data[*field] = value)).collect()
            }
            Edit::Present { field } => {
                let values = SCALARS.iter().chain(if self.is_event { &["[]", "{}"][..] } else { &[] });
                let values = values.map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
                values.map(|value| self.with(|sent| sent.data[*field] = value)).collect()
            }
            Edit::Absent { field } => vec![self.without(field)],
            Edit::Schedule(_) => unreachable!("no catalog here has a schedule"),
        }
    }

    /// Occurrences that differ in one thing.
    fn neighbours(&self) -> Vec<Self> {
        let mut all = vec![self.with(|sent| sent.unit = None)];
        all.extend(["APP", "WEB", "KIOSK"].map(|channel| self.with(|sent| channel.clone_into(&mut sent.channel))));
        all.extend((1..16).map(|day| self.with(|sent| sent.at = moment(&format!("2024-01-{day:02}T12:00:00Z")))));
        for field in ["x", "y"] {
            let values = (0..24).map(|half| json!(f64::from(half) / 2.0));
            let texts = [json!("gold"), json!("7"), json!(true), json!(""), json!("a,b")];
            let arrays = [json!(["gold"]), json!([7, true])].into_iter().filter(|_| self.is_event);
            all.extend(values.chain(texts).chain(arrays).map(|value| self.with(|sent| sent.data[field] = value)));
            all.push(self.without(field));
        }
        all
    }
}

/// Every kind of value of one field, among them those that the tests of the catalogs name.
const SCALARS: [&str; 11] = ["0", "3", "5", "7", "11", "2.5", "true", "false", "\"gold\"", "\"silver\"", "\"a,b\""];

fn spelled(value: &Scalar) -> String {
    value.to_json().to_string().replace('"', "")
}

/// A rule whose reward is a share of base points.
fn is_share(explanation: &Explanation<'_>) -> bool {
    let rule = format!("{:?}", explanation.rule());
    rule.contains("OfBase")
}

fn usage(used: &[u64]) -> Usage {
    let mut usage = Usage::default();
    for (index, used) in used.iter().enumerate() {
        usage.set(format!("use#RULE_{index}"), *used);
    }
    usage
}

proptest! {
    /// Each of several values that a change permits pays, in every combination.
    #[test]
    fn a_change_would_have_paid(catalog in catalog(), sent in sent(), used in vec(0..3u64, 6)) {
        let (data, usage) = (data(&sent.data), usage(&used));
        for explanation in catalog.explain(&sent.occurrence(&data), Member::default(), &usage) {
            let Some(change) = explanation.change() else { continue };
            prop_assert_eq!(explanation.paid(), 0);
            prop_assert!(!change.edits().is_empty());
            let mut changed = vec![sent.clone()];
            for edit in change.edits() {
                changed = changed.iter().flat_map(|sent| sent.edited(edit)).collect();
                prop_assert!(!changed.is_empty(), "{edit:?}");
            }
            for after in changed {
                let is_array = |value: &Value| value.is_array() || value.is_object();
                prop_assert!(after.is_event || !after.data.as_object().expect("an object").values().any(is_array));
                prop_assert!(after.paid(&catalog, explanation.rule().id(), &usage) > 0, "{explanation} {after:?}");
            }
        }
    }

    /// A share is left out, because another change may make base offers pay that it was not evaluated with.
    #[test]
    fn no_single_change_would_have_paid_where_none_is_given(
        catalog in catalog(),
        sent in sent(),
        used in vec(0..3u64, 6),
    ) {
        let (data, usage) = (data(&sent.data), usage(&used));
        for explanation in catalog.explain(&sent.occurrence(&data), Member::default(), &usage) {
            if explanation.paid() == 0 && explanation.change().is_none() && !is_share(&explanation) {
                let id = explanation.rule().id();
                let found = sent.neighbours().into_iter().find(|other| other.paid(&catalog, id, &usage) > 0);
                prop_assert!(found.is_none(), "{explanation} {found:?}");
            }
        }
    }

    #[test]
    fn the_counters_that_an_award_assumed_explain_it(catalog in catalog(), sent in sent(), used in vec(0..3u64, 6)) {
        let (data, usage) = (data(&sent.data), usage(&used));
        let occurrence = sent.occurrence(&data);
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
