//! That the checker can fail: systems that are broken on purpose are found out, each within a few seeds.

use punchcard_faults::{Variant, run};

const STEPS: usize = 25;
const SEEDS: std::ops::Range<u64> = 0..12;

/// Some seed has a violation that says so.
fn assert_noticed(variant: Variant, says: &str) {
    let notices = |seed| {
        let violations = run(seed, STEPS, Some(variant)).violations;
        Some((seed, violations.into_iter().find(|violation| violation.what.contains(says))?.what))
    };
    let (seed, what) = SEEDS.into_iter().find_map(notices).unwrap_or_else(|| panic!("{variant:?} is not noticed"));
    println!("{variant:?} is noticed by seed {seed}: {what}");
}

#[test]
fn a_record_without_its_condition() {
    assert_noticed(Variant::NoCondition, "written twice");
}

#[test]
fn a_balance_that_is_read_and_written_back() {
    assert_noticed(Variant::ReadModifyWrite, "but its records come to");
}

#[test]
fn a_retry_that_does_not_know_its_own_write() {
    assert_noticed(Variant::ForgottenWrite, "which nobody else can have stored");
}

#[test]
fn a_write_that_is_known_by_what_a_client_sent() {
    assert_noticed(Variant::ClientsRequestId, "is told to be new 2 times");
}

#[test]
fn a_total_limit_that_is_checked_before_the_write() {
    assert_noticed(Variant::CapOutside, "no catalog of its time pays");
}

#[test]
fn a_throttled_write_that_is_taken_for_a_duplicate() {
    assert_noticed(Variant::ThrottleAsDuplicate, "is not stored, but");
}

#[test]
fn a_record_and_a_balance_that_are_two_writes() {
    assert_noticed(Variant::TornTransaction, "but its records come to");
}

#[test]
fn reads_of_what_was_there_before() {
    assert_noticed(Variant::StaleReads, "which was answered");
}

#[test]
fn a_catalog_that_is_never_read_again() {
    assert_noticed(Variant::KeptCatalog, "was revoked long before");
}
