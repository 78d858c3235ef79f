//! The request pipeline around a handler: method check, deadline, panic handling, logs, metrics, response headers.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use lambda_http::{
    Body, Request, RequestExt as _, Response,
    http::{HeaderName, Method},
};
use punchcard_http::{Call, Dialect, Error, Reply, Route};
use punchcard_models::ids::guid;
use punchcard_store::Store;
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    Arrived, Failure, Handler, Quarantine, clock, metrics,
    observation::{note, reason},
};

/// Time limit of a request. Below the Lambda timeout in `template.yaml`, so that a slow request still gets a response.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(8);
/// Time limit for starting store operations. The remaining time lets the last attempt finish.
const STORE_LIMIT: Duration = Duration::from_millis(7_500);

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-cdlx-request-id");

type Respond = dyn Fn(Request) -> BoxFuture<'static, Response<Body>> + Send + Sync;

/// A handler with its type erased.
#[derive(Clone)]
pub struct Service {
    route: &'static Route,
    respond: Arc<Respond>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("route", &self.route).finish_non_exhaustive()
    }
}

impl Service {
    /// Opens a handler. Its rejected requests go into the quarantine, if there is one and they are worth keeping.
    pub async fn open<H: Handler>(store: &Store, quarantine: Option<Arc<Quarantine>>) -> Self {
        let opened = Arc::new((H::open(store).await, quarantine.filter(|_| H::IS_QUARANTINED)));
        let respond = move |request: Request| -> BoxFuture<'static, Response<Body>> {
            let opened = opened.clone();
            Box::pin(async move { respond(&opened.0, opened.1.as_deref(), &request).await })
        };
        Service { route: H::ROUTE, respond: Arc::new(respond) }
    }

    /// Returns the handler's route.
    #[must_use]
    pub fn route(&self) -> &'static Route {
        self.route
    }

    /// Handles a request.
    pub async fn respond(&self, request: Request) -> Response<Body> {
        (self.respond)(request).await
    }
}

/// Rejects a request without calling its handler. Preflight requests and unsupported methods get their usual response.
pub fn refuse(route: &'static Route, request: &Request, error: Error) -> Response<Body> {
    let call = new_call(route, request);
    let span = tracing::info_span!("request", request_id = %call.request_id, function = route.function);
    let result = by_method(route, &call).unwrap_or(Err(Failure::Refused(error)));
    span.in_scope(|| finish(&call, result, true)).into_response(call.request_id)
}

async fn respond<H: Handler>(handler: &H, quarantine: Option<&Quarantine>, request: &Request) -> Response<Body> {
    let call = new_call(H::ROUTE, request);
    let span = tracing::info_span!("request", request_id = %call.request_id, function = H::ROUTE.function);
    let reply = async {
        let result = result(handler, &call).await;
        let was_recorded = matches!(result, Err(Failure::Refused(Error::AlreadyExists(_))));
        let reply = finish(&call, result, H::is_repeatable(&call));
        if let Some(quarantine) = quarantine
            && !was_recorded
        {
            quarantine.take(H::ROUTE, &call, &reply).await;
        }
        reply
    };
    reply.instrument(span).await.into_response(call.request_id)
}

fn new_call<'r>(route: &Route, request: &'r Request) -> Call<'r> {
    let dialect = route.path(request).dialect;
    let sent = match dialect {
        Dialect::ClientEvents => request.headers().get(CLIENT_REQUEST_ID).and_then(|id| guid(id.to_str().ok()?)),
        Dialect::Activities | Dialect::PlayerEvents | Dialect::PlayerEventsV4 | Dialect::OAuth => None,
    };
    let invocation = || request.lambda_context_ref().and_then(|context| guid(&context.request_id));
    Call {
        request,
        dialect,
        now: request.extensions().get().map_or_else(clock::now, |Arrived(at)| *at),
        deadline: Instant::now() + STORE_LIMIT,
        request_id: sent.or_else(invocation).unwrap_or_else(Uuid::new_v4),
    }
}

/// Returns the result for methods other than the route's.
fn by_method(route: &Route, call: &Call<'_>) -> Option<Result<Reply, Failure>> {
    let method = call.request.method();
    if *method == Method::OPTIONS {
        Some(Ok(Reply::preflight(route.allow(call.request))))
    } else if *method != route.method {
        Some(Err(Error::MethodNotAllowed(route.allow(call.request)).into()))
    } else {
        None
    }
}

async fn result<H: Handler>(handler: &H, call: &Call<'_>) -> Result<Reply, Failure> {
    if let Some(result) = by_method(H::ROUTE, call) {
        return result;
    }
    let limited = tokio::time::timeout(REQUEST_LIMIT, handler.respond(call));
    match AssertUnwindSafe(limited).catch_unwind().await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Failure::DeadlineExceeded),
        Err(_) => Err(Failure::Panicked),
    }
}

/// Logs and counts a result, and renders failures.
fn finish(call: &Call<'_>, result: Result<Reply, Failure>, is_repeatable: bool) -> Reply {
    let (outcome, reply) = match result {
        Ok(reply) => ("ok", reply),
        Err(failure) => {
            failure.log();
            let error = failure.into_error(is_repeatable);
            metrics::failed(&error);
            note(|observation| observation.reason = Some(reason(&error)));
            (error.outcome(), call.dialect.render(&error, call.request_id))
        }
    };
    let micros = (Instant::now() + STORE_LIMIT).saturating_duration_since(call.deadline).as_micros();
    let micros = u64::try_from(micros).unwrap_or(u64::MAX);
    tracing::info!(status = reply.status().as_u16(), outcome, micros, "answered");
    note(|observation| observation.outcome = outcome);
    reply
}
