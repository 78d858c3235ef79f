//! The model: which actions a state has, and what each of them changes.

use stateright::{Model, Property};

use crate::{
    action::{Action, Fate},
    handler::Then,
    properties,
    scenario::{SHARDS, Scenario},
    state::{Answer, Handler, Next, Request, State},
    store::Transaction,
    variant::Variant,
};

/// The write protocol in a scenario.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// The sizes.
    pub scenario: Scenario,
    /// The way in which it is broken, if it is.
    pub variant: Option<Variant>,
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::first(&self.scenario)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let can_fail = state.faults_left > 0;
        for sender in self.scenario.senders() {
            let client = state.client(sender);
            let sends_again = client.answer.invites_retry() && client.sent < self.scenario.most_requests;
            if client.answer == Answer::NotSent || sends_again {
                actions.push(Action::Send { sender, remembers: false });
                if state.remembered != [false; SHARDS] {
                    actions.push(Action::Send { sender, remembers: true });
                }
            }
            if client.answer == Answer::Waiting && can_fail {
                actions.push(Action::StopWaiting(sender));
            }
        }
        for handler in &state.handlers {
            let request = handler.request;
            match handler.next {
                Next::ReadShard(_) => actions.push(Action::ReadShard(request)),
                Next::ReadActivity => actions.push(Action::ReadActivity(request)),
                Next::Record | Next::Reverse(_) => {
                    for transaction in handler.transactions() {
                        let faults = Fate::FAULTS.into_iter().filter(|_| can_fail);
                        let fates = std::iter::once(Fate::Answered).chain(faults);
                        actions.extend(fates.map(|fate| Action::Transact { request, transaction, fate }));
                    }
                }
            }
            if handler.at_deadline().is_some() {
                actions.push(Action::GiveUp(request));
            }
            if can_fail {
                actions.push(Action::Kill(request));
            }
        }
        actions.extend(state.delayed.iter().map(|transaction| Action::Arrive(*transaction)));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Send { sender, remembers } => {
                let full = if remembers { state.remembered } else { [false; SHARDS] };
                let client = state.client_mut(sender);
                client.sent += 1;
                client.answer = Answer::Waiting;
                let handler = Handler::new(Request { sender, number: client.sent }, full, self.variant);
                put(&mut state, handler);
            }
            Action::StopWaiting(sender) => {
                state.client_mut(sender).answer = Answer::Lost;
                state.faults_left -= 1;
            }
            Action::Kill(request) => {
                take(&mut state, request)?;
                answer(&mut state, request, Answer::Lost);
                state.faults_left -= 1;
            }
            Action::ReadActivity(request) => {
                let then = take(&mut state, request)?.read_activity(&state.store);
                follow(&mut state, request, then);
            }
            Action::ReadShard(request) => {
                let handler = take(&mut state, request)?;
                let Next::ReadShard(shard) = handler.next else { return None };
                let handler = handler.read_shard(shard, &state.store);
                state.remembered[shard] = handler.full[shard];
                put(&mut state, handler);
            }
            Action::Transact { request, transaction, fate } => {
                self.transact(&mut state, request, transaction, fate)?;
            }
            Action::GiveUp(request) => {
                let at_deadline = take(&mut state, request)?.at_deadline()?;
                if self.variant != Some(Variant::SilentDeadline) {
                    answer(&mut state, request, at_deadline);
                }
            }
            Action::Arrive(transaction) => {
                let index = state.delayed.iter().position(|delayed| *delayed == transaction)?;
                state.delayed.remove(index);
                state.store.transact(&self.scenario, self.variant, transaction);
            }
        }
        Some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        action.to_string()
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(&self.scenario)
    }
}

impl Protocol {
    fn transact(&self, state: &mut State, request: Request, transaction: Transaction, fate: Fate) -> Option<()> {
        let handler = take(state, request)?;
        if fate == Fate::Answered {
            let transacted = state.store.transact(&self.scenario, self.variant, transaction);
            follow(state, request, handler.after(transacted));
            return Some(());
        }
        state.faults_left -= 1;
        match fate {
            Fate::AnswerLost => {
                state.store.transact(&self.scenario, self.variant, transaction);
            }
            Fate::Delayed => {
                state.delayed.push(transaction);
                state.delayed.sort_unstable();
            }
            Fate::Answered | Fate::Lost | Fate::Refused => {}
        }
        put(state, handler.after_failure(fate != Fate::Refused, self.variant));
        Some(())
    }
}

fn take(state: &mut State, request: Request) -> Option<Handler> {
    let index = state.handlers.iter().position(|handler| handler.request == request)?;
    Some(state.handlers.remove(index))
}

fn put(state: &mut State, handler: Handler) {
    let index = state.handlers.partition_point(|other| other.request < handler.request);
    state.handlers.insert(index, handler);
}

fn follow(state: &mut State, request: Request, then: Then) {
    match then {
        Then::Continue(handler) => put(state, handler),
        Then::Answer(given) => answer(state, request, given),
    }
}

/// Answers a request, unless its client stopped waiting.
fn answer(state: &mut State, request: Request, given: Answer) {
    let client = state.client_mut(request.sender);
    if client.answer == Answer::Waiting && client.sent == request.number {
        client.answer = given;
    }
}
