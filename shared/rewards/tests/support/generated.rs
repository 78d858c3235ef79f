//! Catalogs and occurrences that properties are tested with.

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
};
use punchcard_models::{
    data::{Datum, OpenData, Scalar},
    ids::{AccountId, LoyaltyId},
    timestamp::Timestamp,
};
use punchcard_rewards::{
    Award, Catalog, MAX_LIMIT, MAX_PERIOD_LIMIT, MAX_POINTS, Member, Occurrence, Trigger, Usage, equal_shares, yaml,
};
use serde_json::{Value, json};

const ACTIONS: [&str; 2] = ["APP_CHECKIN", "SURVEY_RESPONSE"];
const CHANNELS: [&str; 2] = ["APP", "WEB"];
const EVENTS: [&str; 2] = ["place_order", "review"];
const IDS: [&str; 2] = ["A-1", "A-2"];
/// The loyalty ids of these accounts.
const LOYALTY: [&str; 2] = ["L-1", "L-2"];
/// The last one is disabled.
const UNITS: [&str; 3] = ["ABC", "XYZ", "OLD"];

/// Removes members that are `null`, because `null` and absent differ for some of them.
fn object(members: Value) -> Value {
    match members {
        Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

fn some_of(names: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<&'static str>>> {
    option::of(subsequence(names, 1..=names.len()))
}

/// Mostly small numbers, so that limits and points interact; sometimes the highest possible one.
fn up_to(most: u64) -> impl Strategy<Value = u64> {
    prop_oneof![9 => 1..=20u64, 1 => select(vec![most - 1, most])]
}

/// For ever, or for ever and in periods.
fn per_member() -> impl Strategy<Value = Option<Value>> {
    let spans = [0; 4].map(|_| option::weighted(0.25, up_to(MAX_PERIOD_LIMIT)));
    (option::of(up_to(MAX_LIMIT)), spans).prop_map(|(ever, spans @ [day, week, month, year])| {
        if spans == [None; 4] {
            return ever.map(Value::from);
        }
        Some(object(json!({"ever": ever, "day": day, "week": week, "month": month, "year": year})))
    })
}

fn limits() -> impl Strategy<Value = Value> {
    (per_member(), option::of(up_to(MAX_LIMIT)), per_member()).prop_map(|(uses, total, points)| {
        object(json!({"usesPerMember": uses, "usesInTotal": total, "pointsPerMember": points}))
    })
}

/// `first` and `every`, at most one of them.
fn frequency() -> impl Strategy<Value = (Option<bool>, Option<u64>)> {
    prop_oneof![
        6 => Just((None, None)),
        1 => Just((Some(true), None)),
        1 => (2..4u64).prop_map(|every| (None, Some(every))),
    ]
}

fn window() -> impl Strategy<Value = Value> {
    let day = |day: u32| format!("2024-01-{day:02}T00:00:00Z");
    (option::of(1..10u32), option::of(10..20u32))
        .prop_map(move |(from, until)| object(json!({"from": from.map(day), "until": until.map(day)})))
}

fn conditions() -> impl Strategy<Value = Option<Value>> {
    let amount = || (0..20u32).prop_map(|least| json!([{"field": "amount", "ge": least}]));
    // Possible or not.
    let range = (0..20u32, 0..20u32).prop_map(|(least, below)| json!([{"field": "amount", "ge": least, "lt": below}]));
    let days = subsequence(&["monday", "tuesday", "saturday"], 1..=2).prop_map(|days| json!([{"weekday": days}]));
    let others = (0..20u32, 0..20u32).prop_map(|(least, most)| {
        let all = json!({"all": [{"field": "amount", "ge": least}, {"weekday": ["monday", "sunday"]}]});
        json!([{"any": [all, {"field": "amount", "lt": most}, {"timeOfDay": {"from": "22:00", "until": "02:00"}}]}])
    });
    option::weighted(0.4, prop_oneof![2 => amount(), 1 => range, 1 => days, 2 => others])
}

fn share() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..=999_000_000u64).prop_map(|millionths| json!({"multiplier": decimal(millionths + 1_000_000, 6)})),
        (1..=1_000_000_000u64).prop_map(|share| json!({"percentage": decimal(share, 4)})),
        select(vec![json!({"multiplier": 1}), json!({"multiplier": 2}), json!({"percentage": 55})]),
    ]
}

/// A decimal with few enough digits for `serde_json`'s doubles.
pub fn decimal(digits: u64, places: usize) -> Value {
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    format!("{whole}.{fraction}").parse().expect("a number")
}

