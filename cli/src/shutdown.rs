//! Shutdown signals.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Time that a shutdown waits for connections, and then again for requests.
pub const GRACE: Duration = Duration::from_secs(5);

/// Installs handlers for SIGINT and SIGTERM. The returned future completes on the first signal.
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn signalled() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}
