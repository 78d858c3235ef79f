//! Responses of the functions that record corrections.

use punchcard_http::{Error, Reply};
use punchcard_models::ids::ActivityId;
use punchcard_store::Corrected;
use serde_json::json;

use crate::{Failure, metrics};

/// Renders the outcome of a correction, and counts it.
///
/// # Errors
/// The correction was refused.
pub fn reply(corrected: Corrected, id: &ActivityId, message: &str) -> Result<Reply, Failure> {
    let reply = Reply::ok(&json!({"transactionId": &**id, "message": message}));
    let refused = match corrected {
        Corrected::New => {
            metrics::corrected();
            return Ok(reply);
        }
        Corrected::Replay => {
            metrics::duplicate(1);
            return Ok(reply.replayed());
        }
        Corrected::ReferenceReused => Error::Conflict("ExternalReferenceID was used for another correction"),
        Corrected::BelowZero => Error::Conflict("The balance must not fall below zero"),
    };
    Err(refused.into())
}
