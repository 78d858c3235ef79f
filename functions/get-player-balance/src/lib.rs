//! `GET /integrations/player/{playerUniqueId}/balance`: returns a player's points in the vendor's form.

use punchcard_http::{Call, Reply, Route, route};
use punchcard_models::api_version::ApiVersion;
use punchcard_runtime::{Failure, Handler, PlayerLookup};
use punchcard_store::Store;
use serde_json::{Value, json};

/// Reads balances of players.
#[derive(Debug)]
pub struct GetPlayerBalance {
    players: PlayerLookup,
}

impl Handler for GetPlayerBalance {
    const ROUTE: &'static Route = &route::GET_PLAYER_BALANCE;

    async fn open(store: &Store) -> Self {
        GetPlayerBalance { players: PlayerLookup::open(store).await }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let (_, points) = self.players.find(call).await?;
        Ok(Reply::ok(&body(call.dialect.api_version(), points)))
    }
}

/// The response body. Points have no value in money, are never pending, and do not expire.
fn body(version: ApiVersion, points: i64) -> Value {
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
