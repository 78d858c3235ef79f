//! Client connections: tracking of idle connections, and write timeouts.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::Sleep,
};

use crate::framing::Framing;

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

/// The TCP stream of a connection. Limits the time to write a response, and passes received bytes to [`Framing`].
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// The timeout of a blocked write.
    writing: Option<Pin<Box<Sleep>>>,
    framing: Framing,
}

impl Wire {
    /// Wraps a stream.
    pub fn new(stream: TcpStream, framing: Framing) -> Self {
        Wire { stream, writing: None, framing }
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

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.framing.receive(&buffer.filled()[before..]);
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
