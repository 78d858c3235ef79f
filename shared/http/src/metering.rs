//! Metrics: counted anywhere through the `metrics` facade, written by a function as CloudWatch's embedded metric format
//! beside its log lines, without a call of their own. Nobody counts where no recorder is installed.

use std::{env, io};

use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::error::Error;

/// Counts what was recorded.
pub fn accepted(count: usize) {
    add("Accepted", count);
}

/// Counts what was there before.
pub fn duplicate(count: usize) {
    add("Duplicate", count);
}

/// Counts a request that got no success.
pub(crate) fn failed(error: &Error) {
    let name = match error {
        Error::Unauthorized(_) => "Unauthorised",
        Error::AlreadyExists(_) => "Duplicate",
        Error::Conflict(_) | Error::KeyReused => "Conflict",
        Error::Unavailable(_) | Error::Panicked => "Failed",
        // What a read-back ordinarily answers; and what Lambda refuses itself, with a process for each request.
        Error::NotFound(_) | Error::Overloaded => return,
        Error::MethodNotAllowed
        | Error::BodyTooLarge
        | Error::TooLargeToStore
        | Error::UnsupportedMediaType
        | Error::Invalid(_) => "Invalid",
    };
    add(name, 1);
}

/// Counts the first request of a function's instance.
pub(crate) fn cold_start() {
    add("ColdStart", 1);
}

fn add(name: &'static str, count: usize) {
    metrics::counter!(name).increment(u64::try_from(count).unwrap_or(u64::MAX));
}

/// Installs the recorder, if the environment names a namespace for the metrics.
pub(crate) fn install(function: &'static str) -> Option<&'static Collector> {
    let namespace = env::var("METRICS_NAMESPACE").ok().filter(|namespace| !namespace.is_empty())?;
    Builder::new().cloudwatch_namespace(namespace).with_dimension("Function", function).init().ok()
}

/// Writes what was counted since the last time.
pub(crate) fn flush(collector: &Collector) {
    if let Err(error) = collector.flush(io::stdout().lock()) {
        tracing::warn!(%error, "metrics were not written");
    }
}
