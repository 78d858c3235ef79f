//! Instances of the system: the real handlers, called as API Gateway calls them.

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use punchcard_http::Arrived;
use punchcard_store::Store;
use tokio::sync::OnceCell;

use crate::{
    history::Answer,
    wire,
    world::{SERVING, Serving, World},
};

macro_rules! functions {
    ($($name:ident $function:ident),+ $(,)?) => {
        /// One of the functions.
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum Function { $($name),+ }

        /// A process each function, begun when it is first needed.
        #[derive(Debug, Default)]
        struct States { $($function: OnceCell<$function::State>),+ }

        impl States {
            async fn handle(&self, function: Function, store: &Store, request: &Request) -> Response<Body> {
                match function {
                    $(Function::$name => {
                        let state = self.$function.get_or_init(|| $function::State::open(store)).await;
                        $function::handle(state, request).await
                    })+
                }
            }
        }
    };
}

functions![
    StartSession start_session,
    SendClientEvent send_client_event,
    IssueToken issue_token,
    OpenSession open_session,
    SendActivity send_activity,
    GetActivity get_activity,
    GetBalances get_balances,
    TrackEvent track_event,
    GetPlayer get_player,
];

/// An instance, until another one takes its place.
#[derive(Debug)]
pub(crate) struct Instance {
    pub number: usize,
    /// How far its clock is ahead, in milliseconds.
    skew: i64,
    store: Store,
    states: States,
}

impl Instance {
    pub(crate) fn new(world: &Arc<World>, number: usize) -> Arc<Self> {
        let skew = world.plan.skews[number];
        Arc::new(Instance { number, skew, store: wire::store(world, number), states: States::default() })
    }

    /// Answers a request, unless its handler is cut off on the way.
    pub(crate) async fn handle(
        &self,
        world: &World,
        serving: Arc<Serving>,
        function: Function,
        mut request: Request,
    ) -> Option<Answer> {
        request.extensions_mut().insert(Arrived(world.clock(self.skew)));
        let handled = SERVING.scope(serving.clone(), self.states.handle(function, &self.store, &request));
        let response = tokio::select! {
            biased;
            () = serving.ends.notified() => return None,
            response = handled => response,
        };
        let (parts, body) = response.into_parts();
        Some(Answer {
            status: parts.status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
            replayed: parts.headers.contains_key("idempotent-replayed"),
        })
    }
}
