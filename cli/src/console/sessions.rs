//! One-time links and the sessions that they open.
//!
//! The process stores digests of links and sessions only, and compares them in constant time.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use punchcard_models::access::SecretDigest;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::{failure::Failure, set_up::random};

/// Maximum number of sessions. A new one takes the place of the one that was unused for longest.
const MAX_SESSIONS: usize = 16;
/// Maximum number of links that were not used yet. A new one takes the place of the oldest.
const MAX_LINKS: usize = 4;
/// Time after which a session that was not used ends.
const MAX_IDLE: Duration = Duration::from_hours(12);
/// Time after which a link that was not used ends.
const MAX_LINK_AGE: Duration = Duration::from_hours(12);

/// A browser's session.
#[derive(Debug, Clone)]
pub struct Session {
    /// The token that each form of the session carries, so that no other site can send it.
    pub csrf: String,
}

impl Session {
    /// Returns true if the token is the session's, in constant time.
    pub fn has_csrf(&self, token: &str) -> bool {
        self.csrf.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

/// All links and sessions.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    /// Oldest first.
    links: Vec<(SecretDigest, Instant)>,
    sessions: Vec<Opened>,
}

#[derive(Debug)]
struct Opened {
    digest: SecretDigest,
    session: Session,
    used: Instant,
}

impl Sessions {
    /// Creates a link. Returns its token.
    pub fn new_link(&self) -> Result<String, Failure> {
        let token = new_token()?;
        let mut open = self.lock();
        if open.links.len() >= MAX_LINKS {
            open.links.remove(0);
        }
        open.links.push((SecretDigest::of(&token), Instant::now()));
        Ok(token)
    }

    /// Spends a link, and opens a session. Returns the session's secret, or `None` if there is no such link.
    pub fn enter(&self, token: &str) -> Result<Option<String>, Failure> {
        let digest = SecretDigest::of(token);
        let mut open = self.lock();
        open.links.retain(|(_, made)| made.elapsed() < MAX_LINK_AGE);
        let Some(index) = open.links.iter().position(|(link, _)| *link == digest) else { return Ok(None) };
        open.links.remove(index);
        drop(open);
        self.open().map(|(secret, _)| Some(secret))
    }

    /// Opens a session. Returns its secret too.
    pub fn open(&self) -> Result<(String, Session), Failure> {
        let (secret, session) = (new_token()?, Session { csrf: new_token()? });
        let mut open = self.lock();
        if open.sessions.len() >= MAX_SESSIONS
            && let Some(unused) = open.sessions.iter().enumerate().min_by_key(|(_, opened)| opened.used)
        {
            let index = unused.0;
            open.sessions.remove(index);
        }
        let opened = Opened { digest: SecretDigest::of(&secret), session: session.clone(), used: Instant::now() };
        open.sessions.push(opened);
        Ok((secret, session))
    }

    /// Returns the session with this secret, and marks it as used.
    pub fn find(&self, secret: &str) -> Option<Session> {
        let digest = SecretDigest::of(secret);
        let mut open = self.lock();
        open.sessions.retain(|opened| opened.used.elapsed() < MAX_IDLE);
        let opened = open.sessions.iter_mut().find(|opened| opened.digest == digest)?;
        opened.used = Instant::now();
        Some(opened.session.clone())
    }

    /// Ends a session.
    pub fn end(&self, secret: &str) {
        let digest = SecretDigest::of(secret);
        self.lock().sessions.retain(|opened| opened.digest != digest);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns 256 random bits as text that needs no escape in a URL or cookie.
fn new_token() -> Result<String, Failure> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_link_opens_one_session_and_a_session_ends_when_it_is_not_used() {
        let sessions = Sessions::default();
        let link = sessions.new_link().expect("a link");
        let secret = sessions.enter(&link).expect("randomness").expect("a session");
        assert!(sessions.enter(&link).expect("randomness").is_none(), "spent");
        let session = sessions.find(&secret).expect("the session");
        assert!(session.has_csrf(&session.csrf.clone()) && !session.has_csrf(""));
        tokio::time::advance(MAX_IDLE / 2).await;
        assert!(sessions.find(&secret).is_some());
        tokio::time::advance(MAX_IDLE).await;
        assert!(sessions.find(&secret).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_session_replaces_the_one_that_was_unused_for_longest() {
        let sessions = Sessions::default();
        let open = async || {
            tokio::time::advance(Duration::from_secs(1)).await;
            sessions.open().expect("randomness").0
        };
        let (first, second) = (open().await, open().await);
        for _ in 2..MAX_SESSIONS {
            open().await;
        }
        assert!(sessions.find(&first).is_some());
        open().await;
        assert!(sessions.find(&first).is_some() && sessions.find(&second).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn links_end_and_are_few() {
        let sessions = Sessions::default();
        let links: Vec<_> = (0..=MAX_LINKS).map(|_| sessions.new_link().expect("a link")).collect();
        assert!(sessions.enter(&links[0]).expect("randomness").is_none());
        assert!(sessions.enter(&links[1]).expect("randomness").is_some());
        tokio::time::advance(MAX_LINK_AGE).await;
        assert!(sessions.enter(&links[2]).expect("randomness").is_none());
    }
}
