//! A client's connection: its bytes, and whether the server waits for them.

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

/// The largest head of a request, in bytes.
pub const HEAD_SIZE: usize = 16 * 1024;
/// The most targets that are noted: a body may look like any number of them.
const MOST_TARGETS: usize = 64;
/// The longest that a client may take to read a response, counted from when it no longer fits into the system's buffer.
const WRITING: Duration = Duration::from_secs(30);

/// The connections on which the server waits for the client, by how long.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// The next number. A connection gets one each time it begins to wait, so the smallest has waited longest.
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
    /// A new connection, which the server waits for.
    #[must_use]
    pub fn open(self: &Arc<Self>) -> Arc<Connection> {
        let connection = Connection { connections: self.clone(), number: Mutex::default(), close: Arc::default() };
        connection.wait();
        Arc::new(connection)
    }

    /// Closes the connection that has waited longest. False if none waits: on each a request is being worked on.
    pub fn close_longest_waiting(&self) -> bool {
        let longest = lock(&self.0).by_number.pop_first();
        longest.inspect(|(_, close)| close.notify_one()).is_some()
    }
}

impl Connection {
    /// Completes when the connection is to be closed.
    pub async fn closed(&self) {
        self.close.notified().await;
    }

    /// Keeps the connection from being closed in favour of another one, as long as the guard lives.
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

/// A request of the connection is being worked on.
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

/// The stream below HTTP. Limits the time that a response takes, and notes request targets with a fragment: the HTTP
/// parser drops fragments without a word, so that `/order#1` would be taken for `/order`.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// Runs while a response doesn't get out.
    writing: Option<Pin<Box<Sleep>>>,
    /// The end of the line that is being received.
    line: Vec<u8>,
    targets: Arc<Mutex<VecDeque<Uri>>>,
}

impl Wire {
    /// The stream, which notes `targets` with a fragment.
    pub fn new(stream: TcpStream, targets: Arc<Mutex<VecDeque<Uri>>>) -> Self {
        Wire { stream, writing: None, line: Vec::new(), targets }
    }

    /// Looks for request lines in all that is received, so that no framing is parsed a second time. A body that holds
    /// one does no harm: only a request for the same target is refused.
    fn scan(&mut self, received: &[u8]) {
        for part in received.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                if let Some(target) = target_with_fragment(&self.line) {
                    let mut targets = lock(&self.targets);
                    targets.push_back(target);
                    let excess = targets.len().saturating_sub(MOST_TARGETS);
                    targets.drain(..excess);
                }
                self.line = Vec::new();
            } else if self.line.len() > HEAD_SIZE {
                self.line.drain(..self.line.len() - HEAD_SIZE);
            }
        }
    }

    fn limited<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_pending() {
            let writing = self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITING)));
            ready!(writing.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

/// The target of a request line as the HTTP parser has it, if it is sent with a fragment.
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

    /// Called when all of a response is written.
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
    fn only_request_lines_with_a_fragment_are_noted() {
        let noted = |line: &str| target_with_fragment(line.as_bytes());
        assert_eq!(noted("GET /a#b HTTP/1.1\r\n"), Some(Uri::from_static("/a")));
        // A body without a line's end, and then the next request.
        assert_eq!(noted("{\"a\": 1}POST /a?b#c HTTP/1.1\n"), Some(Uri::from_static("/a?b")));
        for line in ["GET /a%23b HTTP/1.1\r\n", "color: #fff\r\n", "{\"a\": \"#1 of 2\"}\n", "#\n", "\r\n"] {
            assert_eq!(noted(line), None, "{line}");
        }
    }

    #[test]
    fn the_connection_that_waited_longest_is_closed_and_none_that_works() {
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
