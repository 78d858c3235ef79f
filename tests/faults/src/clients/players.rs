//! A client of the player events' API: sends events with an Idempotency-Key and without, places orders and refunds them,
//! and creates and reads players.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Client, Life, is_open};
use crate::{ask::ORDER_PAID, history::Ask, operator::API_KEYS, system::System, world::lock};

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
        let address = self.add_address(&mut body);
        let id = client.happens(700).then(|| format!("key#key-{tag}"));
        Ask::PlayerEvents { player: player.to_owned(), address, id, tag, body }
    }

    fn new_order(&self) -> Ask {
        let client = &self.client;
        let tag = client.system.world.tag();
        let player = client.one_of(&PLAYERS);
        let mut body = json!({
            client.one_of(&["playerUniqueId", "customerId"]): player,
            "orderId": format!("order-{tag}"),
            "orderDate": "1999-12-31T23:00:00.000Z",
            "totalPaid": ORDER_PAID,
            "totalPrice": 100,
            "total": client.one_of(&[50, 100, 150]),
            "tag": tag,
        });
        let address = self.add_address(&mut body);
        Ask::PlayerEvents { player: player.to_owned(), address, id: Some(format!("order#order-{tag}")), tag, body }
    }

    fn save_player(&self) -> Ask {
        let player = self.client.one_of(&PLAYERS);
        let mut body = json!({self.client.one_of(&["playerUniqueId", "customerId"]): player});
        let address = self.add_address(&mut body);
        Ask::SavePlayer { player: player.to_owned(), address, body }
    }

    /// Adds the address by which players are merged, and returns it as it is compared.
    fn add_address(&self, body: &mut Value) -> Option<String> {
        let (name, address) = match self.client.system.world.plan.merging {
            "email" => ("email", self.client.one_of(&EMAILS)),
            "mobile" => ("mobile", self.client.one_of(&["+1", "+2", "+3"])),
            _ => return None,
        };
        body[name] = json!(address);
        Some(address.to_lowercase())
    }

    /// A request that a client sent with an id, repeated or changed.
    fn known_events(&self) -> Option<Ask> {
        let sent: Vec<_> = {
            let sent = lock(&self.sent);
            sent.iter().filter(|ask| matches!(ask, Ask::PlayerEvents { id: Some(_), .. })).cloned().collect()
        };
        let mut ask = (!sent.is_empty()).then(|| self.client.one_of(&sent))?;
        if self.client.happens(200)
            && let Ask::PlayerEvents { tag, body, .. } = &mut ask
        {
            *tag = self.client.system.world.tag();
            if body["events"].is_object() {
                body["events"] = json!({"visit": {"tag": Value::from(*tag)}});
            } else {
                body["tag"] = Value::from(*tag);
            }
        }
        Some(ask)
    }

    /// A refund of an order that a client sent, or a known refund, repeated or changed.
    fn refund(&self) -> Option<Ask> {
        let sent = lock(&self.sent).clone();
        let is_refund = |ask: &&Ask| matches!(ask, Ask::Refund { .. });
        let known: Vec<_> = sent.iter().filter(is_refund).cloned().collect();
        if !known.is_empty() && self.client.happens(300) {
            let mut ask = self.client.one_of(&known);
            if self.client.happens(300)
                && let Ask::Refund { amount, .. } = &mut ask
            {
                *amount = Some(amount.map_or(1, |amount| amount + 1));
            }
            return Some(ask);
        }
        let orders = sent.iter().filter_map(|ask| match ask {
            Ask::PlayerEvents { player, id: Some(id), .. } => {
                Some((player.clone(), id.strip_prefix("order#")?.to_owned()))
            }
            _ => None,
        });
        let orders: Vec<_> = orders.collect();
        let (player, order) = (!orders.is_empty()).then(|| self.client.one_of(&orders))?;
        let amount = self.client.one_of(&[None, Some(7), Some(30), Some(45), Some(ORDER_PAID), Some(ORDER_PAID + 10)]);
        Some(Ask::Refund { player, id: format!("refund-{}", self.client.system.world.tag()), order, amount })
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
        match self.client.chance(|rng| rng.u8(0..13)) {
            0..4 => {
                let ask = self.new_events();
                self.record(ask).await;
            }
            4 | 5 if self.client.happens(800) => {
                let ask = self.new_order();
                self.record(ask).await;
            }
            4 | 5 => {
                let ask = self.save_player();
                self.send(ask).await;
            }
            6..8 => {
                if let Some(ask) = self.known_events() {
                    self.record(ask).await;
                }
            }
            8..11 => {
                if let Some(ask) = self.refund() {
                    self.record(ask).await;
                }
            }
            _ if self.client.happens(200) => {
                let ask = if self.client.happens(500) { self.new_events() } else { self.new_order() };
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
