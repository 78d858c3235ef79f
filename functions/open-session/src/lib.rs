//! `POST /client/users/{identifier}/sessions`: ties a correlation id to an account, which is enrolled if it is new.

use lambda_http::http::Method;
use punchcard_http::{Body, Call, Dialect, Endpoint, Error, Reply, Request, Response, auth, token::Verifier};
use punchcard_models::{
    access::Scope,
    fault::Faults,
    ids::{AccountId, LoyaltyId},
    session::{Identifier, OpenSession},
};
use punchcard_store::{CatalogReader, Opened, SessionOpener, Store};
use serde_json::json;

/// Where it is, and in which dialect.
pub const ENDPOINT: Endpoint = Endpoint {
    function: "open-session",
    dialect: Dialect::Activities,
    method: Method::POST,
    paths: &["/client/users/{identifier}/sessions"],
    any: true,
    allow: "POST",
};

/// What it needs: the catalog, and to open sessions.
#[derive(Debug)]
pub struct State {
    catalog: CatalogReader,
    tokens: Verifier,
    sessions: SessionOpener,
}

impl State {
    /// Opens it, once for all requests.
    pub async fn open(store: &Store) -> Self {
        State {
            catalog: store.catalog(punchcard_http::now()).await,
            tokens: Verifier::default(),
            sessions: store.session_opener(),
        }
    }
}

/// Answers a request.
pub async fn handle(state: &State, request: &Request) -> Response<Body> {
    let call = Call::new(&ENDPOINT, request);
    call.answer(open(state, &call)).await
}

async fn open(state: &State, call: &Call<'_>) -> Result<Reply, Error> {
    let admitted =
        state.catalog.admit(call.now, |access| auth::bearer(call, &state.tokens, access, Scope::Activities)).await;
    let (catalog, _client) = admitted.map_err(Error::unavailable)??;

    let faults = Faults::default();
    let session = call.parse(&faults, |body| OpenSession::parse(body, catalog.rules.default_channel()))?;
    let identifier = identifier(call)?;
    let session = faults.none_or(session)?;

    let opened = state.sessions.open(&identifier, &session, call.now, call.deadline).await;
    match opened.map_err(Error::unavailable)? {
        Opened::Open(account) => Ok(Reply::ok(&json!({
            "correlationId": &*session.correlation_id,
            "accountId": &*account.account_id,
            "loyaltyId": &*account.loyalty_id,
        }))),
        Opened::UnknownLoyaltyId => Err(Error::NotFound("LoyaltyId not found")),
        Opened::OfAnother => Err(Error::Conflict("CorrelationID already belongs to another account")),
    }
}

fn identifier(call: &Call<'_>) -> Result<Identifier, Error> {
    let id = call.path_parameter("identifier").unwrap_or_default();
    let invalid = |rule: &str| Error::invalid(&format!("The identifier {rule}"));
    match call.header("x-identifier-type").unwrap_or("ACCOUNT_ID") {
        "ACCOUNT_ID" => AccountId::new(id).map(Identifier::Account).map_err(invalid),
        "LOYALTY_ID" => LoyaltyId::new(id).map(Identifier::Loyalty).map_err(invalid),
        _ => Err(Error::invalid("X-Identifier-Type must be ACCOUNT_ID or LOYALTY_ID")),
    }
}
