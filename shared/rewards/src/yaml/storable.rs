//! Rejects catalogs with awards that the store can never hold.
//!
//! An award is written in one transaction together with its record. Two limits of DynamoDB apply to it:
//!
//! - **An item holds 400 KB.** The record of an activity contains the award's `earned` document, which has one entry per
//!   business unit and points type; the record of player events contains the id and points of each paying campaign. The
//!   member's item contains each counter as an attribute, and each balance of a unit and points type.
//! - **A transaction holds 100 items.** Each total limit that an award spends is a separate item, besides the record
//!   and the member, and next to the pointer from a player's address where the catalog merges players. A correction that
//!   gives them back has the record that it corrects, too.
//!
//! A catalog is rejected only if *every* award of some trigger exceeds such a limit. So the bound is the smallest award
//! that a trigger can have: it is paid by the *certain* rules, those without window, channels, conditions, frequency, limits per period
//! and audience, for an activity that names no business unit. Their award to a member who has used no limit is computed by the
//! evaluation itself. Each rule that applies in addition makes it larger, because points and spends only grow. Limits
//! don't make it smaller over time, because no use of a limit is ever stored.
//!
//! An award may still be too large if rules apply that are not certain. The store then rejects that request alone.

use std::collections::BTreeSet;

use punchcard_models::{data::OpenData, settings::ChannelMerging, timestamp::Timestamp};

use crate::{
    award::Award,
    catalog::Catalog,
    counter::Counter,
    occurrence::{Member, Occurrence},
    offer::OfferKind,
    rule::{Rule, RuleBody, Trigger},
    usage::Usage,
};

/// The size that an award may reach in an item: 400 KB, less 1 KB for the ids, timestamps and attribute names next to
/// it.
const MAX_BYTES: usize = 400 * 1024 - 1024;
/// Maximum number of items in a transaction.
const MAX_ITEMS: usize = 100;
/// The record, the member, and in a correction the record that it corrects.
const OTHER_ITEMS: usize = 3;
/// The smallest size of a number attribute: a byte of digits and a byte of overhead.
const NUMBER: usize = 2;
/// Maximum number of reported problems per kind of rule. A fault in a rule for all actions affects every action.
const MAX_PROBLEMS: usize = 20;

/// A trigger whose smallest award cannot be stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unstorable {
    /// The catalog list that contains the rules: `/offers` or `/campaigns`.
    pub pointer: &'static str,
    /// The problem, as the predicate of a sentence whose subject is the list.
    pub message: String,
}

/// Finds the triggers whose smallest award cannot be stored.
pub(super) fn find_unstorable(catalog: &Catalog) -> Vec<Unstorable> {
    let certain = catalog.with_rules(is_certain);
    let events: BTreeSet<_> = certain.rules().filter_map(event).collect();
    let actions = certain.actions().iter().filter_map(|action| check(&certain, Trigger::Action(action)));
    let events = events.into_iter().filter_map(|event| check(&certain, Trigger::Event(event)));
    actions.take(MAX_PROBLEMS).chain(events.take(MAX_PROBLEMS)).collect()
}

/// Returns true if a rule applies to each occurrence of its trigger.
fn is_certain(rule: &Rule) -> bool {
    let applies_to_all = match &rule.body {
        RuleBody::Offer(offer) => offer.channels.is_none() && !matches!(offer.kind, OfferKind::Targeted(..)),
        RuleBody::Campaign(_) => true,
    };
    let is_always_open = rule.window.is_unbounded() && !rule.limits.has_periods();
    applies_to_all && is_always_open && rule.conditions.is_empty() && rule.frequency.is_none()
}

fn event(rule: &Rule) -> Option<&str> {
    match &rule.body {
        RuleBody::Offer(_) => None,
        RuleBody::Campaign(campaign) => Some(&campaign.event),
    }
}

