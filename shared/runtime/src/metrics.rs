//! Metrics in CloudWatch's embedded metric format: log lines instead of API calls. Without a recorder, as in
//! `punchcard serve`, counters are no-ops; what it shows are [observations](crate::observed).

use std::{env, io};

use metrics_cloudwatch_embedded::{Builder, Collector};

use punchcard_http::Error;

use crate::observation::note;

/// Counts newly recorded events.
pub fn accepted(count: usize) {
    add("Accepted", count);
    note(|observation| observation.accepted += count as u64);
}

/// Counts duplicate events.
pub fn duplicate(count: usize) {
    add("Duplicate", count);
    note(|observation| observation.duplicates += count as u64);
}

/// Notes credited points by the name of the balance, if the request is observed. There is no metric of them.
pub fn credited(points: impl FnOnce() -> Vec<(String, u64)>) {
    note(|observation| {
        for (name, points) in points().into_iter().filter(|(_, points)| *points > 0) {
            *observation.points.entry(name).or_default() += points;
        }
    });
}

/// Counts records written to the archive.
pub fn archived(count: usize) {
    add("Archived", count);
}

/// Counts events sent to the event bus.
pub fn published(count: usize) {
    add("Published", count);
}

/// Counts a rejected request that was quarantined.
pub fn quarantined() {
    add("Quarantined", 1);
}

/// Counts a rejected request that was not quarantined, because of a limit or a failure.
pub fn not_quarantined() {
    add("NotQuarantined", 1);
}

/// Counts a new correction.
pub(crate) fn corrected() {
    add("Corrected", 1);
}

/// Counts a failed request.
pub(crate) fn failed(error: &Error) {
    let name = match error {
        Error::Unauthorized(_) => "Unauthorised",
        Error::AlreadyExists(_) => "Duplicate",
        Error::Conflict(_) | Error::BelowZero | Error::KeyReused | Error::IdReused(_) => "Conflict",
        Error::Unavailable | Error::OutcomeUnknown | Error::Internal => "Failed",
        // 404 is a normal response to a read. Overload occurs only in `punchcard serve`: Lambda throttles.
        Error::NotFound(_) | Error::NoSuchOrder | Error::Overloaded => return,
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

/// Counts a cold start.
pub(crate) fn cold_start() {
    add("ColdStart", 1);
}

fn add(name: &'static str, count: usize) {
    ::metrics::counter!(name).increment(u64::try_from(count).unwrap_or(u64::MAX));
}

/// Installs the recorder if `METRICS_NAMESPACE` is set.
pub(crate) fn install(function: &'static str) -> Option<&'static Collector> {
    let namespace = env::var("METRICS_NAMESPACE").ok().filter(|namespace| !namespace.is_empty())?;
    Builder::new().cloudwatch_namespace(namespace).with_dimension("Function", function).init().ok()
}

/// Writes the metrics recorded since the last flush.
pub(crate) fn flush(collector: &Collector) {
    if let Err(error) = collector.flush(io::stdout().lock()) {
        tracing::warn!(%error, "metrics could not be written");
    }
}
