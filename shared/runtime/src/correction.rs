//! Responses of the functions that record corrections.

use punchcard_http::{Error, Reply};
use punchcard_models::ids::ActivityId;
use punchcard_store::{Corrected, Mode};
use serde_json::json;

use crate::{Failure, metrics};

/// Renders the outcome of a correction, and counts it.
///
/// # Errors
/// The correction was refused.
pub fn reply(mode: Mode, corrected: Corrected, id: &ActivityId, message: &str) -> Result<Reply, Failure> {
    let reply = Reply::ok(&json!({"transactionId": &**id, "message": message}));
    let reply = match corrected {
        Corrected::New => reply,
        Corrected::Replay => reply.replayed(),
        Corrected::ReferenceReused => {
            return Err(Error::Conflict("ExternalReferenceID was used for another correction").into());
        }
        Corrected::BelowZero => return Err(Error::Conflict("The balance must not fall below zero").into()),
    };
    match (mode, corrected) {
        (Mode::Preview, _) => return Ok(reply.of_dry_run()),
        (Mode::Write, Corrected::New) => metrics::corrected(),
        (Mode::Write, _) => metrics::duplicate(1),
    }
    Ok(reply)
}
