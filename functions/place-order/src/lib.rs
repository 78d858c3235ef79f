//! `POST /integrations/order`: records an order as the event `place_order` of its player, and credits the campaigns'
//! awards, all in one write.

use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{fault::Faults, order::Order};
use punchcard_runtime::{Failure, Handler, PlayerIntake, mode, player_intake};
use punchcard_store::{RequestId, Store};
use serde_json::json;

/// Records orders.
#[derive(Debug)]
pub struct PlaceOrder {
    intake: PlayerIntake,
}

impl Handler for PlaceOrder {
    const ROUTE: &'static Route = &route::PLACE_ORDER;
    const IS_QUARANTINED: bool = true;

    async fn open(store: &Store) -> Self {
        PlaceOrder { intake: PlayerIntake::open(store).await }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.intake.admit(call).await?;

        let (faults, version) = (Faults::default(), call.dialect.api_version());
        let merging = admitted.catalog.rules.channel_merging();
        let order = call.parse(&faults, |body| Order::parse(body, version, merging, call.now))?;
        let order = faults.none_or(order)?;

        let id = RequestId::Order(&order.id);
        let mode = mode(call);
        let recorded =
            self.intake.record(mode, call, &admitted, id, &order.events, |points| body(&order, points)).await?;
        player_intake::reply(mode, recorded, Error::IdReused("The orderId was used with another order"))
    }
}

/// The response body. It has the members of all forms that the vendor documents, because a retry at the path of another
/// version gets the same one. Orders redeem no points, and earn them as a whole.
fn body(order: &Order, points: u64) -> String {
    let player = &*order.events.player.id;
    json!({
        "playerUniqueId": player,
        "customerId": player,
        "orderId": &*order.id,
        "rewardedPoints": points,
        "pointsEarned": points,
        "redeemedPoints": 0,
        "status": "completed",
        "lineItems": [],
    })
    .to_string()
}
