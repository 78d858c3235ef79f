//! What a process keeps of the catalog, and how old that may get.

use std::sync::Arc;

use punchcard_models::timestamp::Timestamp;
use tokio::sync::Mutex;

use crate::outage::Outage;

/// Older than this, in milliseconds, and it is read again before it is used.
pub(crate) const FRESH: i64 = 60_000;
/// Older than this, in milliseconds, and it is not to be trusted when it can't be read again.
const TRUSTED: i64 = 300_000;
/// A failed reading is tried again no sooner than this, in milliseconds, as long as what is kept can be trusted.
pub(crate) const PATIENCE: i64 = 5_000;

/// Something read from the store, and when.
#[derive(Debug)]
pub(crate) struct Kept<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    value: Option<Arc<T>>,
    read_at: Timestamp,
    tried_at: Timestamp,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        let never = Timestamp::from_millis(0);
        Kept(Mutex::new(State { value: None, read_at: never, tried_at: never }))
    }
}

impl<T> Kept<T> {
    /// What is kept, if it is younger than `age` milliseconds, or else what `read` reads now. Where that fails, the
    /// old value serves for up to five minutes.
    pub(crate) async fn get(
        &self,
        age: i64,
        now: Timestamp,
        read: impl Future<Output = Result<T, Outage>>,
    ) -> Result<Arc<T>, Outage> {
        let mut state = self.0.lock().await;
        let trusted = state.value.clone().filter(|_| state.read_at.is_within(TRUSTED, now));
        if let Some(value) = &trusted
            && (state.read_at.is_within(age, now) || state.tried_at.is_within(PATIENCE, now))
        {
            return Ok(value.clone());
        }
        state.tried_at = now;
        match (read.await, trusted) {
            (Ok(value), _) => {
                let value = Arc::new(value);
                state.value = Some(value.clone());
                state.read_at = now;
                Ok(value)
            }
            (Err(outage), Some(value)) => {
                tracing::warn!(%outage, "what is kept of the catalog serves, though it is old");
                Ok(value)
            }
            (Err(outage), None) => Err(outage),
        }
    }
}
