//! A model of contention: transactions hold their items for a while, overlapping ones are cancelled, and an item takes so
//! many write units a second.
//!
//! DynamoDB prepares all items of a transaction and then commits it. Between, an item refuses any other transaction with
//! `TransactionConflict` (*Distributed Transactions at Scale in Amazon DynamoDB*, USENIX ATC 2023). A partition takes 1,000 write units a second (*Best practices for designing partition keys*, DynamoDB developer
//! guide), and an item that is hot gets a partition of its own; a write in a transaction takes two units for each KB. AWS
//! publishes no time between preparing and committing, so it is a parameter.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use dynoxide::Database;
use punchcard_rewards::{Shares, equal_shares, yaml};
use punchcard_store::Annotation;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    call::OneCall,
    history::{Answer, Ask},
    instance::Instance,
    operator::{CLIENTS, Operator},
    plan::Plan,
    store::{Reply, list},
    variant,
    world::{Serving, World, lock},
};

/// Write units that a write in a transaction takes, of an item of up to 1 KB.
const TRANSACTION_UNITS: f64 = 2.0;
/// Number of processes that serve the requests. Each remembers exhausted shards by itself.
const INSTANCES: usize = 100;
/// A total limit that no run reaches.
const LIMIT: u64 = 1_000_000;

/// The item that all activities write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hot {
    /// The total limit of one offer, split over so many shards.
    Offer {
        /// Number of shards.
        shards: usize,
    },
    /// One member.
    Member,
}

/// The load, and the parameters of the model.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The item that all activities write.
    pub hot: Hot,
    /// Activities that arrive a second.
    pub activities_per_second: u32,
    /// The time for which they do.
    pub time: Duration,
    /// The time for which a transaction holds its items.
    pub hold: Duration,
    /// Write units that an item takes a second.
    pub units_per_second: u32,
    /// The longest that a call takes to the store, and that its answer takes back.
    pub latency: Duration,
}

/// The outcome.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measured {
    /// Activities sent.
    pub sent: usize,
    /// Activities that were paid before the load ended.
    pub paid: usize,
    /// Activities answered 503.
    pub unavailable: usize,
    /// Transactions that were cancelled because of another one.
    pub conflicts: u64,
    /// Transactions that were throttled.
    pub throttled: u64,
    /// The time within which half of the activities were answered.
    pub median: Duration,
    /// The time within which 99 of 100 were.
    pub percentile_99: Duration,
}

/// The state of the hot items.
#[derive(Debug)]
pub(crate) struct Contention {
    hold: Duration,
    units_per_second: f64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: HashMap<String, Item>,
    conflicts: u64,
    throttled: u64,
}

#[derive(Debug)]
struct Item {
    is_held: bool,
    units: f64,
    since: Instant,
}

impl Contention {
    fn new(load: &Load) -> Self {
        Contention { hold: load.hold, units_per_second: load.units_per_second.into(), state: Mutex::default() }
    }

    /// Takes the items of a transaction, or returns the refusal.
    fn take(&self, keys: &[Option<String>]) -> Result<(), Reply> {
        let mut state = lock(&self.state);
        let now = Instant::now();
        for key in keys.iter().flatten() {
            let full = Item { is_held: false, units: self.units_per_second, since: now };
            let item = state.items.entry(key.clone()).or_insert(full);
            let refilled = item.units + item.since.elapsed().as_secs_f64() * self.units_per_second;
            (item.units, item.since) = (refilled.min(self.units_per_second), now);
        }
        let cancelled = |is_reason: &dyn Fn(&Item) -> bool, code: &str| {
            let of = |key: &Option<String>| key.as_ref().and_then(|key| state.items.get(key)).is_some_and(is_reason);
            let refused: Vec<_> = keys.iter().map(of).collect();
            let reasons = refused.iter().map(|refused| json!({"Code": if *refused { code } else { "None" }}));
            refused.contains(&true).then(|| Reply::cancelled(&reasons.collect::<Vec<_>>()))
        };
        if let Some(reply) = cancelled(&|item| item.is_held, "TransactionConflict") {
            state.conflicts += 1;
            return Err(reply);
        }
        if let Some(reply) = cancelled(&|item| item.units < TRANSACTION_UNITS, "ThrottlingError") {
            state.throttled += 1;
            return Err(reply);
        }
        for key in keys.iter().flatten() {
            if let Some(item) = state.items.get_mut(key) {
                item.is_held = true;
                item.units -= TRANSACTION_UNITS;
            }
        }
        Ok(())
    }

    fn release(&self, keys: &[Option<String>]) {
        let mut state = lock(&self.state);
        for key in keys.iter().flatten() {
            if let Some(item) = state.items.get_mut(key) {
                item.is_held = false;
            }
        }
    }
}

