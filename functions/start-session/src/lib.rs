//! `POST /v2/session/startSession`: trades a client's credentials for a token bound to one customer.

use lambda_http::http::Method;
use punchcard_http::{
    Body, Call, Dialect, Endpoint, Error, Reply, Request, Response, auth,
    token::{self, Claims},
};
use punchcard_models::{
    access::Scope,
    fault::{Faults, Noted},
    ids::ClientId,
    json::{At, MAX_TEXT},
};
use punchcard_store::{CatalogReader, SigningKeys, Store};
use serde_json::json;

/// Where it is, and in which dialect.
pub const ENDPOINT: Endpoint = Endpoint {
    function: "start-session",
    dialect: Dialect::ClientEvents,
    method: Method::POST,
    paths: &["/v2/session/startSession"],
    any: true,
    allow: "POST",
};

/// How long a token is valid, in seconds.
const VALID: i64 = 15 * 60;

/// What it needs: the catalog, and the private keys.
#[derive(Debug)]
pub struct State {
    catalog: CatalogReader,
    keys: SigningKeys,
}

impl State {
    /// Opens it, once for all requests.
    pub async fn open(store: &Store) -> Self {
        let now = punchcard_http::now();
        State { catalog: store.catalog(now).await, keys: store.signing_keys(now).await }
    }
}

/// Answers a request.
pub async fn handle(state: &State, request: &Request) -> Response<Body> {
    let call = Call::new(&ENDPOINT, request);
    call.answer(start(state, &call)).await
}

async fn start(state: &State, call: &Call<'_>) -> Result<Reply, Error> {
    let faults = Faults::default();
    let customer = auth::customer(call, &faults);
    let credentials = call.parse(&faults, credentials)?;
    // Credentials that can be read are judged before the rest: 401 comes before 400.
    if let Ok((id, secret)) = &credentials {
        let check = state.catalog.admit(call.now, |access| access.client(id, secret, Scope::ClientEvents)).await;
        check.map_err(Error::unavailable)??;
    }
    let (customer, (id, _)) = faults.none_or(customer.and_then(|customer| Ok((customer, credentials?))))?;

    let key = state.keys.newest(call.now).await.map_err(Error::unavailable)?;
    let claims = Claims::new(Scope::ClientEvents, &id, Some(&customer), call.now, VALID);
    let token = token::sign(&claims, &key).map_err(Error::unavailable)?;
    Ok(Reply::ok(&json!({"sessionToken": token})))
}

fn credentials(body: At<'_, '_>) -> Result<(ClientId, String), Noted> {
    let body = body.object()?;
    let id = body.required("clientId", ClientId::parse);
    let secret = body.required("secret", |at| at.string_up_to(MAX_TEXT).map(str::to_owned));
    Ok((id?, secret?))
}
