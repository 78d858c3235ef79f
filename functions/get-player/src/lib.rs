//! `GET /integrations/player/{playerUniqueId}`: a player's totals.

use lambda_http::http::Method;
use punchcard_http::{Body, Call, Dialect, Endpoint, Error, Reply, Request, Response, auth};
use punchcard_models::ids::PlayerId;
use punchcard_store::{CatalogReader, PlayerReader, Store};
use serde_json::json;

/// Where it is, and in which dialect.
pub const ENDPOINT: Endpoint = Endpoint {
    function: "get-player",
    dialect: Dialect::PlayerEvents,
    method: Method::GET,
    paths: &["/integrations/player/{playerUniqueId}"],
    any: true,
    allow: "GET",
};

/// What it needs: the catalog, and to look up players.
#[derive(Debug)]
pub struct State {
    catalog: CatalogReader,
    players: PlayerReader,
}

impl State {
    /// Opens it, once for all requests.
    pub async fn open(store: &Store) -> Self {
        State { catalog: store.catalog(punchcard_http::now()).await, players: store.players() }
    }
}

/// Answers a request.
pub async fn handle(state: &State, request: &Request) -> Response<Body> {
    let call = Call::new(&ENDPOINT, request);
    call.answer(read(state, &call)).await
}

async fn read(state: &State, call: &Call<'_>) -> Result<Reply, Error> {
    let admitted = state.catalog.admit(call.now, |access| auth::api_key(call, access)).await;
    admitted.map_err(Error::unavailable)??;

    let not_found = Error::NotFound("Player not found");
    // What can't be an id names nobody.
    let Ok(id) = PlayerId::new(call.path_parameter("playerUniqueId").unwrap_or_default()) else {
        return Err(not_found);
    };
    let player = state.players.get(&id).await.map_err(Error::unavailable)?.ok_or(not_found)?;
    Ok(Reply::ok(&json!({
        "playerUniqueId": &*id,
        "createdAt": player.created_at,
        "points": player.points,
        "events": player.events,
    })))
}
