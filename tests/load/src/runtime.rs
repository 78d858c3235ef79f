//! A Lambda Runtime API: the next event, its answer, its error. Events go out, and what the function does comes back.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{get, post},
    serve::ListenerExt as _,
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    task::JoinHandle,
};
use uuid::Uuid;

/// A Runtime API for one function.
pub struct Runtime {
    /// Its address.
    pub address: String,
    events: mpsc::UnboundedSender<Bytes>,
    done: mpsc::UnboundedReceiver<Done>,
    serving: JoinHandle<()>,
}

/// An event of the function's life.
#[derive(Debug)]
enum Done {
    Asked,
    Answered(Bytes),
    Failed(Bytes),
}

struct Shared {
    events: Mutex<mpsc::UnboundedReceiver<Bytes>>,
    done: mpsc::UnboundedSender<Done>,
}

impl Runtime {
    pub async fn start() -> Result<Self> {
        let (events, received) = mpsc::unbounded_channel();
        let (doing, done) = mpsc::unbounded_channel();
        let api = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .with_state(Arc::new(Shared { events: Mutex::new(received), done: doing }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        // Without this, Nagle's algorithm would be measured.
        let listener = listener.tap_io(|connection| connection.set_nodelay(true).unwrap_or_default());
        let serving = tokio::spawn(async move { axum::serve(listener, api).await.unwrap_or_default() });
        Ok(Runtime { address, events, done, serving })
    }

    /// Waits until the function asks for its next event.
    pub async fn asked(&mut self) -> Result<()> {
        match self.done().await? {
            Done::Asked => Ok(()),
            Done::Answered(answer) | Done::Failed(answer) => bail!("not asked for: {}", text(&answer)),
        }
    }

    /// Hands an event out and waits for its answer.
    pub async fn invoke(&mut self, event: Bytes) -> Result<Bytes> {
        self.events.send(event).context("the Runtime API ended")?;
        match self.done().await? {
            Done::Answered(answer) => Ok(answer),
            Done::Failed(error) => bail!("failed: {}", text(&error)),
            Done::Asked => bail!("asked for another event and didn't answer this one"),
        }
    }

    async fn done(&mut self) -> Result<Done> {
        self.done.recv().await.context("the Runtime API ended")
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn text(bytes: &Bytes) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

async fn next(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    shared.done.send(Done::Asked).ok();
    // After the last event there is no other, until the function is ended.
    let Some(event) = shared.events.lock().await.recv().await else { std::future::pending().await };
    let mut headers = HeaderMap::new();
    let id = Uuid::new_v4().to_string();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", id.as_str()),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:test"),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"),
        ("content-type", "application/json"),
    ] {
        headers.insert(name, value.parse().expect("a header's value"));
    }
    (headers, event)
}

async fn response(State(shared): State<Arc<Shared>>, answer: Bytes) -> StatusCode {
    shared.done.send(Done::Answered(answer)).ok();
    StatusCode::ACCEPTED
}

async fn error(State(shared): State<Arc<Shared>>, error: Bytes) -> StatusCode {
    shared.done.send(Done::Failed(error)).ok();
    StatusCode::ACCEPTED
}
