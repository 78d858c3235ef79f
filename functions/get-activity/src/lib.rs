//! `GET /client/users/{correlation_id}/activities/{activity_id}`: returns a recorded activity and its award.

use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{
    access::Scope,
    ids::{ActivityId, CorrelationId},
};
use punchcard_runtime::{Admission, Failure, Handler};
use punchcard_store::{ActivityReader, Store, StoredActivity};
use serde::Serialize;
use serde_json::value::RawValue;

/// Reads activities.
#[derive(Debug)]
pub struct GetActivity {
    admission: Admission,
    activities: ActivityReader,
}

impl Handler for GetActivity {
    const ROUTE: &'static Route = &route::GET_ACTIVITY;

    async fn open(store: &Store) -> Self {
        GetActivity { admission: Admission::open(store).await, activities: ActivityReader::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        self.admission.bearer(call, Scope::Activities).await?;

        let correlation_id = call.path_id("correlation_id", |id| id.parse::<CorrelationId>().ok())?;
        let id = call.path_id("activity_id", |id| id.parse::<ActivityId>().ok())?;
        let found = self.activities.get(&id, &correlation_id).await?;
        reply(&found.ok_or(Error::NotFound("Activity not found"))?)
    }
}

fn reply(stored: &StoredActivity) -> Result<Reply, Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
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
    }
    Ok(Reply::ok(&Body {
        activity_id: &stored.activity_id,
        r#type: &stored.action,
        earned: serde_json::from_str(&stored.earned)?,
        action: &stored.action,
        channel: &stored.channel,
        when: &stored.when,
        business_unit: stored.business_unit.as_deref(),
        loyalty_id: stored.loyalty_id.as_deref(),
        note: stored.note.as_deref(),
        extended_data: stored.extended_data.as_deref().map(serde_json::from_str).transpose()?,
    }))
}
