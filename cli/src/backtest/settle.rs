//! What the draft pays for a rule, given what was really paid, and what both evaluations say.

use std::{
    collections::BTreeMap,
    mem::{Discriminant, discriminant},
};

use punchcard_rewards::{Award, Counter, Reason, Rule, Verdict};

use super::counters::Use;

/// The outcome for one rule of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome<'c> {
    pub rule: &'c Rule,
    pub points: u64,
    /// The reason why it pays nothing.
    reason: Option<Discriminant<Reason<'c>>>,
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
            Verdict::NotPaid(reason) => Some(discriminant(reason)),
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

/// Settles a rule: what was paid if both evaluations agree, and the draft's evaluation otherwise.
///
/// A draft that counts something else for the same points, such as another limit, counts that as well, as long as it would
/// have paid what was paid.
pub(super) fn settle<'c>(
    stored: Option<&Outcome<'c>>,
    recorded: Option<&Outcome<'c>>,
    draft: &Outcome<'c>,
) -> Outcome<'c> {
    let (Some(stored), Some(recorded)) = (stored, recorded) else { return draft.clone() };
    let agree = recorded.points == draft.points && recorded.reason == draft.reason;
    if !agree || stored.points == draft.points && recorded.uses != draft.uses {
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
