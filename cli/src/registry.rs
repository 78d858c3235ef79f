//! The list of all handlers, for the server, the fault simulator and the tests.

use std::sync::Arc;

use adjust_balance::AdjustBalance;
use explain_activity::ExplainActivity;
use futures_util::future::{BoxFuture, join_all};
use get_activity::GetActivity;
use get_balances::GetBalances;
use get_player::GetPlayer;
use get_player_balance::GetPlayerBalance;
use issue_token::IssueToken;
use list_activities::ListActivities;
use open_session::OpenSession;
use place_order::PlaceOrder;
use preview_rewards::PreviewRewards;
use punchcard_http::Route;
use punchcard_runtime::{Handler, Quarantine, Service};
use punchcard_store::Store;
use refund_order::RefundOrder;
use save_player::SavePlayer;
use send_activity::SendActivity;
use send_client_event::SendClientEvent;
use start_session::StartSession;
use track_event::TrackEvent;
use void_activity::VoidActivity;

/// All handlers.
pub static HANDLERS: [Registered; 18] = [
    Registered::new::<StartSession>(),
    Registered::new::<SendClientEvent>(),
    Registered::new::<IssueToken>(),
    Registered::new::<OpenSession>(),
    Registered::new::<SendActivity>(),
    Registered::new::<GetActivity>(),
    Registered::new::<ListActivities>(),
    Registered::new::<ExplainActivity>(),
    Registered::new::<GetBalances>(),
    Registered::new::<VoidActivity>(),
    Registered::new::<AdjustBalance>(),
    Registered::new::<TrackEvent>(),
    Registered::new::<PreviewRewards>(),
    Registered::new::<SavePlayer>(),
    Registered::new::<PlaceOrder>(),
    Registered::new::<RefundOrder>(),
    Registered::new::<GetPlayer>(),
    Registered::new::<GetPlayerBalance>(),
];

/// A handler that can be opened on a store.
#[derive(Debug)]
pub struct Registered {
    /// The handler's route.
    pub route: &'static Route,
    /// Whether rejected requests are quarantined.
    pub is_quarantined: bool,
    open: fn(Store, Option<Arc<Quarantine>>) -> BoxFuture<'static, Service>,
}

impl Registered {
    const fn new<H: Handler>() -> Self {
        Registered {
            route: H::ROUTE,
            is_quarantined: H::IS_QUARANTINED,
            open: |store, quarantine| Box::pin(async move { Service::open::<H>(&store, quarantine).await }),
        }
    }

    /// Opens the handler.
    pub async fn open(&self, store: &Store) -> Service {
        (self.open)(store.clone(), None).await
    }
}

/// Opens all handlers on a store.
pub async fn open_all(store: &Store) -> Vec<Service> {
    join_all(HANDLERS.iter().map(|handler| handler.open(store))).await
}

/// Opens all handlers on a store, with a quarantine for rejected requests.
pub async fn open_all_with(store: &Store, quarantine: &Arc<Quarantine>) -> Vec<Service> {
    join_all(HANDLERS.iter().map(|handler| (handler.open)(store.clone(), Some(quarantine.clone())))).await
}
