//! One run: a seed's world, from its set-up to the checker's verdict.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use dynoxide::Database;
use tokio::task::JoinHandle;

use crate::{
    checker::{self, Violation},
    clients::{self, Activities, ClientEvents, Life, Players},
    history::{Ask, History, Trouble},
    operator::Operator,
    system::System,
    variant::Variant,
    world::World,
};

/// The outcome of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The seed that repeats it.
    pub seed: u64,
    /// Promises that were not kept.
    pub violations: Vec<Violation>,
    /// Counts of everything.
    pub tally: Tally,
    happened: History,
}

impl Outcome {
    /// All that happened, line by line.
    #[must_use]
    pub fn history(&self) -> Vec<String> {
        self.happened.lines(&[])
    }

    /// A digest of all that happened: the same for the same seed. Ids that the product makes are counted, not read.
    #[must_use]
    pub fn digest(&self) -> String {
        self.happened.digest()
    }
}

/// Counts of what happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Requests that reached a handler.
    pub requests: u64,
    /// Of these, answered with success.
    pub acknowledged: u64,
    /// Answered with a refusal: a duplicate, or not allowed.
    pub refused: u64,
    /// Answered 5xx, or never: what became of them, a retry finds out.
    pub unacknowledged: u64,
    /// Requests that repeat one that was sent before.
    pub retries: u64,
    /// Records whose awards were derived again.
    pub audited: u64,
    /// Calls of the store.
    pub calls: u64,
    /// Handlers that were cut off.
    pub cut_off: u64,
    /// Changes of the catalog and of who may call.
    pub changes: u64,
    /// Answers by API and status.
    pub answers: BTreeMap<String, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds another run's.
    pub fn add(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unacknowledged += other.unacknowledged;
        self.retries += other.retries;
        self.audited += other.audited;
        self.calls += other.calls;
        self.cut_off += other.cut_off;
        self.changes += other.changes;
        for (kind, count) in &other.faults {
            *self.faults.entry(kind.clone()).or_default() += count;
        }
        for (answer, count) in &other.answers {
            *self.answers.entry(answer.clone()).or_default() += count;
        }
    }
}

/// Runs a seed: so many steps a client, on the system as it is or on a broken one.
///
/// # Panics
/// The store can't be set up.
#[must_use]
pub fn run(seed: u64, steps: usize, variant: Option<Variant>) -> Outcome {
    // Of the SDK's jitter, and ours.
    fastrand::seed(seed);
    let time = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    time.expect("a runtime").block_on(course(seed, steps, variant))
}

async fn course(seed: u64, steps: usize, variant: Option<Variant>) -> Outcome {
    let database = Database::memory().expect("a database in memory");
    let world = Arc::new(World::new(seed, steps, variant, database));
    let operator = Operator::set_up(&world).await;
    let system = System::start(&world);
    world.set_calm(false);

    let operating = tokio::spawn(operator.run());
    let (events, known, sent) = (Arc::default(), Arc::default(), Arc::default());
    let numbers = 0..world.plan.clients;
    let client_events: Vec<_> =
        numbers.clone().map(|number| begin(ClientEvents::new(&system, number, &events))).collect();
    let activities: Vec<_> =
        numbers.clone().map(|number| begin(Activities::new(&system, 10 + number, &known))).collect();
    let players: Vec<_> = numbers.map(|number| begin(Players::new(&system, 20 + number, &sent))).collect();
    operating.await.expect("an operator");
    let (client_events, activities, players) = (all(client_events).await, all(activities).await, all(players).await);
    system.settle().await;

    // From here on nothing fails: what is not yet known to be recorded can be.
    world.set_calm(true);
    finish(client_events).await;
    finish(activities).await;
    finish(players).await;
    system.settle().await;

    let mut violations = checker::check(&world);
    let happened = std::mem::take(&mut *world.history());
    let (report, differences) = checker::books::check(&world).await;
    violations.extend(differences);
    let tally = Tally { audited: report.records, ..tally(&happened) };
    Outcome { seed, violations, tally, happened }
}

fn begin<L: Life + 'static>(life: L) -> JoinHandle<L> {
    tokio::spawn(clients::live(life))
}

async fn all<L>(lives: Vec<JoinHandle<L>>) -> Vec<L> {
    let mut grown = Vec::new();
    for life in lives {
        grown.push(life.await.expect("a client that doesn't panic"));
    }
    grown
}

async fn finish<L: Life>(lives: Vec<L>) {
    for mut life in lives {
        life.finish().await;
    }
}

fn tally(history: &History) -> Tally {
    let mut tally =
        Tally { changes: count(history.changes.len()), calls: count(history.calls.len()), ..Tally::default() };
    let mut asked = HashSet::new();
    for request in &history.requests {
        tally.requests += 1;
        if !matches!(request.ask, Ask::Token { .. }) && !asked.insert(format!("{:?}", request.ask)) {
            tally.retries += 1;
        }
        let answer = match &request.answer {
            Some(answer) if answer.replayed => format!("{} {} replayed", request.ask.name(), answer.status),
            Some(answer) => format!("{} {}", request.ask.name(), answer.status),
            None => format!("{} cut off", request.ask.name()),
        };
        *tally.answers.entry(answer).or_default() += 1;
        match request.status() {
            Some(200 | 207) => tally.acknowledged += 1,
            Some(400..500) => tally.refused += 1,
            _ => tally.unacknowledged += 1,
        }
    }
    for call in &history.calls {
        match call.trouble {
            Some(Trouble::Fault(kind)) => *tally.faults.entry(kind.to_string()).or_default() += 1,
            Some(Trouble::CutOffBefore | Trouble::CutOffAfter) => tally.cut_off += 1,
            None => {}
        }
    }
    tally
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
