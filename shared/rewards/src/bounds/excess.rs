//! The numbers of a budget that are not proven.

use super::amounts::{Amounts, add};
use crate::budget::{Budget, Spans};

/// A number of the budget within which the catalog is not proven to stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// Its place in the catalog, a JSON pointer: `/budget/perMember/day`.
    pub pointer: String,
    /// The problem, as the predicate of a sentence whose subject is the place.
    pub message: String,
}

/// Compares the rules with a budget.
pub(super) fn find(budget: &Budget, amounts: &[Amounts<'_>]) -> Vec<Excess> {
    let mosts = |most: fn(&Amounts<'_>) -> Spans<Option<u128>>| {
        let rules = amounts.iter().map(|amount| most(amount).map(|most| vec![(&*amount.facts.rule.id, most)]));
        rules.fold(Spans::<Vec<_>>::default(), |all, rule| {
            all.zip(rule, |mut all, rule| {
                all.extend(rule);
                all
            })
        })
    };
    let parts = [
        ("perMember", budget.per_member, mosts(|amount| amount.per_member)),
        ("inAll", budget.in_all, mosts(|amount| amount.in_all)),
    ];
    let excesses = parts.into_iter().flat_map(|(part, budget, mosts)| {
        let spans = budget.zip(mosts, |budget, rules| message(budget?, &rules)).into_array();
        spans.into_iter().zip(Spans::<()>::NAMES).filter_map(move |(message, span)| {
            Some(Excess { pointer: format!("/budget/{part}/{span}"), message: message? })
        })
    });
    excesses.collect()
}

/// Returns the problem, given the most that each rule can pay.
fn message(budget: u64, rules: &[(&str, Option<u128>)]) -> Option<String> {
    let mut unbounded = rules.iter().filter(|(_, most)| most.is_none()).map(|(rule, _)| rule);
    let total = rules.iter().map(|(_, most)| *most).fold(Some(0), add);
    match (unbounded.next(), total) {
        (Some(rule), _) => {
            let others = match unbounded.count() {
                0 => String::new(),
                1 => " and another rule".to_owned(),
                count => format!(" and {count} other rules"),
            };
            Some(format!("is not proven: {rule}{others} can pay without limit"))
        }
        (None, Some(total)) if total <= budget.into() => None,
        (None, total) => {
            // Of several rules that pay as much, the first.
            let (rule, most) = rules.iter().rev().max_by_key(|(_, most)| *most)?;
            let (total, most) = (total.unwrap_or(u128::MAX), most.unwrap_or(0));
            Some(format!(
                "must be at least {total}, the most that can be paid, because of {rule}, which can pay {most}"
            ))
        }
    }
}
