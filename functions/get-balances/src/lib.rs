//! `GET /client/users/{correlation_id}/balances`: what the account of a correlation id has.

use lambda_http::http::Method;
use punchcard_http::{Body, Call, Dialect, Endpoint, Error, Reply, Request, Response, auth, token::Verifier};
use punchcard_models::{access::Scope, ids::CorrelationId, member::MemberId};
use punchcard_store::{BalanceReader, CatalogReader, Sessions, Store};
use serde_json::json;

/// Where it is, and in which dialect.
pub const ENDPOINT: Endpoint = Endpoint {
    function: "get-balances",
    dialect: Dialect::Activities,
    method: Method::GET,
    paths: &["/client/users/{correlation_id}/balances"],
    any: true,
    allow: "GET",
};

/// What it needs: the catalog, to look up sessions, and to look up balances.
#[derive(Debug)]
pub struct State {
    catalog: CatalogReader,
    tokens: Verifier,
    sessions: Sessions,
    balances: BalanceReader,
}

impl State {
    /// Opens it, once for all requests.
    pub async fn open(store: &Store) -> Self {
        State {
            catalog: store.catalog(punchcard_http::now()).await,
            tokens: Verifier::default(),
            sessions: store.sessions(),
            balances: store.balances(),
        }
    }
}

/// Answers a request.
pub async fn handle(state: &State, request: &Request) -> Response<Body> {
    let call = Call::new(&ENDPOINT, request);
    call.answer(read(state, &call)).await
}

async fn read(state: &State, call: &Call<'_>) -> Result<Reply, Error> {
    let admitted =
        state.catalog.admit(call.now, |access| auth::bearer(call, &state.tokens, access, Scope::Activities)).await;
    admitted.map_err(Error::unavailable)??;

    let correlation_id = call.path_id("correlation_id", CorrelationId::from_text)?;
    let account = state.sessions.account(&correlation_id).await.map_err(Error::unavailable)?;
    let (account_id, member) = match account {
        Some(account) => (account.account_id.to_string(), MemberId::Account(account.account_id)),
        None => (correlation_id.to_string(), MemberId::Correlation(correlation_id)),
    };
    let balances = state.balances.of(&member).await.map_err(Error::unavailable)?;
    Ok(Reply::ok(&json!({"accountId": account_id, "balances": balances})))
}
