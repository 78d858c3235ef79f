//! `punchcard store`: serves the embedded store over HTTP.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;
use dynoxide::Database;
use punchcard_store::{Admin, Store};
use subtle::ConstantTimeEq as _;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use crate::{
    connection::Connection,
    demo,
    embedded::{self, DEMO_FILE, DataLocation, FILE, TABLE_PREFIX},
    failure::Failure,
    in_process::{self, InProcess, MEDIA_TYPE, Reply},
    output::say,
    server,
    set_up::random,
    shutdown,
};

/// DynamoDB's maximum request size, in bytes.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// Time limit for receiving a request body.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Serve the embedded DynamoDB with all tables, for `sam local` and other tools
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    punchcard store --addr 127.0.0.1:8000 --access-key local &\n  \
    AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=any \\\n    \
    aws dynamodb list-tables --endpoint-url http://127.0.0.1:8000 --region us-east-1\n  \
    punchcard store --demo --memory --addr 172.17.0.1:8000")]
pub struct Options {
    /// Address to listen on. Port 0 selects a free port
    #[arg(long, default_value = "127.0.0.1:8000")]
    addr: SocketAddr,
    /// Access key id that clients must use [default: random]. It is the only protection of the data, because signatures
    /// are not verified
    #[arg(long, value_name = "ID", value_parser = access_key)]
    access_key: Option<String>,
    #[command(flatten)]
    location: DataLocation,
    /// Use the demo catalog and well-known credentials
    #[arg(long)]
    demo: bool,
}

/// Validates an access key id. It must not contain `/`, which separates the parts of a credential.
fn access_key(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let valid = !text.is_empty() && text.bytes().all(allowed);
    valid.then(|| text.to_owned()).ok_or("use only letters, digits, - and _")
}

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// The server cannot start.
pub async fn run(options: Options) -> Result<(), Failure> {
    punchcard_runtime::logs::plain(crate::DEFAULT_LOG_FILTER)?;
    let access_key = match options.access_key {
        Some(access_key) => access_key,
        None => BASE64_URL_SAFE_NO_PAD.encode(random()?),
    };
    let database = options.location.open(if options.demo { DEMO_FILE } else { FILE })?;
    let server = Server::start(database, options.addr, Some(access_key.clone())).await?;
    if options.demo {
        demo::set_up(&Admin::new(&server.store), punchcard_runtime::now()).await?;
    }
    let signalled = shutdown::signalled()?;
    say!("DynamoDB   http://{}", server.address);
    say!("data       {}", options.location.describe());
    say!("access     AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY=any");
    say!("tables     {TABLE_PREFIX}…, region us-east-1");
    signalled.await;
    server.stop().await;
    Ok(())
}

/// An HTTP server for a database with all tables. It stops when dropped.
pub struct Server {
    /// The address that the server listens on.
    pub address: SocketAddr,
    /// In-process access to the same store.
    pub store: Store,
    stop: oneshot::Sender<()>,
    running: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts a server. With an access key id, only requests with that id are accepted.
    ///
    /// # Errors
    /// The address cannot be bound, or the tables cannot be created.
    pub async fn start(database: Database, address: SocketAddr, access_key: Option<String>) -> Result<Self, Failure> {
        let listener = TcpListener::bind(address).await.map_err(|error| Failure::Listen(address, error))?;
        let address = listener.local_addr()?;
        let client = InProcess::new(database);
        let store = embedded::store(client.clone()).await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let app = Router::new().fallback(answer).with_state(Arc::new(Access { client, access_key }));
        let running = tokio::spawn(server::serve(listener, app, async {
            // Dropping the sender stops the server too.
            stopped.await.ok();
        }));
        Ok(Server { address, store, stop, running })
    }

    /// Stops the server after the requests in progress.
    pub async fn stop(self) {
        self.stop.send(()).ok();
        tokio::time::timeout(shutdown::GRACE, self.running).await.ok();
    }
}

struct Access {
    client: InProcess,
    access_key: Option<String>,
}

async fn answer(State(access): State<Arc<Access>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let connection = parts.extensions.remove::<Arc<Connection>>();
    let reply = match refusal(&access, &parts.method, parts.uri.path(), &parts.headers) {
        Some(reply) => reply,
        None => match tokio::time::timeout(READ_TIMEOUT, to_bytes(body, MAX_REQUEST_BYTES)).await {
            Ok(Ok(body)) => {
                let _working = connection.as_ref().map(Connection::working);
                let operation = in_process::operation(text(&parts.headers, "x-amz-target")).to_owned();
                let reply = access.client.call(operation, body).await;
                reply.unwrap_or_else(|_| Reply::error(500, "InternalServerError", "The operation failed"))
            }
            Ok(Err(_)) => Reply::error(413, "RequestEntityTooLarge", "The body is too large or incomplete"),
            Err(_) => Reply::error(408, "RequestTimeoutException", "The body was not received in time"),
        },
    };
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let request_id = Uuid::new_v4().to_string();
    let headers = [("content-type", MEDIA_TYPE), ("x-amzn-requestid", &request_id)];
    (status, headers, Body::from(reply.body)).into_response()
}

/// Returns the error for a request that must not access the database.
fn refusal(access: &Access, method: &Method, path: &str, headers: &HeaderMap) -> Option<Reply> {
    // Browsers send this header with cross-origin requests, and no page is served from this origin.
    if headers.contains_key(header::ORIGIN) {
        return Some(Reply::error(403, "AccessDeniedException", "Requests from browsers are not allowed"));
    }
    if method != Method::POST || path != "/" {
        return Some(Reply::error(404, "UnknownOperationException", "Operations are POST requests to /"));
    }
    let Some(wanted) = &access.access_key else { return None };
    let sent = credential(text(headers, "authorization")).unwrap_or_default();
    let refused =
        Reply::error(400, "UnrecognizedClientException", "The security token included in the request is invalid.");
    (!bool::from(sent.as_bytes().ct_eq(wanted.as_bytes()))).then_some(refused)
}

/// Extracts the access key id of `AWS4-HMAC-SHA256 Credential=ID/date/region/service/aws4_request, …`.
fn credential(authorization: &str) -> Option<&str> {
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?.split(',');
    let credential = parts.into_iter().find_map(|part| part.trim().strip_prefix("Credential="))?;
    credential.split('/').next()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