fn check(certain: &Catalog, trigger: Trigger<'_>) -> Option<Unstorable> {
    let data = OpenData::new();
    let at = Timestamp::from_millis(0);
    let occurrence = Occurrence { trigger, channel: None, business_unit: None, at, received_at: at, data: &data };
    let award = certain.evaluate(&occurrence, Member::default(), &Usage::default());
    let (pointer, subject, pointers) = match trigger {
        Trigger::Action(name) => ("/offers", format!("each {name} activity without a business unit"), 0),
        Trigger::Event(name) => {
            let merges = certain.channel_merging() != ChannelMerging::None;
            ("/campaigns", format!("each {name} event"), usize::from(merges))
        }
    };
    let totals = award.spends().iter().filter(|spend| spend.counter == Counter::TotalUses).count();
    let max_totals = MAX_ITEMS - OTHER_ITEMS - pointers;
    let bytes = record_bytes(trigger, &award).max(member_bytes(&award));
    let message = if totals > max_totals {
        format!("must spend at most {max_totals} limits usesInTotal at once, but {subject} spends {totals}")
    } else if bytes > MAX_BYTES {
        format!("must pay awards that fit in {MAX_BYTES} bytes, but that of {subject} takes at least {bytes}")
    } else {
        return None;
    };
    Some(Unstorable { pointer, message })
}

