//! A client of the client events' API: sends batches, again and merged with new events where it doesn't know better.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use punchcard_models::client_event::MAX_BATCH;

use super::{Client, Life, is_open};
use crate::{
    history::{Ask, Event},
    system::System,
    world::lock,
};

const CUSTOMERS: [&str; 2] = ["customer-1", "customer-2"];

/// Events that any client may know of, since some are sent by several.
type Shared = Arc<Mutex<Vec<Event>>>;

#[derive(Debug)]
pub(crate) struct ClientEvents {
    client: Client,
    customer: &'static str,
    request_id: String,
    shared: Shared,
    /// Sent, and not known to be stored.
    open: Vec<Event>,
}

impl ClientEvents {
    pub(crate) fn new(system: &Arc<System>, number: usize, shared: &Shared) -> Self {
        let client = Client::new(system, number);
        let request_id = guid(&client);
        let customer = client.one_of(&CUSTOMERS);
        ClientEvents { client, customer, request_id, shared: shared.clone(), open: Vec::new() }
    }

    fn new_event(&self) -> Event {
        Event { id: guid(&self.client), tag: self.client.system.world.tag() }
    }

    /// An event that somebody sent, or another one under its id.
    fn known_event(&self) -> Option<Event> {
        let mut event = {
            let shared = lock(&self.shared);
            (!shared.is_empty()).then(|| self.client.one_of(&shared))?
        };
        if self.client.happens(250) {
            event.tag = self.client.system.world.tag();
        }
        Some(event)
    }

    fn batch(&self) -> Vec<Event> {
        let new = match self.client.chance(|rng| rng.u8(0..20)) {
            0 => 30,
            1..10 => 1,
            _ => self.client.chance(|rng| rng.usize(0..5)),
        };
        let mut batch = Vec::new();
        if !self.open.is_empty() && self.client.happens(700) {
            batch = distinct(&self.open);
            // As it was, or merged with new ones.
            if self.client.happens(500) {
                return batch;
            }
        }
        batch.extend((0..new).map(|_| self.new_event()));
        for _ in 0..self.client.chance(|rng| rng.usize(0..3)) {
            batch.extend(self.known_event());
        }
        if batch.is_empty() {
            batch.push(self.new_event());
        }
        // One id twice is a fault of the client's.
        if self.client.happens(20) && batch.len() <= MAX_BATCH { batch } else { distinct(&batch) }
    }

    async fn send(&mut self, events: Vec<Event>) {
        let request_id = match self.client.chance(|rng| rng.u8(0..4)) {
            _ if self.client.system.world.plan.one_request_id => Some(self.request_id.clone()),
            0 => None,
            1 => Some(self.request_id.clone()),
            _ => Some(guid(&self.client)),
        };
        let ask = Ask::ClientEvents { customer: self.customer, request_id, events: events.clone() };
        let answer = self.client.send_with_token(Some(self.customer), ask.clone()).await;
        self.open.retain(|event| !events.contains(event));
        if is_open(&ask, answer.as_ref()) || answer.is_some_and(|answer| matches!(answer.status, 400 | 401)) {
            self.open.extend(events);
        }
    }
}

impl Life for ClientEvents {
    async fn do_something(&mut self) {
        let batch = self.batch();
        lock(&self.shared).extend(batch.iter().take(2).cloned());
        self.send(batch).await;
    }

    async fn finish(&mut self) {
        while !self.open.is_empty() {
            let some = distinct(&self.open);
            let before = self.open.len();
            self.send(some).await;
            if self.open.len() >= before {
                // The checker finds what was answered.
                break;
            }
        }
    }

    fn client(&self) -> &Client {
        &self.client
    }
}

/// As many as one request takes, none of whose ids is there twice.
fn distinct(events: &[Event]) -> Vec<Event> {
    let mut ids = HashSet::new();
    events.iter().filter(|event| ids.insert(&event.id)).take(MAX_BATCH).cloned().collect()
}

/// A GUID by chance.
fn guid(client: &Client) -> String {
    uuid::Uuid::from_u128(client.chance(|rng| rng.u128(..))).to_string()
}
