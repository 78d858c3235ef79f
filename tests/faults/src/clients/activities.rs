//! A client of the activities' API: sends activities with an id, with an Idempotency-Key and with neither, reverses them,
//! adjusts balances, opens sessions, and reads back.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Client, Life, is_open};
use crate::{
    ask::{WHEN, record_id},
    history::Ask,
    system::System,
    world::lock,
};

const CORRELATIONS: [&str; 4] = ["correlation-1", "correlation-2", "correlation-3", "correlation-4"];
const ACCOUNTS: [&str; 2] = ["account-1", "account-2"];

/// Knowledge that the clients share: sent activities and corrections, and loyalty ids.
#[derive(Debug, Default)]
pub(crate) struct Known {
    sent: Vec<Ask>,
    corrections: Vec<Ask>,
    loyalty_ids: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Activities {
    client: Client,
    known: Arc<Mutex<Known>>,
    /// Sent, and not known to be recorded.
    open: Vec<Ask>,
}

impl Activities {
    pub(crate) fn new(system: &Arc<System>, number: usize, known: &Arc<Mutex<Known>>) -> Self {
        Activities { client: Client::new(system, number), known: known.clone(), open: Vec::new() }
    }

    fn new_activity(&self) -> Ask {
        let client = &self.client;
        let tag = client.system.world.tag();
        let many = client.system.world.plan.many && client.happens(500);
        let action = if many { "MANY" } else { client.one_of(&["SURVEY_RESPONSE", "APP_DOWNLOAD", "APP_CHECKIN"]) };
        let mut body = json!({
            "action": action, "channel": client.one_of(&["APP", "WEB"]), "when": self.when(), "note": format!("tag {tag}"),
        });
        if let Some(unit) = client.one_of(&[None, None, Some("A"), Some("B"), Some("C")]) {
            body["businessUnit"] = json!(unit);
        }
        let (id, key) = match client.chance(|rng| rng.u8(0..10)) {
            0 => (None, None),
            1..4 => (None, Some(format!("key-{tag}"))),
            _ => (Some(format!("activity-{tag}")), None),
        };
        Ask::Activity { correlation: client.one_of(&CORRELATIONS).to_owned(), id, key, tag, body }
    }

    /// Now, yesterday, a little later, or so long ago that no period is open.
    fn when(&self) -> String {
        const DAY_MILLIS: i64 = 86_400_000;
        const HOUR_MILLIS: i64 = 3_600_000;
        let skew = self.client.one_of(&[Some(0), Some(0), Some(-DAY_MILLIS), Some(HOUR_MILLIS), None]);
        skew.map_or_else(|| WHEN.to_owned(), |skew| self.client.system.world.clock(skew).to_string())
    }

    /// One that a client sent, repeated or with another content.
    fn known_activity(&self) -> Option<Ask> {
        let mut ask = {
            let known = lock(&self.known);
            let sent: Vec<_> = known.sent.iter().filter(|ask| !ask.is_keyless()).cloned().collect();
            (!sent.is_empty()).then(|| self.client.one_of(&sent))?
        };
        if self.client.happens(300)
            && let Ask::Activity { tag, body, correlation, .. } = &mut ask
        {
            *tag = self.client.system.world.tag();
            body["note"] = Value::String(format!("tag {tag}"));
            if self.client.happens(300) {
                self.client.one_of(&CORRELATIONS).clone_into(correlation);
            }
        }
        Some(ask)
    }

    async fn record(&mut self, ask: Ask) {
        lock(&self.known).sent.push(ask.clone());
        let answer = self.client.send_with_token(None, ask.clone()).await;
        self.open.retain(|open| *open != ask);
        if is_open(&ask, answer.as_ref()) {
            self.open.push(ask);
        }
    }

    /// A reversal of an activity that a client sent, or an adjustment.
    fn new_correction(&self) -> Option<Ask> {
        let client = &self.client;
        let tag = client.system.world.tag();
        if client.happens(300) {
            let correlation = client.one_of(&CORRELATIONS).to_owned();
            let amount = client.one_of(&[-40, -7, 3, 25]);
            return Some(Ask::Adjust { correlation, reference: format!("adjustment-{tag}"), amount });
        }
        let Some(Ask::Activity { correlation, id, key, .. }) = self.known_activity() else { return None };
        let original = record_id(&correlation, id.as_ref(), key.as_ref())?;
        let reference = client.happens(700).then(|| format!("reversal-{tag}"));
        Some(Ask::Void { correlation, original, reference })
    }

