//! The DynamoDB that a function is measured with: it checks every call, counts it, and answers at once with what is
//! right, or passes it on to the embedded store.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    serve::{Listener, ListenerExt as _},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Barrier, task::JoinHandle, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use uuid::Uuid;

use crate::{
    signature,
    world::{World, page_key},
};

/// Events with such ids are there already.
pub const KNOWN: &str = "00000000-0000-4000-8000-";

/// The source of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// The endpoint itself, at once.
    AtOnce,
    /// The embedded store.
    Embedded,
}

/// A DynamoDB for one function.
pub struct Endpoint {
    /// Its URL.
    pub url: String,
    shared: Arc<Shared>,
    connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

/// The calls since the last look.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// The operations.
    pub operations: Vec<String>,
    /// Bytes of the bodies that were sent.
    pub sent: usize,
    /// Bytes of the bodies that were answered.
    pub received: usize,
    /// Units written, as far as the answering store says.
    pub units: f64,
    /// The last body that was sent.
    pub last: Bytes,
    /// The first fault of a call.
    pub wrong: Option<String>,
}

struct Shared {
    world: Arc<World>,
    answers: Answers,
    /// Batches are held until so many of them are there, which proves that they are sent at once.
    together: Barrier,
    state: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    seen: Seen,
    /// The items that inserts were told are there.
    known: HashMap<String, Value>,
}

