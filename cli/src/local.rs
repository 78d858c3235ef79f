//! The routes that only `serve` has, answered as the API's own are: with its headers, and errors in JSON.

use axum::{
    Router,
    http::{Method, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse as _, Response},
};
use punchcard_store::Admin;

use crate::{docs, health, limits::Limits, router::gateway};

/// Every one of these routes takes these methods.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The routes.
pub fn router(admin: Admin, limits: &Limits) -> Router {
    health::router(admin, limits)
        .merge(docs::router())
        .method_not_allowed_fallback(other_method)
        .layer(map_response(with_headers))
}

async fn other_method(method: Method) -> Response {
    let allow = (header::ALLOW, ALLOW);
    if method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [allow, (header::ACCESS_CONTROL_ALLOW_METHODS, ALLOW)]).into_response();
    }
    ([allow], gateway(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")).into_response()
}

/// Adds the headers of every answer that a response doesn't have.
async fn with_headers(mut response: Response) -> Response {
    let every = gateway(StatusCode::OK, "");
    let headers = response.headers_mut();
    for (name, value) in every.headers() {
        if name != header::CONTENT_TYPE && !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    response
}
