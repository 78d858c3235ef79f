//! Metrics in CloudWatch's embedded format: counted through the `metrics` facade and written as log lines, without an API
//! call. Counting costs nothing while no recorder is installed, as in `serve`.

use std::{env, io};

use metrics_cloudwatch_embedded::{Builder, Collector};

use punchcard_http::Error;

/// Counts recorded events.
pub fn accepted(count: usize) {
    add("Accepted", count);
}

/// Counts events that existed before.
pub fn duplicate(count: usize) {
    add("Duplicate", count);
}

/// Counts a failed request.
pub(crate) fn failed(error: &Error) {
    let name = match error {
        Error::Unauthorized(_) => "Unauthorised",
        Error::AlreadyExists(_) => "Duplicate",
        Error::Conflict(_) | Error::KeyReused => "Conflict",
        Error::Unavailable | Error::OutcomeUnknown | Error::Internal => "Failed",
        // The first is an ordinary answer to a read. The second only `serve` gives: Lambda throttles by itself.
        Error::NotFound(_) | Error::Overloaded => return,
        Error::MethodNotAllowed(_)
        | Error::BodyTooLarge
        | Error::TooLargeToStore
        | Error::UnsupportedMediaType
        | Error::UnsupportedEncoding
        | Error::Invalid(_)
        | Error::UnsupportedGrantType => "Invalid",
    };
    add(name, 1);
}

/// Counts the first request of a function's instance.
pub(crate) fn cold_start() {
    add("ColdStart", 1);
}

fn add(name: &'static str, count: usize) {
    ::metrics::counter!(name).increment(u64::try_from(count).unwrap_or(u64::MAX));
}

/// Installs the recorder, if the environment names a namespace for the metrics.
pub(crate) fn install(function: &'static str) -> Option<&'static Collector> {
    let namespace = env::var("METRICS_NAMESPACE").ok().filter(|namespace| !namespace.is_empty())?;
    Builder::new().cloudwatch_namespace(namespace).with_dimension("Function", function).init().ok()
}

/// Writes the counts since the last flush.
pub(crate) fn flush(collector: &Collector) {
    if let Err(error) = collector.flush(io::stdout().lock()) {
        tracing::warn!(%error, "metrics were not written");
    }
}
