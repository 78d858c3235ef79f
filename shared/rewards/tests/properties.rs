//! Properties of every catalog and history.

use std::collections::BTreeMap;

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
};
use punchcard_models::{
    data::{Datum, OpenData, Scalar},
    decimal::Decimal,
    ids::{AccountId, LoyaltyId},
    timestamp::Timestamp,
};
use punchcard_rewards::{
    Award, Catalog, Counter, Earned, Line, MAX_LIMIT, MAX_PERIOD_LIMIT, MAX_POINTS, Member, Occurrence, Shares,
    SlotChange, Spend, Trigger, Usage, Verdict, equal_shares, yaml,
};
use serde_json::{Value, json};

const ACTIONS: [&str; 2] = ["APP_CHECKIN", "SURVEY_RESPONSE"];
const CHANNELS: [&str; 2] = ["APP", "WEB"];
const EVENTS: [&str; 2] = ["place_order", "review"];
const IDS: [&str; 2] = ["A-1", "A-2"];
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
    let spans = [0; 3].map(|_| option::weighted(0.3, up_to(MAX_PERIOD_LIMIT)));
    (option::of(up_to(MAX_LIMIT)), spans).prop_map(|(ever, [day, week, month])| match (ever, day.or(week).or(month)) {
        (ever, None) => ever.map(Value::from),
        (ever, Some(_)) => Some(object(json!({"ever": ever, "day": day, "week": week, "month": month}))),
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
    let others = (0..20u32, 0..20u32).prop_map(|(least, most)| {
        let all = json!({"all": [{"field": "amount", "ge": least}, {"weekday": ["monday", "sunday"]}]});
        json!([{"any": [all, {"field": "amount", "lt": most}, {"timeOfDay": {"from": "22:00", "until": "02:00"}}]}])
    });
    option::weighted(0.3, prop_oneof![amount(), others])
}

fn share() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..=999_000_000u64).prop_map(|millionths| json!({"multiplier": decimal(millionths + 1_000_000, 6)})),
        (1..=1_000_000_000u64).prop_map(|share| json!({"percentage": decimal(share, 4)})),
        select(vec![json!({"multiplier": 1}), json!({"multiplier": 2}), json!({"percentage": 55})]),
    ]
}

/// A decimal with few enough digits for `serde_json`'s doubles.
fn decimal(digits: u64, places: usize) -> Value {
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    format!("{whole}.{fraction}").parse().expect("a number")
}

