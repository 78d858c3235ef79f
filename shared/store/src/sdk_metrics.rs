//! Metrics of SDK calls. Without a recorder they are no-ops.

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{
            BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
            FinalizerInterceptorContextRef,
        },
    },
    error::BoxError,
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use tokio::time::Instant;

/// Duration of a call in milliseconds, including SDK retries.
const LATENCY: &str = "StoreLatency";
/// Number of retries, by the SDK for reads and by this crate for writes.
const RETRIES: &str = "StoreRetries";
/// Number of writes cancelled by a conflicting write.
const CONFLICTS: &str = "StoreConflicts";

/// Declares the units of the metrics.
pub(crate) fn describe() {
    metrics::describe_histogram!(LATENCY, metrics::Unit::Milliseconds, "Duration of a call, including retries");
}

/// Counts a retry.
pub(crate) fn retry() {
    metrics::counter!(RETRIES).increment(1);
}

/// Counts a conflict.
pub(crate) fn conflict() {
    metrics::counter!(CONFLICTS).increment(1);
}

/// An SDK interceptor that measures calls.
#[derive(Debug)]
pub(crate) struct SdkMetrics;

/// The state of a call in progress.
#[derive(Debug)]
struct CallStarted {
    at: Instant,
    attempted: bool,
}

impl Storable for CallStarted {
    type Storer = StoreReplace<Self>;
}

impl Intercept for SdkMetrics {
    fn name(&self) -> &'static str {
        "SdkMetrics"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(CallStarted { at: Instant::now(), attempted: false });
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(CallStarted { at, attempted }) = config.load::<CallStarted>() {
            if *attempted {
                retry();
            }
            let started = CallStarted { at: *at, attempted: true };
            config.interceptor_state().store_put(started);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(started) = config.load::<CallStarted>() {
            metrics::histogram!(LATENCY).record(started.at.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(())
    }
}
