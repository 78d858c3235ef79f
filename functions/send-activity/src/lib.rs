//! `POST /client/users/{correlation_id}/activities[/{activity_id}]`: records what a member did, once, and pays what it
//! earned in the same write.

use lambda_http::http::Method;
use punchcard_http::{Body, Call, Dialect, Endpoint, Error, Reply, Request, Response, auth, metering, token::Verifier};
use punchcard_models::{
    access::Scope,
    activity::{Activity, Context},
    fault::Faults,
    idempotency::{IdempotencyKey, PayloadDigest},
    ids::{ActivityId, CorrelationId},
    json,
    member::MemberId,
};
use punchcard_rewards::{Member, Occurrence, Trigger};
use punchcard_store::{Activities, ActivityRecorded, CatalogReader, NewActivity, Sessions, Store, StoredActivity};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Where it is, and in which dialect.
pub const ENDPOINT: Endpoint = Endpoint {
    function: "send-activity",
    dialect: Dialect::Activities,
    method: Method::POST,
    paths: &["/client/users/{correlation_id}/activities", "/client/users/{correlation_id}/activities/{activity_id}"],
    any: true,
    allow: "POST",
};

/// What it needs: the catalog, to look up sessions, and to record activities.
#[derive(Debug)]
pub struct State {
    catalog: CatalogReader,
    tokens: Verifier,
    sessions: Sessions,
    activities: Activities,
}

impl State {
    /// Opens it, once for all requests.
    pub async fn open(store: &Store) -> Self {
        State {
            catalog: store.catalog(punchcard_http::now()).await,
            tokens: Verifier::default(),
            sessions: store.sessions(),
            activities: store.activities(),
        }
    }
}

/// Answers a request.
pub async fn handle(state: &State, request: &Request) -> Response<Body> {
    let call = Call::new(&ENDPOINT, request);
    // An activity can be read back where it was sent with its id.
    let call = if call.path_parameter("activity_id").is_some() { call.allowing("GET, POST") } else { call };
    call.answer(record(state, &call)).await
}

async fn record(state: &State, call: &Call<'_>) -> Result<Reply, Error> {
    let admitted =
        state.catalog.admit(call.now, |access| auth::bearer(call, &state.tokens, access, Scope::Activities)).await;
    let (catalog, _client) = admitted.map_err(Error::unavailable)??;
    let rules = &catalog.rules;

    let body = call.body("application/json")?;
    let correlation_id: CorrelationId = call.path_id("correlation_id", CorrelationId::from_text)?;
    let (id, key) = activity_id(call, &correlation_id)?;
    let account = state.sessions.account(&correlation_id).await.map_err(Error::unavailable)?;

    let context = Context {
        now: call.now,
        actions: rules.actions(),
        business_units: rules.business_units(),
        default_channel: rules.default_channel(),
        loyalty_id: account.as_ref().map(|account| &account.loyalty_id),
    };
    let faults = Faults::default();
    let activity = json::parse(body, &faults, |body| Activity::parse(body, context));
    let activity = faults.none_or(activity)?;

    let member_id = match &account {
        Some(account) => MemberId::Account(account.account_id.clone()),
        None => MemberId::Correlation(correlation_id.clone()),
    };
    let new = NewActivity {
        id: &id,
        correlation_id: &correlation_id,
        member: &member_id,
        activity: &activity,
        payload: key.as_ref().map(|_| PayloadDigest::of(&activity.to_json())),
        now: call.now,
    };
    let occurrence = Occurrence {
        trigger: Trigger::Action(&activity.action),
        channel: Some(&activity.channel),
        business_unit: activity.business_unit.as_deref(),
        at: activity.when,
        data: &activity.extended_data,
    };
    let member = Member {
        account: account.as_ref().map(|account| &account.account_id),
        loyalty: account.as_ref().map(|account| &account.loyalty_id),
    };
    let recorded =
        state.activities.record(new, call.deadline, |usage| rules.evaluate(&occurrence, member, usage)).await;
    match (recorded.map_err(Error::unavailable)?, key) {
        (ActivityRecorded::New(stored), _) => {
            metering::accepted(1);
            answer(&stored)
        }
        (ActivityRecorded::TooLarge, _) => Err(Error::TooLargeToStore),
        (ActivityRecorded::Exists { .. }, None) => Err(Error::AlreadyExists("ActivityID already exists")),
        (ActivityRecorded::Exists { stored, same_payload: true }, Some(_)) => {
            metering::duplicate(1);
            Ok(answer(&stored)?.replayed())
        }
        (ActivityRecorded::Exists { same_payload: false, .. }, Some(_)) => Err(Error::KeyReused),
    }
}

/// The activity's id: the path's, or the one that the Idempotency-Key asks for, or a new GUID.
fn activity_id(call: &Call<'_>, correlation_id: &CorrelationId) -> Result<(ActivityId, Option<IdempotencyKey>), Error> {
    if call.path_parameter("activity_id").is_some() {
        return Ok((call.path_id("activity_id", ActivityId::from_text)?, None));
    }
    let faults = Faults::default();
    let key = call.idempotency_key(&faults);
    let key = faults.none_or(key)?;
    let id = key.as_ref().map_or_else(|| Uuid::new_v4().into(), |key| key.activity_id(correlation_id));
    Ok((id, key))
}

fn answer(stored: &StoredActivity) -> Result<Reply, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a> {
        activity_id: &'a str,
        r#type: &'a str,
        earned: &'a RawValue,
    }
    let earned = serde_json::from_str(&stored.earned).map_err(Error::unavailable)?;
    Ok(Reply::ok(&Answer { activity_id: &stored.activity_id, r#type: &stored.action, earned }))
}
