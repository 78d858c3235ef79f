//! Response bodies that several functions share.

use punchcard_store::StoredActivity;
use serde::Serialize;
use serde_json::value::RawValue;

/// A recorded activity: the response to its request, and what was sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredActivityBody<'a> {
    activity_id: &'a str,
    r#type: &'a str,
    earned: &'a RawValue,
    action: &'a str,
    channel: &'a str,
    when: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    business_unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loyalty_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reversed_by: Option<&'a str>,
}

impl<'a> StoredActivityBody<'a> {
    /// Creates the body.
    ///
    /// # Errors
    /// Stored JSON cannot be read.
    pub fn of(stored: &'a StoredActivity) -> Result<Self, serde_json::Error> {
        Ok(StoredActivityBody {
            activity_id: &stored.activity_id,
            r#type: &stored.action,
            earned: serde_json::from_str(&stored.earned)?,
            action: &stored.action,
            channel: &stored.channel,
            when: &stored.when,
            business_unit: stored.business_unit.as_deref(),
            loyalty_id: stored.loyalty_id.as_deref(),
            note: stored.note.as_deref(),
            reversed_by: stored.reversed_by.as_deref(),
            extended_data: stored.extended_data.as_deref().map(serde_json::from_str).transpose()?,
        })
    }
}
