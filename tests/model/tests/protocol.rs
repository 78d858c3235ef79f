//! The protocol keeps its promises in small scenarios, and the checker can fail: each protocol that is broken on purpose
//! violates what it should, and nothing else.

use std::collections::BTreeSet;

use punchcard_model::{
    Protocol, Scenario, Variant, check,
    properties::{
        BALANCES, END, LIMIT, MEMBER_LIMIT, OWN_WRITE, RECORDED_ONCE, REVERSED_ONCE, SHARES, SUCCESS, UNAVAILABLE, USES,
    },
    scenario,
};

/// Explores a scenario with at most one fault, since this is built without optimisation.
fn assert_kept(scenario: Scenario) {
    let report = check(Protocol { scenario: scenario.with_faults(1), variant: None });
    println!("{report}");
    assert!(report.is_kept(), "{report}");
}

#[test]
fn activities_that_contend_are_paid_once_and_within_the_limit() {
    assert_kept(scenario::INTAKE);
}

#[test]
fn a_reversal_gives_back_what_another_activity_takes() {
    assert_kept(scenario::REVERSAL);
}

#[test]
fn one_of_two_reversals_takes_effect() {
    assert_kept(scenario::TWO_REVERSALS);
}

#[test]
fn the_limit_of_each_member_holds_too() {
    assert_kept(scenario::MEMBER_LIMIT);
}

/// Explores all states of a broken protocol. It violates these properties, and no others.
fn assert_violates(variant: Variant, violated: &[&'static str]) {
    let report = check(Protocol { scenario: variant.scenario(), variant: Some(variant) });
    println!("{report}");
    let found: BTreeSet<_> = report.violations.iter().map(|violation| violation.property).collect();
    assert_eq!(found, violated.iter().copied().collect(), "{report}");
}

#[test]
fn a_record_without_its_condition_is_noticed() {
    assert_violates(Variant::RecordUnconditional, &[RECORDED_ONCE, BALANCES, USES, SUCCESS]);
}

#[test]
fn a_shard_that_is_checked_before_the_write_is_noticed() {
    assert_violates(Variant::ShardCheckedBefore, &[SHARES, LIMIT]);
}

#[test]
fn a_member_without_its_condition_is_noticed() {
    assert_violates(Variant::MemberUnconditional, &[MEMBER_LIMIT]);
}

#[test]
fn a_mark_without_its_condition_is_noticed() {
    assert_violates(Variant::MarkUnconditional, &[REVERSED_ONCE, SHARES, USES, SUCCESS]);
}

#[test]
fn a_use_that_is_given_to_another_shard_is_noticed() {
    assert_violates(Variant::OtherShard, &[SHARES, USES]);
}

#[test]
fn a_retry_that_does_not_know_its_own_write_is_noticed() {
    assert_violates(Variant::FreshWriteId, &[OWN_WRITE]);
}

#[test]
fn an_attempt_that_may_have_taken_effect_and_is_forgotten_is_noticed() {
    assert_violates(Variant::ForgottenUncertainty, &[UNAVAILABLE]);
}

#[test]
fn a_client_that_waits_forever_is_noticed() {
    assert_violates(Variant::SilentDeadline, &[END]);
}