fn offer() -> impl Strategy<Value = Value> {
    let flat = || up_to(MAX_POINTS).prop_map(|points| json!({"flat": points}));
    let kind = prop_oneof![
        2 => (Just("base"), flat().boxed(), Just(None)),
        1 => (Just("bonus"), prop_oneof![flat(), share()].boxed(), Just(None)),
        1 => (Just("targeted"), prop_oneof![flat(), share()].boxed(), select(IDS.map(Some).to_vec())),
    ];
    let scope = (select(UNITS.to_vec()), some_of(&ACTIONS), some_of(&CHANNELS), select(vec!["loyalty", "status"]));
    (kind, scope, window(), conditions(), frequency(), limits()).prop_map(
        |((kind, reward, account), (unit, actions, channels, points_type), window, conditions, often, limits)| {
            object(json!({
                "kind": kind,
                "reward": reward,
                "accounts": account.map(|id| [id]),
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

fn text(offers: &[Value], campaigns: &[Value]) -> String {
    let units = json!({"ABC": "enabled", "XYZ": "enabled", "OLD": "disabled"});
    json!({"businessUnits": units, "offers": offers, "campaigns": campaigns, "timezone": "Europe/Berlin"}).to_string()
}

/// The catalog as it is applied, with up to 3 shards for each total limit.
fn applied(text: &str) -> String {
    let source = yaml::read(text).unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
    let limited = source.catalog().rules().filter_map(|rule| Some((rule.id().to_string(), rule.total_limit()?)));
    let shares = limited.enumerate().map(|(index, (rule, limit))| (rule, equal_shares(limit, index % 3 + 1)));
    source.to_applied_json(&shares.collect())
}

fn read(text: &str) -> Catalog {
    Catalog::from_json(&applied(text))
        .unwrap_or_else(|faults| panic!("{:?} in {text}", faults.into_iter().collect::<Vec<_>>()))
}

fn rules() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    (named("OFFER", offer()), named("CAMPAIGN", campaign()))
}

/// An occurrence for one of two members.
#[derive(Debug, Clone)]
struct Happening {
    trigger: Trigger<'static>,
    channel: &'static str,
    unit: Option<&'static str>,
    at: Timestamp,
    received_at: Timestamp,
    data: OpenData,
    who: usize,
}

fn happening() -> impl Strategy<Value = Happening> {
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
    fn award<'c>(&self, catalog: &'c Catalog, usage: &Usage) -> Award<'c> {
        let occurrence = Occurrence {
            trigger: self.trigger,
            channel: Some(self.channel),
            business_unit: self.unit,
            at: self.at,
            received_at: self.received_at,
            data: &self.data,
        };
        let account = IDS[self.who].parse::<AccountId>().expect("an id");
        let loyalty = "L-1".parse::<LoyaltyId>().expect("an id");
        catalog.evaluate(&occurrence, Member { account: Some(&account), loyalty: Some(&loyalty) }, usage)
    }

    /// The spans of limits in which it lies, in Berlin's winter.
    fn spans(&self) -> [String; 4] {
        let day = (self.at.as_millis() + 3_600_000).div_euclid(86_400_000);
        ["ever".to_owned(), format!("day {day}"), format!("week {}", (day + 3) / 7), "month".to_owned()]
    }
}

/// The store's condition: the counters still permit the award.
fn holds(spend: &Spend<'_>, usage: &Usage) -> bool {
    let used = usage.used(&spend.attribute());
    match spend.slot_change() {
        Some(SlotChange::Start { before, .. }) => return used == 0 || used < before,
        Some(SlotChange::Add { least, most }) => return (least..=most).contains(&used),
        None => {}
    }
    if spend.exact { used == spend.seen } else { used <= spend.most_before() }
}

/// The limit of a rule in the catalog's text, for ever or in a period.
fn limit(rules: &[Value], id: &str, name: &str, span: &str) -> u64 {
    let rule = rules.iter().find(|rule| rule["id"] == id).expect("the rule");
    let limit = &rule["limits"][name];
    let limit = if span == "ever" && limit.is_u64() { limit } else { &limit[span] };
    limit.as_u64().unwrap_or(u64::MAX)
}

proptest! {
    #[test]
    fn what_is_earned_is_what_the_trace_paid((offers, campaigns) in rules(), happening in happening()) {
        let catalog = read(&text(&offers, &campaigns));
        let award = happening.award(&catalog, &Usage::default());
        let mut books = BTreeMap::<(String, String), Earned>::new();
        for line in award.trace().iter().filter(|line| !line.rule.is_campaign() && line.points() > 0) {
            let offer = offers.iter().find(|offer| offer["id"] == **line.rule.id()).expect("the offer");
            let name = |member: &str| offer[member].as_str().expect("a name").to_owned();
            prop_assert!(name("unit") != "OLD" && happening.unit.is_none_or(|unit| unit == name("unit")));
            let earned = books.entry((name("unit"), name("pointsType"))).or_default();
            match name("kind").as_str() {
                "base" => earned.base += line.points(),
                "bonus" => earned.bonus += line.points(),
                _ => earned.targeted += line.points(),
            }
        }
        let earned = award.earned().into_iter().flat_map(|(unit, types)| {
            types.into_iter().map(move |(points_type, earned)| ((unit.to_owned(), points_type.to_owned()), earned))
        });
        prop_assert_eq!(earned.collect::<BTreeMap<_, _>>(), books.clone());
        let totals: u64 = books.values().map(|earned| earned.total()).sum();
        let parts: u64 = books.values().map(|earned| earned.base + earned.bonus + earned.targeted).sum();
        prop_assert_eq!(totals, parts);
        if let Trigger::Action(_) = happening.trigger {
            prop_assert_eq!(award.points(), totals);
        }
    }

    #[test]
    fn the_order_of_the_rules_does_not_matter(
        ((offers, campaigns), shuffled) in rules().prop_flat_map(|(offers, campaigns)| {
            let shuffled = (Just(offers.clone()).prop_shuffle(), Just(campaigns.clone()).prop_shuffle());
            (Just((offers, campaigns)), shuffled)
        }),
        happenings in vec(happening(), 1..5),
    ) {
        let (one, other) = (read(&text(&offers, &campaigns)), read(&text(&shuffled.0, &shuffled.1)));
        let mut usage = Usage::default();
        for happening in happenings {
            let award = happening.award(&one, &usage);
            prop_assert_eq!(&award, &happening.award(&other, &usage));
            usage.add(&award);
        }
    }

    #[test]
    fn the_trace_names_every_rule_of_the_trigger_once((offers, campaigns) in rules(), happening in happening()) {
        let catalog = read(&text(&offers, &campaigns));
        let award = happening.award(&catalog, &Usage::default());
        let answers = |rule: &&Value| match happening.trigger {
            Trigger::Action(name) => rule["actions"].as_array().is_none_or(|actions| actions.contains(&json!(name))),
            Trigger::Event(name) => rule["event"] == name,
        };
        let asked = if let Trigger::Action(_) = happening.trigger { &offers } else { &campaigns };
        // There are fewer than ten ids, so they are generated in order.
        let expected: Vec<_> = asked.iter().filter(answers).map(|rule| rule["id"].as_str().expect("an id")).collect();
        let traced: Vec<_> = award.trace().iter().map(|line| &**line.rule.id()).collect();
        prop_assert_eq!(traced, expected);
    }

    /// Simulates the store's optimistic writes: each award is evaluated with counters from an earlier point in time,
    /// written only if its conditions hold, and otherwise evaluated again with the current counters.
    #[test]
    fn no_limit_is_ever_passed(
        (offers, campaigns) in rules(),
        history in vec((happening(), any::<proptest::sample::Index>()), 1..60),
    ) {
        let catalog = read(&text(&offers, &campaigns));
        let rules = [offers, campaigns].concat();
        // The history of each member's counters. Totals are shared by all members.
        let mut moments = [vec![Usage::default()], vec![Usage::default()]];
        let mut paid = BTreeMap::<(usize, String, String), (u64, u64)>::new();
        for (happening, remembered) in history {
            let known = &moments[happening.who];
            let now = known.last().expect("a moment").clone();
            let optimistic = happening.award(&catalog, remembered.get(known));
            let award = happening.award(&catalog, &now);
            prop_assert!(award.spends().iter().all(|spend| holds(spend, &now)));
            if optimistic.spends().iter().all(|spend| holds(spend, &now)) {
                // If several limits are reached, the reason may differ, but the points are the same.
                let paid = |award: &Award<'_>| award.trace().iter().map(Line::points).collect::<Vec<_>>();
                prop_assert_eq!(paid(&optimistic), paid(&award));
            }
            for line in award.trace() {
                if let Verdict::Paid { points, due, .. } = line.verdict {
                    prop_assert!(points > 0 && points <= due && due <= MAX_POINTS);
                    for span in happening.spans() {
                        let (uses, sum) = paid.entry((happening.who, line.rule.id().to_string(), span)).or_default();
                        *uses += 1;
                        *sum += points;
                    }
                }
            }
            moments[happening.who].push({ let mut next = now; next.add(&award); next });
            // The other member's history includes the new totals.
            let other = 1 - happening.who;
            let mut next = moments[other].last().expect("a moment").clone();
            for spend in award.spends().iter().filter(|spend| spend.counter == Counter::TotalUses) {
                let name = spend.attribute();
                next.set(name.as_str(), next.used(&name) + spend.amount);
            }
            moments[other].push(next);
        }
        for ((_, id, span), (uses, sum)) in &paid {
            let name = span.split_once(' ').map_or(span.as_str(), |(name, _)| name);
            prop_assert!(*uses <= limit(&rules, id, "usesPerMember", name), "{} was used {} times, {}", id, uses, span);
            prop_assert!(*sum <= limit(&rules, id, "pointsPerMember", name), "{} paid {}, {}", id, sum, span);
            let of = |who| paid.get(&(who, id.clone(), "ever".to_owned()));
            let total: u64 = (0..2).filter_map(of).map(|(uses, _)| uses).sum();
            prop_assert!(total <= limit(&rules, id, "usesInTotal", "ever"), "{} was used {} times in all", id, total);
        }
    }

    /// Counters change for paying rules only, and each limit of a paying rule is counted. Counters are near their
    /// limits half of the time, so that some limits are exhausted while others of the same rule are not.
    #[test]
    fn limits_are_spent_by_exactly_the_rules_that_pay(
        (offers, campaigns) in rules(),
        happening in happening(),
        used in vec(prop_oneof![Just(0), 1..=20u64, Just(MAX_LIMIT)], 48),
    ) {
        let catalog = read(&text(&offers, &campaigns));
        let rules = [offers, campaigns].concat();
        let counters = [
            (Counter::MemberUses, "usesPerMember"),
            (Counter::MemberPoints, "pointsPerMember"),
            (Counter::TotalUses, "usesInTotal"),
        ];
        let mut usage = Usage::default();
        let names = catalog.rules().flat_map(|rule| counters.map(|(counter, _)| counter.name(rule.id())));
        for (name, used) in names.zip(used) {
            usage.set(name, used);
        }
        let award = happening.award(&catalog, &usage);
        let mut expected = Vec::new();
        for line in award.trace().iter().filter(|line| line.points() > 0) {
            for (counter, limit) in counters {
                let rule = rules.iter().find(|rule| rule["id"] == **line.rule.id()).expect("the rule");
                let amount = if counter == Counter::MemberPoints { line.points() } else { 1 };
                let spans = match &rule["limits"][limit] {
                    Value::Object(spans) => spans.len(),
                    limit => usize::from(limit.is_u64()),
                };
                expected.extend(std::iter::repeat_n((counter.name(line.rule.id()), amount), spans));
            }
        }
        let limited = award.spends().iter().filter(|spend| counters.iter().any(|(counter, _)| *counter == spend.counter));
        let mut spent: Vec<_> = limited.map(|spend| (spend.counter.name(spend.rule), spend.amount)).collect();
        expected.sort();
        spent.sort();
        prop_assert_eq!(spent, expected);
    }

    #[test]
    fn any_counters_are_survived((offers, campaigns) in rules(), happening in happening(), used in any::<u64>()) {
        let catalog = read(&text(&offers, &campaigns));
        let mut usage = Usage::default();
        for rule in catalog.rules() {
            for counter in [Counter::MemberUses, Counter::MemberPoints, Counter::TotalUses] {
                usage.set(counter.name(rule.id()), used);
            }
        }
        let award = happening.award(&catalog, &usage);
        for spend in award.spends() {
            prop_assert!(spend.amount > 0 && spend.seen.checked_add(spend.amount).is_some_and(|sum| sum <= spend.limit));
        }
    }

    #[test]
    fn shares_are_exact_and_rounded_down(base in 1..=MAX_POINTS, millionths in 0..=999_000_000u64) {
        let offer = |id: &str, kind: &str, reward: Value| json!({"id": id, "unit": "ABC", "kind": kind, "reward": reward});
        let offers = [
            offer("BASE", "base", json!({"flat": base})),
            offer("SHARE", "bonus", json!({"multiplier": decimal(millionths + 1_000_000, 6)})),
        ];
        let catalog = read(&text(&offers, &[]));
        let data = OpenData::new();
        let at = Timestamp::from_millis(0);
        let occurrence =
            Occurrence { trigger: Trigger::Action("APP_CHECKIN"), channel: None, business_unit: None, at, received_at: at, data: &data };
        let award = catalog.evaluate(&occurrence, Member::default(), &Usage::default());
        let bonus = award.earned()["ABC"]["loyalty"].bonus;
        let product = u128::from(base) * u128::from(millionths);
        prop_assert!(u128::from(bonus) * 1_000_000 <= product);
        prop_assert!(bonus == MAX_POINTS || u128::from(bonus + 1) * 1_000_000 > product);
    }

    #[test]
    fn yaml_and_json_say_the_same((offers, campaigns) in rules()) {
        let text = text(&offers, &campaigns);
        let source = yaml::read(&text).expect("JSON is YAML");
        prop_assert_eq!(&Catalog::from_json(&source.to_applied_json(&Shares::new())).expect("valid"), source.catalog());
        let (again, shares) = yaml::source_of(&applied(&text));
        prop_assert_eq!(again.as_str(), source.to_json());
        let limited = source.catalog().rules().filter(|rule| rule.has_total_limit()).count();
        prop_assert_eq!(shares.len(), limited);
    }

    #[test]
    fn any_number_in_a_condition_is_refused_or_stored(text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?") {
        let campaign = format!("campaigns: [{{id: ONE, event: e, points: 1, conditions: [{{field: x, eq: {text}}}]}}]");
        if let Ok(source) = yaml::read(&campaign) {
            prop_assert!(Decimal::parse(&text).is_some());
            prop_assert_eq!(&Catalog::from_json(source.to_json()).expect("valid"), source.catalog());
        }
    }

    #[test]
    fn any_text_is_survived(text in "([-\\[\\]{}:,#&*!|>'\"%@`? \n]|rewards|offers|id|[a-z0-9.~]){0,40}") {
        if let Ok(source) = yaml::read(&text) {
            prop_assert!(Catalog::from_json(source.to_json()).is_ok());
        }
    }
}
