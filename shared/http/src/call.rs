//! One request, and what handlers read from it.

use lambda_http::{
    Request, RequestExt as _,
    http::{HeaderValue, header},
};
use punchcard_models::{
    fault::{FaultKind, Faults, Noted, Pointer},
    idempotency::IdempotencyKey,
    ids::PATH_ID_RULE,
    json::{self, At},
    timestamp::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::Error;

/// The longest body, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// A request on its way through a handler.
#[derive(Debug)]
pub struct Call<'r> {
    /// The request itself.
    pub request: &'r Request,
    /// The time of its arrival.
    pub now: Timestamp,
    /// The time until which the store may be tried.
    pub deadline: Instant,
    /// The request's id in the response and in the log.
    pub request_id: Uuid,
}

impl<'r> Call<'r> {
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

    /// Whether there is an `Idempotency-Key`, valid or not.
    #[must_use]
    pub fn has_idempotency_key(&self) -> bool {
        self.request.headers().contains_key("idempotency-key")
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
