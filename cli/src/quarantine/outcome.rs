//! The outcome of a request that was sent again, by its response.

use punchcard_http::{ACTIVITY_EXISTS, ALREADY_REVERSED};
use serde::Serialize;
use serde_json::Value;

use crate::api::Answer;

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is recorded now.
    Accepted,
    /// It was recorded before, for example since its client sent it again.
    AlreadyRecorded,
    /// It was rejected again.
    Refused,
    /// It was not processed, for a passing reason.
    Unavailable,
    /// The credentials are not valid.
    Unauthorized,
    /// It cannot be read, so it was not sent.
    Unreadable,
    /// It was not sent, because its function has no dry run.
    NotTried,
}

impl Outcome {
    /// Determines the outcome from a response of a function.
    #[must_use]
    pub fn of(function: &str, answer: &Answer) -> Self {
        match answer.status.as_u16() {
            // The events of a batch that are rejected were recorded before, or their ids were used for others.
            207 | 409 if function == "send-client-event" => {
                match (rejects_reused_ids(&answer.body), answer.status.as_u16()) {
                    (true, _) => Outcome::Refused,
                    (false, 207) => Outcome::Accepted,
                    (false, _) => Outcome::AlreadyRecorded,
                }
            }
            200..=299 => Outcome::Accepted,
            400 if says_recorded(&answer.body) => Outcome::AlreadyRecorded,
            401 | 403 => Outcome::Unauthorized,
            429 | 500..=599 => Outcome::Unavailable,
            _ => Outcome::Refused,
        }
    }
}

/// Returns true unless all rejected events are the stored ones.
fn rejects_reused_ids(body: &str) -> bool {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let rejected = body["rejected"].as_array();
    rejected.is_none_or(|rejected| rejected.iter().any(|event| event["reason"] != "DUPLICATE_ID"))
}

fn says_recorded(body: &str) -> bool {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let message = body["errorMessage"].as_str().unwrap_or_default();
    message == ACTIVITY_EXISTS || message.starts_with(ALREADY_REVERSED)
}

/// Returns the reasons of an error response, in the format of whichever API: one line.
#[must_use]
pub fn reasons(response: &str) -> String {
    let body: Value = serde_json::from_str(response).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fault = |fault: &Value| format!("{} {}", text(&fault["pointer"]), text(&fault["message"])).trim().to_owned();
    let rejected = |event: &Value| format!("{} {}", text(&event["clientEventId"]), text(&event["reason"]));
    let lists = [
        body["validationErrors"].as_array().map(|faults| faults.iter().map(fault).collect::<Vec<_>>()),
        body["rejected"].as_array().map(|events| events.iter().map(rejected).collect()),
    ];
    if let Some(list) = lists.into_iter().flatten().find(|list| !list.is_empty()) {
        return list.join("; ");
    }
    let messages = ["errorMessage", "message", "title", "error_description"];
    messages.iter().find_map(|name| body[name].as_str()).unwrap_or(response).to_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, StatusCode};

    use super::*;

    fn of(function: &str, status: u16, body: &str) -> Outcome {
        let status = StatusCode::from_u16(status).expect("a status");
        Outcome::of(function, &Answer { status, headers: HeaderMap::new(), body: body.to_owned() })
    }

    #[test]
    fn what_was_recorded_before_is_not_refused() {
        let exists = r#"{"statusCode":400,"errorCode":"INVALID_REQUEST","errorMessage":"ActivityID already exists"}"#;
        let reversed = exists.replace(ACTIVITY_EXISTS, "The activity is already reversed, by r-1");
        let other = exists.replace(ACTIVITY_EXISTS, "Action not found");
        let duplicates = r#"{"rejected":[{"clientEventId":"1","reason":"DUPLICATE_ID"}]}"#;
        let reused = duplicates.replace("DUPLICATE_ID", "ID_REUSED");
        for (function, status, body, outcome) in [
            ("send-activity", 200, "{}", Outcome::Accepted),
            ("send-activity", 400, exists, Outcome::AlreadyRecorded),
            ("void-activity", 400, &reversed, Outcome::AlreadyRecorded),
            ("send-activity", 400, &other, Outcome::Refused),
            ("send-activity", 400, "no JSON", Outcome::Refused),
            ("send-activity", 401, "", Outcome::Unauthorized),
            ("track-event", 422, "{}", Outcome::Refused),
            ("track-event", 429, "{}", Outcome::Unavailable),
            ("track-event", 503, "{}", Outcome::Unavailable),
            ("send-client-event", 207, duplicates, Outcome::Accepted),
            ("send-client-event", 207, &reused, Outcome::Refused),
            ("send-client-event", 409, duplicates, Outcome::AlreadyRecorded),
            ("send-client-event", 409, &reused, Outcome::Refused),
            ("open-session", 409, "{}", Outcome::Refused),
        ] {
            assert_eq!(of(function, status, body), outcome, "{function}: {status} {body}");
        }
    }

    #[test]
    fn the_reasons_of_each_api_are_found() {
        for (response, expected) in [
            (
                r#"{"title":"t","validationErrors":[{"pointer":"/a","message":"m"},{"pointer":"","message":"n"}]}"#,
                "/a m; n",
            ),
            (r#"{"title":"t","validationErrors":[]}"#, "t"),
            (r#"{"errorMessage":"Action not found"}"#, "Action not found"),
            (r#"{"code":4,"message":"The A field is required."}"#, "The A field is required."),
            (r#"{"rejected":[{"clientEventId":"1","reason":"ID_REUSED"}]}"#, "1 ID_REUSED"),
            ("<html>", "<html>"),
        ] {
            assert_eq!(reasons(response), expected);
        }
    }
}
