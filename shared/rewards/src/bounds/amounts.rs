//! The most points that each rule pays.
//!
//! Points are counted net of reversals: a reversal takes back the points of an award together with its uses of limits, so
//! the points of the awards that stand never exceed what the counters of limits allow. Gross points have no such bound,
//! because an award may be paid and reversed any number of times.

use std::collections::BTreeMap;

use super::{
    Obstacle,
    calendar::Most,
    effort::Effort,
    facts::Facts,
    overlap::{Weighed, most_at_once},
};
use crate::{
    budget::Spans,
    catalog::Catalog,
    counter::Counter,
    frequency::Frequency,
    offer::{Offer, OfferKind},
    period::PeriodUnit,
    reward::Reward,
    rule::{Rule, RuleBody},
};

const MILLION: u128 = 1_000_000;

/// The most points that a rule pays.
#[derive(Debug)]
pub(super) struct Amounts<'c> {
    pub facts: Facts<'c>,
    pub at_once: u128,
    pub per_member: Most,
    pub in_all: Most,
}

/// Base offers, and the most that they pay together.
#[derive(Debug)]
struct Base<'a, 'c> {
    offers: Vec<&'a Amounts<'c>>,
    at_once: u128,
    per_member: Most,
    in_all: Most,
}

/// The base offers of each balance.
type Bases<'a, 'c> = BTreeMap<(&'c str, &'c str), Base<'a, 'c>>;

/// The steps that it takes to find out whether a base offer may pay together with a share, roughly.
const COMPARISON: usize = 10;

/// Returns the amounts of all rules, ordered by id.
pub(super) fn of_rules<'c>(catalog: &'c Catalog, effort: &Effort) -> Vec<Amounts<'c>> {
    let facts = catalog.rules().map(|rule| Facts::of(rule, catalog));
    let (shares, fixed): (Vec<_>, Vec<_>) = facts.partition(|facts| share(facts.rule).is_some());
    let fixed: Vec<_> = fixed.into_iter().map(|facts| Amounts::of(facts, fixed_points, None)).collect();
    let mut by_book = BTreeMap::<_, Vec<_>>::new();
    for amounts in fixed.iter().filter(|amounts| amounts.facts.rule.is_base()) {
        if let Some(book) = amounts.facts.rule.offer().map(Offer::book) {
            by_book.entry(book).or_default().push(amounts);
        }
    }
    let bases = by_book.into_iter().map(|(book, offers)| (book, Base::together(offers))).collect();
    let shares = shares.into_iter().map(|facts| of_share(facts, &bases, effort));
    let shares: Vec<_> = shares.collect();
    let mut all: Vec<_> = shares.into_iter().chain(fixed).collect();
    all.sort_by(|one, other| one.facts.rule.id.cmp(&other.facts.rule.id));
    all
}

/// The share of base points that a rule pays, in millionths.
pub(super) fn share(rule: &Rule) -> Option<u64> {
    match &rule.offer()?.kind {
        OfferKind::Bonus(Reward::OfBase { millionths }) | OfferKind::Targeted(Reward::OfBase { millionths }, _) => {
            Some(*millionths)
        }
        OfferKind::Base(_) | OfferKind::Bonus(Reward::Flat(_)) | OfferKind::Targeted(Reward::Flat(_), _) => None,
    }
}

/// The points of a rule that pays no share.
pub(super) fn fixed_points(rule: &Rule) -> u128 {
    match &rule.body {
        RuleBody::Campaign(campaign) => campaign.points.into(),
        RuleBody::Offer(offer) => match &offer.kind {
            OfferKind::Base(points) => (*points).into(),
            OfferKind::Bonus(reward) | OfferKind::Targeted(reward, _) => reward.points(0).into(),
        },
    }
}

fn of_share<'c>(mut facts: Facts<'c>, bases: &Bases<'_, 'c>, effort: &Effort) -> Amounts<'c> {
    let nothing = Base::together(Vec::new());
    let all = facts.rule.offer().and_then(|offer| bases.get(&offer.book())).unwrap_or(&nothing);
    let compared = effort.take(COMPARISON * all.offers.len()).then(|| all.among(&facts, effort));
    let base = compared.as_ref().unwrap_or(all);
    let millionths = share(facts.rule).unwrap_or(0);
    let points = Reward::OfBase { millionths }.points(u64::try_from(base.at_once).unwrap_or(u64::MAX));
    if points == 0 && facts.obstacle.is_none() {
        facts.obstacle = Some(match u64::try_from(base.at_once) {
            Ok(0) => Obstacle::NoBasePoints,
            Ok(base) => Obstacle::LessThanOnePoint { base },
            Err(_) => Obstacle::LessThanOnePoint { base: u64::MAX },
        });
    }
    Amounts::of(facts, |_| points.into(), Some((millionths, base)))
}

