//! Trying again what the SDK doesn't: it sees calls, not what fails inside a batch or a transaction.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::Instant;

use crate::{
    measure,
    outage::{Cause, Outage},
};

/// The pauses of one request, growing, with jitter, until its deadline.
pub(crate) struct Retries {
    operation: &'static str,
    deadline: Instant,
    pauses: backon::ExponentialBackoff,
}

impl Retries {
    pub(crate) fn until(deadline: Instant, operation: &'static str) -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(20))
            .with_max_delay(Duration::from_millis(500))
            .without_max_times()
            .with_jitter()
            .build();
        Retries { operation, deadline, pauses }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The next try would come after the deadline.
    pub(crate) async fn pause(&mut self) -> Result<(), Outage> {
        let next = self.pauses.next().map(|pause| Instant::now() + pause);
        match next.filter(|next| *next < self.deadline) {
            Some(next) => {
                measure::retry();
                tokio::time::sleep_until(next).await;
                Ok(())
            }
            None => Err(Outage::new(self.operation, Cause::Busy)),
        }
    }
}

/// Whether a member of a batch or transaction failed for a reason that passes.
pub(crate) fn passes(code: &str) -> bool {
    matches!(
        code,
        "TransactionConflict"
            | "TransactionConflictException"
            | "ThrottlingError"
            | "ThrottlingException"
            | "ProvisionedThroughputExceeded"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "InternalServerError"
    )
}
