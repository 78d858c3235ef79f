//! Properties of every state.

use crate::{
    model::Protocol,
    scenario::{MEMBERS, REVERSED_ACTIVITY, SHARE, TOTAL_LIMIT},
    state::{Answer, Sender, State},
};

pub(crate) fn recorded_once(_: &Protocol, state: &State) -> bool {
    state.store.recordings.iter().all(|times| *times <= 1)
}

pub(crate) fn balances_agree(model: &Protocol, state: &State) -> bool {
    let member_of = |activity: usize| model.scenario.members[activity];
    (0..MEMBERS).all(|member| {
        let paid = state.store.paid().filter(|activity| member_of(*activity) == member);
        let taken = state.store.reversals.iter().flatten().filter(|reversal| reversal.taken.is_some());
        let taken = taken.filter(|_| member_of(REVERSED_ACTIVITY) == member);
        state.store.members[member].points == number_of(paid) - number_of(taken)
    })
}

pub(crate) fn shares_hold(_: &Protocol, state: &State) -> bool {
    state.store.shards.iter().all(|used| (0..=SHARE).contains(used))
}

pub(crate) fn uses_agree(_: &Protocol, state: &State) -> bool {
    let shard_of = |activity: usize| state.store.activities[activity].and_then(|record| record.shard);
    state.store.shards.iter().enumerate().all(|(shard, used)| {
        let paid = state.store.paid_and_kept().filter(|activity| shard_of(*activity) == Some(shard));
        *used == number_of(paid)
    })
}

pub(crate) fn total_limit_holds(_: &Protocol, state: &State) -> bool {
    number_of(state.store.paid_and_kept()) <= TOTAL_LIMIT
}

pub(crate) fn member_limit_holds(model: &Protocol, state: &State) -> bool {
    let Some(most) = model.scenario.uses_per_member else { return true };
    (0..MEMBERS).all(|member| {
        let paid = state.store.paid_and_kept().filter(|activity| model.scenario.members[*activity] == member);
        let paid = number_of(paid);
        paid <= most && state.store.members[member].uses == paid
    })
}

pub(crate) fn reversed_once(_: &Protocol, state: &State) -> bool {
    state.store.reversals.iter().flatten().count() <= 1
}

pub(crate) fn own_write_is_known(_: &Protocol, state: &State) -> bool {
    !state.clients().any(|(_, client)| client.sent == 1 && client.answer == Answer::AlreadyExists)
}

pub(crate) fn success_is_true(_: &Protocol, state: &State) -> bool {
    let reversed_by = state.store.activities[REVERSED_ACTIVITY].and_then(|record| record.reversed_by);
    state.clients().all(|(sender, client)| match (sender, client.answer) {
        (Sender::Activity(activity), Answer::Recorded { .. } | Answer::AlreadyExists) => {
            state.store.activities[activity].is_some() && state.store.recordings[activity] == 1
        }
        (Sender::Reversal(reversal), Answer::Reversed | Answer::ReversedBefore) => {
            state.store.reversals[reversal].is_some() && reversed_by == Some(reversal)
        }
        (Sender::Reversal(reversal), Answer::AlreadyReversed) => reversed_by.is_some_and(|by| by != reversal),
        (Sender::Activity(_) | Sender::Reversal(_), _) => true,
    })
}

pub(crate) fn unavailable_is_true(_: &Protocol, state: &State) -> bool {
    state.clients().all(|(sender, client)| {
        let mut writes = state.store.written_by(sender).into_iter().chain(state.delayed_of(sender));
        client.answer != Answer::Unavailable || writes.all(|write_id| write_id.request != client.sent)
    })
}

/// Holds at the end of every path. It stays true, since a state that is over has no actions.
pub(crate) fn is_over(model: &Protocol, state: &State) -> bool {
    state.is_over(&model.scenario)
}

fn number_of(items: impl Iterator) -> i8 {
    items.fold(0, |number, _| number + 1)
}
