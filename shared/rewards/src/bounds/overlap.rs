//! The most that rules pay for one occurrence together.

use std::collections::{BTreeMap, BTreeSet};

use punchcard_models::timestamp::Timestamp;

use super::effort::Effort;
use crate::{
    offer::Offer,
    rule::{Rule, RuleBody},
    window::Window,
};

/// A rule and the most that it pays for one occurrence.
pub(super) type Weighed<'c> = (&'c Rule, u128);

/// Returns the most that rules pay for one event, or for one activity to which an offer applies. Rules whose triggers,
/// channels or windows differ don't pay together; any others may.
pub(super) fn most_at_once(rules: &[Weighed<'_>], scope: Option<&Rule>, effort: &Effort) -> u128 {
    let window = scope.map_or_else(Window::default, |rule| rule.window);
    let (mut by_event, mut offers) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
    for &(rule, most) in rules {
        match &rule.body {
            RuleBody::Campaign(campaign) => by_event.entry(&*campaign.event).or_default().push((rule, most)),
            RuleBody::Offer(offer) => offers.push((rule, offer, most)),
        }
    }
    let events = by_event.values().map(|rules| at_one_time(rules, window, effort)).max();
    let scope = scope.and_then(Rule::offer);
    let by_action = classes(offers, scope, |offer| offer.actions.as_ref(), effort);
    let by_channel = by_action.flat_map(|offers| classes(offers, scope, |offer| offer.channels.as_ref(), effort));
    let activities = by_channel.map(|offers| {
        let rules: Vec<_> = offers.iter().map(|(rule, _, most)| (*rule, *most)).collect();
        at_one_time(&rules, window, effort)
    });
    events.into_iter().chain(activities).max().unwrap_or(0)
}

type WeighedOffer<'c> = (&'c Rule, &'c Offer, u128);

/// Returns the offers that answer to the same name, for each name that one or the scope has, and for all others
/// together.
fn classes<'c>(
    offers: Vec<WeighedOffer<'c>>,
    scope: Option<&Offer>,
    answers_to: impl Fn(&Offer) -> Option<&BTreeSet<String>>,
    effort: &Effort,
) -> impl Iterator<Item = Vec<WeighedOffer<'c>>> {
    let (mut named, mut any) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
    for (index, (_, offer, _)) in offers.iter().enumerate() {
        match answers_to(offer) {
            Some(wanted) => wanted.iter().for_each(|name| named.entry(&**name).or_default().push(index)),
            None => any.push(index),
        }
    }
    if let Some(wanted) = scope.and_then(answers_to) {
        named.retain(|name, _| wanted.contains(*name));
    }
    // Many names have the same offers.
    let mut distinct: BTreeSet<_> = named.into_values().chain([Vec::new()]).collect();
    if !effort.take(distinct.len() * any.len()) {
        any = (0..offers.len()).collect();
        distinct = [Vec::new()].into();
    }
    let class =
        move |named: Vec<usize>| named.iter().chain(&any).filter_map(|index| offers.get(*index).copied()).collect();
    distinct.into_iter().map(class)
}

/// Returns the most that rules pay at one time in a window.
fn at_one_time(rules: &[Weighed<'_>], within: Window, effort: &Effort) -> u128 {
    if !effort.take(rules.len()) {
        return rules.iter().map(|(_, most)| most).sum();
    }
    let mut edges = Vec::new();
    for (rule, most) in rules {
        let window = rule.window.overlap(within);
        let (from, until) =
            (window.from.map_or(i64::MIN, Timestamp::as_millis), window.until.map(Timestamp::as_millis));
        if until.is_none_or(|until| from < until) {
            // At the same time, windows end before others start.
            edges.push((from, true, *most));
            edges.extend(until.map(|until| (until, false, *most)));
        }
    }
    edges.sort_unstable();
    let (mut now, mut highest) = (0, 0);
    for (_, starts, most) in edges {
        now = if starts { now + most } else { now - most };
        highest = highest.max(now);
    }
    highest
}
