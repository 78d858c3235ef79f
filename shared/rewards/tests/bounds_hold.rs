//! No history pays more than the bounds of its catalog.

#[path = "support/generated.rs"]
mod generated;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::{collection::vec, prelude::*, sample::Index};
use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::{
    Award, Catalog, Counter, Line, Spans, Usage,
    bounds::{Balance, Bound, Bounds, Points, Undecided},
    counter_of_slot,
};
use serde_json::{Value, json};

use self::generated::{Happening, happening, read, rules, text};

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Occur(Happening),
    /// One of the awards so far is reversed.
    Reverse(Index),
}

fn step() -> impl Strategy<Value = Step> {
    // In several weeks, months and years. Some are in no window.
    let shifted = (happening(), prop_oneof![6 => Just(0), 4 => -30..400i64]).prop_map(|(happening, days)| {
        let shift = |at: Timestamp| Timestamp::from_millis(at.as_millis() + days * 86_400_000);
        Step::Occur(Happening { at: shift(happening.at), received_at: shift(happening.received_at), ..happening })
    });
    prop_oneof![9 => shifted, 1 => any::<Index>().prop_map(Step::Reverse)]
}

/// Rules, among them copies of others that lack some members.
fn related_rules() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    let lacking: [&[&str]; 4] = [
        &[],
        &["limits", "first", "every"],
        &["limits", "first", "every", "conditions"],
        &["channels", "window", "limits"],
    ];
    (rules(), vec((any::<Index>(), 0..lacking.len()), 0..4)).prop_map(move |((mut offers, mut campaigns), copies)| {
        for rules in [&mut offers, &mut campaigns] {
            for (number, (index, lacks)) in copies.iter().enumerate().filter(|_| !rules.is_empty()).collect::<Vec<_>>()
            {
                let mut copy = index.get(rules).clone();
                let members = copy.as_object_mut().expect("a rule");
                lacking[*lacks].iter().for_each(|name| drop(members.remove(*name)));
                copy["id"] = json!(format!("{}_COPY_{number}", copy["id"].as_str().expect("an id")));
                rules.push(copy);
            }
        }
        (offers, campaigns)
    })
}

/// The counters of a store: those of two members, and of all.
#[derive(Debug, Default)]
struct Store {
    of_members: [BTreeMap<String, u64>; 2],
    of_all: BTreeMap<String, u64>,
}

impl Store {
    fn usage(&self, who: usize, seed: u64) -> Usage {
        let mut usage = Usage::with_seed(seed);
        self.of_members[who].iter().chain(&self.of_all).for_each(|(name, used)| usage.set(name.as_str(), *used));
        usage
    }

    fn counters(&mut self, counter: Counter, who: usize) -> &mut BTreeMap<String, u64> {
        if counter == Counter::TotalUses { &mut self.of_all } else { &mut self.of_members[who] }
    }

    fn add(&mut self, award: &Award<'_>, who: usize) {
        for spend in award.spends() {
            let used = spend.seen + spend.amount;
            let value = spend.period.map_or(used, |period| period.slot_value(used));
            self.counters(spend.counter, who).insert(spend.attribute(), value);
        }
    }

    /// Gives back what an award added. The counter of a period that is closed is gone.
    fn reverse(&mut self, award: &Award<'_>, who: usize) {
        for spend in award.spends().iter().filter(|spend| spend.counter.is_given_back()) {
            let value = self.counters(spend.counter, who).get_mut(&spend.attribute()).expect("the counter");
            let is_held = counter_of_slot(&spend.attribute(), *value).is_none_or(|(name, _)| name == spend.name());
            *value -= if is_held { spend.amount } else { 0 };
        }
    }
}

/// The days, weeks, months and years of a moment, by another library than the crate's.
fn spans(at: Timestamp) -> Spans<String> {
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    let date = jiff::Timestamp::from_millisecond(at.as_millis()).expect("a moment").to_zoned(zone).date();
    let week = date.iso_week_date();
    Spans {
        day: date.to_string(),
        week: format!("{}-W{}", week.year(), week.week()),
        month: format!("{}-{}", date.year(), date.month()),
        year: date.year().to_string(),
        ever: String::new(),
    }
}