    /// One that a client sent, repeated or with another content.
    fn known_correction(&self) -> Option<Ask> {
        let mut ask = {
            let known = lock(&self.known);
            (!known.corrections.is_empty()).then(|| self.client.one_of(&known.corrections))?
        };
        if self.client.happens(300) {
            match &mut ask {
                Ask::Adjust { amount, .. } => *amount += 1,
                Ask::Void { original, .. } => {
                    if let Some(Ask::Activity { id: Some(other), .. }) = self.known_activity() {
                        *original = other;
                    }
                }
                _ => {}
            }
        }
        Some(ask)
    }

    async fn correct(&mut self, ask: Ask) {
        lock(&self.known).corrections.push(ask.clone());
        let answer = self.client.send_with_token(None, ask.clone()).await;
        self.open.retain(|open| *open != ask);
        if is_open(&ask, answer.as_ref()) {
            self.open.push(ask);
        }
    }

    /// Sends again something that is not known to be recorded.
    async fn repeat(&mut self, ask: Ask) {
        if matches!(ask, Ask::Activity { .. }) {
            self.record(ask.clone()).await;
            self.read_back(&ask).await;
        } else {
            self.correct(ask).await;
        }
    }

    async fn open_session(&mut self) {
        let loyalty_id = {
            let known = lock(&self.known);
            (!known.loyalty_ids.is_empty() && self.client.happens(300)).then(|| self.client.one_of(&known.loyalty_ids))
        };
        let by_loyalty_id = loyalty_id.is_some();
        let identifier = loyalty_id.unwrap_or_else(|| self.client.one_of(&ACCOUNTS).to_owned());
        let correlation = self.client.one_of(&CORRELATIONS).to_owned();
        let ask = Ask::OpenSession { correlation, identifier, by_loyalty_id };
        let answer = self.client.send_with_token(None, ask).await;
        if let Some(id) = answer.filter(|answer| answer.status == 200).map(|answer| answer.json()["loyaltyId"].clone())
            && let Some(id) = id.as_str()
        {
            lock(&self.known).loyalty_ids.push(id.to_owned());
        }
    }

    async fn read_back(&mut self, ask: &Ask) {
        if let Ask::Activity { correlation, id: Some(id), .. } = ask {
            let ask = Ask::ReadActivity { correlation: correlation.clone(), id: id.clone() };
            self.client.send_with_token(None, ask).await;
        }
    }
}

impl Life for Activities {
    async fn do_something(&mut self) {
        if let Some(ask) = self.open.first().cloned()
            && self.client.happens(600)
        {
            self.repeat(ask).await;
            return;
        }
        match self.client.chance(|rng| rng.u8(0..24)) {
            0..10 => {
                let ask = self.new_activity();
                self.record(ask).await;
            }
            10..14 => match self.known_activity() {
                Some(ask) => self.record(ask).await,
                None => self.open_session().await,
            },
            14 => self.open_session().await,
            15 => {
                if let Some(ask) = self.known_activity() {
                    self.read_back(&ask).await;
                }
            }
            16 => {
                let known = if self.client.happens(300) { self.known_activity() } else { None };
                let ask = known.unwrap_or_else(|| self.new_activity());
                self.client.send_with_token(None, Ask::DryRun(Box::new(ask))).await;
            }
            17..21 => {
                let known = if self.client.happens(300) { self.known_correction() } else { None };
                if let Some(ask) = known.or_else(|| self.new_correction()) {
                    self.correct(ask).await;
                }
            }
            _ => {
                let correlation = self.client.one_of(&CORRELATIONS).to_owned();
                self.client.send_with_token(None, Ask::ReadBalances { correlation }).await;
            }
        }
    }

    async fn finish(&mut self) {
        for ask in std::mem::take(&mut self.open) {
            self.repeat(ask).await;
        }
        for correlation in CORRELATIONS {
            self.client.send_with_token(None, Ask::ReadBalances { correlation: correlation.to_owned() }).await;
        }
    }

    fn client(&self) -> &Client {
        &self.client
    }
}
