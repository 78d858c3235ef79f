//! The functions behind one address, as API Gateway puts them there.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body as AxumBody,
    extract::{RawPathParams, Request as AxumRequest, rejection::RawPathParamsRejection},
    response::Response as AxumResponse,
    routing::{MethodFilter, any, on},
};
use http_body_util::BodyExt as _;
use lambda_http::{
    Body, Request, RequestExt as _, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode},
};
use punchcard_http::{Error, MAX_BODY, gateway_answer};
use punchcard_runtime::{Service, refuse};
use tokio::sync::Semaphore;

/// What the gateway lets through at most, in bytes.
const GATEWAY_LIMIT: usize = 6 * 1024 * 1024;
/// How long a client may take to send a request.
const READING: Duration = Duration::from_secs(30);

/// The whole API, which works on as many requests at once as `room` says. More are refused at once: in a queue they
/// would get old, and who waits in vain asks again.
pub fn router(services: Vec<Service>, room: usize) -> Router {
    let room = Arc::new(Semaphore::new(room));
    let mut router = Router::new();
    for service in services {
        let route = service.route();
        for &path in route.paths {
            let (service, room) = (service.clone(), room.clone());
            let handler = move |path: Result<RawPathParams, RawPathParamsRejection>, request: AxumRequest| async move {
                // A parameter that is not text is none: the function refuses it, in its dialect.
                let Some(request) = to_lambda(path.ok().as_ref(), request).await else {
                    return from_lambda(gateway_answer(StatusCode::REQUEST_TIMEOUT, "Request Timeout"));
                };
                // Asked for when all of it is here: whoever sends slowly takes no room.
                from_lambda(match room.try_acquire() {
                    Ok(_room) => service.respond(request).await,
                    Err(_) => refuse(service.route(), &request, Error::Overloaded),
                })
            };
            let method = match route.method {
                Method::GET => MethodFilter::GET,
                _ => MethodFilter::POST,
            };
            router =
                router.route(path, if route.answers_other_methods(path) { any(handler) } else { on(method, handler) });
        }
    }
    router.fallback(|| async { from_lambda(gateway_answer(StatusCode::NOT_FOUND, "Not Found")) })
}

/// A request as API Gateway passes it on: whole, path parameters decoded, repeated headers joined.
async fn to_lambda(path: Option<&RawPathParams>, request: AxumRequest) -> Option<Request> {
    let (mut parts, body) = request.into_parts();
    parts.headers = joined(&parts.headers);
    // `RawPathParams` are percent-decoded; raw only in that they are not yet another type.
    let parameters: HashMap<String, String> =
        path.into_iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = Body::from(tokio::time::timeout(READING, read(body)).await.ok()??);
    Some(Request::from_parts(parts, body).with_path_parameters(parameters))
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

/// Reads a body, keeping no more of it than shows that it is too large. One that is cut off is none.
async fn read(mut body: AxumBody) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            length += data.len();
            if kept.len() <= MAX_BODY {
                kept.extend_from_slice(&data);
            }
        }
        if length > GATEWAY_LIMIT {
            break;
        }
    }
    Some(kept)
}

fn from_lambda(response: Response<Body>) -> AxumResponse {
    response.map(|body| AxumBody::from(body.to_vec()))
}
