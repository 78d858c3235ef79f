//! One request on its way through an endpoint.

use std::{panic::AssertUnwindSafe, time::Duration};

use chrono::Utc;
use futures_util::FutureExt as _;
use lambda_http::{
    Body, Request, RequestExt as _, Response,
    http::{HeaderName, HeaderValue, Method, header},
};
use punchcard_models::{
    fault::{FaultKind, Faults, Noted, Pointer},
    idempotency::IdempotencyKey,
    ids::{PATH_ID_RULE, guid},
    json::{self, At},
    timestamp::Timestamp,
};
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{dialect::Dialect, error::Error, metering, reply::Reply};

/// The longest body, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// How long a request may take, below the functions' timeout in `template.yaml`: it is answered, not cut off.
pub const BUDGET: Duration = Duration::from_secs(8);

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-cdlx-request-id");

/// The clock. Rooms further in are told the time.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_millis(Utc::now().timestamp_millis())
}

/// When a request came, as an extension of it, where whoever passes it on keeps a clock of its own.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Timestamp);

/// What an endpoint is, to whoever routes requests to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The name of the function, its package, its binary and its resource.
    pub function: &'static str,
    /// How it tells errors.
    pub dialect: Dialect,
    /// The method that it answers.
    pub method: Method,
    /// The paths that it answers, in API Gateway's notation.
    pub paths: &'static [&'static str],
    /// Whether it also answers its paths' other methods, with 405. One endpoint of each path does.
    pub any: bool,
    /// What such an answer's `Allow` says.
    pub allow: &'static str,
}

/// A request, and what has to be known to answer it.
#[derive(Debug)]
pub struct Call<'r> {
    /// The request itself.
    pub request: &'r Request,
    /// When it came.
    pub now: Timestamp,
    /// When to stop trying.
    pub deadline: Instant,
    /// By which the answer and the log lines name it.
    pub request_id: Uuid,
    endpoint: Endpoint,
}

impl<'r> Call<'r> {
    /// A request to an endpoint.
    #[must_use]
    pub fn new(endpoint: &Endpoint, request: &'r Request) -> Self {
        let sent = match endpoint.dialect {
            Dialect::ClientEvents => request.headers().get(CLIENT_REQUEST_ID).and_then(|id| guid(id.to_str().ok()?)),
            Dialect::Activities | Dialect::PlayerEvents | Dialect::OAuth => None,
        };
        let invocation = || request.lambda_context_ref().and_then(|context| guid(&context.request_id));
        Call {
            request,
            now: request.extensions().get().map_or_else(now, |Arrived(at)| *at),
            deadline: Instant::now() + BUDGET,
            request_id: sent.or_else(invocation).unwrap_or_else(Uuid::new_v4),
            endpoint: endpoint.clone(),
        }
    }

    /// The same call, of an endpoint that says so where a method is not allowed.
    #[must_use]
    pub fn allowing(mut self, allow: &'static str) -> Self {
        self.endpoint.allow = allow;
        self
    }

    /// Answers with what `work` comes to: by the endpoint's method only, in its dialect, with every answer's headers.
    /// A panic in it is an answer too, and so is its taking too long.
    pub async fn answer(&self, work: impl Future<Output = Result<Reply, Error>>) -> Response<Body> {
        let span = tracing::info_span!("request", request_id = %self.request_id, function = self.endpoint.function);
        // Boxed: what awaits it is moved several times, and it is kilobytes long.
        self.logged(Box::pin(work)).instrument(span).await.into_response(self.request_id)
    }

    async fn logged(&self, work: impl Future<Output = Result<Reply, Error>>) -> Reply {
        let started = Instant::now();
        let method = self.request.method();
        let result = if *method == Method::OPTIONS {
            Ok(Reply::preflight(self.endpoint.allow))
        } else if *method != self.endpoint.method {
            Err(Error::MethodNotAllowed)
        } else {
            let in_time = tokio::time::timeout_at(self.deadline, work);
            match AssertUnwindSafe(in_time).catch_unwind().await {
                Ok(Ok(result)) => result,
                Ok(Err(elapsed)) => Err(Error::unavailable(elapsed)),
                Err(_) => Err(Error::Panicked),
            }
        };
        if let Err(error) = &result {
            metering::failed(error);
        }
        let outcome = result.as_ref().map_or_else(Error::outcome, |_| "ok");
        match &result {
            Err(Error::Unavailable(error)) => tracing::error!(%error, "the store could not be used"),
            Err(Error::Unauthorized(denied)) => tracing::info!(?denied, "not let in"),
            Err(Error::Invalid(faults)) => tracing::info!(faults = faults.len(), "not valid"),
            _ => {}
        }
        let reply =
            result.unwrap_or_else(|error| self.endpoint.dialect.render(&error, self.endpoint.allow, self.request_id));
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(status = reply.status().as_u16(), outcome, micros, "answered");
        reply
    }

    /// A header's value. `None` if it isn't there; if it isn't UTF-8, that is no header either.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'r str> {
        self.request.headers().get(name).and_then(text)
    }

    /// A path parameter, decoded.
    #[must_use]
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        self.request.path_parameters_ref().and_then(|parameters| parameters.first(name))
    }

    /// An id in the path.
    ///
    /// # Errors
    /// It is none.
    pub fn path_id<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
        let id = self.path_parameter(name).and_then(read);
        id.ok_or_else(|| Error::invalid(&format!("{name} {PATH_ID_RULE}")))
    }

    /// The `Idempotency-Key`, if there is one.
    ///
    /// # Errors
    /// It is there and is none.
    pub fn idempotency_key(&self, faults: &Faults) -> Result<Option<IdempotencyKey>, Noted> {
        let Some(key) = self.request.headers().get("idempotency-key") else { return Ok(None) };
        // What isn't even text is no key either.
        IdempotencyKey::new(text(key).unwrap_or_default()).map(Some).map_err(|rule| {
            faults.note(Pointer::Root, FaultKind::Invalid, rule.to_owned());
            Noted
        })
    }

    /// The body, if it is small enough and said to be of the type `essence`.
    ///
    /// # Errors
    /// It isn't.
    pub fn body(&self, essence: &str) -> Result<&'r [u8], Error> {
        let body = &**self.request.body();
        if body.len() > MAX_BODY {
            return Err(Error::BodyTooLarge);
        }
        let content_type = self.request.headers().get(header::CONTENT_TYPE).and_then(text).unwrap_or_default();
        let sent = content_type.split(';').next().unwrap_or_default().trim();
        if !sent.eq_ignore_ascii_case(essence) {
            return Err(Error::UnsupportedMediaType);
        }
        Ok(body)
    }

    /// Parses a JSON body; what is wrong with it goes to `faults`.
    ///
    /// # Errors
    /// It is too large or not said to be JSON.
    pub fn parse<T>(
        &self,
        faults: &Faults,
        parse: impl FnOnce(At<'_, '_>) -> Result<T, Noted>,
    ) -> Result<Result<T, Noted>, Error> {
        let body = self.body("application/json")?;
        Ok(json::parse(body, faults, parse))
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}
