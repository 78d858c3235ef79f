//! The effects of one request, for a server that shows them. A function on Lambda has logs and metrics instead.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use punchcard_http::Error;

/// Maximum length of a reason, in characters.
const MAX_REASON_CHARS: usize = 200;

tokio::task_local! {
    static OBSERVED: Mutex<Observation>;
}

/// The effects of a request. It has no ids, bodies or credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// The outcome's name, as in the log. Empty if no handler answered.
    pub outcome: &'static str,
    /// The reason of a refusal, as in the response. Of several faults, the first one.
    pub reason: Option<String>,
    /// Newly recorded events.
    pub accepted: u64,
    /// Events that were recorded before.
    pub duplicates: u64,
    /// Points that were credited, by the name of the balance, such as `pts#XYZ#loyalty`.
    pub points: BTreeMap<String, u64>,
}

/// Runs a request, and returns its effects beside its result. It must not be handed to another task.
pub async fn observed<T>(request: impl Future<Output = T>) -> (T, Observation) {
    let observing = async {
        let result = request.await;
        (result, OBSERVED.with(|observation| std::mem::take(&mut *lock(observation))))
    };
    OBSERVED.scope(Mutex::default(), observing).await
}

/// Changes the observation of the current request, if it is observed.
pub(crate) fn note(change: impl FnOnce(&mut Observation)) {
    // An error means that the request is not observed, as in functions.
    OBSERVED.try_with(|observation| change(&mut lock(observation))).ok();
}

/// Returns the reason of a refusal. Unlike the error itself it may name parts of the request, so it is not logged.
pub(crate) fn reason(error: &Error) -> String {
    let reason = match error {
        Error::Unauthorized(denied) => denied.to_string(),
        Error::Invalid(faults) => match &faults[..] {
            [] => error.to_string(),
            [fault] => fault.to_string(),
            [fault, others @ ..] => format!("{fault} (and {} more)", others.len()),
        },
        Error::NotFound(message) | Error::Conflict(message) | Error::IdReused(message) => (*message).to_owned(),
        Error::AlreadyExists(message) => message.clone().into_owned(),
        other => other.to_string(),
    };
    match reason.char_indices().nth(MAX_REASON_CHARS) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason,
    }
}

fn lock(observation: &Mutex<Observation>) -> MutexGuard<'_, Observation> {
    observation.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_request_has_an_observation_of_its_own_and_others_have_none() {
        note(|_| panic!("nothing is observed"));
        let request = |count| observed(async move { note(|observation| observation.accepted += count) });
        let (((), first), ((), second)) = tokio::join!(request(1), request(2));
        assert_eq!((first.accepted, second.accepted), (1, 2));
    }

    #[test]
    fn a_long_reason_is_shortened() {
        let reason = reason(&Error::invalid(&"ä".repeat(1000)));
        assert_eq!(reason.chars().count(), MAX_REASON_CHARS + 1, "{reason}");
    }
}
