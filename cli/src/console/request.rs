//! The request of a page: its session and its fields.

use std::{convert::Infallible, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Console, page::Shell, problem::Problem, sessions::Session};

/// Maximum size of a form in bytes: that of a request of the API.
pub const MAX_FORM_BYTES: usize = punchcard_http::MAX_BODY_BYTES;

/// The fields of a form, or the parameters of an address.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Parses the fields.
    pub fn parse(bytes: &[u8]) -> Self {
        Fields(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// Returns a field, without white space around it. `None` if it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Returns a field as it was sent.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a field as one line of text that may be shown again, or an empty one.
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// Parses a field, if it is there.
    ///
    /// # Errors
    /// The field is not valid.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let parse = |value: &str| value.parse().map_err(|error: T::Err| Problem::Invalid(format!("{name} {error}")));
        self.get(name).map(parse).transpose()
    }
}

/// A signed-in request.
pub struct Visit {
    /// The console.
    pub console: Arc<Console>,
    /// The browser's session.
    pub session: Session,
    /// The fields that were sent.
    pub fields: Fields,
    /// True if a script requests a part of a page.
    pub wants_part: bool,
}

impl Visit {
    /// Returns the frame of a page.
    pub fn shell(&self, title: impl Into<String>, section: &'static str) -> Shell {
        Shell::new(&self.console, Some(&self.session), title.into(), section)
    }

    /// Refuses a change unless the console may write.
    ///
    /// # Errors
    /// The console is read only.
    pub fn may_write(&self) -> Result<(), Problem> {
        if self.console.writes() { Ok(()) } else { Err(Problem::ReadOnly) }
    }
}

impl FromRequestParts<Arc<Console>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Problem> {
        let session = parts.extensions.get::<Session>().cloned().ok_or(Problem::NoSession)?;
        let query = || Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let fields = parts.extensions.remove::<Fields>().unwrap_or_else(query);
        let wants_part = parts.headers.contains_key("x-part");
        Ok(Visit { console: console.clone(), session, fields, wants_part })
    }
}

impl FromRequestParts<Arc<Console>> for Fields {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Console>) -> Result<Self, Infallible> {
        Ok(Fields::parse(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}
