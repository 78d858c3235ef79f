//! Properties of every catalog and history.

#[path = "support/generated.rs"]
mod generated;

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use punchcard_models::{data::OpenData, decimal::Decimal, timestamp::Timestamp};
use punchcard_rewards::{
    Award, Catalog, Counter, Earned, Line, MAX_LIMIT, MAX_POINTS, Member, Occurrence, Shares, SlotChange, Spend,
    Trigger, Usage, Verdict, yaml,
};
use serde_json::{Value, json};

use self::generated::{Happening, applied, decimal, happening, read, rules, text};

/// The spans of limits in which an occurrence lies, in Berlin's winter.
fn spans(happening: &Happening) -> [String; 5] {
    let day = (happening.at.as_millis() + 3_600_000).div_euclid(86_400_000);
    ["ever".to_owned(), format!("day {day}"), format!("week {}", (day + 3) / 7), "month".to_owned(), "year".to_owned()]
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
                    for span in spans(&happening) {
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
