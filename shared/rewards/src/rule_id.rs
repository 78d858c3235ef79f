//! Ids of offers and campaigns.

use std::{borrow::Borrow, fmt, ops::Deref};

use punchcard_models::{fault::Noted, json::At};

/// The id of an offer or campaign: 3 to 128 characters from `[A-Za-z0-9_]`, unique among both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(String);

impl RuleId {
    pub(crate) fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let text = at.string()?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = (3..=128).contains(&text.len()) && text.bytes().all(allowed);
        if fits {
            Ok(RuleId(text.to_owned()))
        } else {
            Err(at.invalid("must be 3 to 128 characters from A-Z a-z 0-9 _"))
        }
    }
}

impl Deref for RuleId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RuleId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
