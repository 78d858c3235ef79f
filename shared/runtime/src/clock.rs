//! The clock. Everything below this crate is given the time.

use chrono::Utc;
use punchcard_models::timestamp::Timestamp;

/// The current time.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_millis(Utc::now().timestamp_millis())
}

/// A request's time of arrival, as an extension of the request, for callers that keep a clock of their own.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Timestamp);
