//! `GET /client/users/{correlation_id}/balances`: returns the balances of the correlation id's account.

use punchcard_http::{Call, Reply, Route, route};
use punchcard_models::{access::Scope, ids::CorrelationId, member::MemberId, session::SessionOwner};
use punchcard_runtime::{Admission, Failure, Handler};
use punchcard_store::{BalanceReader, SessionReader, Store};
use serde_json::json;

/// Reads balances.
#[derive(Debug)]
pub struct GetBalances {
    admission: Admission,
    sessions: SessionReader,
    balances: BalanceReader,
}

impl Handler for GetBalances {
    const ROUTE: &'static Route = &route::GET_BALANCES;

    async fn open(store: &Store) -> Self {
        let admission = Admission::open(store).await;
        GetBalances { admission, sessions: SessionReader::new(store), balances: BalanceReader::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        self.admission.bearer(call, Scope::Activities).await?;

        let correlation_id = call.path_id("correlation_id", |id| id.parse::<CorrelationId>().ok())?;
        let owner = self.sessions.owner(&correlation_id).await?;
        let account = owner.as_ref().and_then(SessionOwner::account);
        let account_id = account.map_or_else(|| correlation_id.to_string(), |account| account.account_id.to_string());
        let balances = self.balances.of(&MemberId::of(owner.as_ref(), &correlation_id)).await?;
        Ok(Reply::ok(&json!({"accountId": account_id, "balances": balances})))
    }
}
