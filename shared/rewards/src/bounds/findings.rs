//! Rules that never pay, repeat others, or always pay together with others.

use std::collections::{BTreeMap, BTreeSet};

use punchcard_models::timestamp::Timestamp;

use super::{
    Never, Relation, Undecided,
    amounts::{Amounts, fixed_points, share},
    answer::Answer,
    effort::Effort,
};
use crate::{
    counter::Counter,
    offer::{Offer, OfferKind},
    rule::{Rule, RuleBody},
    rule_id::RuleId,
};

const MILLION: u128 = 1_000_000;
/// The steps that a comparison of two rules' conditions takes, roughly.
const COMPARISON: usize = 100;

/// The conclusions about the rules beside their bounds.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub never: Vec<Never>,
    pub repeats: Vec<Relation>,
    pub accompany: Vec<Relation>,
    pub undecided: Vec<Undecided>,
    pub is_incomplete: bool,
}

pub(super) fn find(amounts: &[Amounts<'_>], effort: &Effort) -> Findings {
    let mut found = Findings::default();
    for amount in amounts {
        let rule = amount.facts.rule.id.clone();
        match &amount.facts.obstacle {
            Some(because) => found.never.push(Never { rule, because: because.clone() }),
            None if amount.facts.can_be_met == Answer::Undecided => found.undecided.push(Undecided::CanPay(rule)),
            None => {}
        }
    }
    let rules: Vec<_> = amounts.iter().map(|amount| amount.facts.rule).collect();
    found.repeats = repeats(&rules, effort).unwrap_or_else(|| {
        found.is_incomplete = true;
        Vec::new()
    });
    let is_complete = accompany(amounts, effort, &mut found);
    found.is_incomplete |= !is_complete;
    found
}

/// Groups rules that differ in their id only. `None`: there are too many to compare.
fn repeats(rules: &[&Rule], effort: &Effort) -> Option<Vec<Relation>> {
    /// Fields that rules which repeat each other share, and most others do not.
    type Key<'c> = (&'c str, Option<&'c str>, Option<u64>, u128, Option<Timestamp>, Option<Timestamp>);
    let mut groups = BTreeMap::<Key<'_>, Vec<Vec<&Rule>>>::new();
    for &rule in rules {
        let (name, points_type) = match &rule.body {
            RuleBody::Offer(offer) => (&*offer.unit, Some(&*offer.points_type)),
            RuleBody::Campaign(campaign) => (&*campaign.event, None),
        };
        let key = (name, points_type, share(rule), fixed_points(rule), rule.window.from, rule.window.until);
        let alike = groups.entry(key).or_default();
        if !effort.take(alike.len()) {
            return None;
        }
        match alike.iter_mut().find(|alike| alike.first().is_some_and(|first| is_repeated(first, rule))) {
            Some(same) => same.push(rule),
            None => alike.push(vec![rule]),
        }
    }
    let same = groups.into_values().flatten();
    let mut relations: Vec<_> = same.filter_map(|rules| relation(rules.iter().map(|rule| &rule.id))).collect();
    relations.sort_by(|one, other| one.rule.cmp(&other.rule));
    Some(relations)
}

fn relation<'c>(mut ids: impl Iterator<Item = &'c RuleId>) -> Option<Relation> {
    let rule = ids.next()?.clone();
    let others: Vec<_> = ids.cloned().collect();
    (!others.is_empty()).then_some(Relation { rule, others })
}

fn is_repeated(one: &Rule, other: &Rule) -> bool {
    one.window == other.window
        && one.conditions == other.conditions
        && one.frequency == other.frequency
        && one.limits == other.limits
        && one.body == other.body
}

/// Finds the rules that pay whenever others do. Returns false if there are too many to compare.
fn accompany(amounts: &[Amounts<'_>], effort: &Effort, found: &mut Findings) -> bool {
    // Rules that nothing but their trigger and conditions keeps from paying.
    let mut candidates = BTreeMap::<_, Vec<_>>::new();
    for amount in amounts.iter().filter(|amount| amount.facts.obstacle.is_none()) {
        let rule = amount.facts.rule;
        if rule.frequency.is_none() && rule.limits.iter().next().is_none() {
            candidates.entry(selection(rule)).or_default().push(amount);
        }
    }
    let (mut certain, mut undecided) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    for amount in amounts.iter().filter(|amount| amount.facts.obstacle.is_none()) {
        let others = candidates.get(&selection(amount.facts.rule)).map_or(&[][..], |others| others);
        let Some(answers) = others.iter().map(|other| applies_with(amount, other, effort)).collect::<Option<Vec<_>>>()
        else {
            return false;
        };
        // The fewest base points with this rule, by base offers that always pay with it.
        let with = |wanted| others.iter().zip(&answers).filter(move |(_, answer)| **answer == wanted);
        let base = |other: &&Amounts<'_>| {
            let rule = other.facts.rule;
            (rule.is_base() && book(rule) == book(amount.facts.rule)).then(|| fixed_points(rule))
        };
        let least_base = with(Answer::Yes).filter_map(|(other, _)| base(other)).sum::<u128>() + own_base(amount);
        let may_have_base = with(Answer::Undecided).any(|(other, _)| base(other).is_some());
        for (other, answer) in others.iter().zip(&answers) {
            let (one, other) = (amount.facts.rule, other.facts.rule);
            if one.id == other.id || is_repeated(one, other) {
                continue;
            }
            match (answer, pays_with(one, other, least_base, may_have_base)) {
                (Answer::No, _) | (_, Answer::No) => {}
                (Answer::Yes, Answer::Yes) => certain.entry(&other.id).or_default().push(&one.id),
                (Answer::Undecided, _) | (_, Answer::Undecided) => {
                    undecided.entry(&other.id).or_default().push(&one.id);
                }
            }
        }
    }
    found.accompany = relations(certain).collect();
    found.undecided.extend(relations(undecided).map(Undecided::Accompanies));
    true
}

