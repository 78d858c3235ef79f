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
use punchcard_http::{Call, Endpoint, Error, MAX_BODY, gateway_answer};
use punchcard_store::Store;
use tokio::sync::Semaphore;

/// What the gateway lets through at most, in bytes.
const GATEWAY_LIMIT: usize = 6 * 1024 * 1024;
/// How long a client may take to send a request.
const READING: Duration = Duration::from_secs(30);

/// A function's endpoint and how to mount it.
pub struct Function {
    /// Where it is.
    pub endpoint: Endpoint,
    mounted: Mounted,
}

type Mounted = Arc<dyn Fn(Request) -> futures_util::future::BoxFuture<'static, Response<Body>> + Send + Sync>;

macro_rules! functions {
    ($store:expr; $($function:ident),+ $(,)?) => {
        vec![$({
            let state = Arc::new($function::State::open($store).await);
            let mounted: Mounted = Arc::new(move |request| {
                let state = state.clone();
                Box::pin(async move { $function::handle(&state, &request).await })
            });
            Function { endpoint: $function::ENDPOINT, mounted }
        }),+]
    };
}

/// Every function of the template, on this store.
pub async fn functions(store: &Store) -> Vec<Function> {
    functions![
        store;
        start_session, send_client_event,
        issue_token, open_session, send_activity, get_activity, get_balances,
        track_event, get_player,
    ]
}

/// The whole API, which works on as many requests at once as `room` says. More are refused at once: in a queue they
/// would get old, and who waits in vain asks again.
pub fn router(functions: Vec<Function>, room: usize) -> Router {
    let room = Arc::new(Semaphore::new(room));
    let mut router = Router::new();
    for Function { endpoint, mounted } in functions {
        for path in endpoint.paths {
            let (mounted, called, room) = (mounted.clone(), endpoint.clone(), room.clone());
            let handler = move |path: Result<RawPathParams, RawPathParamsRejection>, request: AxumRequest| async move {
                // What isn't even text is no parameter: the function says so, in its dialect.
                let Some(request) = to_lambda(path.ok().as_ref(), request).await else {
                    return from_lambda(gateway_answer(StatusCode::REQUEST_TIMEOUT, "Request Timeout"));
                };
                // Asked for when all of it is here: whoever sends slowly takes no room.
                from_lambda(match room.try_acquire() {
                    Ok(_room) => mounted(request).await,
                    Err(_) => Call::new(&called, &request).answer(async { Err(Error::Overloaded) }).await,
                })
            };
            let method = match endpoint.method {
                Method::GET => MethodFilter::GET,
                _ => MethodFilter::POST,
            };
            router = router.route(path, if endpoint.any { any(handler) } else { on(method, handler) });
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
