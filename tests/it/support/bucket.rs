//! A bucket: as much of S3 as the archive and the quarantine use. It checks the checksum that each object is sent with.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, put},
};
use sha2::{Digest as _, Sha256};
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
        let api = Router::new()
            .route(&path, put(store).get(read).delete(remove))
            .route(&format!("/{}", Self::NAME), get(list))
            .route(&format!("/{}/", Self::NAME), get(list))
            .with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, api).await });
        Bucket { endpoint, state }
    }

    /// Refuses so many requests.
    pub fn refuse(&self, count: usize, status: StatusCode, code: &'static str) {
        self.state.lock().expect("a lock").refusals.extend(vec![(status, code); count]);
    }

    /// The objects.
    pub fn objects(&self) -> Objects {
        self.state.lock().expect("a lock").objects.clone()
    }

    /// Puts an object in.
    pub fn put(&self, name: &str, content: Bytes) {
        self.state.lock().expect("a lock").objects.insert(name.to_owned(), content);
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
    let is_whole = match headers.get("x-amz-checksum-crc32") {
        Some(_) => true,
        None => headers.get("x-amz-content-sha256").is_some_and(|sent| *sent == *hex(&Sha256::digest(&body))),
    };
    assert!(is_whole, "{headers:?}");
    assert!(headers.contains_key("authorization"), "{headers:?}");
    state.objects.insert(name, body);
    StatusCode::OK.into_response()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all text");
        text
    })
}

async fn read(State(state): State<Arc<Mutex<Contents>>>, Path(name): Path<String>) -> Response {
    match state.lock().expect("a lock").objects.get(&name) {
        Some(content) => content.clone().into_response(),
        None => (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response(),
    }
}

async fn remove(State(state): State<Arc<Mutex<Contents>>>, Path(name): Path<String>) -> StatusCode {
    state.lock().expect("a lock").objects.remove(&name);
    StatusCode::NO_CONTENT
}

/// Lists at most two objects at once, so that there are several pages.
async fn list(State(state): State<Arc<Mutex<Contents>>>, Query(query): Query<HashMap<String, String>>) -> String {
    assert_eq!(query["list-type"], "2");
    let state = state.lock().expect("a lock");
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    let after = text("start-after").max(text("continuation-token"));
    let found = state.objects.keys().filter(|name| name.starts_with(text("prefix")) && name.as_str() > after);
    let found: Vec<_> = found.take(3).collect();
    let (page, more) = found.split_at(found.len().min(2));
    let contents =
        page.iter().map(|name| format!("<Contents><Key>{name}</Key></Contents>")).collect::<Vec<_>>().concat();
    let next = match page.last() {
        Some(last) if !more.is_empty() => format!("<NextContinuationToken>{last}</NextContinuationToken>"),
        _ => String::new(),
    };
    let is_truncated = !more.is_empty();
    format!("<ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>{contents}{next}</ListBucketResult>")
}
