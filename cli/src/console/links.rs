//! One-time links: one at the start, and another one at each SIGUSR1.

use std::{net::SocketAddr, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};

use super::{Entry, sessions::Sessions};
use crate::{
    failure::Failure,
    output::{notice, say},
};

/// The links of a console.
pub struct Links {
    pub(super) sessions: Arc<Sessions>,
    pub(super) entry: Entry,
    pub(super) address: SocketAddr,
}

impl Links {
    /// Returns the address to open: a new one-time link, unless any browser gets a session.
    ///
    /// # Errors
    /// The system random number generator failed.
    pub fn next(&self) -> Result<String, Failure> {
        let address = self.address;
        Ok(match self.entry {
            Entry::Anyone => format!("http://{address}/console"),
            Entry::Link => format!("http://{address}/console/enter?token={}", self.sessions.new_link()?),
        })
    }

    /// Prints another link at each SIGUSR1, which only the same user and root can send.
    ///
    /// # Errors
    /// The signal handler cannot be installed.
    pub fn print_at_signals(self) -> Result<(), Failure> {
        let mut signals = signal(SignalKind::user_defined1())?;
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                match self.next() {
                    Ok(link) => say!("console    {link}"),
                    Err(failure) => notice(format_args!("{failure}")),
                }
            }
        });
        Ok(())
    }
}
