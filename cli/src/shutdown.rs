//! Shutdown of a running command.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// The longest that a shutdown waits for connections, and then for requests.
pub const GRACE: Duration = Duration::from_secs(5);

/// Catches SIGINT and SIGTERM from now on. The returned future completes on the first of them.
///
/// # Errors
/// The signal handlers can't be installed.
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
