//! Runs a function on batches of stream records.

use std::{error::Error as StdError, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use punchcard_store::{SequenceNumber, Store, StreamEvent, StreamRecord};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{logs, metrics};

/// Time limit of a batch, below the function's timeout in `template.yaml`: a batch that takes longer is reported as
/// failed, and its log line is written.
pub const BATCH_LIMIT: Duration = Duration::from_secs(50);

/// A function on streams.
pub trait BatchHandler: Sized + Send + Sync + 'static {
    /// The function's name.
    const FUNCTION: &'static str;

    /// Opens the handler, once per process.
    ///
    /// # Errors
    /// A setting is missing or invalid.
    fn open(store: &Store) -> impl Future<Output = Result<Self, Box<dyn StdError + Send + Sync>>> + Send;

    /// Processes a batch, which has at least one record. Returns the record from which Lambda repeats the batch, or
    /// `None` if all are done.
    fn process(&self, batch: Vec<StreamRecord>) -> impl Future<Output = Option<SequenceNumber>> + Send;
}

/// Runs a Lambda function: opens its handler, then handles batches one at a time.
///
/// # Errors
/// A setting is invalid, or the Lambda runtime cannot be reached.
pub fn run_batches<H: BatchHandler>() -> Result<(), Error> {
    // Converted to text, because an error returned from `main` is printed with `Debug`.
    logs::json().map_err(|error| error.to_string())?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let collector = metrics::install(H::FUNCTION);
        metrics::cold_start();
        let store = Store::from_env().map_err(|error| error.to_string())?;
        let handler = &H::open(&store).await.map_err(|error| error.to_string())?;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<StreamEvent>| async move {
            let span = tracing::info_span!("batch", request_id = %event.context.request_id, function = H::FUNCTION);
            // Boxed, because the layout of a future with SDK calls in it exceeds the compiler's limit.
            let response = Box::pin(respond(handler, event.payload)).instrument(span).await;
            if let Some(collector) = collector {
                metrics::flush(collector);
            }
            response
        }))
        .await
    })
}

async fn respond<H: BatchHandler>(handler: &H, event: StreamEvent) -> Result<Value, Error> {
    let started = Instant::now();
    let batch = event.records()?;
    let Some(first) = batch.first().map(|record| record.sequence_number.clone()) else {
        return Ok(json!({"batchItemFailures": []}));
    };
    let records = batch.len();
    let limited = tokio::time::timeout(BATCH_LIMIT, handler.process(batch));
    let failed = match AssertUnwindSafe(limited).catch_unwind().await {
        Ok(Ok(failed)) => failed,
        Ok(Err(_)) => {
            tracing::error!("deadline exceeded");
            Some(first)
        }
        // The panic hook has logged the location.
        Err(_) => Some(first),
    };
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let outcome = if failed.is_some() { "failed" } else { "ok" };
    tracing::info!(records, outcome, micros, "processed");
    let failures: Vec<_> = failed.iter().map(|failed| json!({"itemIdentifier": failed.to_string()})).collect();
    Ok(json!({"batchItemFailures": failures}))
}
