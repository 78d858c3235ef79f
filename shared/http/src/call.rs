//! The request as handlers see it.

use std::borrow::Cow;

use lambda_http::{Request, RequestExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use punchcard_models::{
    fault::{FaultKind, Faults, Noted, Pointer},
    idempotency::{IdempotencyKey, InvalidIdempotencyKey},
    ids::PATH_ID_RULE,
    json::{self, At},
    timestamp::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Dialect,
    body::{self, NotUtf8},
    error::Error,
    reply::DRY_RUN,
    route::Route,
};

/// The characters that are encoded in a segment of a path: all but RFC 3986's unreserved characters, and `:`, which ids contain.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// A request being handled.
#[derive(Debug)]
pub struct Call<'r> {
    /// The HTTP request.
    pub request: &'r Request,
    /// The format of the request and of error responses.
    pub dialect: Dialect,
    /// The arrival time.
    pub now: Timestamp,
    /// The deadline for store operations.
    pub deadline: Instant,
    /// The request id, in the response and in log lines.
    pub request_id: Uuid,
}

impl<'r> Call<'r> {
    /// Returns a header's value, or `None` if the header is absent.
    ///
    /// # Errors
    /// The value is not valid UTF-8.
    pub fn header(&self, name: &'static str) -> Result<Option<&'r str>, NotUtf8> {
        body::header(self.request.headers(), name)
    }

    /// Returns a percent-decoded path parameter.
    #[must_use]
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        self.request.path_parameters_ref().and_then(|parameters| parameters.first(name))
    }

    /// Returns the percent-encoded path. It is built from the route's template and the parameters, because the gateway
    /// decodes the path, and then a `/` of a parameter looks like a separator.
    #[must_use]
    pub fn path(&self, route: &Route) -> String {
        let template = route.path(self.request).template;
        let encoded = |segment: &str| match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => Some(utf8_percent_encode(self.path_parameter(name)?, IN_PATH).to_string()),
            None => Some(segment.to_owned()),
        };
        let segments: Option<Vec<_>> = template.split('/').map(encoded).collect();
        // A parameter that is not valid UTF-8 is absent.
        segments.map_or_else(|| self.request.uri().path().to_owned(), |segments| segments.join("/"))
    }

    /// Returns a decoded parameter of the query, the first if it is repeated. An empty one counts as absent.
    #[must_use]
    pub fn query_parameter(&self, name: &str) -> Option<Cow<'r, str>> {
        let query = self.request.uri().query().unwrap_or_default().as_bytes();
        let (_, value) = form_urlencoded::parse(query).find(|(found, _)| found == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// Returns true if the request asks for a dry run: `Prefer: dry-run` (RFC 7240).
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        let lists = self.request.headers().get_all("prefer").into_iter().filter_map(|list| list.to_str().ok());
        let preferences = lists.flat_map(|list| list.split(','));
        let names = preferences.filter_map(|preference| preference.split([';', '=']).next());
        names.into_iter().any(|name| name.trim().eq_ignore_ascii_case(DRY_RUN))
    }

    /// Returns true if a request with client events asks for a dry run: `x-mock-data: true`.
    #[must_use]
    pub fn is_mock(&self) -> bool {
        let value = self.request.headers().get("x-mock-data");
        value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
    }

    /// Parses an id in the path.
    ///
    /// # Errors
    /// The parameter is not a valid id.
    pub fn path_id<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
        let id = self.path_parameter(name).and_then(read);
        id.ok_or_else(|| Error::invalid(&format!("{name} {PATH_ID_RULE}")))
    }

    /// Returns true if the request has an `Idempotency-Key`, valid or not.
    #[must_use]
    pub fn has_idempotency_key(&self) -> bool {
        self.request.headers().contains_key("idempotency-key")
    }

    /// Parses the `Idempotency-Key` header, if the request has one.
    ///
    /// # Errors
    /// The key is not valid; the fault is added to `faults`.
    pub fn idempotency_key(&self, faults: &Faults) -> Result<Option<IdempotencyKey>, Noted> {
        let parsed = match self.header("Idempotency-Key") {
            Ok(key) => key.map(str::parse).transpose().map_err(|invalid: InvalidIdempotencyKey| invalid.to_string()),
            Err(not_utf8) => Err(not_utf8.to_string()),
        };
        parsed.map_err(|message| {
            faults.note(Pointer::Root, FaultKind::Invalid, message);
            Noted
        })
    }

    /// Returns the decompressed body, which must be of the media type `essence`.
    ///
    /// # Errors
    /// The body is too large, its encoding or media type is not supported, or it is not valid gzip.
    pub fn body(&self, essence: &str) -> Result<Cow<'r, [u8]>, Error> {
        body::read(self.request, essence)
    }

    /// Returns the decompressed body of whatever media type, or `None` if it is too large or cannot be decompressed.
    #[must_use]
    pub fn decoded_body(&self) -> Option<Cow<'r, [u8]>> {
        body::decoded(self.request)
    }

    /// Parses a JSON body and adds its faults to `faults`.
    ///
    /// # Errors
    /// As for [`Call::body`].
    pub fn parse<T>(
        &self,
        faults: &Faults,
        parse: impl FnOnce(At<'_, '_>) -> Result<T, Noted>,
    ) -> Result<Result<T, Noted>, Error> {
        let body = self.body("application/json")?;
        Ok(json::parse(&body, faults, parse))
    }
}
