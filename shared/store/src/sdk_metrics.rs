//! Metrics of the SDK's calls. They cost nothing while no recorder is installed.

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

/// The duration of a call, with the SDK's retries, in milliseconds.
const LATENCY: &str = "StoreLatency";
/// Attempts after the first: by the SDK for reads, by this crate for writes.
const RETRIES: &str = "StoreRetries";
/// Writes cancelled by a conflicting one.
const CONFLICTS: &str = "StoreConflicts";

/// Describes the metrics' units.
pub(crate) fn describe() {
    metrics::describe_histogram!(LATENCY, metrics::Unit::Milliseconds, "One call, with its retries");
}

/// Counts an attempt after the first.
pub(crate) fn retry() {
    metrics::counter!(RETRIES).increment(1);
}

/// Counts a conflict.
pub(crate) fn conflict() {
    metrics::counter!(CONFLICTS).increment(1);
}

/// The interceptor that measures calls.
#[derive(Debug)]
pub(crate) struct SdkMetrics;

/// A call under way.
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
