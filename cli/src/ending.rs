//! How a running command ends.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// How long the requests under way may take to end.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// From now on Ctrl-C and being told to end no longer end the process: they end the wait for this.
///
/// # Errors
/// The system has no signals.
pub fn ctrl_c() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}
