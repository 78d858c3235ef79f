//! The one-time link.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Redirect, Response},
};

use super::{
    Console,
    problem::Problem,
    request::{Fields, Visit},
};

/// Spends the link, and opens a session for the browser.
pub async fn enter(State(console): State<Arc<Console>>, fields: Fields) -> Result<Response, Problem> {
    let secret = console.sessions.enter(fields.get("token").unwrap_or_default())?.ok_or(Problem::WrongLink)?;
    Ok(([(header::SET_COOKIE, console.cookie(&secret))], Redirect::to("/console")).into_response())
}

/// Ends the session.
pub async fn leave(visit: Visit, headers: HeaderMap) -> Response {
    if let Some(secret) = visit.console.secret(&headers) {
        visit.console.sessions.end(secret);
    }
    Redirect::to("/console").into_response()
}
