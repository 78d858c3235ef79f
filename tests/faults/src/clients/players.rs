//! A client of the player events' API: sends events with an Idempotency-Key and without, and reads players.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Client, Life, is_open};
use crate::{history::Ask, operator::API_KEYS, system::System, world::lock};

const PLAYERS: [&str; 5] = ["player-1", "player-2", "player-3", "player-4", "player-5"];
const EMAILS: [&str; 3] = ["Ada@example.com", "bob@example.com", "eve@example.com"];
const EVENTS: [&str; 4] = ["place_order", "review", "sign_up", "visit"];

#[derive(Debug)]
pub(crate) struct Players {
    client: Client,
    /// Requests of all clients.
    sent: Arc<Mutex<Vec<Ask>>>,
    /// Sent, and not known to be recorded.
    open: Vec<Ask>,
}

impl Players {
    pub(crate) fn new(system: &Arc<System>, number: usize, sent: &Arc<Mutex<Vec<Ask>>>) -> Self {
        Players { client: Client::new(system, number), sent: sent.clone(), open: Vec::new() }
    }

    fn new_events(&self) -> Ask {
        let client = &self.client;
        let tag = client.system.world.tag();
        let player = client.one_of(&PLAYERS);
        let mut events = serde_json::Map::new();
        for _ in 0..client.chance(|rng| rng.usize(1..4)) {
            let total = client.one_of(&[50, 100, 150]);
            events.insert(client.one_of(&EVENTS).to_owned(), json!({"total": total, "tag": tag}));
        }
        let mut body = json!({"playerUniqueId": player, "events": events});
        let address = match client.system.world.plan.merging {
            "email" => Some(("email", client.one_of(&EMAILS))),
            "mobile" => Some(("mobile", client.one_of(&["+1", "+2", "+3"]))),
            _ => None,
        };
        if let Some((name, address)) = address {
            body[name] = json!(address);
        }
        let key = client.happens(700).then(|| format!("key-{tag}"));
        let address = address.map(|(_, address)| address.to_lowercase());
        Ask::PlayerEvents { player: player.to_owned(), address, key, tag, body }
    }

    /// Some that somebody sent with a key, as they were or others.
    fn known_events(&self) -> Option<Ask> {
        let sent: Vec<_> = {
            let sent = lock(&self.sent);
            sent.iter().filter(|ask| matches!(ask, Ask::PlayerEvents { key: Some(_), .. })).cloned().collect()
        };
        let mut ask = (!sent.is_empty()).then(|| self.client.one_of(&sent))?;
        if self.client.happens(200)
            && let Ask::PlayerEvents { tag, body, .. } = &mut ask
        {
            *tag = self.client.system.world.tag();
            body["events"] = json!({"visit": {"tag": Value::from(*tag)}});
        }
        Some(ask)
    }

    async fn record(&mut self, ask: Ask) {
        lock(&self.sent).push(ask.clone());
        let answer = self.send(ask.clone()).await;
        self.open.retain(|open| *open != ask);
        if is_open(&ask, answer.as_ref()) {
            self.open.push(ask);
        }
    }

    async fn send(&self, ask: Ask) -> Option<crate::history::Answer> {
        let world = &self.client.system.world;
        let key = API_KEYS[usize::from(!world.is_calm() && world.happens(300))];
        self.client.system.send(self.client.number, key, key, ask).await
    }
}

impl Life for Players {
    async fn do_something(&mut self) {
        if let Some(ask) = self.open.first().cloned()
            && self.client.happens(600)
        {
            self.record(ask).await;
            return;
        }
        match self.client.chance(|rng| rng.u8(0..10)) {
            0..6 => {
                let ask = self.new_events();
                self.record(ask).await;
            }
            6..8 => {
                if let Some(ask) = self.known_events() {
                    self.record(ask).await;
                }
            }
            _ if self.client.happens(200) => {
                let ask = self.new_events();
                self.send(Ask::DryRun(Box::new(ask))).await;
            }
            _ => {
                let player = self.client.one_of(&PLAYERS).to_owned();
                self.send(Ask::ReadPlayer { player }).await;
            }
        }
    }

    async fn finish(&mut self) {
        for ask in std::mem::take(&mut self.open) {
            self.record(ask).await;
        }
        for player in PLAYERS {
            self.send(Ask::ReadPlayer { player: player.to_owned() }).await;
        }
    }

    fn client(&self) -> &Client {
        &self.client
    }
}
