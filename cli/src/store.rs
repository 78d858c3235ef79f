//! `punchcard store`: the embedded store alone, over HTTP.

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
    demo,
    embedded::{self, DEMO_FILE, FILE, Place, TABLE_PREFIX},
    failure::Failure,
    in_process::{self, InProcess, MEDIA_TYPE, Reply},
    output::say,
    server,
    set_up::random,
    shutdown,
};

/// The largest request that DynamoDB takes, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
/// The longest that a client may take to send a request.
const READING: Duration = Duration::from_secs(30);

/// The embedded DynamoDB alone, tables made, for `sam local` and for tools
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    punchcard store --addr 127.0.0.1:8000 --access-key local &\n  \
    AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=any \\\n    \
    aws dynamodb list-tables --endpoint-url http://127.0.0.1:8000 --region us-east-1\n  \
    punchcard store --demo --memory --addr 172.17.0.1:8000")]
pub struct Options {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:8000")]
    addr: SocketAddr,
    /// The access key id that clients must use; a random one by default. It is the only protection of the data:
    /// signatures are not checked
    #[arg(long, value_name = "ID", value_parser = access_key)]
    access_key: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Start with the demo catalog and well-known credentials
    #[arg(long)]
    demo: bool,
}

/// Access key ids end at the first `/` of a credential, and are compared as they stand.
fn access_key(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let valid = !text.is_empty() && text.bytes().all(allowed);
    valid.then(|| text.to_owned()).ok_or("letters, digits, - and _ only")
}

/// Runs until it is told to shut down.
///
/// # Errors
/// It can't start.
pub async fn run(options: Options) -> Result<(), Failure> {
    punchcard_runtime::logs::plain(crate::QUIET)?;
    let access_key = match options.access_key {
        Some(access_key) => access_key,
        None => BASE64_URL_SAFE_NO_PAD.encode(random()?),
    };
    let database = options.place.open(if options.demo { DEMO_FILE } else { FILE })?;
    let server = Server::start(database, options.addr, Some(access_key.clone())).await?;
    if options.demo {
        demo::set_up(&Admin::new(&server.store), punchcard_runtime::now()).await?;
    }
    let signalled = shutdown::signalled()?;
    say!("DynamoDB   http://{}", server.address);
    say!("data       {}", options.place.describe());
    say!("access     AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY=any");
    say!("tables     {TABLE_PREFIX}…, region us-east-1");
    signalled.await;
    server.stop().await;
    Ok(())
}

/// A database served over HTTP, with the tables made. Stops when it is dropped.
pub struct Server {
    /// The address that it listens on.
    pub address: SocketAddr,
    /// The same store, in process.
    pub store: Store,
    stop: oneshot::Sender<()>,
    running: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts it. With an access key id, it takes only requests that name it as their credential.
    ///
    /// # Errors
    /// The address can't be bound, or the tables can't be made.
    pub async fn start(database: Database, address: SocketAddr, access_key: Option<String>) -> Result<Self, Failure> {
        let listener = TcpListener::bind(address).await.map_err(|error| Failure::Listen(address, error))?;
        let address = listener.local_addr()?;
        let client = InProcess::new(database);
        let store = embedded::store(client.clone()).await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let app = Router::new().fallback(answer).with_state(Arc::new(Access { client, access_key }));
        let running = tokio::spawn(server::serve(listener, app, async {
            // A dropped sender stops it as well.
            stopped.await.ok();
        }));
        Ok(Server { address, store, stop, running })
    }

    /// Stops it, after the requests under way.
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
    let (parts, body) = request.into_parts();
    let reply = match refusal(&access, &parts.method, parts.uri.path(), &parts.headers) {
        Some(reply) => reply,
        None => match tokio::time::timeout(READING, to_bytes(body, LARGEST)).await {
            Ok(Ok(body)) => {
                let operation = in_process::operation(text(&parts.headers, "x-amz-target")).to_owned();
                let reply = access.client.call(operation, body).await;
                reply.unwrap_or_else(|_| Reply::error(500, "InternalServerError", "The operation failed"))
            }
            Ok(Err(_)) => Reply::error(413, "RequestEntityTooLarge", "The body is too large or cut off"),
            Err(_) => Reply::error(408, "RequestTimeoutException", "The body came too late"),
        },
    };
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let request_id = Uuid::new_v4().to_string();
    let headers = [("content-type", MEDIA_TYPE), ("x-amzn-requestid", &request_id)];
    (status, headers, Body::from(reply.body)).into_response()
}

/// The error for a request that may not use the database.
fn refusal(access: &Access, method: &Method, path: &str, headers: &HeaderMap) -> Option<Reply> {
    // Browsers send it with every request of a page that this server didn't send, and it sends none.
    if headers.contains_key(header::ORIGIN) {
        return Some(Reply::error(403, "AccessDeniedException", "Requests of web pages are refused"));
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

/// The access key id in `AWS4-HMAC-SHA256 Credential=ID/date/region/service/aws4_request, …`.
fn credential(authorization: &str) -> Option<&str> {
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?.split(',');
    let credential = parts.into_iter().find_map(|part| part.trim().strip_prefix("Credential="))?;
    credential.split('/').next()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
