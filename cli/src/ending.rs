//! How a running command ends.

use std::time::Duration;

use crate::failure::Failure;

/// How long the requests under way may take to end.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for Ctrl-C, or for being told to end.
///
/// # Errors
/// The system has no signals.
pub async fn ctrl_c() -> Result<(), Failure> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    Ok(())
}
