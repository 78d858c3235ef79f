//! A cache for one value from the store, shared by all requests of a process and refreshed by age.
//!
//! Concurrent requests share one refresh task. It continues if the request that started it is cancelled, so that client
//! disconnects and deadlines cannot delay catalog changes such as revocations.

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

/// Age after which a value is refreshed before use.
pub(crate) const FRESH_FOR: Duration = Duration::from_mins(1);
/// Age after which a value is no longer used, even if refreshing fails.
const USABLE_FOR: Duration = Duration::from_mins(5);
/// Minimum interval between refreshes, after a failure or an unsuccessful lookup.
pub(crate) const REFRESH_PAUSE: Duration = Duration::from_secs(5);
/// Time limit of a refresh.
const REFRESH_LIMIT: Duration = Duration::from_secs(6);

const REFRESH: &str = "refresh a cached value";

type Refresh<T> = Shared<BoxFuture<'static, Result<Arc<T>, StoreError>>>;

/// A cached value with its age and the refresh in progress.
#[derive(Debug)]
pub(crate) struct Cache<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
struct State<T> {
    value: Option<Arc<T>>,
    /// The time at which the refresh that read `value` started.
    read_at: Timestamp,
    /// The time at which the last refresh finished.
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
    /// Returns the cached value if it is younger than `max_age`, and otherwise refreshes it with `read`. If the refresh
    /// fails, the old value is returned until it is five minutes old.
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
                tracing::warn!(%error, "refresh failed; using the stale cached value");
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
                Ok(Err(_)) => Err(StoreError::internal(REFRESH, "panicked")),
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

#[cfg(test)]
mod tests {
    use std::{
        future::{Ready, ready},
        sync::atomic::{AtomicU32, Ordering},
    };

    use tokio::sync::Notify;

    use super::*;

    /// A store of one number that counts reads and can be slow or fail.
    #[derive(Default)]
    struct Source {
        reads: AtomicU32,
        value: AtomicU32,
        fails: std::sync::atomic::AtomicBool,
        goes_on: Notify,
    }

    impl Source {
        /// Reads without delay.
        fn read(self: Arc<Self>) -> Ready<Result<u32, StoreError>> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            if self.fails.load(Ordering::SeqCst) {
                return ready(Err(StoreError::unavailable("test", Cause::TimedOut)));
            }
            ready(Ok(self.value.load(Ordering::SeqCst)))
        }

        /// Reads when it is notified.
        async fn read_slowly(self: Arc<Self>) -> Result<u32, StoreError> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            self.goes_on.notified().await;
            Ok(self.value.load(Ordering::SeqCst))
        }

        fn reads(&self) -> u32 {
            self.reads.load(Ordering::SeqCst)
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000_000 + seconds * 1000)
    }

    async fn get(cache: &Cache<u32>, source: &Arc<Source>, seconds: i64) -> Result<u32, StoreError> {
        cache.get(FRESH_FOR, at(seconds), || source.clone().read()).await.map(|value| *value)
    }

    #[tokio::test]
    async fn a_value_is_read_again_after_a_minute() {
        let (cache, source) = (Cache::default(), Arc::new(Source::default()));
        assert_eq!(get(&cache, &source, 0).await, Ok(0));
        source.value.store(1, Ordering::SeqCst);
        assert_eq!(get(&cache, &source, 59).await, Ok(0));
        assert_eq!(get(&cache, &source, 60).await, Ok(1));
        assert_eq!(source.reads(), 2);
    }

    #[tokio::test]
    async fn a_value_is_read_again_after_the_clock_is_set_back() {
        let (cache, source) = (Cache::default(), Arc::new(Source::default()));
        get(&cache, &source, 1000).await.expect("a value");
        source.value.store(1, Ordering::SeqCst);
        assert_eq!(get(&cache, &source, 0).await, Ok(1));
    }

    #[tokio::test]
    async fn a_failed_refresh_is_repeated_after_a_pause_and_the_old_value_is_used_for_five_minutes() {
        let (cache, source) = (Cache::default(), Arc::new(Source::default()));
        get(&cache, &source, 0).await.expect("a value");
        source.fails.store(true, Ordering::SeqCst);
        for (seconds, reads) in [(60, 2), (64, 2), (66, 3), (70, 3), (299, 4)] {
            assert_eq!(get(&cache, &source, seconds).await, Ok(0), "{seconds}");
            assert_eq!(source.reads(), reads, "{seconds}");
        }
        assert!(get(&cache, &source, 300).await.is_err());
        assert!(get(&cache, &source, 301).await.is_err());
        assert_eq!(source.reads(), 6, "without a usable value each request tries");
    }

    #[tokio::test]
    async fn concurrent_requests_share_one_read() {
        let (cache, source) = (Cache::default(), Arc::new(Source::default()));
        let wait = || cache.get(FRESH_FOR, at(0), || source.clone().read_slowly());
        let release = async {
            tokio::task::yield_now().await;
            source.goes_on.notify_one();
        };
        let (first, second, ()) = tokio::join!(wait(), wait(), release);
        assert_eq!((first.map(|value| *value), second.map(|value| *value)), (Ok(0), Ok(0)));
        assert_eq!(source.reads(), 1);
    }

    #[tokio::test]
    async fn a_refresh_continues_when_the_request_that_started_it_is_dropped() {
        let (cache, source) = (Cache::default(), Arc::new(Source::default()));
        get(&cache, &source, 0).await.expect("a value");
        source.value.store(1, Ordering::SeqCst);
        {
            let dropped = cache.get(FRESH_FOR, at(60), || source.clone().read_slowly());
            let dropped = std::pin::pin!(dropped);
            assert!(futures_util::poll!(dropped).is_pending());
        }
        // An unfinished refresh does not count as an attempt: other requests wait for it.
        let wait = cache.get(FRESH_FOR, at(61), || source.clone().read_slowly());
        source.goes_on.notify_one();
        assert_eq!(wait.await.map(|value| *value), Ok(1));
        assert_eq!(source.reads(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refresh_times_out() {
        let (cache, source) = (Cache::<u32>::default(), Arc::new(Source::default()));
        let result = cache.get(FRESH_FOR, at(0), || source.clone().read_slowly()).await;
        assert_eq!(result.map(|value| *value), Err(StoreError::unavailable(REFRESH, Cause::TimedOut)));
    }

    #[tokio::test]
    async fn a_refresh_that_panics_fails_and_the_next_one_is_tried() {
        let (cache, source) = (Cache::default(), Arc::new(Source::default()));
        let panics = || async { if true { panic!("in a test") } else { Ok(0) } };
        assert!(matches!(cache.get(FRESH_FOR, at(0), panics).await, Err(StoreError::Internal { .. })));
        assert_eq!(get(&cache, &source, 10).await, Ok(0));
    }
}
