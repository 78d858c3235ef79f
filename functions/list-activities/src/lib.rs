//! `GET /client/users/{correlation_id}/activities`: lists a member's activities, newest first.

use std::ops::RangeInclusive;

use punchcard_http::{Call, Error, Reply, Route, cursor, route};
use punchcard_models::{access::Scope, ids::CorrelationId, member::MemberId};
use punchcard_runtime::{Admission, Failure, Handler, body::StoredActivityBody};
use punchcard_store::{ActivityPages, ActivityRecord, Position, SessionReader, Store};
use serde::Serialize;

const DEFAULT_LIMIT: usize = 30;
const LIMITS: RangeInclusive<usize> = 1..=150;

/// Lists activities.
#[derive(Debug)]
pub struct ListActivities {
    admission: Admission,
    sessions: SessionReader,
    activities: ActivityPages,
}

impl Handler for ListActivities {
    const ROUTE: &'static Route = &route::LIST_ACTIVITIES;

    async fn open(store: &Store) -> Self {
        let admission = Admission::open(store).await;
        ListActivities { admission, sessions: SessionReader::new(store), activities: ActivityPages::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        self.admission.bearer(call, Scope::Activities).await?;

        let correlation_id = call.path_id("correlation_id", |id| id.parse::<CorrelationId>().ok())?;
        let (limit, after) = (limit(call)?, after(call)?);
        let owner = self.sessions.owner(&correlation_id).await?;
        let member = MemberId::of(owner.as_ref(), &correlation_id);
        let page = self.activities.page(&member, after.as_ref(), limit, call.deadline).await?;

        // Corrections are not activities.
        let activities: Vec<_> = page.records.into_iter().filter_map(ActivityRecord::activity).collect();
        let activities = activities.iter().map(StoredActivityBody::of).collect::<Result<_, _>>()?;
        let next = page.next.map(|position| cursor::encode(&position.to_string()));
        Ok(Reply::ok(&Body { activities, next }))
    }
}

#[derive(Serialize)]
struct Body<'a> {
    activities: Vec<StoredActivityBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

fn limit(call: &Call<'_>) -> Result<usize, Error> {
    let Some(limit) = call.query_parameter("limit") else { return Ok(DEFAULT_LIMIT) };
    let limit = limit.parse().ok().filter(|limit| LIMITS.contains(limit));
    let (least, most) = (LIMITS.start(), LIMITS.end());
    limit.ok_or_else(|| Error::invalid(&format!("limit must be a whole number from {least} to {most}")))
}

/// Returns the position after which the page starts.
fn after(call: &Call<'_>) -> Result<Option<Position>, Error> {
    let Some(next) = call.query_parameter("next") else { return Ok(None) };
    let position = cursor::decode(&next).and_then(|position| position.parse().ok());
    position.map(Some).ok_or_else(|| Error::invalid("next must be the one that an earlier page had"))
}
