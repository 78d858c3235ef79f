//! That the promises are kept, and that a seed is one course of things.

use punchcard_faults::run;

/// Steps a client: few, since this is built without optimisation.
const STEPS: usize = 15;

#[test]
fn whatever_fails_nothing_is_lost_or_counted_twice() {
    for seed in 0..12 {
        let outcome = run(seed, STEPS, None);
        let violations: String = outcome.violations.iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "seed {seed} of {STEPS} steps\n{violations}");
    }
}

#[test]
fn a_seed_is_one_course_of_things() {
    let [first, again, other] = [7, 7, 8].map(|seed| run(seed, STEPS, None));
    for (line, same) in first.history.iter().zip(&again.history) {
        assert_eq!(line.len(), same.len(), "{line}\n{same}");
    }
    assert_eq!(first.digest, again.digest);
    assert_ne!(first.digest, other.digest);
}
