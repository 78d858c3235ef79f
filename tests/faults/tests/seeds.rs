//! That the promises are kept, that a seed is one course of things, and that the checker can fail: systems that are broken
//! on purpose are noticed, each within a few seeds.

use punchcard_faults::{Variant, run};

/// Steps a client: few, since this is built without optimisation.
const STEPS: usize = 20;

#[test]
fn whatever_fails_nothing_is_lost_or_counted_twice() {
    for seed in 0..8 {
        let outcome = run(seed, STEPS, None);
        let violations: String = outcome.violations.iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "seed {seed} of {STEPS} steps\n{violations}");
    }
}

#[test]
fn a_seed_is_one_course_of_things() {
    let [first, again, other] = [7, 7, 8].map(|seed| run(seed, STEPS, None));
    assert_eq!(first.history().len(), again.history().len());
    assert_eq!(first.digest(), again.digest());
    assert_ne!(first.digest(), other.digest());
}

/// One of a few seeds has a violation that says so.
fn assert_noticed(variant: Variant, says: &str) {
    let notices = |seed| {
        let violations = run(seed, STEPS, Some(variant)).violations;
        Some((seed, violations.into_iter().find(|violation| violation.what.contains(says))?.what))
    };
    let found = (0..40).find_map(notices);
    let (seed, what) = found.unwrap_or_else(|| panic!("{variant:?} is not noticed"));
    println!("{variant:?} is noticed by seed {seed}: {what}");
}

#[test]
fn a_record_without_its_condition_is_noticed() {
    assert_noticed(Variant::NoCondition, "written twice");
}

#[test]
fn a_balance_that_is_read_and_written_back_is_noticed() {
    assert_noticed(Variant::ReadModifyWrite, "but its records come to");
}

#[test]
fn a_retry_that_does_not_know_its_own_write_is_noticed() {
    assert_noticed(Variant::ForgottenWrite, "which no other request can have stored");
}

#[test]
fn a_write_that_is_known_by_what_a_client_sent_is_noticed() {
    assert_noticed(Variant::ClientsRequestId, "is answered as new 2 times");
}

#[test]
fn a_total_limit_that_is_checked_before_the_write_is_noticed() {
    assert_noticed(Variant::CapOutside, "but its records come to");
}

#[test]
fn a_throttled_write_that_is_taken_for_a_duplicate_is_noticed() {
    assert_noticed(Variant::ThrottleAsDuplicate, "is not stored, but");
}

#[test]
fn a_carried_out_write_that_is_answered_as_refused_is_noticed() {
    assert_noticed(Variant::RefusedAfterWrite, "is invited to be sent again");
}

#[test]
fn a_record_and_a_balance_that_are_two_writes_is_noticed() {
    assert_noticed(Variant::TornTransaction, "which no catalog of its time pays");
}

#[test]
fn reads_of_what_was_there_before_is_noticed() {
    assert_noticed(Variant::StaleReads, "which was answered");
}

#[test]
fn a_catalog_that_is_never_read_again_is_noticed() {
    assert_noticed(Variant::KeptCatalog, "which no catalog of its time pays");
}

#[test]
fn a_record_without_the_counters_of_its_award_is_noticed() {
    assert_noticed(Variant::LostCounters, "and its catalog and counters give");
}

#[test]
fn an_activity_that_is_reversed_twice_is_noticed() {
    assert_noticed(Variant::ReversedTwice, "is reversed 2 times");
}

#[test]
fn a_reference_that_is_not_checked_is_noticed() {
    assert_noticed(Variant::ReferenceUnchecked, "written twice");
}

#[test]
fn a_counter_of_a_period_that_is_not_checked_is_noticed() {
    assert_noticed(Variant::PeriodUnchecked, "which no catalog of its time pays");
}

#[test]
fn uses_that_a_reversal_keeps_are_noticed() {
    assert_noticed(Variant::KeptUses, "but its records come to");
}
