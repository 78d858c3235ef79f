//! `GET /health`: whether the store answers.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse as _, Response},
    routing::get,
};
use punchcard_store::Admin;
use serde_json::json;
use tokio::{sync::Mutex, time::Instant};

use crate::{limits::Limits, router::gateway};

/// The age up to which a result is given again.
const FRESH: Duration = Duration::from_secs(1);
/// The longest that the store may take.
const PATIENCE: Duration = Duration::from_secs(2);

struct Health {
    admin: Admin,
    limits: Limits,
    /// Locked while the store is read, so that one read serves all who wait.
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

/// The route.
pub fn router(admin: Admin, limits: &Limits) -> Router {
    let health = Health { admin, limits: limits.clone(), last: Arc::default() };
    Router::new().route("/health", get(answer)).with_state(Arc::new(health))
}

async fn answer(State(health): State<Arc<Health>>) -> Response {
    let mut last = health.last.clone().lock_owned().await;
    if let Some((read, healthy)) = *last
        && read.elapsed() < FRESH
    {
        return response(healthy);
    }
    let Some(permit) = health.limits.request() else {
        let busy = gateway(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
        return ([(RETRY_AFTER, "1")], busy).into_response();
    };
    let admin = health.admin.clone();
    // A task of its own: it ends, and its result counts, though the client may hang up.
    let reading = tokio::spawn(async move {
        let healthy = matches!(tokio::time::timeout(PATIENCE, admin.ping()).await, Ok(Ok(())));
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
