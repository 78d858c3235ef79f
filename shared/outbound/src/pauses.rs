//! Pauses between attempts to send.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

/// Returns an endless series of pauses that double, with jitter.
pub fn pauses(first: Duration, longest: Duration) -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(longest)
        .without_max_times()
        .with_jitter()
        .build()
}
