//! Access: a revoked client is refused after a minute, and no other client ever.

use super::Evidence;
use crate::history::{Millis, What};

pub(super) fn check(evidence: &Evidence<'_>) {
    for (number, request) in evidence.requests() {
        let revoked = evidence.history.changes.iter().find_map(|change| match change.what {
            What::Revoked(name) if name == request.caller => Some((change.begun, change.done)),
            _ => None,
        });
        let about = format!("#{number} ");
        let let_in = request.status().is_some_and(|status| status != 401 && status < 500);
        let refused = request.status() == Some(401);
        let (begun, done) = revoked.unwrap_or((Millis::MAX, Millis::MAX));
        let late = request.sent.saturating_sub(done) > evidence.longest_kept(request);
        evidence.check(!(let_in && late), &[&about], || {
            format!("#{number} is let in as {}, which was revoked long before", request.caller)
        });
        let early = request.ended.is_some_and(|ended| ended < begun);
        evidence.check(!(refused && early), &[&about], || {
            format!("#{number} is refused as {}, which was not revoked", request.caller)
        });
    }
}
