//! `POST /client/users/{correlation_id}/activities[/{activity_id}]`: records an activity exactly once and credits its
//! award in the same write.

use punchcard_http::{ACTIVITY_EXISTS, Call, Error, Reply, Route, route};
use punchcard_models::{
    access::Scope,
    activity::{Activity, Context},
    fault::Faults,
    idempotency::{IdempotencyKey, PayloadDigest},
    ids::{ActivityId, CorrelationId},
    json,
    session::SessionOwner,
};
use punchcard_rewards::{Award, Member, Occurrence, Trigger, Usage};
use punchcard_runtime::{Admission, Failure, Handler, metrics, mode};
use punchcard_store::{
    ActivityRecorded, ActivityWriter, Mode, NewActivity, RulesReader, SessionReader, Store, StoredActivity,
};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Records activities.
#[derive(Debug)]
pub struct SendActivity {
    admission: Admission,
    rules: RulesReader,
    sessions: SessionReader,
    activities: ActivityWriter,
}

impl Handler for SendActivity {
    const ROUTE: &'static Route = &route::SEND_ACTIVITY;
    const IS_QUARANTINED: bool = true;

    async fn open(store: &Store) -> Self {
        let (admission, rules) = Admission::open_with_rules(store).await;
        let (sessions, activities) = (SessionReader::new(store), ActivityWriter::new(store));
        SendActivity { admission, rules, sessions, activities }
    }

    fn is_repeatable(call: &Call<'_>) -> bool {
        call.path_parameter("activity_id").is_some() || call.has_idempotency_key()
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.admission.bearer(call, Scope::Activities).await?;
        let catalog = self.rules.of(admitted.catalog).await?;
        let rules = &catalog.rules;

        let body = call.body("application/json")?;
        let correlation_id: CorrelationId = call.path_id("correlation_id", |id| id.parse().ok())?;
        let (id, key) = activity_id(call, &correlation_id)?;
        let owner = self.sessions.owner(&correlation_id).await?;
        let account = owner.as_ref().and_then(SessionOwner::account);

        let context = Context {
            now: call.now,
            actions: rules.actions(),
            business_units: rules.business_units(),
            default_channel: rules.default_channel(),
            loyalty_id: account.map(|account| &account.loyalty_id),
        };
        let faults = Faults::default();
        let activity = json::parse(&body, &faults, |body| Activity::parse(body, context));
        let activity = faults.none_or(activity)?;

        let occurrence = Occurrence {
            trigger: Trigger::Action(&activity.action),
            channel: Some(&activity.channel),
            business_unit: activity.business_unit.as_deref(),
            at: activity.when,
            received_at: call.now,
            data: &activity.extended_data,
        };
        let member = Member {
            account: account.map(|account| &account.account_id),
            loyalty: account.map(|account| &account.loyalty_id),
        };
        let new = NewActivity {
            id: &id,
            correlation_id: &correlation_id,
            owner: owner.as_ref(),
            activity: &activity,
            payload: key.as_ref().map(|_| PayloadDigest::of(&activity.to_json())),
            catalog_version: catalog.version,
            now: call.now,
            erasure: admitted.erasure.filter(|_| call.path_parameter("activity_id").is_some() || key.is_some()),
        };
        let evaluate = |usage: &Usage| match &owner {
            Some(SessionOwner::Anonymous) => Award::default(),
            Some(SessionOwner::Account(_)) | None => rules.evaluate(&occurrence, member, usage),
        };
        let mode = mode(call);
        let recorded = self.activities.record(mode, new, call.deadline, evaluate).await?;
        if mode == Mode::Preview {
            return Ok(answer(recorded, key.is_some())?.of_dry_run());
        }
        match &recorded {
            ActivityRecorded::New(stored) => {
                metrics::accepted(1);
                metrics::credited(|| stored.balances().unwrap_or_default());
            }
            ActivityRecorded::Replay(_) => metrics::duplicate(1),
            ActivityRecorded::Exists | ActivityRecorded::TooLarge => {}
        }
        answer(recorded, key.is_some())
    }
}

/// Renders the outcome of a request, which may have an Idempotency-Key instead of an id.
fn answer(recorded: ActivityRecorded, keyed: bool) -> Result<Reply, Failure> {
    match recorded {
        ActivityRecorded::New(stored) => reply(&stored),
        ActivityRecorded::TooLarge => Err(Error::TooLargeToStore.into()),
        ActivityRecorded::Replay(stored) => Ok(reply(&stored)?.replayed()),
        ActivityRecorded::Exists if keyed => Err(Error::KeyReused.into()),
        ActivityRecorded::Exists => Err(Error::AlreadyExists(ACTIVITY_EXISTS.into()).into()),
    }
}

/// Returns the activity's id: from the path, derived from the Idempotency-Key, or a new GUID.
fn activity_id(call: &Call<'_>, correlation_id: &CorrelationId) -> Result<(ActivityId, Option<IdempotencyKey>), Error> {
    if call.path_parameter("activity_id").is_some() {
        return Ok((call.path_id("activity_id", |id| id.parse().ok())?, None));
    }
    let faults = Faults::default();
    let key = call.idempotency_key(&faults);
    let key = faults.none_or(key)?;
    let id = key.as_ref().map_or_else(|| Uuid::new_v4().into(), |key| key.activity_id(correlation_id));
    Ok((id, key))
}

fn reply(stored: &StoredActivity) -> Result<Reply, Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        activity_id: &'a str,
        r#type: &'a str,
        earned: &'a RawValue,
    }
    let earned = serde_json::from_str(&stored.earned)?;
    Ok(Reply::ok(&Body { activity_id: &stored.activity_id, r#type: &stored.action, earned }))
}
