//! `GET /client/users/{correlation_id}/activities/{activity_id}`: what was recorded, and what it earned.

use lambda_http::http::Method;
use punchcard_http::{Body, Call, Dialect, Endpoint, Error, Reply, Request, Response, auth, token::Verifier};
use punchcard_models::{
    access::Scope,
    ids::{ActivityId, CorrelationId},
};
use punchcard_store::{ActivityReader, CatalogReader, Store, StoredActivity};
use serde::Serialize;
use serde_json::value::RawValue;

/// Where it is, and in which dialect.
pub const ENDPOINT: Endpoint = Endpoint {
    function: "get-activity",
    dialect: Dialect::Activities,
    method: Method::GET,
    paths: &["/client/users/{correlation_id}/activities/{activity_id}"],
    any: false,
    allow: "GET, POST",
};

/// What it needs: the catalog, and to look up activities.
#[derive(Debug)]
pub struct State {
    catalog: CatalogReader,
    tokens: Verifier,
    activities: ActivityReader,
}

impl State {
    /// Opens it, once for all requests.
    pub async fn open(store: &Store) -> Self {
        State {
            catalog: store.catalog(punchcard_http::now()).await,
            tokens: Verifier::default(),
            activities: store.activity_reader(),
        }
    }
}

/// Answers a request.
pub async fn handle(state: &State, request: &Request) -> Response<Body> {
    let call = Call::new(&ENDPOINT, request);
    call.answer(read(state, &call)).await
}

async fn read(state: &State, call: &Call<'_>) -> Result<Reply, Error> {
    let admitted =
        state.catalog.admit(call.now, |access| auth::bearer(call, &state.tokens, access, Scope::Activities)).await;
    admitted.map_err(Error::unavailable)??;

    let correlation_id = call.path_id("correlation_id", CorrelationId::from_text)?;
    let id = call.path_id("activity_id", ActivityId::from_text)?;
    let found = state.activities.get(&id, &correlation_id).await.map_err(Error::unavailable)?;
    answer(&found.ok_or(Error::NotFound("Activity not found"))?)
}

fn answer(stored: &StoredActivity) -> Result<Reply, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a> {
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
    let raw = |json| serde_json::from_str(json).map_err(Error::unavailable);
    Ok(Reply::ok(&Answer {
        activity_id: &stored.activity_id,
        r#type: &stored.action,
        earned: raw(&stored.earned)?,
        action: &stored.action,
        channel: &stored.channel,
        when: &stored.when,
        business_unit: stored.business_unit.as_deref(),
        loyalty_id: stored.loyalty_id.as_deref(),
        note: stored.note.as_deref(),
        extended_data: stored.extended_data.as_deref().map(raw).transpose()?,
    }))
}