/// The size of the award in the record.
fn record_bytes(trigger: Trigger<'_>, award: &Award<'_>) -> usize {
    match trigger {
        Trigger::Action(_) => award.earned_json().len(),
        // `{"event":{"ID":50,"ID":20}}`. The event's name may need escapes, which make it longer.
        Trigger::Event(name) => {
            let paid = award.trace().iter().filter(|line| line.points() > 0);
            let campaigns = paid.map(|line| line.rule.id.len() + line.points().to_string().len() + r#""":,"#.len());
            name.len() + r#"{"":{}}"#.len() + campaigns.sum::<usize>().saturating_sub(1)
        }
    }
}

/// The size of the counters and balances that the award adds to the member.
fn member_bytes(award: &Award<'_>) -> usize {
    let own = award.spends().iter().filter(|spend| spend.counter != Counter::TotalUses);
    let counters = own.map(|spend| spend.name().len() + NUMBER);
    let earned = award.earned();
    let balances = earned.iter().flat_map(|(unit, types)| types.keys().map(|name| unit.len() + name.len() + NUMBER));
    counters.sum::<usize>() + balances.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn catalog(rest: &str) -> Catalog {
        yaml::read(&format!("businessUnits: {{U: enabled, OLD: disabled}}\n{rest}\n"))
            .unwrap_or_else(|problems| panic!("{problems:?}"))
            .into_catalog()
    }

    fn messages(text: &str) -> Vec<String> {
        yaml::read(text).err().into_iter().flatten().map(|problem| problem.to_string()).collect()
    }

    /// A catalog with `count` rules made by `rule`, in the given list.
    fn many(settings: &str, list: &str, count: usize, rule: impl Fn(usize) -> String) -> String {
        let rules = (0..count).map(|index| format!("  - {{{}}}\n", rule(index))).collect::<Vec<_>>().concat();
        format!("businessUnits: {{U: enabled, OLD: disabled}}\n{settings}\n{list}:\n{rules}")
    }

    /// An offer for app check-ins with a total limit. Later members of `more` may restrict it.
    fn capped_offer(index: usize, more: &str) -> String {
        format!(
            "id: CAP_{index}, unit: U, kind: bonus, reward: {{flat: 1}}, limits: {{usesInTotal: 1}}, \
             actions: [APP_CHECKIN]{more}"
        )
    }

    fn capped_campaign(index: usize) -> String {
        format!("id: CAP_{index}, event: review, points: 1, limits: {{usesInTotal: 1}}")
    }

    #[test]
    fn an_activity_spends_at_most_97_total_limits() {
        let offers = |count| many("", "offers", count, |index| capped_offer(index, ""));
        assert_eq!(messages(&offers(97)), [""; 0]);
        assert_eq!(
            messages(&offers(98)),
            [
                "line 3: /offers must spend at most 97 limits usesInTotal at once, but each APP_CHECKIN activity without \
              a business unit spends 98"
            ]
        );
    }

    #[test]
    fn a_player_event_spends_one_total_limit_less_where_players_are_merged() {
        for (merging, most) in [("none", 97), ("mobile", 96), ("email", 96)] {
            let settings = format!("channelMerging: {merging}");
            let campaigns = |count| many(&settings, "campaigns", count, capped_campaign);
            assert_eq!(messages(&campaigns(most)), [""; 0], "{merging}");
            let message = format!(
                "line 3: /campaigns must spend at most {most} limits usesInTotal at once, but each review event \
                 spends {}",
                most + 1
            );
            assert_eq!(messages(&campaigns(most + 1)), [message], "{merging}");
        }
    }

    #[test]
    fn rules_that_need_not_apply_are_not_counted() {
        for more in [
            ", channels: [APP]",
            ", window: {from: 2024-01-01T00:00:00Z}",
            ", window: {until: 2024-01-01T00:00:00Z}",
            ", conditions: [{field: tier, eq: gold}]",
            ", conditions: [{field: tier, exists: false}]",
        ] {
            let offers = many("", "offers", 120, |index| capped_offer(index, more));
            assert_eq!(messages(&offers), [""; 0], "{more}");
        }
        let targeted = |index| capped_offer(index, ", accounts: [A-1]").replace("bonus", "targeted");
        assert_eq!(messages(&many("", "offers", 120, targeted)), [""; 0]);
        let of_a_disabled_unit = |index| capped_offer(index, "").replace("unit: U", "unit: OLD");
        assert_eq!(messages(&many("", "offers", 120, of_a_disabled_unit)), [""; 0]);
        let without_base = |index| capped_offer(index, "").replace("flat: 1", "multiplier: 2");
        assert_eq!(messages(&many("", "offers", 120, without_base)), [""; 0]);
        let of_several_events = |index| capped_campaign(index).replace("review", &format!("review{}", index % 2));
        assert_eq!(messages(&many("", "campaigns", 120, of_several_events)), [""; 0]);
    }

    #[test]
    fn a_disabled_programme_stores_no_awards() {
        let offers = many("rewards: disabled", "offers", 120, |index| capped_offer(index, ""));
        assert_eq!(messages(&offers), [""; 0]);
    }

    #[test]
    fn offers_and_campaigns_that_are_both_too_many_are_reported_together() {
        let offers = many("", "offers", 99, |index| capped_offer(index, ""));
        let campaigns =
            (100..199).map(|index| format!("  - {{{}}}\n", capped_campaign(index))).collect::<Vec<_>>().concat();
        let messages = messages(&format!("{offers}campaigns:\n{campaigns}"));
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].starts_with("line 3: /offers ") && messages[1].starts_with("line 103: /campaigns "));
    }

    #[test]
    fn an_offer_for_any_action_is_a_problem_of_each_action_up_to_a_bound() {
        let offer = |index| capped_offer(index, "").replace(", actions: [APP_CHECKIN]", "");
        assert_eq!(messages(&many("", "offers", 99, offer)).len(), 3);
        let actions: Vec<_> = (0..100).map(|index| format!("ACTION_{index}")).collect();
        let settings = format!("actions: [{}]", actions.join(", "));
        assert_eq!(messages(&many(&settings, "offers", 99, offer)).len(), MAX_PROBLEMS);
    }

    /// Check-ins that earn `types` points types with names of 64 characters, and one with a name of `last` characters.
    fn points_types(types: usize, last: usize) -> String {
        many("", "offers", types + 1, |index| {
            let width = if index == types { last } else { 64 };
            let name = format!("t{index:0>width$}", width = width - 1);
            format!(
                "id: TYPE_{index}, unit: U, kind: base, reward: {{flat: 1}}, pointsType: {name}, actions: [APP_CHECKIN]"
            )
        })
    }

    #[test]
    fn the_award_of_an_activity_fits_one_item_to_the_byte() {
        // `"NAME":{"base":1,"bonus":0,"targeted":0,"total":1}` and a comma, inside `{"U":{}}` without the last comma.
        let entry = |name: usize| name + r#""":{"base":1,"bonus":0,"targeted":0,"total":1},"#.len();
        let around = r#"{"U":{}}"#.len() - 1;
        let types = (MAX_BYTES - around - entry(10)) / entry(64);
        let last = MAX_BYTES - around - types * entry(64) - entry(0);
        assert!((10..64).contains(&last), "one more name makes the difference: {types} {last}");
        assert_eq!(messages(&points_types(types, last)), [""; 0]);
        assert_eq!(
            messages(&points_types(types, last + 1)),
            [format!(
                "line 3: /offers must pay awards that fit in {MAX_BYTES} bytes, but that of each APP_CHECKIN activity \
                 without a business unit takes at least {}",
                MAX_BYTES + 1
            )]
        );
    }

    #[test]
    fn the_award_of_an_event_fits_one_item_to_the_byte() {
        let campaigns = |count: usize, last: usize| {
            many("", "campaigns", count + 1, |index| {
                let width = if index == count { last } else { 128 };
                format!("id: C{index:0>width$}, event: review, points: 50", width = width - 1)
            })
        };
        // `"ID":50` and a comma.
        let entry = |id: usize| id + r#""":50,"#.len();
        let around = r#"{"review":{}}"#.len() - 1;
        let count = (MAX_BYTES - around - entry(10)) / entry(128);
        let last = MAX_BYTES - around - count * entry(128) - entry(0);
        assert!((10..128).contains(&last), "one more id makes the difference: {count} {last}");
        assert_eq!(messages(&campaigns(count, last)), [""; 0]);
        assert_eq!(
            messages(&campaigns(count, last + 1)),
            [format!(
                "line 3: /campaigns must pay awards that fit in {MAX_BYTES} bytes, but that of each review event takes \
                 at least {}",
                MAX_BYTES + 1
            )]
        );
    }

    #[test]
    fn the_counters_of_a_member_fit_one_item() {
        let offers = |count| {
            many("", "offers", count, |index| {
                format!(
                    "id: C{index:0>127}, unit: U, kind: base, reward: {{flat: 1}}, \
                     limits: {{usesPerMember: 1, pointsPerMember: 1}}, actions: [APP_CHECKIN]"
                )
            })
        };
        // `use#ID` and `sum#ID`, and one balance of unit `U` and points type `loyalty`.
        let each = 2 * (132 + NUMBER);
        let most = (MAX_BYTES - "Uloyalty".len() - NUMBER) / each;
        assert_eq!(messages(&offers(most)), [""; 0]);
        assert_eq!(messages(&offers(most + 1)).len(), 1);
    }

    #[test]
    fn the_size_of_the_record_is_that_of_its_json() {
        let catalog = catalog(
            "campaigns: [{id: BIG, event: order, points: 50}, {id: SMALL, event: order, points: 5}, \
             {id: NONE, event: order, points: 5, conditions: [{field: x, exists: true}]}]",
        );
        let (trigger, data, at) = (Trigger::Event("order"), OpenData::new(), Timestamp::from_millis(0));
        let occurrence = Occurrence { trigger, channel: None, business_unit: None, at, received_at: at, data: &data };
        let award = catalog.evaluate(&occurrence, Member::default(), &Usage::default());
        assert_eq!(record_bytes(trigger, &award), r#"{"order":{"BIG":50,"SMALL":5}}"#.len());
    }
}
