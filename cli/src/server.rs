//! The server in front of the API: what no client may hold up.

use std::{
    future::{Ready, ready},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use axum::{Extension, Router, middleware::AddExtension};
use axum_server::{Handle, accept::Accept};
use hyper_util::rt::TokioTimer;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower_layer::Layer as _;

use crate::ending::PATIENCE;

/// How long a client may take to send a request's head, and may keep a connection that it doesn't use.
const HEAD: Duration = Duration::from_secs(10);
/// How many connections there are at most: each may hold a body in memory.
const CONNECTIONS: usize = 4096;

/// Serves until `end`, and then the requests under way; whoever keeps a connection open does not keep the process.
///
/// # Errors
/// The listener can't be used.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    end: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // Slow clients need files of their own; where the system allows no more, it stays at what it allows.
    rlimit::increase_nofile_limit(2 * CONNECTIONS as u64).ok();
    let handle = Handle::<SocketAddr>::new();
    let ending = handle.clone();
    tokio::spawn(async move {
        end.await;
        ending.graceful_shutdown(Some(PATIENCE));
    });
    let mut server = axum_server::Server::from_listener(listener).http1_only().handle(handle);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let admission = Admission(Arc::new(Semaphore::new(CONNECTIONS)));
    server.acceptor(admission).serve(app.into_make_service()).await
}

/// Lets connections in as long as there is room; beyond, they are closed at once.
#[derive(Clone)]
struct Admission(Arc<Semaphore>);

impl<S> Accept<TcpStream, S> for Admission {
    type Stream = TcpStream;
    type Service = AddExtension<S, Arc<OwnedSemaphorePermit>>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = self.0.clone().try_acquire_owned().map_err(io::Error::other);
        ready(place.map(|place| (stream, Extension(Arc::new(place)).layer(service))))
    }
}
