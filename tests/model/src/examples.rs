//! Properties of some state. Without such a state, the model would not reach the situations that it is for.

use crate::{
    model::Protocol,
    scenario::TOTAL_LIMIT,
    state::{Answer, State},
};

pub(crate) fn exhausted(_: &Protocol, state: &State) -> bool {
    is_exhausted(state) && has_unpaid(state)
}

pub(crate) fn found(_: &Protocol, state: &State) -> bool {
    has_answer(state, Answer::Recorded { found: true })
}

pub(crate) fn duplicate(_: &Protocol, state: &State) -> bool {
    has_answer(state, Answer::AlreadyExists)
}

pub(crate) fn late(_: &Protocol, state: &State) -> bool {
    state.clients().any(|(sender, client)| {
        client.answer == Answer::OutcomeUnknown
            && state.store.written_by(sender).is_none()
            && state.delayed_of(sender).any(|write_id| write_id.request == client.sent)
    })
}

/// More activities were paid than the limit allows at once, so one of them took a use that was given back.
pub(crate) fn taken_again(_: &Protocol, state: &State) -> bool {
    i8::try_from(state.store.paid().count()).is_ok_and(|paid| paid > TOTAL_LIMIT)
}

pub(crate) fn replayed_reversal(_: &Protocol, state: &State) -> bool {
    has_answer(state, Answer::ReversedBefore)
}

pub(crate) fn refused_reversal(_: &Protocol, state: &State) -> bool {
    has_answer(state, Answer::AlreadyReversed)
}

/// Nothing was given back, so an activity is unpaid because of the limit of its member.
pub(crate) fn member_refused(_: &Protocol, state: &State) -> bool {
    !is_exhausted(state) && has_unpaid(state) && state.store.reversals.iter().all(Option::is_none)
}

fn is_exhausted(state: &State) -> bool {
    state.store.shards.iter().sum::<i8>() == TOTAL_LIMIT
}

fn has_unpaid(state: &State) -> bool {
    state.store.activities.iter().flatten().any(|record| record.shard.is_none())
}

fn has_answer(state: &State, answer: Answer) -> bool {
    state.clients().any(|(_, client)| client.answer == answer)
}
