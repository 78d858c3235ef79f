//! The world of one run: its clock, its chance, its store, its instances, and what is remembered of it.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use dynoxide::Database;
use fastrand::Rng;
use punchcard_models::timestamp::Timestamp;
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

use crate::{
    contention::Contention,
    history::{Call, History, Millis, Trouble},
    plan::Plan,
    store::{Reply, Tokens},
    variant::Variant,
};

/// The midnight that each run includes: 2040-01-02, later than any real clock.
const MIDNIGHT: i64 = 2_209_075_200_000;

/// State that all parts of a run share.
pub(crate) struct World {
    pub plan: Plan,
    pub variant: Option<Variant>,
    pub database: Database,
    pub tokens: Mutex<Tokens>,
    /// The first answer to each call, for a variant that reads only once.
    pub first_answers: Mutex<HashMap<String, Reply>>,
    /// Set where transactions contend for items.
    pub contention: Option<Contention>,
    began: Instant,
    rng: Mutex<Rng>,
    history: Mutex<History>,
    calm: AtomicBool,
    tags: AtomicU64,
}

/// An HTTP client has to have it; there is nothing to tell.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// The request that the calls of a task serve.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    /// Its number in the history.
    pub request: usize,
    /// The id that its client gave it.
    pub request_id: Option<String>,
    /// By which its writes know themselves, where a variant replaces that.
    pub write_id: Mutex<Value>,
    /// At which call its handler is cut off, counted from 1, and whether that call is carried out.
    pub cut_off: Option<(u64, bool)>,
    /// Its calls so far.
    pub calls: AtomicU64,
    /// Tells that the handler ends here.
    pub ends: Notify,
}

tokio::task_local! {
    /// The request that this task serves.
    pub(crate) static SERVING: Arc<Serving>;
}

impl World {
    pub(crate) fn new(seed: u64, steps: usize, variant: Option<Variant>, database: Database) -> Self {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::new(&mut rng, steps).for_variant(variant);
        World { variant, rng: Mutex::new(rng), ..World::of_plan(plan, database, None) }
    }

    /// A world in which nothing fails by chance.
    pub(crate) fn of_plan(plan: Plan, database: Database, contention: Option<Contention>) -> Self {
        World {
            plan,
            variant: None,
            database,
            tokens: Mutex::default(),
            first_answers: Mutex::default(),
            contention,
            began: Instant::now(),
            rng: Mutex::new(Rng::with_seed(0)),
            history: Mutex::default(),
            calm: AtomicBool::new(true),
            tags: AtomicU64::new(0),
        }
    }

    /// The time, by a clock that is right.
    pub(crate) fn millis(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The time by a clock that is ahead by `skew` milliseconds.
    pub(crate) fn clock(&self, skew: i64) -> Timestamp {
        let start = MIDNIGHT - self.plan.before_midnight;
        Timestamp::from_millis(start + self.millis().cast_signed() + skew)
    }

    /// Lets chance decide. It is asked in one order only, so that a seed is one course of things.
    pub(crate) fn chance<T>(&self, decide: impl FnOnce(&mut Rng) -> T) -> T {
        decide(&mut lock(&self.rng))
    }

    /// Decides by chance, with a probability per mille.
    pub(crate) fn happens(&self, of_a_thousand: u32) -> bool {
        self.chance(|rng| rng.u32(0..1000) < of_a_thousand)
    }

    /// A moment, at most this long.
    pub(crate) async fn moment(&self, longest: Duration) {
        let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let millis = self.chance(|rng| rng.u64(0..=millis));
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// A number that nothing else has.
    pub(crate) fn tag(&self) -> u64 {
        self.tags.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns whether faults have ended.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(crate) fn set_calm(&self, calm: bool) {
        self.calm.store(calm, Ordering::Relaxed);
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// Remembers a call.
    pub(crate) fn called(&self, instance: usize, request: Option<usize>, operation: &str, trouble: Option<Trouble>) {
        let call = Call { at: self.millis(), instance, request, operation: operation.to_owned(), trouble };
        self.history().calls.push(call);
    }
}

/// A panic elsewhere is reported there.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