fn offer() -> impl Strategy<Value = Value> {
    let flat = || up_to(MAX_POINTS).prop_map(|points| json!({"flat": points}));
    let kind = prop_oneof![
        2 => (Just("base"), flat().boxed(), Just(None)),
        1 => (Just("bonus"), prop_oneof![flat(), share()].boxed(), Just(None)),
        1 => (Just("targeted"), prop_oneof![flat(), share()].boxed(), select(vec![Some(0), Some(1)])),
    ];
    let scope = (select(UNITS.to_vec()), some_of(&ACTIONS), some_of(&CHANNELS), select(vec!["loyalty", "status"]));
    (kind, scope, window(), conditions(), frequency(), limits()).prop_map(
        |((kind, reward, who), (unit, actions, channels, points_type), window, conditions, often, limits)| {
            object(json!({
                "kind": kind,
                "reward": reward,
                "accounts": who.map(|who| &IDS[..=who]),
                "loyaltyIds": who.map(|who| [LOYALTY[who]]),
                "unit": unit,
                "actions": actions,
                "channels": channels,
                "pointsType": points_type,
                "window": window,
                "conditions": conditions,
                "first": often.0,
                "every": often.1,
                "limits": limits,
            }))
        },
    )
}

fn campaign() -> impl Strategy<Value = Value> {
    (select(EVENTS.to_vec()), up_to(MAX_POINTS), window(), conditions(), frequency(), limits()).prop_map(
        |(event, points, window, conditions, often, limits)| {
            object(json!({
                "event": event, "points": points, "window": window, "conditions": conditions, "limits": limits,
                "first": often.0, "every": often.1,
            }))
        },
    )
}

/// Rules with distinct ids.
fn named(prefix: &'static str, rules: impl Strategy<Value = Value>) -> impl Strategy<Value = Vec<Value>> {
    vec(rules, 0..8).prop_map(move |mut rules| {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule["id"] = json!(format!("{prefix}_{index}"));
        }
        rules
    })
}

pub fn text(offers: &[Value], campaigns: &[Value]) -> String {
    let units = json!({"ABC": "enabled", "XYZ": "enabled", "OLD": "disabled"});
    json!({"businessUnits": units, "offers": offers, "campaigns": campaigns, "timezone": "Europe/Berlin"}).to_string()
}

/// The catalog as it is applied, with up to 3 shards for each total limit.
pub fn applied(text: &str) -> String {
    let source = yaml::read(text).unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
    let limited = source.catalog().rules().filter_map(|rule| Some((rule.id().to_string(), rule.total_limit()?)));
    let shares = limited.enumerate().map(|(index, (rule, limit))| (rule, equal_shares(limit, index % 3 + 1)));
    source.to_applied_json(&shares.collect())
}

pub fn read(text: &str) -> Catalog {
    Catalog::from_json(&applied(text))
        .unwrap_or_else(|faults| panic!("{:?} in {text}", faults.into_iter().collect::<Vec<_>>()))
}

pub fn rules() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    (named("OFFER", offer()), named("CAMPAIGN", campaign()))
}

/// An occurrence for one of two members.
#[derive(Debug, Clone)]
pub struct Happening {
    pub trigger: Trigger<'static>,
    pub channel: &'static str,
    pub unit: Option<&'static str>,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub data: OpenData,
    pub who: usize,
}

pub fn happening() -> impl Strategy<Value = Happening> {
    let trigger = prop_oneof![
        3 => select(ACTIONS.to_vec()).prop_map(Trigger::Action),
        1 => select(EVENTS.to_vec()).prop_map(Trigger::Event),
    ];
    let scope = (select(CHANNELS.to_vec()), option::weighted(0.2, select(UNITS.to_vec())));
    // It arrives up to two days later, or earlier than it says.
    let time = (1..20u32, 0..24u32, prop_oneof![3 => Just(0), 1 => -24..48i64]);
    (trigger, scope, time, 0..20u32, 0..2usize).prop_map(|(trigger, (channel, unit), time, amount, who)| {
        let (day, hour, later) = time;
        let at = Timestamp::from_text(&format!("2024-01-{day:02}T{hour:02}:00:00Z")).expect("a moment");
        Happening {
            trigger,
            channel,
            unit,
            at,
            received_at: Timestamp::from_millis(at.as_millis() + later * 3_600_000),
            data: vec![("amount".to_owned(), Datum::One(Scalar::String(amount.to_string())))],
            who,
        }
    })
}

impl Happening {
    pub fn award<'c>(&self, catalog: &'c Catalog, usage: &Usage) -> Award<'c> {
        let occurrence = Occurrence {
            trigger: self.trigger,
            channel: Some(self.channel),
            business_unit: self.unit,
            at: self.at,
            received_at: self.received_at,
            data: &self.data,
        };
        let account = IDS[self.who].parse::<AccountId>().expect("an id");
        let loyalty = LOYALTY[self.who].parse::<LoyaltyId>().expect("an id");
        catalog.evaluate(&occurrence, Member { account: Some(&account), loyalty: Some(&loyalty) }, usage)
    }
}