fn relations<'c>(all: BTreeMap<&'c RuleId, Vec<&'c RuleId>>) -> impl Iterator<Item = Relation> {
    all.into_iter().filter_map(|(rule, others)| relation([rule].into_iter().chain(others)))
}

/// Returns the business unit of an offer, or the event of a campaign.
fn selection(rule: &Rule) -> (bool, &str) {
    match &rule.body {
        RuleBody::Offer(offer) => (true, &offer.unit),
        RuleBody::Campaign(campaign) => (false, &campaign.event),
    }
}

fn book(rule: &Rule) -> Option<(&str, &str)> {
    rule.offer().map(Offer::book)
}

/// Returns whether another rule applies whenever this one pays. `None`: too many were compared.
fn applies_with(one: &Amounts<'_>, other: &Amounts<'_>, effort: &Effort) -> Option<Answer> {
    let (facts, rule) = (&one.facts, other.facts.rule);
    effort.take(1).then_some(())?;
    if !is_in_scope(facts.rule, rule) {
        return Some(Answer::No);
    }
    if rule.conditions.iter().all(|condition| facts.rule.conditions.contains(condition)) {
        return Some(Answer::Yes);
    }
    let Some(cases) = &facts.cases else { return Some(Answer::Undecided) };
    effort.take(COMPARISON * cases.len().max(1) * rule.conditions.len()).then_some(())?;
    let may_be_array = rule.is_campaign();
    let implied = cases
        .iter()
        .map(|case| Answer::all(rule.conditions.iter().map(|condition| case.implies(condition, may_be_array))));
    let answer = Answer::all(implied);
    let is_refuted = || {
        cases.iter().any(|case| {
            case.example(may_be_array).is_some_and(|(data, local)| {
                rule.conditions.iter().any(|condition| condition.unmet_by(&data, local).is_some())
            })
        })
    };
    Some(if answer == Answer::Undecided && is_refuted() { Answer::No } else { answer })
}

/// Returns true if the scope of a rule contains that of another, conditions aside.
fn is_in_scope(one: &Rule, other: &Rule) -> bool {
    let starts = other.window.from.is_none_or(|from| one.window.from.is_some_and(|own| from <= own));
    let ends = other.window.until.is_none_or(|until| one.window.until.is_some_and(|own| own <= until));
    let is_triggered = match (one.offer(), other.offer()) {
        (Some(one), Some(other)) => {
            let contains = |all: &Option<BTreeSet<String>>, some: &Option<_>| {
                all.as_ref().is_none_or(|all| some.as_ref().is_some_and(|some| all.is_superset(some)))
            };
            contains(&other.actions, &one.actions)
                && contains(&other.channels, &one.channels)
                && is_targeted(one, other)
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    starts && ends && is_triggered
}

/// Returns true if an offer is meant for all members for whom another is.
fn is_targeted(one: &Offer, other: &Offer) -> bool {
    match (&one.kind, &other.kind) {
        (OfferKind::Targeted(_, own), OfferKind::Targeted(_, audience)) => {
            own.accounts.is_subset(&audience.accounts) && own.loyalty_ids.is_subset(&audience.loyalty_ids)
        }
        (_, OfferKind::Base(_) | OfferKind::Bonus(_)) => true,
        (OfferKind::Base(_) | OfferKind::Bonus(_), OfferKind::Targeted(..)) => false,
    }
}

/// The fewest base points that a base offer with a limit pays when it pays. One without is among those that pay with it.
fn own_base(amount: &Amounts<'_>) -> u128 {
    let rule = amount.facts.rule;
    let (mut is_limited, mut limits_points) = (false, false);
    for cap in rule.limits.iter() {
        is_limited = true;
        limits_points |= cap.counter == Counter::MemberPoints;
    }
    match (rule.is_base(), is_limited || rule.frequency.is_some(), limits_points) {
        (true, true, true) => 1,
        (true, true, false) => fixed_points(rule),
        (true, false, _) | (false, ..) => 0,
    }
}

/// Returns whether another rule that applies whenever this one pays then pays at least a point.
fn pays_with(one: &Rule, other: &Rule, least_base: u128, may_have_base: bool) -> Answer {
    let Some(millionths) = share(other).map(u128::from) else { return Answer::Yes };
    let of_same_base = book(one) == book(other);
    let from_share = share(one).filter(|_| of_same_base).map(|own| MILLION.div_ceil(u128::from(own).max(1)));
    let least_base = from_share.unwrap_or(0).max(if of_same_base { least_base } else { 0 });
    if least_base * millionths >= MILLION {
        Answer::Yes
    } else if may_have_base {
        Answer::Undecided
    } else {
        Answer::No
    }
}