/// Carries a call out where transactions contend.
pub(crate) async fn effect(call: &OneCall) -> Reply {
    let Some(contention) = call.world.contention.as_ref().filter(|_| call.operation == "TransactWriteItems") else {
        return variant::effect(call).await;
    };
    // Records are new, so no two transactions write the same one.
    let key = |write: &Value| write["Update"]["Key"]["memberId"]["S"].as_str().map(str::to_owned);
    let keys: Vec<_> = list(&call.request["TransactItems"]).iter().map(key).collect();
    if let Err(refusal) = contention.take(&keys) {
        return refusal;
    }
    tokio::time::sleep(contention.hold).await;
    let reply = variant::effect(call).await;
    contention.release(&keys);
    reply
}

/// Sends a load and measures what becomes of it. Time is simulated.
///
/// # Panics
/// The store can't be set up.
#[must_use]
pub fn measure(load: Load) -> Measured {
    fastrand::seed(0);
    let time = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    time.expect("a runtime").block_on(course(load))
}

async fn course(load: Load) -> Measured {
    let database = Database::memory().expect("a database in memory");
    let plan = Plan::calm(INSTANCES, load.latency);
    let world = Arc::new(World::of_plan(plan, database, Some(Contention::new(&load))));
    let operator = Operator::set_up_with(&world, &catalog(load.hot)).await;
    drop(operator);
    let instances: Vec<_> = (0..INSTANCES).map(|number| Instance::new(&world, number)).collect();
    let token = send(&world, &instances[0], "", Ask::Token { customer: None }).await;
    let token = token.and_then(|answer| answer.json()["access_token"].as_str().map(str::to_owned)).expect("a token");
    // Processes are warm.
    for instance in &instances {
        send(&world, instance, &token, Ask::ReadBalances { correlation: "unused".to_owned() }).await;
    }

    let start = Instant::now();
    let count = f64::from(load.activities_per_second) * load.time.as_secs_f64();
    let interval = Duration::from_secs(1) / load.activities_per_second;
    let mut sent = Vec::new();
    let mut number = 0_u32;
    while f64::from(number) < count {
        tokio::time::sleep_until(start + interval * number).await;
        let instance = instances[world.chance(|rng| rng.usize(0..instances.len()))].clone();
        let (world, token) = (world.clone(), token.clone());
        sent.push(tokio::spawn(async move {
            let began = Instant::now();
            let answer = send(&world, &instance, &token, activity(load.hot, number)).await;
            (answer, began.elapsed(), Instant::now())
        }));
        number += 1;
    }
    let mut measured = Measured { sent: sent.len(), ..Measured::default() };
    let mut times = Vec::new();
    for request in sent {
        let (answer, took, ended) = request.await.expect("a handler that doesn't panic");
        times.push(took);
        let status = answer.as_ref().map(|answer| answer.status);
        measured.unavailable += usize::from(status == Some(503));
        let is_paid = answer.is_some_and(|answer| answer.status == 200 && answer.json()["earned"] != json!({}));
        measured.paid += usize::from(is_paid && ended <= start + load.time);
    }
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    (measured.median, measured.percentile_99) = (at(50), at(99));
    if let Some(contention) = &world.contention {
        let state = lock(&contention.state);
        (measured.conflicts, measured.throttled) = (state.conflicts, state.throttled);
    }
    measured
}

/// The catalog as it is applied.
fn catalog(hot: Hot) -> (String, Annotation) {
    let limits = match hot {
        Hot::Offer { .. } => format!(", limits: {{usesInTotal: {LIMIT}}}"),
        Hot::Member => String::new(),
    };
    let text = format!(
        "businessUnits: {{U: enabled}}\noffers: [{{id: HOT, unit: U, kind: base, reward: {{flat: 1}}{limits}}}]"
    );
    let source = yaml::read(&text).expect("a catalog");
    let shares = match hot {
        Hot::Offer { shards } => Shares::from([("HOT".to_owned(), equal_shares(LIMIT, shards))]),
        Hot::Member => Shares::new(),
    };
    (source.to_applied_json(&shares), Annotation::default())
}

fn activity(hot: Hot, number: u32) -> Ask {
    let correlation = match hot {
        Hot::Offer { .. } => format!("member-{number}"),
        Hot::Member => "member".to_owned(),
    };
    let body = json!({"action": "APP_CHECKIN", "channel": "APP", "when": crate::ask::WHEN});
    Ask::Activity { correlation, id: Some(format!("activity-{number}")), key: None, tag: number.into(), body }
}

async fn send(world: &World, instance: &Instance, token: &str, ask: Ask) -> Option<Answer> {
    let (function, request) = ask.to_request(CLIENTS[0], token);
    instance.handle(world, Arc::new(Serving::default()), function, request).await
}
