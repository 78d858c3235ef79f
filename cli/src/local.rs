//! Routes that exist only in `serve`. Responses have the API's headers, and errors are JSON.

use axum::{
    Router,
    http::{Method, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse as _, Response},
};
use punchcard_store::Admin;

use crate::{docs, health, limits::Limits, router::gateway};

/// The methods of all these routes.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Creates the routes.
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

/// Adds the API's common headers that a response lacks.
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
