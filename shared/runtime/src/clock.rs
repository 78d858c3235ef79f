//! The system clock. Other crates take the current time as a parameter.

use chrono::Utc;
use punchcard_models::timestamp::Timestamp;

/// Returns the current time.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_millis(Utc::now().timestamp_millis())
}

/// A request extension with the arrival time. It overrides the system clock, for example in simulations.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Timestamp);
