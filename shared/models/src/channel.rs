//! The channel of activities and sessions: built-in names and custom ones alike.

use crate::{
    fault::{FaultKind, Noted},
    json::{Members, Value},
};

/// Maximum length of a channel name in characters.
pub const MAX_CHARS: usize = 64;

/// Returns true if the text can name a channel: not blank, and not longer than [`MAX_CHARS`].
#[must_use]
pub fn is_valid(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().nth(MAX_CHARS).is_none()
}

/// Parses the member `channel` of a request. An absent channel becomes `default`; `null` and blank ones never do.
///
/// # Errors
/// The channel is absent without a default, or not valid. The vendor's dialect has one message for both.
pub fn parse(body: &Members<'_, '_>, default: Option<&str>) -> Result<String, Noted> {
    let channel = body.with("channel", |member| match member.map(|at| at.value) {
        None => default.map(str::to_owned),
        Some(Value::String(text)) if is_valid(text) => Some(text.clone().into_owned()),
        Some(_) => None,
    });
    channel.ok_or_else(|| body.at.fault_of_whole(FaultKind::Invalid, "Channel not found"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Faults, json};

    fn parsed(body: &str, default: Option<&str>) -> Result<String, Vec<String>> {
        let faults = Faults::default();
        let channel = json::parse(body.as_bytes(), &faults, |body| parse(&body.object()?, default));
        faults.none_or(channel).map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn only_an_absent_channel_gets_the_default() {
        let not_found = || Err(vec!["Channel not found".to_owned()]);
        assert_eq!(parsed("{}", Some("WEB")), Ok("WEB".to_owned()));
        assert_eq!(parsed("{}", None), not_found());
        for channel in ["null", "\"\"", "\" \"", "5", "[\"APP\"]", &format!("\"{}\"", "é".repeat(65))] {
            assert_eq!(parsed(&format!(r#"{{"channel":{channel}}}"#), Some("WEB")), not_found(), "{channel}");
        }
        let longest = "é".repeat(64);
        assert_eq!(parsed(&format!(r#"{{"channel":"{longest}"}}"#), Some("WEB")), Ok(longest));
    }
}
