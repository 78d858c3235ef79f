//! Routes requests to handlers like API Gateway.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    body::Body as AxumBody,
    extract::{RawPathParams, Request as AxumRequest, rejection::RawPathParamsRejection},
    response::Response as AxumResponse,
    routing::{MethodFilter, any, on},
};
use lambda_http::{
    Body, Request, RequestExt as _, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
};
use punchcard_http::{Error, gateway_answer, route::MatchedPath};
use punchcard_runtime::{Service, refuse};

use crate::{
    connection::Connection,
    limits::{BodyError, Limits},
    traffic::Traffic,
};

/// Creates a router for the whole API. Requests beyond the limits are rejected immediately: queued requests would time
/// out, and clients would retry them.
pub fn router(services: Vec<Service>, limits: &Limits) -> Router {
    watched(services, limits, &Arc::default())
}

/// Creates the same router, which counts the outcomes of requests.
pub fn watched(services: Vec<Service>, limits: &Limits, traffic: &Arc<Traffic>) -> Router {
    let mut router = Router::new();
    for service in services {
        let route = service.route();
        let method = match route.method {
            Method::GET => MethodFilter::GET,
            _ => MethodFilter::POST,
        };
        for path in route.paths.iter().map(|path| path.template) {
            let (service, limits, traffic) = (service.clone(), limits.clone(), traffic.clone());
            let handler = async move |parameters: Result<RawPathParams, RawPathParamsRejection>,
                                      mut request: AxumRequest| {
                request.extensions_mut().insert(MatchedPath(path));
                // A path parameter that is not valid UTF-8 is omitted; the handler reports it in its dialect.
                from_lambda(answer(&service, &limits, &traffic, parameters.ok().as_ref(), request).await)
            };
            router =
                router.route(path, if route.answers_other_methods(path) { any(handler) } else { on(method, handler) });
        }
    }
    router.fallback(async || gateway(StatusCode::NOT_FOUND, "Not Found"))
}

async fn answer(
    service: &Service,
    limits: &Limits,
    traffic: &Arc<Traffic>,
    path: Option<&RawPathParams>,
    request: AxumRequest,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let connection = parts.extensions.remove::<Arc<Connection>>();
    let held = match limits.read(body).await {
        Ok(held) => held,
        Err(BodyError::OverBudget) => return overloaded(service, traffic, &to_lambda(parts, path, Vec::new())),
        Err(error) => return body_error_response(error),
    };
    let _working = connection.as_ref().map(Connection::working);
    let (body, budget) = held.into_parts();
    let request = to_lambda(parts, path, body);
    // Acquired after the request is complete, so that slow clients do not hold permits.
    let Some(permit) = limits.request() else { return overloaded(service, traffic, &request) };
    let (service, traffic) = (service.clone(), traffic.clone());
    // A separate task, so that a client disconnect does not cancel the handler. It does not on Lambda either.
    let answering = tokio::spawn(async move {
        let response = traffic.watch(&service, request).await;
        drop((permit, budget));
        response
    });
    answering.await.unwrap_or_else(|_| gateway_answer(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
}

fn overloaded(service: &Service, traffic: &Traffic, request: &Request) -> Response<Body> {
    traffic.overloaded(service, request);
    refuse(service.route(), request, Error::Overloaded)
}

fn body_error_response(error: BodyError) -> Response<Body> {
    let mut response = match error {
        BodyError::TimedOut => gateway_answer(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
        BodyError::Incomplete => gateway_answer(StatusCode::BAD_REQUEST, "Bad Request"),
        BodyError::OverBudget => gateway_answer(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
    };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Converts a request like API Gateway: with the whole body, decoded path parameters and joined repeated headers.
fn to_lambda(mut parts: Parts, path: Option<&RawPathParams>, body: Vec<u8>) -> Request {
    parts.headers = joined(&parts.headers);
    // `RawPathParams` are already percent-decoded.
    let parameters: HashMap<String, String> =
        path.into_iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Request::from_parts(parts, Body::from(body)).with_path_parameters(parameters)
}

fn joined(headers: &HeaderMap) -> HeaderMap {
    headers
        .keys()
        .filter_map(|name| {
            let values: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            HeaderValue::from_bytes(&values.join(&b","[..])).ok().map(|value| (name.clone(), value))
        })
        .collect()
}

/// Creates a response in the format of API Gateway.
pub(crate) fn gateway(status: StatusCode, message: &str) -> AxumResponse {
    from_lambda(gateway_answer(status, message))
}

fn from_lambda(response: Response<Body>) -> AxumResponse {
    response.map(|body| AxumBody::from(body.to_vec()))
}
