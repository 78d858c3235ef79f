//! `GET /client/users/{correlation_id}/activities/{activity_id}`: returns a recorded activity and its award.

use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{
    access::Scope,
    ids::{ActivityId, CorrelationId},
};
use punchcard_runtime::{Admission, Failure, Handler, body::StoredActivityBody};
use punchcard_store::{ActivityReader, Store};

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
        let stored = found.ok_or(Error::NotFound("Activity not found"))?;
        Ok(Reply::ok(&StoredActivityBody::of(&stored)?))
    }
}
