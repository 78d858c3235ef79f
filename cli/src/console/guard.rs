//! The checks of every request to the console, and the headers of every response.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{
    Console, Entry, PAGE_LIMIT, page,
    problem::Problem,
    request::{Fields, MAX_FORM_BYTES},
    sessions::Session,
};
use crate::connection::Connection;

/// No other origin, no inline script and no inline style.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (OPENER_POLICY, "same-origin"),
];

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The policy of a response with content that has inline scripts or styles of its own.
#[derive(Debug, Clone)]
pub struct OwnPolicy(pub String);

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The header of a script's requests with the token that forms have in a field.
pub const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// Handles a request to the console.
pub async fn guard(
    State(console): State<Arc<Console>>,
    connection: Option<Extension<Arc<Connection>>>,
    request: Request,
    next: Next,
) -> Response {
    let _working = connection.as_ref().map(|connection| connection.working());
    let path = request.uri().path().to_owned();
    let mut session = None;
    let answered = tokio::time::timeout(PAGE_LIMIT, admit(&console, request, next, &mut session)).await;
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => problem.into_response(),
        Err(_) => Problem::TooSlow.into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let page = page::of_problem(&console, session.as_ref().map(|(session, _)| session), &problem);
        response = (problem.status(), response.headers().clone(), page).into_response();
    }
    if let Some((_, Some(secret))) = &session {
        response.headers_mut().append(header::SET_COOKIE, console.cookie(secret));
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if let Some(OwnPolicy(policy)) = response.extensions_mut().remove::<OwnPolicy>()
        && let Ok(policy) = HeaderValue::try_from(policy)
    {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        // Browsers do not show a sandboxed page that asks for a context of its own.
        response.headers_mut().remove(OPENER_POLICY);
    }
    tracing::debug!(path, status = response.status().as_u16(), "console");
    response
}

/// Checks the request, and passes it on with its session. A new session has its secret beside it.
async fn admit(
    console: &Console,
    mut request: Request,
    next: Next,
    session: &mut Option<(Session, Option<String>)>,
) -> Result<Response, Problem> {
    console.check_host(request.headers())?;
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    console.check_origin(request.headers(), changes)?;
    let path = request.uri().path();
    if path == "/console/enter" || path.starts_with("/console/assets/") {
        return Ok(next.run(request).await);
    }
    let found = console.secret(request.headers()).and_then(|secret| console.sessions.find(secret));
    *session = match (found, console.entry) {
        (Some(session), _) => Some((session, None)),
        (None, Entry::Anyone) => {
            let (secret, session) = console.sessions.open()?;
            Some((session, Some(secret)))
        }
        (None, Entry::Link) => None,
    };
    let Some((current, _)) = session else { return Err(Problem::NoSession) };
    let current = current.clone();
    let Some(permit) = console.limits.request() else { return Err(Problem::Busy) };
    if changes {
        let (parts, body) = request.into_parts();
        let form = content_type(&parts.headers) == Some("application/x-www-form-urlencoded");
        if !form {
            return Err(Problem::NoForm);
        }
        let (body, _budget) = console.limits.read(body).await.map_err(|_| Problem::NoForm)?.into_parts();
        if body.len() > MAX_FORM_BYTES {
            return Err(Problem::TooLarge);
        }
        let fields = Fields::parse(&body);
        let header = parts.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        if !header.or(fields.get("csrf")).is_some_and(|token| current.has_csrf(token)) {
            return Err(Problem::WrongToken);
        }
        request = Request::from_parts(parts, Body::empty());
        request.extensions_mut().insert(fields);
    }
    request.extensions_mut().insert(current);
    let response = next.run(request).await;
    drop(permit);
    Ok(response)
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

impl Console {
    /// Requires the console's own address. A site that makes its name resolve to this machine (DNS rebinding) has another
    /// one.
    fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        if host.is_some_and(|host| self.is_own(host)) { Ok(()) } else { Err(Problem::OtherHost) }
    }

    /// Refuses requests that another site makes the browser send.
    ///
    /// Browsers send forms with `Origin: null`, since the pages say `Referrer-Policy: no-referrer`. Then only
    /// `Sec-Fetch-Site` distinguishes the console's forms from those of other sites.
    fn check_origin(&self, headers: &HeaderMap, changes: bool) -> Result<(), Problem> {
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let is_same_site = text(SITE) == Some("same-origin");
        match text(header::ORIGIN) {
            Some(origin) if origin.strip_prefix("http://").is_some_and(|host| self.is_own(host)) => Ok(()),
            Some("null") | None if is_same_site => Ok(()),
            None if !changes => Ok(()),
            Some(_) | None => Err(Problem::OtherOrigin),
        }
    }

    fn is_own(&self, authority: &str) -> bool {
        let port = self.address.port();
        authority == self.address.to_string()
            || authority.rsplit_once(':').is_some_and(|(host, text)| {
                matches!(host, "127.0.0.1" | "localhost" | "[::1]") && text.parse() == Ok(port)
            })
    }

    /// The cookie's name. Browsers send cookies to all ports of a host, so each console has its own.
    fn cookie_name(&self) -> String {
        format!("punchcard-{}", self.address.port())
    }

    /// Returns the header that makes a browser keep a session.
    pub(super) fn cookie(&self, secret: &str) -> HeaderValue {
        let cookie = format!("{}={secret}; Path=/console; HttpOnly; SameSite=Strict", self.cookie_name());
        HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
    }

    /// Returns the secret that a browser sends.
    pub(super) fn secret<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let name = self.cookie_name();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }
}
