//! `GET /health`: checks that the store responds.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::State,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse as _, Response},
    routing::get,
};
use punchcard_store::Admin;
use serde_json::json;
use tokio::{sync::Mutex, time::Instant};

use crate::{connection::Connection, limits::Limits, router::gateway};

/// Maximum age of a cached result.
const MAX_RESULT_AGE: Duration = Duration::from_secs(1);
/// Time limit for the store's response.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

struct Health {
    admin: Admin,
    limits: Limits,
    /// The last result. Locked during a check, so that concurrent requests share it.
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

/// Creates the route.
pub fn router(admin: Admin, limits: &Limits) -> Router {
    let health = Health { admin, limits: limits.clone(), last: Arc::default() };
    Router::new().route("/health", get(answer)).with_state(Arc::new(health))
}

async fn answer(State(health): State<Arc<Health>>, connection: Option<Extension<Arc<Connection>>>) -> Response {
    let _working = connection.as_ref().map(|connection| connection.working());
    let mut last = health.last.clone().lock_owned().await;
    if let Some((read, healthy)) = *last
        && read.elapsed() < MAX_RESULT_AGE
    {
        return response(healthy);
    }
    let Some(permit) = health.limits.request() else {
        let busy = gateway(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
        return ([(RETRY_AFTER, "1")], busy).into_response();
    };
    let admin = health.admin.clone();
    // A separate task, so that a client disconnect does not cancel the check.
    let reading = tokio::spawn(async move {
        let healthy = matches!(tokio::time::timeout(PING_TIMEOUT, admin.ping()).await, Ok(Ok(())));
        *last = Some((Instant::now(), healthy));
        drop(permit);
        healthy
    });
    response(reading.await.unwrap_or(false))
}

fn response(healthy: bool) -> Response {
    let (status, text) =
        if healthy { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer") };
    (status, Json(json!({"status": text}))).into_response()
}
