//! Runs a handler as a Lambda function.

use std::{convert::Infallible, sync::Arc};

use lambda_http::{Request, service_fn};
use lambda_runtime::Error;
use punchcard_store::Store;

use crate::{Handler, Quarantine, Service, logs, metrics};

/// Runs a Lambda function: opens its handler, then handles requests one at a time.
///
/// # Errors
/// A setting is invalid, or the Lambda runtime cannot be reached.
pub fn run<H: Handler>() -> Result<(), Error> {
    // Converted to text, because an error returned from `main` is printed with `Debug`.
    logs::json().map_err(|error| error.to_string())?;
    // Lambda sends one request at a time, so more threads would only add context switches.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let collector = metrics::install(H::ROUTE.function);
        metrics::cold_start();
        let store = Store::from_env().map_err(|error| error.to_string())?;
        let quarantine =
            if H::IS_QUARANTINED { Quarantine::from_env().map_err(|error| error.to_string())? } else { None };
        let service = &Service::open::<H>(&store, quarantine.map(Arc::new)).await;
        lambda_http::run(service_fn(move |request: Request| async move {
            let response = service.respond(request).await;
            if let Some(collector) = collector {
                metrics::flush(collector);
            }
            Ok::<_, Infallible>(response)
        }))
        .await
    })
}
