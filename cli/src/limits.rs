//! Limits shared by all connections: concurrent requests, and memory for bodies.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http_body_util::BodyExt as _;
use punchcard_http::MAX_BODY_BYTES;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::shutdown::GRACE;

/// API Gateway's maximum body size, in bytes.
const GATEWAY_MAX_BODY_BYTES: usize = 6 * 1024 * 1024;
/// Time limit for receiving a body.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of each body that do not count against the budget, so that small requests are accepted when it is exhausted.
const UNCOUNTED_BYTES: usize = 4 * 1024;
/// Total memory for bodies in bytes, beyond the uncounted part of each.
const BUDGET_BYTES: usize = 64 * 1024 * 1024;

/// Limits shared by all connections. Clones share the same limits.
#[derive(Debug, Clone)]
pub struct Limits {
    requests: Arc<Semaphore>,
    most_requests: usize,
    bodies: Arc<Semaphore>,
}

/// A body in memory and its share of the budget.
#[derive(Debug, Default)]
pub struct BufferedBody {
    body: Vec<u8>,
    permit: Option<OwnedSemaphorePermit>,
}

impl BufferedBody {
    /// Returns the body, truncated if it exceeds the body limit, and the permit that releases its budget when dropped.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Option<OwnedSemaphorePermit>) {
        (self.body, self.permit)
    }
}

/// A body that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The time limit was exceeded.
    #[error("the body was not received in time")]
    TimedOut,
    /// The connection broke, or the body's framing is invalid.
    #[error("the body is incomplete")]
    Incomplete,
    /// The memory budget of all bodies is exhausted.
    #[error("the memory budget for bodies is exhausted")]
    OverBudget,
}

impl Limits {
    /// Creates limits for `requests` concurrent requests.
    #[must_use]
    pub fn new(requests: usize) -> Self {
        Limits {
            requests: Arc::new(Semaphore::new(requests)),
            most_requests: requests,
            bodies: Arc::new(Semaphore::new(BUDGET_BYTES)),
        }
    }

    /// Acquires a permit for a request, or returns `None` if the limit is reached.
    #[must_use]
    pub fn request(&self) -> Option<OwnedSemaphorePermit> {
        self.requests.clone().try_acquire_owned().ok()
    }

    /// Waits until no request is in progress, for at most [`GRACE`].
    pub async fn idle(&self) {
        let all = u32::try_from(self.most_requests).unwrap_or(u32::MAX);
        tokio::time::timeout(GRACE, self.requests.acquire_many(all)).await.ok();
    }

    /// Reads a body within the limits of time and memory.
    ///
    /// # Errors
    /// The body is late or incomplete, or the budget is exhausted.
    pub async fn read(&self, body: Body) -> Result<BufferedBody, BodyError> {
        tokio::time::timeout(READ_TIMEOUT, self.read_slowly(body)).await.map_err(|_| BodyError::TimedOut)?
    }

    async fn read_slowly(&self, mut body: Body) -> Result<BufferedBody, BodyError> {
        let mut held = BufferedBody::default();
        let mut over_budget = false;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Incomplete)?.into_data() else { continue };
            length += data.len();
            // The rest of a body over a limit is read and discarded. If the connection were closed with unread data, it
            // would be reset, and the client might lose the response.
            if !over_budget && held.body.len() <= MAX_BODY_BYTES {
                if self.take(&mut held, data.len()).is_ok() {
                    held.body.extend_from_slice(&data);
                } else {
                    over_budget = true;
                    held = BufferedBody::default();
                }
            }
            if length > GATEWAY_MAX_BODY_BYTES {
                break;
            }
        }
        if over_budget { Err(BodyError::OverBudget) } else { Ok(held) }
    }

    /// Reserves budget for `more` bytes.
    fn take(&self, held: &mut BufferedBody, more: usize) -> Result<(), BodyError> {
        let beyond = (held.body.len() + more).saturating_sub(UNCOUNTED_BYTES);
        let missing = beyond - held.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| BodyError::OverBudget)?;
        let permit = self.bodies.clone().try_acquire_many_owned(missing).map_err(|_| BodyError::OverBudget)?;
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
    async fn bodies_share_a_budget_and_release_it() {
        let limits = Limits::new(1);
        let large = || Body::from(vec![b' '; MAX_BODY_BYTES]);
        let mut held = Vec::new();
        let refused = loop {
            match limits.read(large()).await {
                Ok(body) => held.push(body),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused, BodyError::OverBudget);
        assert_eq!(held.len(), BUDGET_BYTES / (MAX_BODY_BYTES - UNCOUNTED_BYTES));
        // Small bodies are still read.
        assert_eq!(
            limits.read(Body::from(vec![b' '; UNCOUNTED_BYTES])).await.expect("a body").body.len(),
            UNCOUNTED_BYTES
        );
        held.pop();
        assert_eq!(limits.read(large()).await.expect("a body").body.len(), MAX_BODY_BYTES);
    }

    #[tokio::test]
    async fn an_oversized_body_is_truncated_just_beyond_the_limit() {
        let frames = (0..1000).map(|_| Ok::<_, std::io::Error>(vec![b' '; 4096]));
        let body = Body::from_stream(futures_util::stream::iter(frames));
        let held = Limits::new(1).read(body).await.expect("a body");
        assert!(held.body.len() > MAX_BODY_BYTES && held.body.len() <= MAX_BODY_BYTES + 4096, "{}", held.body.len());
    }
}
