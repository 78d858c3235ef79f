//! `POST /integrations/event`: records what a player did, makes the player if it is new, and pays what campaigns give
//! for it, in one write.

use lambda_http::http::{Method, StatusCode};
use punchcard_http::{Body, Call, Dialect, Endpoint, Error, Reply, Request, Response, auth, metering};
use punchcard_models::{
    fault::Faults,
    idempotency::PayloadDigest,
    player_events::{AddressDigest, PlayerEvent, PlayerEvents},
};
use punchcard_rewards::{Award, Catalog, Member, Occurrence, Trigger, Usage};
use punchcard_store::{CatalogReader, DigestKey, NewPlayerEvents, PlayerEventLog, PlayerEventsRecorded, Store};

/// Where it is, and in which dialect. The second path is the one that the vendor's published clients append.
pub const ENDPOINT: Endpoint = Endpoint {
    function: "track-event",
    dialect: Dialect::PlayerEvents,
    method: Method::POST,
    paths: &["/integrations/event", "/api/v3.0/integrations/event"],
    any: true,
    allow: "POST",
};

/// What is answered where all is well: exactly this, or the vendor's clients misread it.
const RESPONSE: &str = "{}";

/// What it needs: the catalog, the key of the address digests, and to record player events.
#[derive(Debug)]
pub struct State {
    catalog: CatalogReader,
    digest_key: DigestKey,
    events: PlayerEventLog,
}

impl State {
    /// Opens it, once for all requests.
    pub async fn open(store: &Store) -> Self {
        State {
            catalog: store.catalog(punchcard_http::now()).await,
            digest_key: store.digest_key(),
            events: store.player_event_log(),
        }
    }
}

/// Answers a request.
pub async fn handle(state: &State, request: &Request) -> Response<Body> {
    let call = Call::new(&ENDPOINT, request);
    call.answer(record(state, &call)).await
}

async fn record(state: &State, call: &Call<'_>) -> Result<Reply, Error> {
    let admitted = state.catalog.admit(call.now, |access| auth::api_key(call, access)).await;
    let (catalog, ()) = admitted.map_err(Error::unavailable)??;
    let rules = &catalog.rules;

    let faults = Faults::default();
    let request = call.parse(&faults, |body| PlayerEvents::parse(body, rules.channel_merging()))?;
    let key = call.idempotency_key(&faults);
    let (request, key) = faults.none_or(request.and_then(|request| Ok((request, key?))))?;

    let address = match &request.address {
        Some(address) => {
            let key = state.digest_key.get().await.map_err(Error::unavailable)?;
            AddressDigest::of(key, rules.channel_merging(), address)
        }
        None => None,
    };
    let new = NewPlayerEvents {
        request: &request,
        address: address.as_ref(),
        key: key.as_ref(),
        payload: PayloadDigest::of(&request.to_json(address.as_ref())),
        unused: !rules.rewards_enabled(),
        response: RESPONSE,
        now: call.now,
    };
    let recorded = state.events.record(new, call.deadline, |usage| awards(rules, &request, call, usage)).await;
    match recorded.map_err(Error::unavailable)? {
        PlayerEventsRecorded::New => {
            metering::accepted(request.events.len());
            Ok(Reply::json_text(StatusCode::OK, RESPONSE.to_owned()))
        }
        PlayerEventsRecorded::Replay(response) => {
            metering::duplicate(1);
            Ok(Reply::json_text(StatusCode::OK, response).replayed())
        }
        PlayerEventsRecorded::KeyReused => Err(Error::KeyReused),
        PlayerEventsRecorded::TooLarge => Err(Error::TooLargeToStore),
    }
}

/// What each event earns. Players have no account and no loyalty id, and events no time but that of the request.
fn awards<'c>(rules: &'c Catalog, request: &PlayerEvents, call: &Call<'_>, usage: &Usage) -> Vec<Award<'c>> {
    let award = |event: &PlayerEvent| {
        let occurrence = Occurrence {
            trigger: Trigger::Event(&event.name),
            channel: None,
            business_unit: None,
            at: call.now,
            data: &event.metadata,
        };
        rules.evaluate(&occurrence, Member::default(), usage)
    };
    request.events.iter().map(award).collect()
}
