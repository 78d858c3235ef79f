//! The decision between the stored award and the evaluation with the draft, for each rule of a record.

use std::collections::{BTreeMap, BTreeSet};

use punchcard_rewards::{Award, Counter, Reason, Rule, Verdict};

use super::counters::Use;

/// The outcome for one rule of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome<'c> {
    pub rule: &'c Rule,
    pub points: u64,
    /// The reason why it pays nothing.
    reason: Option<Reason<'c>>,
    pub uses: Vec<Use>,
}

/// The outcomes of a record, by rule.
pub(super) type Outcomes<'c> = BTreeMap<&'c str, Outcome<'c>>;

/// Returns the outcomes of the awards of one record. They share no rule.
pub(super) fn outcomes<'c>(awards: &[Award<'c>]) -> Outcomes<'c> {
    let mut outcomes = Outcomes::new();
    for line in awards.iter().flat_map(Award::trace) {
        let reason = match &line.verdict {
            Verdict::Paid { .. } => None,
            Verdict::NotPaid(reason) => Some(*reason),
        };
        outcomes.insert(line.rule.id(), Outcome { rule: line.rule, points: line.points(), reason, uses: Vec::new() });
    }
    for spend in awards.iter().flat_map(Award::spends) {
        if let Some(outcome) = outcomes.get_mut(&**spend.rule) {
            outcome.uses.push(Use { counter: spend.counter, period: spend.period, amount: spend.amount });
        }
    }
    outcomes
}

/// Settles the rules of the draft for a record: each pays what was paid if both evaluations agree, and what the draft's
/// evaluation says otherwise.
///
/// Bonuses are shares of the base points of their unit. If evaluations disagree about one rule of a unit, and another was
/// not paid as the draft's evaluation says, the evaluation decides for the whole unit, so that its points fit together.
pub(super) fn settle<'c>(stored: &Outcomes<'c>, recorded: &Outcomes<'c>, draft: &Outcomes<'c>) -> Outcomes<'c> {
    let agrees = |id: &str, drafted: &Outcome<'c>| {
        let recorded = recorded.get(id).filter(|_| stored.contains_key(id));
        recorded.is_some_and(|recorded| recorded.points == drafted.points && recorded.reason == drafted.reason)
    };
    let (mut disputed, mut paid_otherwise) = (BTreeSet::new(), BTreeSet::new());
    for (id, drafted) in draft {
        let Some(unit) = drafted.rule.unit() else { continue };
        if !agrees(id, drafted) {
            disputed.insert(unit);
        } else if stored.get(id).is_some_and(|stored| stored.points != drafted.points) {
            paid_otherwise.insert(unit);
        }
    }
    let settle = |(id, drafted): (&&'c str, &Outcome<'c>)| {
        let is_of_evaluation =
            drafted.rule.unit().is_some_and(|unit| disputed.contains(unit) && paid_otherwise.contains(unit));
        let outcome = match (stored.get(id), recorded.get(id)) {
            (Some(stored), Some(recorded)) if agrees(id, drafted) && !is_of_evaluation => {
                settled(stored, recorded, drafted)
            }
            _ => drafted.clone(),
        };
        (*id, outcome)
    };
    draft.iter().map(settle).collect()
}

/// Settles a rule about which both evaluations agree.
///
/// A draft that counts something else for the same points, such as another limit, counts that as well, as long as it would
/// have paid what was paid.
fn settled<'c>(stored: &Outcome<'c>, recorded: &Outcome<'c>, draft: &Outcome<'c>) -> Outcome<'c> {
    if stored.points == draft.points && recorded.uses != draft.uses {
        return draft.clone();
    }
    let uses = if recorded.uses == draft.uses {
        stored.uses.clone()
    } else {
        let uses_of = |outcome: &Outcome<'c>, wanted: bool| {
            let uses = outcome.uses.iter().filter(move |used| is_limit(used.counter) == wanted);
            uses.copied().collect::<Vec<_>>()
        };
        [uses_of(draft, false), uses_of(stored, true)].concat()
    };
    Outcome { rule: draft.rule, points: stored.points, reason: stored.reason, uses }
}

/// True for the counters of limits, which count only what is paid.
fn is_limit(counter: Counter) -> bool {
    match counter {
        Counter::MemberUses | Counter::MemberPoints | Counter::TotalUses => true,
        Counter::FirstTrigger | Counter::Occurrences => false,
    }
}

#[cfg(test)]
mod tests {
    use punchcard_models::{data::OpenData, timestamp::Timestamp};
    use punchcard_rewards::{Catalog, Member, Occurrence, Trigger, Usage};

    use super::*;

    /// A catalog with base points up to a total limit, and a bonus.
    fn catalog(limit: u64, percentage: u64) -> Catalog {
        let catalog = format!(
            r#"{{"businessUnits": {{"U": "enabled"}}, "offers": [
                {{"id": "BASE", "unit": "U", "kind": "base", "reward": {{"flat": 10}}, "limits": {{"usesInTotal": {limit}}}}},
                {{"id": "BONUS", "unit": "U", "kind": "bonus", "reward": {{"percentage": {percentage}}}}}
            ]}}"#
        );
        Catalog::from_json(&catalog).unwrap_or_else(|_| panic!("{catalog}"))
    }

    fn outcomes_after(catalog: &Catalog, used: u64) -> Outcomes<'_> {
        let (data, at) = (OpenData::new(), Timestamp::from_millis(0));
        let trigger = Trigger::Action("APP_CHECKIN");
        let occurrence = Occurrence { trigger, channel: None, business_unit: None, at, received_at: at, data: &data };
        let mut usage = Usage::default();
        usage.set("cap#BASE", used);
        outcomes(&[catalog.evaluate(&occurrence, Member::default(), &usage)])
    }

    /// Settles for a record that was paid after `stored` uses, and that is replayed after `recorded` and `draft` uses.
    fn points(own: &Catalog, draft: &Catalog, [stored, recorded, drafted]: [u64; 3]) -> Vec<u64> {
        let settled =
            settle(&outcomes_after(own, stored), &outcomes_after(own, recorded), &outcomes_after(draft, drafted));
        settled.values().map(|outcome| outcome.points).collect()
    }

    #[test]
    fn the_same_catalog_pays_what_was_paid_whatever_the_order_was() {
        let same = catalog(5, 50);
        assert_eq!(points(&same, &same, [4, 5, 5]), [10, 5]);
        assert_eq!(points(&same, &same, [5, 4, 4]), [0, 0]);
    }

    #[test]
    fn a_draft_does_not_exceed_its_own_limit() {
        assert_eq!(points(&catalog(5, 50), &catalog(4, 50), [4, 5, 4]), [0, 0]);
    }

    #[test]
    fn a_share_is_of_base_points_that_are_paid() {
        assert_eq!(points(&catalog(5, 50), &catalog(5, 100), [5, 4, 4]), [10, 10]);
    }
}
