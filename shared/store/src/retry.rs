//! Retries of writes, until the request's deadline.
//!
//! The SDK retries reads. Writes are retried here, because the SDK reports only the last attempt, and the outcome
//! depends on whether *any* attempt may have taken effect. All attempts write the same record id, so at most one takes
//! effect.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::Instant;

use crate::{
    error::{Cause, FailedAttempt, StoreError},
    sdk_metrics,
};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Number of consecutive connection failures after which a write fails before its deadline, so that requests do not
/// wait for a store that is down. Nothing was sent, so the failure is certain.
const MAX_UNCONNECTED: u32 = 4;

/// The retry state of one write: exponential backoff with jitter, and the failures so far.
pub(crate) struct Retries {
    operation: &'static str,
    deadline: Instant,
    pauses: backon::ExponentialBackoff,
    last: Cause,
    unconnected: u32,
    may_have_taken_effect: bool,
}

impl Retries {
    pub(crate) fn until(deadline: Instant, operation: &'static str) -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .without_max_times()
            .with_jitter()
            .build();
        Retries { operation, deadline, pauses, last: Cause::Busy, unconnected: 0, may_have_taken_effect: false }
    }

    /// Returns the operation, for errors and the log.
    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns the time at which the operation must end.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Waits before retrying a failed attempt.
    ///
    /// # Errors
    /// The failure is permanent, or the next attempt would start after the deadline.
    pub(crate) async fn after(&mut self, failed: FailedAttempt) -> Result<(), StoreError> {
        match failed {
            FailedAttempt::Conflict => {
                sdk_metrics::conflict();
                self.last = Cause::Busy;
            }
            FailedAttempt::Transient { cause, may_have_taken_effect } => {
                let unconnected = !may_have_taken_effect && matches!(cause, Cause::Unreached(_));
                self.unconnected = if unconnected { self.unconnected + 1 } else { 0 };
                self.last = cause;
                self.may_have_taken_effect |= may_have_taken_effect;
                if self.unconnected == MAX_UNCONNECTED && !self.may_have_taken_effect {
                    return Err(self.give_up());
                }
            }
            FailedAttempt::Final(error) => return Err(self.outcome_of(error)),
        }
        self.pause().await
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The next attempt would start after the deadline.
    pub(crate) async fn pause(&mut self) -> Result<(), StoreError> {
        let next = self.pauses.next().map(|pause| Instant::now() + pause);
        let Some(next) = next.filter(|next| *next < self.deadline) else { return Err(self.give_up()) };
        sdk_metrics::retry();
        tokio::time::sleep_until(next).await;
        Ok(())
    }

    /// Converts an error that ends the write: if an attempt may have taken effect, an unavailable store leaves the outcome
    /// unknown. Also for reads between attempts.
    pub(crate) fn outcome_of(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unavailable { operation, cause } if self.may_have_taken_effect => {
                StoreError::OutcomeUnknown { operation, cause }
            }
            error => error,
        }
    }

    fn give_up(&self) -> StoreError {
        self.outcome_of(StoreError::unavailable(self.operation, self.last.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn give_up_after(attempts: Vec<FailedAttempt>) -> StoreError {
        let mut retries = Retries::until(Instant::now() + Duration::from_secs(5), "test");
        for failed in attempts {
            if let Err(error) = retries.after(failed).await {
                return error;
            }
        }
        loop {
            if let Err(error) = retries.after(FailedAttempt::Conflict).await {
                return error;
            }
        }
    }

    fn transient(may_have_taken_effect: bool) -> FailedAttempt {
        FailedAttempt::Transient { cause: Cause::TimedOut, may_have_taken_effect }
    }

    fn refused() -> FailedAttempt {
        let cause = Cause::Refused { code: "AccessDenied".to_owned(), request_id: String::new() };
        FailedAttempt::Final(StoreError::unavailable("test", cause))
    }

    #[tokio::test(start_paused = true)]
    async fn one_uncertain_attempt_makes_the_outcome_unknown_whatever_follows() {
        let unknown = |error: &StoreError| matches!(error, StoreError::OutcomeUnknown { .. });
        assert!(!unknown(&give_up_after(vec![]).await));
        assert!(!unknown(&give_up_after(vec![transient(false)]).await));
        assert!(unknown(&give_up_after(vec![transient(true)]).await));
        assert!(unknown(&give_up_after(vec![transient(true), transient(false)]).await));
        assert!(unknown(&give_up_after(vec![transient(true), refused()]).await));
        assert!(!unknown(&give_up_after(vec![transient(false), refused()]).await));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_read_after_an_uncertain_attempt_leaves_the_outcome_unknown() {
        let mut retries = Retries::until(Instant::now() + Duration::from_secs(5), "test");
        let failed_read = || StoreError::unavailable("read", Cause::TimedOut);
        assert_eq!(retries.outcome_of(failed_read()), failed_read());
        retries.after(transient(true)).await.expect("another attempt");
        let unknown = StoreError::OutcomeUnknown { operation: "read", cause: Cause::TimedOut };
        assert_eq!(retries.outcome_of(failed_read()), unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_continue_until_the_deadline_and_not_past_it() {
        let start = Instant::now();
        let mut retries = Retries::until(start + Duration::from_secs(5), "test");
        let mut attempts = 0;
        while retries.pause().await.is_ok() {
            attempts += 1;
        }
        let waited = start.elapsed();
        assert!(waited > Duration::from_secs(4) && waited < Duration::from_secs(5), "{waited:?}");
        assert!((8..40).contains(&attempts), "{attempts}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_without_a_connection_is_given_up_early_unless_an_attempt_may_have_taken_effect() {
        let unconnected =
            || FailedAttempt::Transient { cause: Cause::Unreached("no connection"), may_have_taken_effect: false };
        for (first, early) in [(None, true), (Some(transient(false)), true), (Some(transient(true)), false)] {
            let start = Instant::now();
            let mut retries = Retries::until(start + Duration::from_secs(5), "test");
            if let Some(first) = first {
                retries.after(first).await.expect("another attempt");
            }
            while retries.after(unconnected()).await.is_ok() {}
            assert_eq!(start.elapsed() < Duration::from_secs(1), early, "{:?}", start.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_permanent_failure_is_not_retried() {
        let mut retries = Retries::until(Instant::now() + Duration::from_secs(5), "test");
        let error = StoreError::internal("test", "ValidationException");
        assert_eq!(retries.after(FailedAttempt::Final(error.clone())).await, Err(error));
    }
}
