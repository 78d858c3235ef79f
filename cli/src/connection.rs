//! Client connections: tracking of idle connections, write timeouts, detection of URI fragments.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use lambda_http::http::Uri;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::Sleep,
};

/// Maximum size of a request's head in bytes.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Maximum number of recorded targets. A body may contain any number of lines that look like request lines.
const MAX_TARGETS: usize = 64;
/// Time limit for a blocked write: the client does not read the response and the socket's send buffer is full.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The connections that are waiting for their client, ordered by waiting time.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// The next sequence number. A connection gets one each time it starts to wait; the lowest has waited longest.
    next: u64,
    by_number: BTreeMap<u64, Arc<Notify>>,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    connections: Arc<Connections>,
    number: Mutex<Option<u64>>,
    close: Arc<Notify>,
}

impl Connections {
    /// Registers a new connection, which is waiting for its client.
    #[must_use]
    pub fn open(self: &Arc<Self>) -> Arc<Connection> {
        let connection = Connection { connections: self.clone(), number: Mutex::default(), close: Arc::default() };
        connection.wait();
        Arc::new(connection)
    }

    /// Closes the connection that has waited longest. Returns false if all connections are handling requests.
    pub fn close_longest_waiting(&self) -> bool {
        let longest = lock(&self.0).by_number.pop_first();
        longest.inspect(|(_, close)| close.notify_one()).is_some()
    }
}

impl Connection {
    /// Completes when the connection must be closed.
    pub async fn closed(&self) {
        self.close.notified().await;
    }

    /// Marks the connection as handling a request until the guard is dropped, so that it is not closed for another one.
    #[must_use]
    pub fn working(self: &Arc<Self>) -> Working {
        self.stop_waiting();
        Working(self.clone())
    }

    fn wait(&self) {
        let mut waiting = lock(&self.connections.0);
        let number = waiting.next;
        waiting.next += 1;
        waiting.by_number.insert(number, self.close.clone());
        *lock(&self.number) = Some(number);
    }

    fn stop_waiting(&self) {
        let number = lock(&self.number).take();
        number.map(|number| lock(&self.connections.0).by_number.remove(&number));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stop_waiting();
    }
}

/// Guard of a connection that is handling a request.
#[derive(Debug)]
pub struct Working(Arc<Connection>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The TCP stream of a connection. Limits the time to write a response, and records request targets with a fragment:
/// the HTTP parser silently drops fragments, so that `/order#1` would be handled as `/order`.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// The timeout of a blocked write.
    writing: Option<Pin<Box<Sleep>>>,
    /// The line being received, at most its last [`MAX_HEAD_BYTES`] bytes.
    line: Vec<u8>,
    targets: Arc<Mutex<VecDeque<Uri>>>,
}

impl Wire {
    /// Wraps a stream. Request targets with a fragment are added to `targets`.
    pub fn new(stream: TcpStream, targets: Arc<Mutex<VecDeque<Uri>>>) -> Self {
        Wire { stream, writing: None, line: Vec::new(), targets }
    }

    /// Searches all received bytes for request lines, without parsing the framing. A match inside a body is harmless:
    /// only a request for the same target is rejected.
    fn scan(&mut self, received: &[u8]) {
        for part in received.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                if let Some(target) = target_with_fragment(&self.line) {
                    let mut targets = lock(&self.targets);
                    targets.push_back(target);
                    let excess = targets.len().saturating_sub(MAX_TARGETS);
                    targets.drain(..excess);
                }
                self.line = Vec::new();
            } else if self.line.len() > MAX_HEAD_BYTES {
                self.line.drain(..self.line.len() - MAX_HEAD_BYTES);
            }
        }
    }

    fn limited<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_pending() {
            let writing = self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_TIMEOUT)));
            ready!(writing.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

/// Returns the target of a request line without its fragment, or `None` if it has no fragment.
fn target_with_fragment(line: &[u8]) -> Option<Uri> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let (rest, version) = line.rsplit_once(' ')?;
    let target = rest.trim_end().rsplit(' ').next()?;
    if version.starts_with("HTTP/") && target.contains('#') { target.parse().ok() } else { None }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.scan(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.limited(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.limited(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called after a response is completely written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_request_lines_with_a_fragment_are_recorded() {
        let noted = |line: &str| target_with_fragment(line.as_bytes());
        assert_eq!(noted("GET /a#b HTTP/1.1\r\n"), Some(Uri::from_static("/a")));
        // A body without a trailing line break, followed by the next request.
        assert_eq!(noted("{\"a\": 1}POST /a?b#c HTTP/1.1\n"), Some(Uri::from_static("/a?b")));
        for line in ["GET /a%23b HTTP/1.1\r\n", "color: #fff\r\n", "{\"a\": \"#1 of 2\"}\n", "#\n", "\r\n"] {
            assert_eq!(noted(line), None, "{line}");
        }
    }

    #[test]
    fn the_connection_that_waited_longest_is_closed_and_none_that_handles_a_request() {
        let connections = Arc::new(Connections::default());
        let (first, second, third) = (connections.open(), connections.open(), connections.open());
        let closed = |connection: &Arc<Connection>| {
            let mut closed = std::pin::pin!(connection.closed());
            closed.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
        };
        let working = first.working();
        assert!(connections.close_longest_waiting());
        assert_eq!([closed(&first), closed(&second), closed(&third)], [false, true, false]);
        drop(working);
        drop(third);
        assert!(connections.close_longest_waiting());
        assert!(closed(&first));
        assert!(!connections.close_longest_waiting());
    }
}