/// Points that were paid and not taken back, by what they are counted for, the member or all, the unit and the period.
#[derive(Debug, Default)]
struct Paid(BTreeMap<(String, Option<usize>, &'static str, String), u128>);

impl Paid {
    /// Adds points, or takes them back. Checks them against the bounds.
    fn change(&mut self, of: &str, points: u64, who: usize, at: Timestamp, is_reversal: bool, most: &Points) {
        if !is_reversal {
            assert!(u128::from(points) <= most.per_occurrence, "{of} pays {points} at once: {most:?}");
        }
        for (whose, bounds) in [(Some(who), &most.per_member), (None, &most.in_all)] {
            let named = Spans::<()>::NAMES.into_iter().zip(spans(at).into_array());
            for ((unit, period), bound) in named.zip(bounds.as_ref().into_array()) {
                let sum = self.0.entry((of.to_owned(), whose, unit, period.clone())).or_default();
                *sum = if is_reversal { *sum - u128::from(points) } else { *sum + u128::from(points) };
                if let Bound::AtMost(most) = bound {
                    assert!(*sum <= *most, "{of} pays {sum} in {unit} {period} to {whose:?}, not {most}");
                }
            }
        }
    }

    /// The points of an award, by rule, by balance and in all.
    fn change_all(&mut self, award: &Award<'_>, who: usize, at: Timestamp, is_reversal: bool, bounds: &Bounds) {
        for line in award.trace() {
            let most = bounds.rules.iter().find(|rule| rule.rule == *line.rule.id()).expect("the rule");
            self.change(line.rule.id(), line.points(), who, at, is_reversal, &most.points);
        }
        let mut balances = BTreeMap::<_, u64>::new();
        for (unit, types) in award.earned() {
            for (points_type, earned) in types {
                let balance = Balance::Offers { unit: unit.to_owned(), points_type: points_type.to_owned() };
                balances.insert(balance, earned.total());
            }
        }
        let of_campaigns = award.trace().iter().filter(|line| line.rule.is_campaign()).map(Line::points).sum();
        balances.extend((of_campaigns > 0).then_some((Balance::Campaigns, of_campaigns)));
        for (balance, points) in balances {
            let most = bounds.balances.iter().find(|line| line.balance == balance).expect("the balance");
            self.change(&format!("balance {balance}"), points, who, at, is_reversal, &most.points);
        }
        self.change("all rules", award.points(), who, at, is_reversal, &bounds.all);
    }
}

/// Plays a history, and checks every claim after each step.
fn play(catalog: &Catalog, bounds: &Bounds, steps: &[Step]) {
    let (mut store, mut paid, mut standing) = (Store::default(), Paid::default(), Vec::new());
    for (seed, step) in (0..).zip(steps) {
        match step {
            Step::Occur(happening) => {
                let award = happening.award(catalog, &store.usage(happening.who, seed));
                store.add(&award, happening.who);
                paid.change_all(&award, happening.who, happening.at, false, bounds);
                check_relations(&award, bounds);
                standing.push((award, happening.who, happening.at));
            }
            Step::Reverse(index) if !standing.is_empty() => {
                let (award, who, at) = standing.remove(index.index(standing.len()));
                store.reverse(&award, who);
                paid.change_all(&award, who, at, true, bounds);
            }
            Step::Reverse(_) => {}
        }
    }
}

/// Checks that rules pay nothing, or pay with others, as the bounds say.
fn check_relations(award: &Award<'_>, bounds: &Bounds) {
    let pays = |id: &str| award.trace().iter().any(|line| **line.rule.id() == *id && line.points() > 0);
    for never in &bounds.never {
        assert!(!pays(&never.rule), "{never:?}");
    }
    for relation in &bounds.accompany {
        for other in &relation.others {
            assert!(!pays(other) || pays(&relation.rule), "{} without {}", other, relation.rule);
        }
    }
}

proptest! {
    #[test]
    fn no_history_pays_more_than_the_bounds(
        (offers, campaigns) in related_rules(),
        steps in vec(step(), 1..80),
    ) {
        let catalog = read(&text(&offers, &campaigns));
        play(&catalog, &catalog.bounds(), &steps);
    }

    #[test]
    fn bounds_depend_neither_on_the_order_of_rules_nor_on_shares(
        ((offers, campaigns), shuffled) in related_rules().prop_flat_map(|(offers, campaigns)| {
            let shuffled = (Just(offers.clone()).prop_shuffle(), Just(campaigns.clone()).prop_shuffle());
            (Just((offers, campaigns)), shuffled)
        }),
    ) {
        let bounds = read(&text(&offers, &campaigns)).bounds();
        prop_assert_eq!(&bounds, &read(&text(&shuffled.0, &shuffled.1)).bounds());
        let source = punchcard_rewards::yaml::read(&text(&offers, &campaigns)).expect("a catalog");
        prop_assert_eq!(&bounds, &source.catalog().bounds());
    }

    #[test]
    fn copies_are_found((offers, campaigns) in related_rules()) {
        let bounds = read(&text(&offers, &campaigns)).bounds();
        let related: Vec<_> = bounds.repeats.iter().map(|found| [&[found.rule.clone()][..], &found.others].concat()).collect();
        for rules in [&offers, &campaigns] {
            for (index, one) in rules.iter().enumerate() {
                for other in &rules[index + 1..] {
                    let without_id = |rule: &Value| { let mut rule = rule.clone(); rule["id"] = Value::Null; rule };
                    let ids = [one, other].map(|rule| rule["id"].as_str().expect("an id"));
                    let is_found = related.iter().any(|ids_found| ids.iter().all(|id| ids_found.iter().any(|found| **found == **id)));
                    prop_assert!(is_found || without_id(one) != without_id(other), "{:?}", ids);
                }
            }
        }
        let undecided = bounds.undecided.iter().filter(|undecided| matches!(undecided, Undecided::CanPay(_))).count();
        prop_assert_eq!(undecided, 0, "all generated conditions are simple");
    }
}
