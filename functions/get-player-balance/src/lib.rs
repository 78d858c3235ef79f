//! `GET /integrations/player/{playerUniqueId}/balance`: returns a player's points in the vendor's form.

use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{api_version::ApiVersion, ids::PlayerId};
use punchcard_runtime::{Admission, Failure, Handler};
use punchcard_store::{PlayerReader, Store};
use serde_json::{Value, json};

/// Reads balances of players.
#[derive(Debug)]
pub struct GetPlayerBalance {
    admission: Admission,
    players: PlayerReader,
}

impl Handler for GetPlayerBalance {
    const ROUTE: &'static Route = &route::GET_PLAYER_BALANCE;

    async fn open(store: &Store) -> Self {
        GetPlayerBalance { admission: Admission::open(store).await, players: PlayerReader::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        self.admission.api_key(call).await?;

        let not_found = Error::NotFound("Player not found");
        // An invalid id is reported like an unknown one.
        let Ok(id) = call.path_parameter("playerUniqueId").unwrap_or_default().parse::<PlayerId>() else {
            return Err(not_found.into());
        };
        let player = self.players.get(&id).await?.ok_or(not_found)?;
        Ok(Reply::ok(&body(call.dialect.api_version(), player.points)))
    }
}

/// The response body. Points have no value in money, are never pending, and do not expire.
fn body(version: ApiVersion, points: u64) -> Value {
    match version {
        ApiVersion::V3 => json!({
            "pointsBalance": points,
            "pointsValue": 0,
            "pendingPoints": 0,
            "pendingPointsValue": 0,
            "currency": null,
            "pointsName": "Points",
        }),
        ApiVersion::V4 => json!({
            "totalPointsBalance": points,
            "totalPointsValue": 0,
            "availablePointsBalance": points,
            "availablePointsValue": 0,
            "pendingPoints": 0,
            "pendingPointsValue": 0,
            "currency": null,
            "pointsName": "Points",
            "nextExpiringPointsAmount": 0,
            "nextExpiringPointsValue": 0,
            "nextExpiringPointsDate": null,
            "totalEarnedPoints": points,
        }),
    }
}
