//! A value read from the store, shared by all requests of a process and read again when it gets old.
//!
//! A refresh is one task for all who wait for it, and outlives the request that started it: a client that hangs up, or a
//! request cut off at its deadline, must not delay what a newer catalog says, such as a revocation.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use punchcard_models::timestamp::Timestamp;
use tokio::time::Instant;

use crate::error::{Cause, StoreError};

/// The age from which a value is read again before it is used.
pub(crate) const FRESH_FOR: Duration = Duration::from_mins(1);
/// The age from which a value is not used any more, even if it cannot be read again.
const USABLE_FOR: Duration = Duration::from_mins(5);
/// The pause after a refresh before the next, whether it failed or did not find what a request looked for.
pub(crate) const REFRESH_PAUSE: Duration = Duration::from_secs(5);
/// The longest that a refresh may take.
const REFRESH_LIMIT: Duration = Duration::from_secs(6);

const REFRESH: &str = "refresh a cached value";

type Refresh<T> = Shared<BoxFuture<'static, Result<Arc<T>, StoreError>>>;

/// A value, its age, and the refresh under way.
#[derive(Debug)]
pub(crate) struct Cache<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
struct State<T> {
    value: Option<Arc<T>>,
    /// When the refresh that read the value began.
    read_at: Timestamp,
    /// When the last refresh ended. One that never ends is no attempt.
    tried_at: Timestamp,
    under_way: Option<Refresh<T>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        let never = Timestamp::from_millis(0);
        Cache(Arc::new(Mutex::new(State { value: None, read_at: never, tried_at: never, under_way: None })))
    }
}

impl<T: Send + Sync + 'static> Cache<T> {
    /// The value, if it is younger than `max_age`, else the result of `read`. If the read fails, the old value is used
    /// for up to five minutes.
    pub(crate) async fn get<F>(
        &self,
        max_age: Duration,
        now: Timestamp,
        read: impl FnOnce() -> F,
    ) -> Result<Arc<T>, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (refresh, usable) = {
            let mut state = self.state();
            let usable = state.value.clone().filter(|_| state.read_at.is_within(USABLE_FOR, now));
            if let Some(value) = &usable
                && (state.read_at.is_within(max_age, now) || state.tried_at.is_within(REFRESH_PAUSE, now))
            {
                return Ok(value.clone());
            }
            let refresh = if let Some(refresh) = &state.under_way {
                refresh.clone()
            } else {
                let refresh = self.start(now, read());
                state.under_way = Some(refresh.clone());
                refresh
            };
            (refresh, usable)
        };
        match (refresh.await, usable) {
            (Ok(value), _) => Ok(value),
            (Err(error), Some(value)) => {
                tracing::warn!(%error, "the cached catalog is used although it is old");
                Ok(value)
            }
            (Err(error), None) => Err(error),
        }
    }

    fn start(&self, now: Timestamp, read: impl Future<Output = Result<T, StoreError>> + Send + 'static) -> Refresh<T> {
        let cache = Cache(self.0.clone());
        let started = Instant::now();
        let task = tokio::spawn(async move {
            let limited = tokio::time::timeout(REFRESH_LIMIT, AssertUnwindSafe(read).catch_unwind());
            let result = match limited.await {
                Ok(Ok(result)) => result.map(Arc::new),
                Ok(Err(_)) => Err(StoreError::internal(REFRESH, "it panicked")),
                Err(_) => Err(StoreError::unavailable(REFRESH, Cause::TimedOut)),
            };
            let mut state = cache.state();
            state.under_way = None;
            state.tried_at = now.after(started.elapsed());
            if let Ok(value) = &result {
                state.value = Some(value.clone());
                state.read_at = now;
            }
            result
        });
        let ended_early = |_| Err(StoreError::unavailable(REFRESH, Cause::Unreached("the process is shutting down")));
        task.map(move |result| result.unwrap_or_else(ended_early)).boxed().shared()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