impl<'a, 'c> Base<'a, 'c> {
    /// Offers that may all pay at once.
    fn together(offers: Vec<&'a Amounts<'c>>) -> Self {
        let sum = |most: fn(&Amounts<'_>) -> Most| {
            let nothing = Spans::<()>::default().map(|()| Some(0));
            offers.iter().fold(nothing, |sum, offer| sum.zip(most(offer), add))
        };
        let (per_member, in_all) = (sum(|offer| offer.per_member), sum(|offer| offer.in_all));
        Base { at_once: offers.iter().map(|offer| offer.at_once).sum(), per_member, in_all, offers }
    }

    /// Those of the offers that may pay together with a share.
    fn among(&self, share: &Facts<'c>, effort: &Effort) -> Self {
        let offers = self.offers.iter().filter(|base| share.may_share(&base.facts, effort)).copied();
        let shared = Base::together(offers.collect());
        let weighed: Vec<Weighed<'_>> = shared.offers.iter().map(|base| (base.facts.rule, base.at_once)).collect();
        Base { at_once: most_at_once(&weighed, Some(share.rule), effort), ..shared }
    }
}

impl<'c> Amounts<'c> {
    fn of(facts: Facts<'c>, points: impl FnOnce(&Rule) -> u128, base: Option<(u64, &Base<'_, '_>)>) -> Self {
        let rule = facts.rule;
        if facts.obstacle.is_some() {
            let nothing = Spans::<()>::default().map(|()| Some(0));
            return Amounts { facts, at_once: 0, per_member: nothing, in_all: nothing };
        }
        let caps = || rule.limits.iter();
        let of_points = caps().filter(|cap| cap.counter == Counter::MemberPoints).map(|cap| cap.limit.into());
        let at_once = of_points.fold(points(rule), u128::min);
        let mut per_member = Most::default();
        let mut in_all = Most::default();
        for cap in caps() {
            let limit = u128::from(cap.limit);
            let most = if cap.counter == Counter::MemberPoints { Some(limit) } else { limit.checked_mul(at_once) };
            lower(of_span(&mut per_member, cap.per), most);
            if cap.counter == Counter::TotalUses {
                lower(&mut in_all.ever, most);
            }
        }
        if rule.frequency == Some(Frequency::First) {
            lower(&mut per_member.ever, Some(at_once));
        }
        if let Some((millionths, base)) = base {
            // The sum of shares that are rounded down is at most the share of the sum.
            let share = |most: Option<u128>| Some(most?.checked_mul(millionths.into())? / MILLION);
            per_member = per_member.zip(base.per_member.map(share), least);
            in_all = in_all.zip(base.in_all.map(share), least);
        }
        facts.calendar.close(&mut per_member);
        if let Some(members) = audience(rule) {
            in_all = in_all.zip(per_member.map(|most| most?.checked_mul(members)), least);
        }
        facts.calendar.close(&mut in_all);
        // All members together include each one.
        per_member = per_member.zip(in_all, least);
        Amounts { facts, at_once, per_member, in_all }
    }
}

/// The most members to whom a rule pays. Each account and each loyalty id is that of one member.
fn audience(rule: &Rule) -> Option<u128> {
    match &rule.offer()?.kind {
        OfferKind::Targeted(_, audience) => u128::try_from(audience.accounts.len() + audience.loyalty_ids.len()).ok(),
        OfferKind::Base(_) | OfferKind::Bonus(_) => None,
    }
}

fn of_span(most: &mut Most, per: Option<PeriodUnit>) -> &mut Option<u128> {
    match per {
        Some(PeriodUnit::Day) => &mut most.day,
        Some(PeriodUnit::Week) => &mut most.week,
        Some(PeriodUnit::Month) => &mut most.month,
        Some(PeriodUnit::Year) => &mut most.year,
        None => &mut most.ever,
    }
}

fn lower(most: &mut Option<u128>, other: Option<u128>) {
    *most = least(*most, other);
}

fn least(one: Option<u128>, other: Option<u128>) -> Option<u128> {
    one.into_iter().chain(other).min()
}

/// The sum, or `None` if one of the two has no limit.
pub(super) fn add(one: Option<u128>, other: Option<u128>) -> Option<u128> {
    one?.checked_add(other?)
}
