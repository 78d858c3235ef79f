//! Running an endpoint as a Lambda function.

use std::convert::Infallible;

use lambda_http::{Body, Request, Response, service_fn};
use lambda_runtime::Error;

use crate::{call::Endpoint, logs, metering};

/// Runs a function: makes its state once, then answers one request after the other.
///
/// # Errors
/// A setting is invalid, or the Lambda runtime can't be reached.
pub fn run<S, O, H, E>(endpoint: &Endpoint, open: impl FnOnce() -> O, handle: H) -> Result<(), Error>
where
    S: Sync,
    O: Future<Output = Result<S, E>>,
    E: std::error::Error,
    H: for<'a> Handle<'a, S>,
{
    // As text: what a `main` returns is printed in its debug form.
    logs::json().map_err(|error| error.to_string())?;
    // A function serves one request at a time: a second thread would only cost switches.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let meter = metering::install(endpoint.function);
        metering::cold_start();
        let state = &open().await.map_err(|error| error.to_string())?;
        let handle = &handle;
        lambda_http::run(service_fn(move |request: Request| async move {
            let response = handle.call(state, &request).await;
            if let Some(meter) = meter {
                metering::flush(meter);
            }
            Ok::<_, Infallible>(response)
        }))
        .await
    })
}

/// A function's `handle`: borrows the state and the request until it has answered.
pub trait Handle<'a, S: 'a>: Sync {
    /// The answer to come.
    type Answer: Future<Output = Response<Body>> + Send + 'a;

    /// Answers a request.
    fn call(&self, state: &'a S, request: &'a Request) -> Self::Answer;
}

impl<'a, S: 'a, F, A> Handle<'a, S> for F
where
    F: Fn(&'a S, &'a Request) -> A + Sync,
    A: Future<Output = Response<Body>> + Send + 'a,
{
    type Answer = A;

    fn call(&self, state: &'a S, request: &'a Request) -> A {
        self(state, request)
    }
}
