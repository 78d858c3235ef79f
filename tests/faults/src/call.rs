//! One call of the store on its way, and what becomes of it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::ConnectorError};
use punchcard::embedded::TABLE_PREFIX;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    contention,
    fault::{Kind, refusal, statement_refusal},
    history::{Trouble, Write},
    store::{Reply, carry_out, inserted, list, puts},
    variant,
    wire::{answered, broken, response},
    world::{Serving, World, lock},
};

/// Longer than the SDK waits for the answer to one try.
const TOO_LONG: std::ops::Range<u64> = 2_001..6_000;

/// One call on its way.
#[derive(Debug)]
pub(crate) struct OneCall {
    pub world: Arc<World>,
    pub serving: Option<Arc<Serving>>,
    pub operation: String,
    pub request: Value,
}

impl OneCall {
    /// The fault that befalls the call.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        if self.world.is_calm() {
            return None;
        }
        if let Some(serving) = &self.serving {
            let number = serving.calls.fetch_add(1, Ordering::Relaxed) + 1;
            match serving.cut_off {
                Some((at, false)) if at == number => return Some(Trouble::CutOffBefore),
                Some((at, true)) if at == number => return Some(Trouble::CutOffAfter),
                _ => {}
            }
        }
        let plan = &self.world.plan;
        let concerned = plan.outage_of.is_none_or(|operation| operation == self.operation);
        if concerned && plan.outage.contains(&self.world.millis()) {
            return Some(Trouble::Fault(Kind::Unreached));
        }
        let possible: Vec<_> = plan.kinds.iter().copied().filter(|kind| kind.befalls(&self.operation)).collect();
        let fails = !possible.is_empty() && self.world.happens(plan.faults);
        fails.then(|| Trouble::Fault(self.world.chance(|rng| possible[rng.usize(0..possible.len())])))
    }

    pub(crate) fn latency(&self) -> Duration {
        let longest = u64::try_from(self.world.plan.latency.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.world.chance(|rng| rng.u64(0..=longest)))
    }

    /// The same call with another request.
    fn with(&self, request: Value) -> Arc<Self> {
        let (world, serving) = (self.world.clone(), self.serving.clone());
        Arc::new(OneCall { world, serving, operation: self.operation.clone(), request })
    }

    /// The handler ends here.
    pub(crate) async fn cut_off<T>(&self) -> T {
        if let Some(serving) = &self.serving {
            serving.ends.notify_one();
        }
        std::future::pending().await
    }

    /// The call gets there after a while, whether or not anybody still waits for it, and its answer comes back.
    pub(crate) async fn carried_out(self: Arc<Self>, way: Duration) -> Result<Reply, ConnectorError> {
        let (tell, told) = oneshot::channel();
        let call = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(way).await;
            // Nobody may be waiting any more.
            tell.send(contention::effect(&call).await).ok();
        });
        let reply = told.await.map_err(|_| broken())?;
        tokio::time::sleep(self.latency()).await;
        Ok(reply)
    }

    /// The call goes wrong.
    pub(crate) async fn fail(self: Arc<Self>, kind: Kind) -> Result<HttpResponse, ConnectorError> {
        let way = self.latency();
        match kind {
            Kind::Unreached => {
                tokio::time::sleep(way).await;
                Err(broken())
            }
            Kind::AnswerLost => {
                self.carried_out(way).await?;
                Err(broken())
            }
            Kind::Late => {
                let late = Duration::from_millis(self.world.chance(|rng| rng.u64(TOO_LONG)));
                answered(&self.carried_out(late).await?)
            }
            Kind::AnswerLate => {
                let reply = self.clone().carried_out(way).await?;
                tokio::time::sleep(Duration::from_millis(self.world.chance(|rng| rng.u64(TOO_LONG)))).await;
                answered(&reply)
            }
            Kind::Garbage => {
                self.carried_out(way).await?;
                response(200, "<html>{\"Responses\":")
            }
            Kind::Throttled => {
                tokio::time::sleep(way).await;
                let code = self.world.chance(refusal);
                let pretended = variant::refused_put(self.world.variant, &self.operation, &self.request);
                answered(&pretended.unwrap_or_else(|| Reply::error(400, code)))
            }
            Kind::InternalError => {
                tokio::time::sleep(way).await;
                answered(&Reply::error(500, "InternalServerError"))
            }
            Kind::DoneAndInternalError => {
                self.carried_out(way).await?;
                answered(&Reply::error(500, "InternalServerError"))
            }
            Kind::Conflict | Kind::MemberThrottled | Kind::InProgress => {
                tokio::time::sleep(way).await;
                answered(&self.conflict(kind))
            }
            Kind::ConditionHidden => answered(&self.condition_hidden(way).await?),
            Kind::PartOfBatch | Kind::UnsureBatch => answered(&self.part_of_batch(kind, way).await?),
            Kind::Unprocessed => answered(&self.unprocessed(way).await?),
            Kind::Paged => {
                let mut request = self.request.clone();
                request["Limit"] = json!(self.world.chance(|rng| rng.u8(1..4)));
                answered(&self.with(request).carried_out(way).await?)
            }
        }
    }

    /// Nothing of a transaction is carried out, for the sake of one of its writes.
    fn conflict(&self, kind: Kind) -> Reply {
        let writes = list(&self.request["TransactItems"]).len();
        let code = match kind {
            Kind::InProgress => return Reply::error(400, "TransactionInProgressException"),
            _ if writes == 0 => return Reply::error(400, "TransactionConflictException"),
            Kind::Conflict => "TransactionConflict",
            _ => ["ThrottlingError", "ProvisionedThroughputExceeded"][self.world.chance(|rng| rng.usize(0..2))],
        };
        let one = self.world.chance(|rng| rng.usize(0..writes));
        let reason = |write| json!({"Code": if write == one { code } else { "None" }});
        Reply::cancelled(&(0..writes).map(reason).collect::<Vec<_>>())
    }

    /// A transaction is carried out. If conditions failed, one of the writes, often the first, is throttled instead.
    async fn condition_hidden(self: Arc<Self>, way: Duration) -> Result<Reply, ConnectorError> {
        let mut reply = self.clone().carried_out(way).await?;
        if let Some(reasons) = reply.body["CancellationReasons"].as_array_mut()
            && !reasons.is_empty()
        {
            let hidden = if self.world.happens(700) { 0 } else { self.world.chance(|rng| rng.usize(0..reasons.len())) };
            reasons[hidden] = json!({"Code": "ThrottlingError"});
        }
        Ok(reply)
    }

    /// Some statements are answered with an error; of one kind, they are carried out all the same.
    async fn part_of_batch(self: Arc<Self>, kind: Kind, way: Duration) -> Result<Reply, ConnectorError> {
        let statements = list(&self.request["Statements"]).to_vec();
        let refused: Vec<bool> = statements.iter().map(|_| self.world.chance(|rng| rng.u8(0..3) == 0)).collect();
        let mut request = self.request.clone();
        if kind == Kind::PartOfBatch {
            let kept = statements.iter().zip(&refused).filter(|(_, refused)| !**refused);
            request["Statements"] = kept.map(|(statement, _)| statement.clone()).collect();
        }
        let mut answers = if list(&request["Statements"]).is_empty() {
            tokio::time::sleep(way).await;
            Vec::new()
        } else {
            let reply = self.with(request).carried_out(way).await?;
            if !reply.is_ok() {
                return Ok(reply);
            }
            list(&reply.body["Responses"]).to_vec()
        }
        .into_iter();
        let answers = refused.into_iter().map(|refused| match (kind, refused) {
            (Kind::PartOfBatch, true) => {
                let code = self.world.chance(statement_refusal);
                json!({"Error": {"Code": code, "Message": "simulated"}})
            }
            (_, true) => {
                answers.next();
                json!({"Error": {"Code": "InternalServerError", "Message": "simulated"}})
            }
            (_, false) => answers.next().unwrap_or_default(),
        });
        Ok(Reply::ok(json!({"Responses": answers.collect::<Vec<_>>()})))
    }

    /// Some keys are not read.
    async fn unprocessed(self: Arc<Self>, way: Duration) -> Result<Reply, ConnectorError> {
        let mut read = self.request.clone();
        let mut unread = self.request["RequestItems"].clone();
        for (table, wanted) in self.request["RequestItems"].as_object().into_iter().flatten() {
            let mut keys = list(&wanted["Keys"]).to_vec();
            // The SDK may have them in any order, which is no chance of ours.
            keys.sort_by_key(Value::to_string);
            let (now, later): (Vec<_>, Vec<_>) = keys.into_iter().partition(|_| self.world.chance(fastrand::Rng::bool));
            read["RequestItems"][table]["Keys"] = json!(now);
            unread[table]["Keys"] = json!(later);
        }
        let is_empty = |items: &Value| {
            items.as_object().is_none_or(|tables| tables.values().all(|wanted| list(&wanted["Keys"]).is_empty()))
        };
        let mut reply = if is_empty(&read["RequestItems"]) {
            tokio::time::sleep(way).await;
            Reply::ok(json!({"Responses": {}}))
        } else {
            self.with(read).carried_out(way).await?
        };
        if reply.is_ok() && !is_empty(&unread) {
            reply.body["UnprocessedKeys"] = unread;
        }
        Ok(reply)
    }

    /// The call takes effect as the store has it.
    pub(crate) fn take_effect(&self, request: &Value) -> Reply {
        let reply = carry_out(&self.world.database, &self.operation, request);
        if self.operation == "BatchExecuteStatement" && reply.is_ok() {
            for (statement, answer) in list(&request["Statements"]).iter().zip(list(&reply.body["Responses"])) {
                if answer["Error"].is_null() {
                    self.written(inserted(statement));
                }
            }
        } else if reply.is_ok() && lock(&self.world.tokens).is_first(request) {
            self.written(puts(&self.operation, request));
        }
        reply
    }

    /// Remembers items that were put.
    fn written(&self, items: impl IntoIterator<Item = (String, Value)>) {
        let (at, request) = (self.world.millis(), self.serving.as_ref().map(|serving| serving.request));
        self.world.history().writes.extend(items.into_iter().map(|(table, item)| {
            let table = table.trim_start_matches(TABLE_PREFIX).to_owned();
            Write { at, request, table, item }
        }));
    }
}
