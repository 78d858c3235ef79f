//! The HTTP/1.1 server of `serve` and `store`, with limits on all resources that a client can use.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

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
    http::{Request, StatusCode, Version},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

use crate::{
    connection::{Connection, Connections, Wire},
    framing::{Framing, Heads, MAX_HEAD_BYTES},
    router::gateway,
    shutdown::GRACE,
};

/// Time limit for receiving the head of a request, counted from the start of the connection or the previous response.
/// Also the idle timeout.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum age of a connection. A request in progress is completed.
const MAX_CONNECTION_AGE: Duration = Duration::from_mins(10);
/// Time limit for the last request of a connection: the limits for its body, handler and response together.
const LAST_REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// Maximum number of concurrent connections.
const MAX_CONNECTIONS: usize = 4096;
/// Time limit for closing a waiting connection to accept a new one.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Delay after a failed accept, for example for lack of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves until `end` completes, and then waits up to [`GRACE`] for requests in progress.
///
/// # Errors
/// Currently none: a failed accept is logged and retried.
pub async fn serve(listener: TcpListener, app: Router, end: impl Future<Output = ()> + Send) -> io::Result<()> {
    let limit = connection_limit();
    let permits = Arc::new(Semaphore::new(limit));
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
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
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
    let all = u32::try_from(limit).unwrap_or(u32::MAX);
    tokio::time::timeout(GRACE, permits.acquire_many(all)).await.ok();
    Ok(())
}

/// Returns the connection limit: [`MAX_CONNECTIONS`], or half of the available file descriptors if there are fewer. If
/// descriptors ran out first, accepting would fail and no waiting connection would be closed.
fn connection_limit() -> usize {
    let wanted = 2 * MAX_CONNECTIONS;
    let files =
        rlimit::increase_nofile_limit(wanted as u64).map_or(wanted, |files| usize::try_from(files).unwrap_or(wanted));
    MAX_CONNECTIONS.min(files / 2).max(1)
}

/// Acquires a permit for a new connection. If all are in use, closes the connection that has waited longest for its
/// client, so that idle and slow clients cannot block others.
async fn permit(permits: &Arc<Semaphore>, connections: &Connections) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = permits.clone().try_acquire_owned() {
        return Some(permit);
    }
    if !connections.close_longest_waiting() {
        return None;
    }
    tokio::time::timeout(CLOSE_TIMEOUT, permits.clone().acquire_owned()).await.ok()?.ok()
}

async fn serve_connection(
    stream: TcpStream,
    app: Router,
    connection: Arc<Connection>,
    mut shutting_down: watch::Receiver<()>,
    _permit: OwnedSemaphorePermit,
) {
    stream.set_nodelay(true).ok();
    let heads = Arc::new(Heads::default());
    let wire = TokioIo::new(Wire::new(stream, Framing::new(heads.clone())));
    let handed_on = connection.clone();
    let service = service_fn(move |request| answer(app.clone(), handed_on.clone(), heads.clone(), request));
    let mut serving = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            // Also the size of the read buffer for bodies.
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(wire, service)
    );
    // Connection errors are ignored: the client disconnected, timed out or violated the protocol.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = connection.closed() => return,
        () = tokio::time::sleep(MAX_CONNECTION_AGE) => {}
        _ = shutting_down.changed() => {}
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = serving => {}
        () = connection.closed() => {}
        () = tokio::time::sleep(LAST_REQUEST_TIMEOUT) => {}
    }
}

/// Handles a request, unless API Gateway would reject it.
async fn answer(
    mut app: Router,
    connection: Arc<Connection>,
    heads: Arc<Heads>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    if let Some((status, message)) = refusal(&heads, &request) {
        let mut response = gateway(status, message);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return Ok(response);
    }
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(connection);
    app.call(request).await
}

fn refusal(heads: &Heads, request: &Request<Incoming>) -> Option<(StatusCode, &'static str)> {
    let acceptable = heads.next_is_acceptable();
    if request.version() != Version::HTTP_11 {
        return Some((StatusCode::HTTP_VERSION_NOT_SUPPORTED, "HTTP Version Not Supported"));
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let one_host = hosts.next().is_some_and(|host| !host.is_empty()) && hosts.next().is_none();
    (!acceptable || !one_host).then_some((StatusCode::BAD_REQUEST, "Bad Request"))
}

#[cfg(test)]
mod tests {
    use std::{future::pending, net::SocketAddr, time::Duration};

    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::Instant,
    };

    use super::*;

    const REQUEST: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    const SLOW_REQUEST: &str = "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";

    async fn start() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let slow = async || tokio::time::sleep(Duration::from_secs(20)).await;
        let app = Router::new().route("/", get(async || {})).route("/slow", get(slow));
        tokio::spawn(serve(listener, app, pending()));
        address
    }

    /// Sends a request and returns what is received next.
    async fn exchange(stream: &mut TcpStream, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut received = vec![0; 4096];
        let length = stream.read(&mut received).await.expect("a response");
        String::from_utf8_lossy(&received[..length]).into_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn silent_slow_and_idle_connections_are_closed() {
        let address = start().await;
        for sent in ["", "GET / HTTP/1.1\r\nhost:", REQUEST] {
            let started = Instant::now();
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.write_all(sent.as_bytes()).await.expect("sent");
            stream.read_to_end(&mut Vec::new()).await.expect("the end of the connection");
            let lasted = started.elapsed();
            assert!((HEAD_TIMEOUT..HEAD_TIMEOUT + Duration::from_secs(1)).contains(&lasted), "{sent:?}: {lasted:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_connection_is_closed_after_the_request_in_progress() {
        let address = start().await;
        let started = Instant::now();
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        while started.elapsed() + Duration::from_secs(10) < MAX_CONNECTION_AGE {
            let response = exchange(&mut stream, REQUEST).await;
            assert!(response.starts_with("HTTP/1.1 200") && !response.contains("connection: close"), "{response}");
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        let response = exchange(&mut stream, SLOW_REQUEST).await;
        assert!(response.starts_with("HTTP/1.1 200") && response.contains("connection: close"), "{response}");
        assert!(started.elapsed() > MAX_CONNECTION_AGE);
        assert_eq!(stream.read(&mut [0]).await.expect("the end of the connection"), 0);
    }
}
