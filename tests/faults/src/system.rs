//! The system as its clients see it: several instances behind one address, any of which may go at any time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::{
    history::{Answer, Ask, Request},
    instance::Instance,
    world::{Serving, World, lock},
};

/// The longest that a handler takes, and what it left on the wire.
const LONGEST: Duration = Duration::from_secs(30);

/// All instances.
#[derive(Debug)]
pub(crate) struct System {
    pub world: Arc<World>,
    instances: Mutex<Vec<Arc<Instance>>>,
    handlers: Mutex<Vec<JoinHandle<()>>>,
}

impl System {
    pub(crate) fn start(world: &Arc<World>) -> Arc<Self> {
        let instances = (0..world.plan.skews.len()).map(|number| Instance::new(world, number)).collect();
        Arc::new(System { world: world.clone(), instances: Mutex::new(instances), handlers: Mutex::default() })
    }

    /// Sends a request and waits for the answer, as long as the client has patience. None is no answer.
    pub(crate) async fn send(&self, client: usize, caller: &'static str, credential: &str, ask: Ask) -> Option<Answer> {
        let world = &self.world;
        let instance = self.any_instance();
        let (function, request) = ask.to_request(caller, credential);
        let request_id = match &ask {
            Ask::ClientEvents { request_id, .. } => request_id.clone(),
            _ => None,
        };
        let calm = world.is_calm();
        let number = {
            let (instance, sent) = (instance.number, world.millis());
            let mut history = world.history();
            history.requests.push(Request { client, caller, instance, ask, sent, ended: None, answer: None, calm });
            history.requests.len() - 1
        };
        let cut_off =
            (!calm && world.happens(world.plan.kills)).then(|| world.chance(|rng| (rng.u64(1..4), rng.bool())));
        let serving = Arc::new(Serving { request: number, request_id, cut_off, ..Serving::default() });
        let (tell, told) = tokio::sync::oneshot::channel();
        let handler = {
            let world = world.clone();
            tokio::spawn(async move {
                let answer = instance.handle(&world, serving, function, request).await;
                let ended = world.millis();
                {
                    let mut history = world.history();
                    let request = &mut history.requests[number];
                    (request.ended, request.answer) = (Some(ended), answer.clone());
                }
                // The client may have gone.
                tell.send(answer).ok();
            })
        };
        lock(&self.handlers).push(handler);
        if calm {
            return told.await.ok().flatten();
        }
        let answer = tokio::time::timeout(world.plan.patience, told).await;
        let answer = answer.ok().and_then(Result::ok).flatten();
        if answer.is_none() && world.happens(500) {
            // It took its process along.
            self.replace_one();
        }
        answer.filter(|_| !world.happens(world.plan.losses))
    }

    fn any_instance(&self) -> Arc<Instance> {
        if !self.world.is_calm() && self.world.happens(10) {
            self.replace_one();
        }
        let instances = lock(&self.instances);
        instances[self.world.chance(|rng| rng.usize(0..instances.len()))].clone()
    }

    fn replace_one(&self) {
        let mut instances = lock(&self.instances);
        let number = self.world.chance(|rng| rng.usize(0..instances.len()));
        instances[number] = Instance::new(&self.world, number);
    }

    /// Waits until nothing is under way any more, also on the wire.
    pub(crate) async fn settle(&self) {
        let handlers = std::mem::take(&mut *lock(&self.handlers));
        for handler in handlers {
            // A panic is found in the history: the request never ended.
            handler.await.ok();
        }
        tokio::time::sleep(LONGEST).await;
    }
}
