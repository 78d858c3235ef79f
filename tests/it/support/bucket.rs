//! A bucket: as much of S3 as the archive uses. It checks the checksum that each object is sent with.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::put,
};
use tokio::net::TcpListener;

/// Objects by name.
pub type Objects = BTreeMap<String, Bytes>;

/// A bucket that is listening.
pub struct Bucket {
    pub endpoint: String,
    state: Arc<Mutex<Contents>>,
}

#[derive(Default)]
struct Contents {
    objects: Objects,
    /// The answers to the next requests, in place of the usual one.
    refusals: Vec<(StatusCode, &'static str)>,
}

impl Bucket {
    /// The name that every bucket has.
    pub const NAME: &'static str = "archive";

    pub async fn start() -> Self {
        let state = Arc::<Mutex<Contents>>::default();
        let path = format!("/{}/{{*name}}", Self::NAME);
        let api = Router::new().route(&path, put(store)).with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, api).await });
        Bucket { endpoint, state }
    }

    /// Refuses so many requests.
    pub fn refuse(&self, count: usize, status: StatusCode, code: &'static str) {
        self.state.lock().expect("a lock").refusals.extend(vec![(status, code); count]);
    }

    /// Takes all objects out.
    pub fn take(&self) -> Objects {
        std::mem::take(&mut self.state.lock().expect("a lock").objects)
    }
}

async fn store(
    State(state): State<Arc<Mutex<Contents>>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = state.lock().expect("a lock");
    if let Some((status, code)) = state.refusals.pop() {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>canary</Message></Error>");
        return (status, body).into_response();
    }
    // In the headers, not after a body in chunks, which other endpoints may not know.
    assert!(headers.contains_key("x-amz-checksum-crc32"), "{headers:?}");
    state.objects.insert(name, body);
    StatusCode::OK.into_response()
}
