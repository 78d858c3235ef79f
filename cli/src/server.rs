//! The HTTP server in front of `serve` and `store`: HTTP/1.1 only, with a limit on everything that a client can hold.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use hyper::{
    body::Incoming,
    header::{CONNECTION, HOST, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use lambda_http::{
    Service as _,
    http::{Request, StatusCode, Uri, Version},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

use crate::{
    connection::{Connection, Connections, HEAD_SIZE, Wire},
    router::gateway,
    shutdown::GRACE,
};

/// The longest that a client may take to send the head of a request, from the connection's or the last response's
/// start. So it limits idle connections too.
const HEAD: Duration = Duration::from_secs(10);
/// The longest that a connection is used, without the request that is under way then.
const AGE: Duration = Duration::from_mins(10);
/// The longest that such a last request may take: its body's, its work's and its response's limits together.
const LAST: Duration = Duration::from_secs(90);
/// The most connections at once.
const CONNECTIONS: usize = 4096;
/// The longest wait for the connection that is closed in favour of a new one.
const HANDOVER: Duration = Duration::from_secs(1);
/// The wait after a failed accept, such as one for want of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until `end`, and then the requests under way for [`GRACE`].
///
/// # Errors
/// None for now: a failed accept is logged and tried again.
pub async fn serve(listener: TcpListener, app: Router, end: impl Future<Output = ()> + Send) -> io::Result<()> {
    let most = most_connections();
    let permits = Arc::new(Semaphore::new(most));
    let connections = Arc::new(Connections::default());
    let (shut_down, shutting_down) = watch::channel(());
    let mut end = pin!(end);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // Without a permit the stream is dropped, which closes the connection.
        if let Some(permit) = permit(&permits, &connections).await {
            let connection = connections.open();
            tokio::spawn(serve_connection(stream, app.clone(), connection, shutting_down.clone(), permit));
        }
    }
    drop(listener);
    drop(shut_down);
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    tokio::time::timeout(GRACE, permits.acquire_many(all)).await.ok();
    Ok(())
}

/// [`CONNECTIONS`], or half of the file descriptors where the system allows fewer: without one, no connection could be
/// accepted and none would be closed for it.
fn most_connections() -> usize {
    let wanted = 2 * CONNECTIONS;
    let files =
        rlimit::increase_nofile_limit(wanted as u64).map_or(wanted, |files| usize::try_from(files).unwrap_or(wanted));
    CONNECTIONS.min(files / 2).max(1)
}

/// A permit for a new connection. If all are in use, the connection that has kept the server waiting longest is closed
/// for it: silent and slow clients can't lock out others.
async fn permit(permits: &Arc<Semaphore>, connections: &Connections) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = permits.clone().try_acquire_owned() {
        return Some(permit);
    }
    if !connections.close_longest_waiting() {
        return None;
    }
    tokio::time::timeout(HANDOVER, permits.clone().acquire_owned()).await.ok()?.ok()
}

async fn serve_connection(
    stream: TcpStream,
    app: Router,
    connection: Arc<Connection>,
    mut shutting_down: watch::Receiver<()>,
    _permit: OwnedSemaphorePermit,
) {
    stream.set_nodelay(true).ok();
    let targets = Arc::new(Mutex::new(VecDeque::new()));
    let wire = TokioIo::new(Wire::new(stream, targets.clone()));
    let handed_on = connection.clone();
    let service = service_fn(move |request| answer(app.clone(), handed_on.clone(), targets.clone(), request));
    let mut serving = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            // Also the size of the buffer that bodies are read through.
            .max_buf_size(HEAD_SIZE)
            .serve_connection(wire, service)
    );
    // A connection's errors are its client's: it hung up, was too slow, or doesn't speak HTTP.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = connection.closed() => return,
        () = tokio::time::sleep(AGE) => {}
        _ = shutting_down.changed() => {}
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = serving => {}
        () = connection.closed() => {}
        () = tokio::time::sleep(LAST) => {}
    }
}

/// Answers a request by the app, unless API Gateway would refuse it before.
async fn answer(
    mut app: Router,
    connection: Arc<Connection>,
    targets: Arc<Mutex<VecDeque<Uri>>>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    if let Some((status, message)) = refusal(&targets, &request) {
        let mut response = gateway(status, message);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return Ok(response);
    }
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(connection);
    app.call(request).await
}

fn refusal(targets: &Mutex<VecDeque<Uri>>, request: &Request<Incoming>) -> Option<(StatusCode, &'static str)> {
    if request.version() != Version::HTTP_11 {
        return Some((StatusCode::HTTP_VERSION_NOT_SUPPORTED, "HTTP Version Not Supported"));
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let one_host = hosts.next().is_some_and(|host| !host.is_empty()) && hosts.next().is_none();
    let mut targets = targets.lock().unwrap_or_else(PoisonError::into_inner);
    // Others are of requests that follow, received but not parsed yet.
    let fragment = targets.iter().position(|target| target == request.uri()).and_then(|index| targets.remove(index));
    (fragment.is_some() || !one_host).then_some((StatusCode::BAD_REQUEST, "Bad Request"))
}
