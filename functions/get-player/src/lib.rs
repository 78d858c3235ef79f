//! `GET /integrations/player/{playerUniqueId}`: returns a player's points and event count.

use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::ids::PlayerId;
use punchcard_runtime::{Admission, Failure, Handler};
use punchcard_store::{PlayerReader, Store};
use serde_json::json;

/// Reads players.
#[derive(Debug)]
pub struct GetPlayer {
    admission: Admission,
    players: PlayerReader,
}

impl Handler for GetPlayer {
    const ROUTE: &'static Route = &route::GET_PLAYER;

    async fn open(store: &Store) -> Self {
        GetPlayer { admission: Admission::open(store).await, players: PlayerReader::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        self.admission.api_key(call).await?;

        let not_found = Error::NotFound("Player not found");
        // An invalid id is reported like an unknown one.
        let Ok(id) = call.path_parameter("playerUniqueId").unwrap_or_default().parse::<PlayerId>() else {
            return Err(not_found.into());
        };
        let player = self.players.get(&id).await?.ok_or(not_found)?;
        Ok(Reply::ok(&json!({
            "playerUniqueId": &*id,
            "createdAt": player.created_at,
            "points": player.points,
            "events": player.events,
        })))
    }
}
