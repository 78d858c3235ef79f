//! Instances of the system: the real handlers, called as API Gateway calls them.

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use punchcard::registry::HANDLERS;
use punchcard_http::Route;
use punchcard_runtime::{Arrived, Service};
use punchcard_store::Store;
use tokio::sync::OnceCell;

use crate::{
    history::Answer,
    wire,
    world::{SERVING, Serving, World},
};

/// The handlers of an instance, each opened when it is first needed, as Lambda starts a process a function.
#[derive(Debug, Default)]
struct Services([OnceCell<Service>; HANDLERS.len()]);

impl Services {
    async fn respond(&self, function: &Route, store: &Store, request: Request) -> Response<Body> {
        let index = HANDLERS.iter().position(|handler| handler.route.function == function.function);
        let index = index.expect("a registered function");
        self.0[index].get_or_init(|| HANDLERS[index].open(store)).await.respond(request).await
    }
}

/// An instance, until another one takes its place.
#[derive(Debug)]
pub(crate) struct Instance {
    pub number: usize,
    /// The error of its clock, in milliseconds.
    skew: i64,
    store: Store,
    services: Services,
}

impl Instance {
    pub(crate) fn new(world: &Arc<World>, number: usize) -> Arc<Self> {
        let skew = world.plan.skews[number];
        Arc::new(Instance { number, skew, store: wire::store(world, number), services: Services::default() })
    }

    /// Answers a request, unless its handler is cut off on the way.
    pub(crate) async fn handle(
        &self,
        world: &World,
        serving: Arc<Serving>,
        function: &'static Route,
        mut request: Request,
    ) -> Option<Answer> {
        request.extensions_mut().insert(Arrived(world.clock(self.skew)));
        let handled = SERVING.scope(serving.clone(), self.services.respond(function, &self.store, request));
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
            retry_after: parts.headers.contains_key("retry-after"),
        })
    }
}
