//! What the store's calls take. Nobody counts where no recorder is installed.

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

/// How long a call took, its retries included, in milliseconds.
const LATENCY: &str = "StoreLatency";
/// Tries beside the first: of calls by the SDK, of members of batches and of conflicts by us.
const RETRIES: &str = "StoreRetries";
/// Transactions that met another one.
const CONFLICTS: &str = "StoreConflicts";

/// Says in which unit a call is measured.
pub(crate) fn describe() {
    metrics::describe_histogram!(LATENCY, metrics::Unit::Milliseconds, "One call, its retries included");
}

/// Counts a try beside the first.
pub(crate) fn retry() {
    metrics::counter!(RETRIES).increment(1);
}

/// Counts a transaction that met another one.
pub(crate) fn conflict() {
    metrics::counter!(CONFLICTS).increment(1);
}

/// Measures the SDK's calls.
#[derive(Debug)]
pub(crate) struct Measure;

/// A call under way.
#[derive(Debug)]
struct Begun {
    at: Instant,
    tried: bool,
}

impl Storable for Begun {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Measure {
    fn name(&self) -> &'static str {
        "Measure"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Begun { at: Instant::now(), tried: false });
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Begun { at, tried }) = config.load::<Begun>() {
            if *tried {
                retry();
            }
            let begun = Begun { at: *at, tried: true };
            config.interceptor_state().store_put(begun);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(begun) = config.load::<Begun>() {
            metrics::histogram!(LATENCY).record(begun.at.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(())
    }
}
