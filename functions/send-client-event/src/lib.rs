//! `POST /v2/events/clientEvent`: records what a customer did with ads and offers, each event exactly once.

use lambda_http::http::{Method, StatusCode};
use punchcard_http::{Body, Call, Dialect, Endpoint, Error, Reply, Request, Response, auth, metering, token::Verifier};
use punchcard_models::{
    access::Scope,
    client_event::{self, ClientEvent, Context},
    fault::Faults,
};
use punchcard_store::{CatalogReader, ClientEvents, Recorded, Store};
use serde_json::json;

/// Where it is, and in which dialect.
pub const ENDPOINT: Endpoint = Endpoint {
    function: "send-client-event",
    dialect: Dialect::ClientEvents,
    method: Method::POST,
    paths: &["/v2/events/clientEvent"],
    any: true,
    allow: "POST",
};

/// What it needs: the catalog, and to record client events.
#[derive(Debug)]
pub struct State {
    catalog: CatalogReader,
    tokens: Verifier,
    events: ClientEvents,
}

impl State {
    /// Opens it, once for all requests.
    pub async fn open(store: &Store) -> Self {
        State {
            catalog: store.catalog(punchcard_http::now()).await,
            tokens: Verifier::default(),
            events: store.client_events(),
        }
    }
}

/// Answers a request.
pub async fn handle(state: &State, request: &Request) -> Response<Body> {
    let call = Call::new(&ENDPOINT, request);
    call.answer(record(state, &call)).await
}

async fn record(state: &State, call: &Call<'_>) -> Result<Reply, Error> {
    let admitted =
        state.catalog.admit(call.now, |access| auth::bearer(call, &state.tokens, access, Scope::ClientEvents)).await;
    let (catalog, _client) = admitted.map_err(Error::unavailable)??;

    let faults = Faults::default();
    let customer = auth::customer(call, &faults);
    let context = Context { now: call.now, sections: catalog.rules.sections() };
    let events = call.parse(&faults, |body| client_event::parse_batch(body, context))?;
    let (customer, events) = faults.none_or(customer.and_then(|customer| Ok((customer, events?))))?;

    if call.header("x-mock-data").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Reply::ok(&json!({"requestId": call.request_id})));
    }
    let recorded = state.events.record(&customer, &events, call.now, call.deadline).await;
    Ok(answer(call, &events, &recorded.map_err(Error::unavailable)?))
}

/// 200 where every event is new, 207 where some are, 409 where none is.
fn answer(call: &Call<'_>, events: &[ClientEvent], recorded: &[Recorded]) -> Reply {
    let rejected: Vec<_> = events
        .iter()
        .zip(recorded)
        .filter_map(|(event, recorded)| {
            let reason = match recorded {
                Recorded::New => return None,
                Recorded::Duplicate => "DUPLICATE_ID",
                Recorded::Reused => "ID_REUSED",
            };
            Some(json!({"clientEventId": event.id.to_string(), "reason": reason}))
        })
        .collect();
    metering::accepted(events.len() - rejected.len());
    metering::duplicate(rejected.len());
    let status = match rejected.len() {
        0 => return Reply::ok(&json!({"requestId": call.request_id})),
        all if all == events.len() => StatusCode::CONFLICT,
        _ => StatusCode::MULTI_STATUS,
    };
    Reply::json(status, &json!({"requestId": call.request_id, "rejected": rejected}))
}
