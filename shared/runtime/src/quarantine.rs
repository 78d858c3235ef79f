//! The quarantine of rejected requests, at the end of the pipeline: only there the response is known.
//!
//! Quarantined requests were authenticated: handlers check credentials before anything else, a request without valid ones
//! is answered 401, and 401 is not quarantined. Neither are requests that reach no handler.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lambda_http::http::{HeaderName, StatusCode};
use punchcard_http::{Call, Dialect, Reply, Route};
use punchcard_models::timestamp::Timestamp;
use punchcard_quarantine::{Entry, EntryId, has_credentials, kept_headers};
use punchcard_s3::{S3Error, Upload};
use punchcard_store::{ConfigError, http_connector, sdk_config, text_variable, url_variable};
use tokio::sync::{OnceCell, mpsc};

use crate::metrics;

const BUCKET: &str = "QUARANTINE_BUCKET";
const ENDPOINT: &str = "S3_ENDPOINT";

/// Time limit for writing to the bucket, which delays the response to a rejected request.
pub const QUARANTINE_LIMIT: Duration = Duration::from_secs(1);

/// The header of requests that `punchcard quarantine replay` sends. They are not quarantined again.
pub const REPLAY: HeaderName = HeaderName::from_static("x-punchcard-replay");

/// Maximum number and size of the entries a minute of one process, so that a broken client cannot run up costs.
const ENTRIES_A_MINUTE: u32 = 60;
const BYTES_A_MINUTE: usize = 2 * 1024 * 1024;

/// Keeps rejected requests, so that they can be sent again once the client or the catalog is corrected.
///
/// It never fails a request: what cannot be kept is logged and counted.
#[derive(Debug)]
pub struct Quarantine {
    sink: Sink,
    budget: Budget,
}

#[derive(Debug)]
enum Sink {
    Bucket {
        name: String,
        endpoint: Option<String>,
        /// Connected for the first entry: most processes never have one.
        connected: OnceCell<Upload>,
    },
    Queue(mpsc::Sender<Entry>),
}

