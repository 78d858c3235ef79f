//! Facts about each rule that follow from its conditions and window alone.

use std::collections::BTreeSet;

use punchcard_models::settings::UnitStatus;

use super::{
    Obstacle,
    answer::Answer,
    calendar::{self, Calendar},
    cases::{self, Case, Cases, can_coincide},
    effort::Effort,
    week::WeekSet,
};
use crate::{
    catalog::Catalog,
    rule::{Rule, RuleBody},
    window::Window,
};

/// The facts about a rule.
#[derive(Debug)]
pub(super) struct Facts<'c> {
    pub rule: &'c Rule,
    /// The cases that may occur in its window.
    pub cases: Cases<'c>,
    pub calendar: Calendar,
    /// A reason why it never applies.
    pub obstacle: Option<Obstacle>,
    /// `No` if its conditions contradict each other.
    pub can_be_met: Answer,
}

impl<'c> Facts<'c> {
    pub fn of(rule: &'c Rule, catalog: &Catalog) -> Self {
        let may_be_array = rule.is_campaign();
        let all = cases::of_all(&rule.conditions).map(|mut cases| {
            if let Some(times) = calendar::times(rule.window, catalog.zone()) {
                for case in &mut cases {
                    case.restrict(&times);
                }
            }
            cases
        });
        let can_be_met = all
            .as_ref()
            .map_or(Answer::Undecided, |cases| Answer::any(cases.iter().map(|case| case.can_occur(may_be_array))));
        let obstacle = disabled(rule, catalog)
            .or_else(|| (can_be_met == Answer::No).then(|| contradiction(all.as_deref()?, may_be_array)).flatten());
        let cases = all.map(|mut cases| {
            cases.retain(|case| case.can_occur(may_be_array) != Answer::No);
            cases
        });
        let calendar = Calendar::new(rule.window, weekdays(&cases), catalog.zone());
        Facts { rule, cases, calendar, obstacle, can_be_met }
    }

    /// Returns true if a base offer of the same balance may pay for an activity to which this offer applies.
    pub fn may_share(&self, base: &Facts<'c>, effort: &Effort) -> bool {
        let (Some(own), Some(other)) = (self.rule.offer(), base.rule.offer()) else { return false };
        let meet = |one: &Option<BTreeSet<String>>, other: &Option<_>| match (one, other) {
            (Some(one), Some(other)) => !one.is_disjoint(other),
            (None, _) | (_, None) => true,
        };
        own.book() == other.book()
            && base.obstacle.is_none()
            && meet(&own.actions, &other.actions)
            && meet(&own.channels, &other.channels)
            && overlap(self.rule.window, base.rule.window)
            && can_coincide(&self.cases, &base.cases, false, effort)
    }
}

fn disabled(rule: &Rule, catalog: &Catalog) -> Option<Obstacle> {
    if !catalog.rewards_enabled() {
        return Some(Obstacle::RewardsDisabled);
    }
    match &rule.body {
        RuleBody::Offer(offer) if catalog.business_units().get(&offer.unit) != Some(&UnitStatus::Enabled) => {
            Some(Obstacle::UnitDisabled(offer.unit.clone()))
        }
        RuleBody::Offer(_) | RuleBody::Campaign(_) => None,
    }
}

/// The contradiction in cases of which none can occur.
fn contradiction(cases: &[Case<'_>], may_be_array: bool) -> Option<Obstacle> {
    match cases {
        [case] if case.has_no_time() => Some(Obstacle::NoTime),
        [case] => case.contradiction(may_be_array).map(|field| Obstacle::Contradiction(field.to_owned())),
        _ => Some(Obstacle::Contradictions),
    }
}

/// The weekdays on which a case may occur, from Monday.
fn weekdays(cases: &Cases<'_>) -> [bool; 7] {
    let Some(cases) = cases else { return [true; 7] };
    let mut all = [false; 7];
    for case in cases {
        let days = case.times.as_ref().map_or([true; 7], WeekSet::days);
        all.iter_mut().zip(days).for_each(|(day, is_allowed)| *day |= is_allowed);
    }
    all
}

/// Returns true if two windows have a time in common.
pub(super) fn overlap(one: Window, other: Window) -> bool {
    let window = one.overlap(other);
    window.from.zip(window.until).is_none_or(|(from, until)| from < until)
}
