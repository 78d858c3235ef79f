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
    let is_new = match corrected {
        Corrected::New => true,
        Corrected::Replay => false,
        Corrected::ReferenceReused => {
            return Err(Error::Conflict("ExternalReferenceID was used for another correction").into());
        }
        Corrected::BelowZero => return Err(Error::BelowZero.into()),
    };
    Ok(recorded(mode, is_new, reply))
}

/// Counts a correction, and marks the response of one that was recorded before or of a dry run.
#[must_use]
pub fn recorded(mode: Mode, is_new: bool, reply: Reply) -> Reply {
    let reply = if is_new { reply } else { reply.replayed() };
    match (mode, is_new) {
        (Mode::Preview, _) => return reply.of_dry_run(),
        (Mode::Write, true) => metrics::corrected(),
        (Mode::Write, false) => metrics::duplicate(1),
    }
    reply
}