/// The reason why a request was not quarantined. Safe to log.
#[derive(Debug, thiserror::Error)]
enum NotQuarantined {
    #[error("its body is too large or cannot be decompressed")]
    Undecodable,
    #[error("there are credentials in it")]
    HasCredentials,
    #[error("more than {ENTRIES_A_MINUTE} requests or {BYTES_A_MINUTE} bytes a minute")]
    TooMany,
    #[error("the queue is full")]
    QueueFull,
    #[error("the bucket: {0}")]
    Bucket(#[from] S3Error),
    #[error("the configuration: {0}")]
    Config(#[from] ConfigError),
    #[error("it cannot be serialised: {0}")]
    Json(#[from] serde_json::Error),
}

impl Quarantine {
    /// Creates the quarantine in the bucket `QUARANTINE_BUCKET`, if the variable is set. `S3_ENDPOINT` is that of another
    /// S3, for tests.
    ///
    /// # Errors
    /// A variable is invalid.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        let Some(name) = text_variable(BUCKET)? else { return Ok(None) };
        let endpoint = url_variable(ENDPOINT)?;
        Ok(Some(Quarantine::of(Sink::Bucket { name, endpoint, connected: OnceCell::new() })))
    }

    /// Creates a quarantine that hands entries to the queue's receiver. A full queue does not delay requests: further
    /// entries are dropped.
    #[must_use]
    pub fn queue(sender: mpsc::Sender<Entry>) -> Self {
        Quarantine::of(Sink::Queue(sender))
    }

    fn of(sink: Sink) -> Self {
        Quarantine { sink, budget: Budget::default() }
    }

    /// Quarantines a request, if it was rejected for a reason that its client or the catalog may correct.
    pub(crate) async fn take(&self, route: &Route, call: &Call<'_>, reply: &Reply) {
        let is_replay = call.request.headers().contains_key(REPLAY);
        if !is_correctable(reply.status()) || is_dry_run(call) || is_replay {
            return;
        }
        match self.keep(route, call, reply).await {
            Ok(()) => metrics::quarantined(),
            Err(error) => {
                metrics::not_quarantined();
                tracing::warn!(%error, "not quarantined");
            }
        }
    }

    async fn keep(&self, route: &Route, call: &Call<'_>, reply: &Reply) -> Result<(), NotQuarantined> {
        let body = call.decoded_body().ok_or(NotQuarantined::Undecodable)?;
        if !self.budget.spend(call.now, body.len()) {
            return Err(NotQuarantined::TooMany);
        }
        let entry = entry(route, call, body.into_owned(), reply);
        if has_credentials(&entry, headers(call)) {
            return Err(NotQuarantined::HasCredentials);
        }
        match &self.sink {
            Sink::Bucket { name, endpoint, connected } => {
                let connect = async || {
                    Ok::<_, NotQuarantined>(Upload::new(&sdk_config()?, http_connector()?, name, endpoint.as_deref())?)
                };
                let json = entry.to_json()?;
                let write = async {
                    let bucket = connected.get_or_try_init(connect).await?;
                    Ok(bucket.put(&entry.name().object(), "application/json", &json).await?)
                };
                tokio::time::timeout(QUARANTINE_LIMIT, write).await.unwrap_or(Err(S3Error::TimedOut.into()))
            }
            Sink::Queue(sender) => sender.try_send(entry).map_err(|_| NotQuarantined::QueueFull),
        }
    }
}

/// 400, 415 and 422 are about the request's content. 413 is too: but such requests are too large to keep.
fn is_correctable(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY)
}

/// Nothing is lost of a dry run.
fn is_dry_run(call: &Call<'_>) -> bool {
    match call.dialect {
        Dialect::ClientEvents => call.is_mock(),
        Dialect::Activities | Dialect::PlayerEvents | Dialect::PlayerEventsV4 | Dialect::OAuth => call.is_dry_run(),
    }
}

/// The headers, with names in lower case.
fn headers<'r>(call: &Call<'r>) -> impl Iterator<Item = (&'r str, &'r [u8])> {
    call.request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn entry(route: &Route, call: &Call<'_>, body: Vec<u8>, reply: &Reply) -> Entry {
    Entry {
        id: EntryId::new(call.now),
        request_id: call.request_id,
        function: route.function.to_owned(),
        method: call.request.method().to_string(),
        path: call.path(route),
        headers: kept_headers(headers(call)),
        body: body.into(),
        status: reply.status().as_u16(),
        response: reply.body().to_owned(),
    }
}

/// Counts the entries of the current minute.
#[derive(Debug, Default)]
struct Budget(Mutex<Spent>);

#[derive(Debug, Default)]
struct Spent {
    minute: i64,
    entries: u32,
    bytes: usize,
}

impl Budget {
    /// Returns false if not enough is left of this minute.
    fn spend(&self, now: Timestamp, bytes: usize) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.as_millis().div_euclid(60_000);
        if spent.minute != minute {
            *spent = Spent { minute, ..Spent::default() };
        }
        let is_left = spent.entries < ENTRIES_A_MINUTE && spent.bytes.saturating_add(bytes) <= BYTES_A_MINUTE;
        if is_left {
            spent.entries += 1;
            spent.bytes += bytes;
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_its_entries_and_the_next_has_them_again() {
        let budget = Budget::default();
        let spend = |seconds: i64, bytes| budget.spend(Timestamp::from_millis(seconds * 1000), bytes);
        assert!((0..ENTRIES_A_MINUTE).all(|_| spend(30, 1)));
        assert!(!spend(30, 1) && !spend(59, 1));
        assert!(spend(60, BYTES_A_MINUTE - 1));
        assert!(!spend(61, 2) && spend(61, 1));
    }
}
