//! A Lambda Runtime API, as much of it as a function uses: the next event, its answer, its error.

use std::{process::Stdio, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
    task::JoinHandle,
};
use uuid::Uuid;

use crate::support::{app::App, binaries::binary, logs};

/// A function's binary, running behind a Runtime API of its own.
pub struct Function {
    events: mpsc::UnboundedSender<Value>,
    answers: mpsc::UnboundedReceiver<Result<Value, Value>>,
    process: Child,
    log: JoinHandle<String>,
    errors: JoinHandle<String>,
}

struct Runtime {
    events: Mutex<mpsc::UnboundedReceiver<Value>>,
    answers: mpsc::UnboundedSender<Result<Value, Value>>,
}

impl Function {
    /// Starts a function on the store of an app.
    pub async fn start(name: &str, app: &App) -> Self {
        Self::start_with(name, app, &[]).await
    }

    /// Starts a function with variables of its own.
    pub async fn start_with(name: &str, app: &App, variables: &[(&str, &str)]) -> Self {
        let (events, received) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let runtime = Arc::new(Runtime { events: Mutex::new(received), answers: answered });
        let api = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .with_state(runtime);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, api).await });
        let mut process = Command::new(binary(name))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("TABLE_PREFIX", &app.prefix)
            .env("DYNAMODB_ENDPOINT", &app.endpoint)
            .env("METRICS_NAMESPACE", "Punchcard/test")
            .env("RUST_LOG", "trace")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the function starts");
        let log = tokio::spawn(logs::read(process.stdout.take().expect("its output")));
        let errors = tokio::spawn(logs::read(process.stderr.take().expect("its errors")));
        Function { events, answers, process, log, errors }
    }

    /// Invokes it with an event, and waits for its answer, or the error that it reports.
    pub async fn invoke(&mut self, event: Value) -> Result<Value, Value> {
        self.events.send(event).expect("the runtime runs");
        let answer = tokio::time::timeout(Duration::from_secs(30), self.answers.recv()).await;
        answer.expect("an answer in time").expect("the runtime runs")
    }

    /// Returns true until the process has ended.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().expect("its state").is_none()
    }

    /// The most memory that it had so far, in KB, where the system says so.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Ends it, and gives what it logged.
    pub async fn end(mut self) -> String {
        assert_eq!(self.process.try_wait().expect("its state"), None, "it ended before");
        self.process.start_kill().expect("the function ends");
        assert_eq!(self.errors.await.expect("its errors"), "", "what it says, it logs");
        self.log.await.expect("its log")
    }
}

async fn next(State(runtime): State<Arc<Runtime>>) -> (HeaderMap, String) {
    // After the last event there is no other, until the function is ended.
    let Some(event) = runtime.events.lock().await.recv().await else { std::future::pending().await };
    let id = Uuid::new_v4().to_string();
    let headers = [
        ("lambda-runtime-aws-request-id", id.as_str()),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:test"),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"),
    ];
    let headers =
        headers.map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_str(value).expect("a value")));
    (headers.into_iter().collect(), event.to_string())
}

async fn response(State(runtime): State<Arc<Runtime>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    let answer = serde_json::from_slice(&body).expect("an answer in JSON");
    runtime.answers.send(Ok(answer)).ok();
    StatusCode::ACCEPTED
}

async fn error(State(runtime): State<Arc<Runtime>>, body: Bytes) -> StatusCode {
    let error = serde_json::from_slice(&body).unwrap_or(Value::Null);
    runtime.answers.send(Err(error)).ok();
    StatusCode::ACCEPTED
}