impl Endpoint {
    pub async fn start(world: Arc<World>, answers: Answers, tls: Option<TlsAcceptor>, together: usize) -> Result<Self> {
        let shared = Arc::new(Shared { world, answers, together: Barrier::new(together), state: Mutex::default() });
        let api = Router::new().fallback(answer).with_state(shared.clone());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(move |connection| {
            counted.fetch_add(1, Ordering::Relaxed);
            connection.set_nodelay(true).unwrap_or_default();
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let serving = tokio::spawn(async move {
            let served = match tls {
                None => axum::serve(listener, api).await,
                Some(acceptor) => axum::serve(Tls { listener, acceptor }, api).await,
            };
            served.unwrap_or_default();
        });
        Ok(Endpoint { url, shared, connections, serving })
    }

    /// The calls since the last look.
    pub fn seen(&self) -> Seen {
        std::mem::take(&mut self.shared.held().seen)
    }

    /// Number of connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A listener behind TLS.
struct Tls<L> {
    listener: L,
    acceptor: TlsAcceptor,
}

impl<L: Listener<Addr = SocketAddr>> Listener for Tls<L> {
    type Io = TlsStream<L::Io>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (connection, address) = self.listener.accept().await;
            // The client reports a handshake that it breaks off.
            if let Ok(connection) = self.acceptor.accept(connection).await {
                return (connection, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix("DynamoDB_20120810.").unwrap_or_default();
    let answered = match signature::check(&headers, &body).map_err(anyhow::Error::msg) {
        Ok(()) => shared.answer(operation, &body).await,
        Err(error) => Err(error),
    };
    let mut held = shared.held();
    let (status, answer, units) = answered.unwrap_or_else(|error| {
        held.seen.wrong = Some(format!("{operation}: {error:#}"));
        let error = json!({"__type": "com.amazon.coral.validate#ValidationException", "message": "see the benchmark"});
        (400, error.to_string().into(), 0.0)
    });
    held.seen.operations.push(operation.to_owned());
    held.seen.sent += body.len();
    held.seen.received += answer.len();
    held.seen.units += units;
    held.seen.last = body;
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amzn-requestid", &Uuid::new_v4().to_string())];
    (StatusCode::from_u16(status).unwrap_or_default(), headers, answer).into_response()
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A status, a body, and the units that were written.
    async fn answer(&self, operation: &str, body: &Bytes) -> Result<(u16, Bytes, f64)> {
        let mut parameters: Value = serde_json::from_slice(body)?;
        check_conditions(operation, &parameters)?;
        if operation == "BatchExecuteStatement" {
            let together = timeout(Duration::from_secs(1), self.together.wait()).await;
            together.context("not sent at once with the request's other batches")?;
        }
        match self.answers {
            Answers::AtOnce => Ok((200, self.canned(operation, &parameters)?, 0.0)),
            Answers::Embedded => {
                parameters["ReturnConsumedCapacity"] = json!("TOTAL");
                let (status, answer) = self.world.call(operation, parameters.to_string().into()).await?;
                let mut answered: Value = serde_json::from_slice(&answer)?;
                let consumed = answered.as_object_mut().and_then(|answer| answer.remove("ConsumedCapacity"));
                let reads = ["GetItem", "BatchGetItem", "Query"].contains(&operation);
                let units = if reads { 0.0 } else { units(consumed.as_ref().unwrap_or(&Value::Null)) };
                Ok((status, answered.to_string().into(), units))
            }
        }
    }

    fn canned(&self, operation: &str, parameters: &Value) -> Result<Bytes> {
        Ok(match operation {
            "Query" => {
                let page = self.world.catalog.get(&page_key(parameters));
                page.context("no such page of the catalog")?.clone()
            }
            "GetItem" => self.world.session.clone(),
            "PutItem" | "TransactWriteItems" => Bytes::from_static(b"{}"),
            "BatchExecuteStatement" => {
                let statements = parameters["Statements"].as_array().context("no statements")?;
                let responses =
                    statements.iter().map(|statement| self.insert(statement)).collect::<Result<Vec<_>>>()?;
                json!({"Responses": responses}).to_string().into()
            }
            "BatchGetItem" => {
                let tables = parameters["RequestItems"].as_object().context("no tables")?;
                let (table, wanted) = tables.iter().next().context("no table")?;
                ensure!(wanted["ConsistentRead"] == true, "not read with strong consistency");
                let keys = wanted["Keys"].as_array().context("no keys")?.iter();
                let ids = keys.filter_map(|key| key["clientEventId"]["S"].as_str());
                let held = self.held();
                let items: Vec<_> = ids.filter_map(|id| held.known.get(id)).collect();
                json!({"Responses": {table: items}, "UnprocessedKeys": {}}).to_string().into()
            }
            other => bail!("nobody calls {other}"),
        })
    }

    /// Answers an insert. An item that is there already is as it is inserted again, but for who wrote it.
    fn insert(&self, statement: &Value) -> Result<Value> {
        let text = statement["Statement"].as_str().context("no statement")?;
        let table = text.split('"').nth(1).context("no table")?;
        let names = text.split('\'').skip(1).step_by(2);
        let values = statement["Parameters"].as_array().context("no parameters")?;
        let mut item: Value = names.map(str::to_owned).zip(values.iter().cloned()).collect();
        let id = item["clientEventId"]["S"].as_str().context("no id")?.to_owned();
        if !id.starts_with(KNOWN) {
            return Ok(json!({"TableName": table}));
        }
        item["writeId"] = json!({"B": "AAAAAAAAAAAAAAAAAAAAAA=="});
        self.held().known.insert(id, item);
        let error = json!({"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"});
        Ok(json!({"Error": error, "TableName": table}))
    }
}

/// A record is written only where it is new.
fn check_conditions(operation: &str, parameters: &Value) -> Result<()> {
    let is_new = |put: &Value| {
        put["ConditionExpression"].as_str().is_some_and(|condition| condition.contains("attribute_not_exists"))
    };
    let conditional = match operation {
        "PutItem" => is_new(parameters),
        "TransactWriteItems" => is_new(&parameters["TransactItems"][0]["Put"]),
        "BatchExecuteStatement" => {
            let statements = parameters["Statements"].as_array().map_or(&[][..], Vec::as_slice);
            let insert = |text: &str| text.starts_with("INSERT INTO \"");
            !statements.is_empty()
                && statements.len() <= 25
                && statements.iter().all(|statement| statement["Statement"].as_str().is_some_and(insert))
        }
        _ => true,
    };
    ensure!(conditional, "not conditional: {parameters}");
    Ok(())
}

/// Of one table, or of several.
fn units(consumed: &Value) -> f64 {
    match consumed {
        Value::Array(tables) => tables.iter().map(units).sum(),
        table => table["CapacityUnits"].as_f64().unwrap_or_default(),
    }
}
