//! `GET /integrations/player/{playerUniqueId}`: returns a player's points.

use punchcard_http::{Call, Reply, Route, route};
use punchcard_runtime::{Failure, Handler, PlayerLookup};
use punchcard_store::Store;
use serde_json::json;

/// Reads players.
#[derive(Debug)]
pub struct GetPlayer {
    players: PlayerLookup,
}

impl Handler for GetPlayer {
    const ROUTE: &'static Route = &route::GET_PLAYER;

    async fn open(store: &Store) -> Self {
        GetPlayer { players: PlayerLookup::open(store).await }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let (id, points) = self.players.find(call).await?;
        Ok(Reply::ok(&json!({"playerUniqueId": &*id, "points": points})))
    }
}
