//! Clients, which do what real ones do: send, and where no answer comes or a failure, send again.

mod activities;
mod client_events;
mod players;

use std::sync::Arc;

pub(crate) use activities::Activities;
pub(crate) use client_events::ClientEvents;
pub(crate) use players::Players;

use crate::{
    history::{Answer, Ask, Millis},
    operator::CLIENTS,
    system::System,
};

/// A token is used for so long, in milliseconds.
const TOKEN_AGE: Millis = 600_000;

/// The common part of all clients: number and tokens.
#[derive(Debug)]
pub(crate) struct Client {
    pub system: Arc<System>,
    pub number: usize,
    /// The tokens: for which customer, if for one; of which client; since when.
    tokens: Vec<(Option<&'static str>, &'static str, String, Millis)>,
}

/// A client's behaviour: `do_something` while faults happen, `finish` when none do any more.
pub(crate) trait Life: Send {
    fn do_something(&mut self) -> impl Future<Output = ()> + Send;
    fn finish(&mut self) -> impl Future<Output = ()> + Send;
    fn client(&self) -> &Client;
}

/// Lives a client's life as long as things fail.
pub(crate) async fn live<L: Life>(mut life: L) -> L {
    let world = life.client().system.world.clone();
    for _ in 0..world.plan.steps {
        world.moment(world.plan.pause).await;
        life.do_something().await;
    }
    life
}

impl Client {
    pub(crate) fn new(system: &Arc<System>, number: usize) -> Self {
        Client { system: system.clone(), number, tokens: Vec::new() }
    }

    /// One of the clients that have credentials; the one that may be revoked, sometimes.
    fn caller(&self) -> &'static str {
        let doomed = !self.system.world.is_calm() && self.system.world.happens(300);
        CLIENTS[usize::from(doomed)]
    }

    /// Sends something that needs a token.
    async fn send_with_token(&mut self, customer: Option<&'static str>, ask: Ask) -> Option<Answer> {
        let caller = self.caller();
        let now = self.system.world.millis();
        let known = self
            .tokens
            .iter()
            .find(|(of, by, _, since)| *of == customer && *by == caller && now.saturating_sub(*since) < TOKEN_AGE);
        let token = if let Some((_, _, token, _)) = known {
            token.clone()
        } else {
            let answer = self.system.send(self.number, caller, "", Ask::Token { customer }).await?;
            let member = if customer.is_some() { "sessionToken" } else { "access_token" };
            let token = answer.json()[member].as_str()?.to_owned();
            self.tokens.retain(|(of, by, ..)| *of != customer || *by != caller);
            self.tokens.push((customer, caller, token.clone(), now));
            token
        };
        self.system.send(self.number, caller, &token, ask).await
    }

    fn chance<T>(&self, decide: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        self.system.world.chance(decide)
    }

    fn happens(&self, of_a_thousand: u32) -> bool {
        self.system.world.happens(of_a_thousand)
    }

    /// One of these.
    fn one_of<T: Clone>(&self, choices: &[T]) -> T {
        choices[self.chance(|rng| rng.usize(0..choices.len()))].clone()
    }
}

/// Decides if a request is sent again. One without an id of its own is sent again only if the answer invites it.
fn is_open(ask: &Ask, answer: Option<&Answer>) -> bool {
    if ask.is_keyless() {
        answer.is_some_and(Answer::invites_retry)
    } else {
        answer.is_none_or(|answer| answer.status >= 500)
    }
}
