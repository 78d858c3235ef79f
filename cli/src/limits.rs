//! The limits that all connections share: requests at work, and bytes of bodies in memory.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http_body_util::BodyExt as _;
use punchcard_http::MAX_BODY;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::shutdown::GRACE;

/// The largest body that API Gateway passes on, in bytes.
const GATEWAY_LIMIT: usize = 6 * 1024 * 1024;
/// The longest that a client may take to send a body.
const READING: Duration = Duration::from_secs(30);
/// What each connection may hold of a body outside the budget, in bytes: ordinary requests get through while others
/// exhaust it.
const FREE: usize = 4 * 1024;
/// The budget of all bodies together, in bytes, beyond what is free.
const BUDGET: usize = 64 * 1024 * 1024;

/// The limits.
#[derive(Debug, Clone)]
pub struct Limits {
    requests: Arc<Semaphore>,
    most_requests: usize,
    bodies: Arc<Semaphore>,
}

/// A body in memory, and the part of the budget that it takes.
#[derive(Debug, Default)]
pub struct Held {
    body: Vec<u8>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// The body, cut off once it is too long for every function, and what gives its budget back when it is dropped.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Option<OwnedSemaphorePermit>) {
        (self.body, self.permit)
    }
}

/// A body that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It came too late.
    #[error("the body came too late")]
    Late,
    /// The connection broke, or the body's framing is invalid.
    #[error("the body was cut off")]
    CutOff,
    /// All bodies together are over the budget.
    #[error("the bodies under way take all of their budget")]
    OverBudget,
}

impl Limits {
    /// Limits with so many requests at work at once.
    #[must_use]
    pub fn new(requests: usize) -> Self {
        Limits {
            requests: Arc::new(Semaphore::new(requests)),
            most_requests: requests,
            bodies: Arc::new(Semaphore::new(BUDGET)),
        }
    }

    /// A permit to work on a request, if fewer than the limit are at work.
    #[must_use]
    pub fn request(&self) -> Option<OwnedSemaphorePermit> {
        self.requests.clone().try_acquire_owned().ok()
    }

    /// Waits until no request is at work, for [`GRACE`] at most.
    pub async fn idle(&self) {
        let all = u32::try_from(self.most_requests).unwrap_or(u32::MAX);
        tokio::time::timeout(GRACE, self.requests.acquire_many(all)).await.ok();
    }

    /// Reads a body, in the time and the memory that there are for it.
    ///
    /// # Errors
    /// It is late, cut off, or one too many.
    pub async fn read(&self, body: Body) -> Result<Held, Unread> {
        tokio::time::timeout(READING, self.read_slowly(body)).await.map_err(|_| Unread::Late)?
    }

    async fn read_slowly(&self, mut body: Body) -> Result<Held, Unread> {
        let mut held = Held::default();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::CutOff)?.into_data() else { continue };
            length += data.len();
            // Longer than any function takes: the rest is read, so that the client gets to reading the answer.
            if held.body.len() <= MAX_BODY {
                self.take(&mut held, data.len())?;
                held.body.extend_from_slice(&data);
            }
            if length > GATEWAY_LIMIT {
                break;
            }
        }
        Ok(held)
    }

    /// Takes so many more bytes from the budget.
    fn take(&self, held: &mut Held, more: usize) -> Result<(), Unread> {
        let beyond = (held.body.len() + more).saturating_sub(FREE);
        let missing = beyond - held.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| Unread::OverBudget)?;
        let permit = self.bodies.clone().try_acquire_many_owned(missing).map_err(|_| Unread::OverBudget)?;
        match &mut held.permit {
            Some(held) => held.merge(permit),
            held => *held = Some(permit),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_share_a_budget_and_give_it_back() {
        let limits = Limits::new(1);
        let large = || Body::from(vec![b' '; MAX_BODY]);
        let mut held = Vec::new();
        let refused = loop {
            match limits.read(large()).await {
                Ok(body) => held.push(body),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused, Unread::OverBudget);
        assert_eq!(held.len(), BUDGET / (MAX_BODY - FREE));
        // Small ones are read all the same.
        assert_eq!(limits.read(Body::from(vec![b' '; FREE])).await.expect("a body").body.len(), FREE);
        held.pop();
        assert_eq!(limits.read(large()).await.expect("a body").body.len(), MAX_BODY);
    }

    #[tokio::test]
    async fn no_more_is_kept_than_shows_that_a_body_is_too_large() {
        let frames = (0..1000).map(|_| Ok::<_, std::io::Error>(vec![b' '; 4096]));
        let body = Body::from_stream(futures_util::stream::iter(frames));
        let held = Limits::new(1).read(body).await.expect("a body");
        assert!(held.body.len() > MAX_BODY && held.body.len() <= MAX_BODY + 4096, "{}", held.body.len());
    }
}
