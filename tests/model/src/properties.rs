//! The properties of every state, of the end, and of some state.

use stateright::Property;

use crate::{examples, invariants, model::Protocol, scenario::Scenario};

/// No activity is recorded twice.
pub const RECORDED_ONCE: &str = "an activity is recorded at most once";
/// No point is paid twice or lost.
pub const BALANCES: &str = "a balance is the sum of its records less reversals";
/// Each shard keeps to its share.
pub const SHARES: &str = "the uses of a shard are between 0 and its share";
/// No use is counted twice or lost.
pub const USES: &str = "the uses of a shard are the paying records that name it and are not reversed";
/// The total limit holds.
pub const LIMIT: &str = "no more is paid at once than the total limit allows";
/// The limit of each member holds.
pub const MEMBER_LIMIT: &str = "no member is paid more than its limit allows";
/// No activity is reversed twice.
pub const REVERSED_ONCE: &str = "an activity is reversed at most once";
/// No handler takes its own write for that of another.
pub const OWN_WRITE: &str = "a first and only request is not refused as a duplicate";
/// An answer 200 or "exists" is true.
pub const SUCCESS: &str = "an activity that was answered as recorded is recorded exactly once";
/// An answer that nothing was written is true.
pub const UNAVAILABLE: &str = "a request that was answered \"nothing was written\" writes nothing, then or later";
/// No request is stuck.
pub const END: &str = "every client gets an answer or sends no more, and nothing stays under way";

/// An example must exist: the limit matters.
pub const EXHAUSTED: &str = "the total limit is exhausted, and an activity is recorded unpaid";
/// An example must exist: a retry inside a handler matters.
pub const FOUND: &str = "a lost answer is resolved: a retry finds its own write";
/// An example must exist: a retry of a client matters.
pub const DUPLICATE: &str = "a duplicate is refused";
/// An example must exist: an answer "unknown" is needed.
pub const LATE: &str = "an answer says that the outcome is unknown, and the write arrives later";
/// An example must exist: uses that were given back matter.
pub const TAKEN_AGAIN: &str = "a reversal gives a use back, and another activity takes it";
/// An example must exist: the mark matters.
pub const REFUSED_REVERSAL: &str = "a second reversal is refused";
/// An example must exist: a retry of a reversal matters.
pub const REPLAYED_REVERSAL: &str = "a reversal that is sent again is answered as before";
/// An example must exist: the limit of each member matters.
pub const MEMBER_REFUSED: &str = "a member's limit leaves an activity unpaid, though a shard has uses left";

/// Returns the properties of a scenario. An example is demanded only where the scenario can have one.
pub(crate) fn of(scenario: &Scenario) -> Vec<Property<Protocol>> {
    let mut properties = vec![
        Property::always(RECORDED_ONCE, invariants::recorded_once),
        Property::always(BALANCES, invariants::balances_agree),
        Property::always(SHARES, invariants::shares_hold),
        Property::always(USES, invariants::uses_agree),
        Property::always(LIMIT, invariants::total_limit_holds),
        Property::always(MEMBER_LIMIT, invariants::member_limit_holds),
        Property::always(REVERSED_ONCE, invariants::reversed_once),
        Property::always(OWN_WRITE, invariants::own_write_is_known),
        Property::always(SUCCESS, invariants::success_is_true),
        Property::always(UNAVAILABLE, invariants::unavailable_is_true),
        Property::eventually(END, invariants::is_over),
    ];
    if scenario.is_contended() {
        properties.push(Property::sometimes(EXHAUSTED, examples::exhausted));
    }
    if scenario.most_faults > 0 {
        properties.push(Property::sometimes(FOUND, examples::found));
        properties.push(Property::sometimes(DUPLICATE, examples::duplicate));
        properties.push(Property::sometimes(LATE, examples::late));
    }
    if scenario.reversals > 0 && scenario.is_contended() {
        properties.push(Property::sometimes(TAKEN_AGAIN, examples::taken_again));
    }
    if scenario.reversals > 0 && scenario.most_faults > 0 {
        properties.push(Property::sometimes(REPLAYED_REVERSAL, examples::replayed_reversal));
    }
    if scenario.reversals > 1 {
        properties.push(Property::sometimes(REFUSED_REVERSAL, examples::refused_reversal));
    }
    if scenario.uses_per_member.is_some() {
        properties.push(Property::sometimes(MEMBER_REFUSED, examples::member_refused));
    }
    properties
}
