//! `POST /oauth2/token`: OAuth 2.0 client credentials (RFC 6749, 4.4) for activities.

use std::collections::HashMap;

use lambda_http::http::Method;
use punchcard_http::{
    Body, Call, Dialect, Endpoint, Error, Reply, Request, Response, auth,
    token::{self, Claims},
};
use punchcard_models::{
    access::{Denied, Scope},
    fault::{FaultKind, Faults, Pointer},
    ids::ClientId,
};
use punchcard_store::{CatalogReader, SigningKeys, Store};
use serde_json::json;

/// Where it is, and in which dialect.
pub const ENDPOINT: Endpoint = Endpoint {
    function: "issue-token",
    dialect: Dialect::OAuth,
    method: Method::POST,
    paths: &["/oauth2/token"],
    any: true,
    allow: "POST",
};

/// How long a token is valid, in seconds.
const VALID: i64 = 60 * 60;

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
    call.answer(issue(state, &call)).await
}

async fn issue(state: &State, call: &Call<'_>) -> Result<Reply, Error> {
    let client = match auth::basic(call)? {
        // Credentials that can be read are judged before the rest: 401 comes before 400.
        Some((id, secret)) => Some(admit(state, call, &id, &secret).await?),
        None => None,
    };
    let form = Form::read(call.body("application/x-www-form-urlencoded")?);
    let client = match (client, form.credentials()) {
        (Some(client), None) => client,
        (None, Some((id, secret))) => admit(state, call, id, secret).await?,
        (None, None) => return Err(Denied::Missing.into()),
        (Some(_), Some(_)) => return Err(Error::invalid("The client must prove itself in one way only")),
    };
    form.check()?;

    let key = state.keys.newest(call.now).await.map_err(Error::unavailable)?;
    let claims = Claims::new(Scope::Activities, &client, None, call.now, VALID);
    let token = token::sign(&claims, &key).map_err(Error::unavailable)?;
    Ok(Reply::ok(&json!({"access_token": token, "token_type": "Bearer", "expires_in": VALID})))
}

async fn admit(state: &State, call: &Call<'_>, id: &str, secret: &str) -> Result<ClientId, Error> {
    let id = ClientId::new(id).map_err(|_| Denied::Malformed)?;
    let check = state.catalog.admit(call.now, |access| access.client(&id, secret, Scope::Activities)).await;
    check.map_err(Error::unavailable)??;
    Ok(id)
}

/// The parameters of a token request.
struct Form {
    values: HashMap<String, String>,
    repeated: Option<String>,
}

impl Form {
    fn read(body: &[u8]) -> Self {
        let mut form = Form { values: HashMap::new(), repeated: None };
        for (name, value) in form_urlencoded::parse(body) {
            if form.values.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                form.repeated = Some(name.into_owned());
            }
        }
        form
    }

    /// What is there and not empty: an empty parameter is none (RFC 6749, 3.2).
    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn credentials(&self) -> Option<(&str, &str)> {
        Some((self.value("client_id")?, self.value("client_secret")?))
    }

    fn check(&self) -> Result<(), Faults> {
        let faults = Faults::default();
        let note = |name: &str, kind, message: &str| {
            faults.note(Pointer::Member(&Pointer::Root, name), kind, message.to_owned());
        };
        if let Some(name) = &self.repeated {
            note(name, FaultKind::Repeated, "is there more than once");
        }
        match self.value("grant_type") {
            Some("client_credentials") => {}
            Some(_) => note("grant_type", FaultKind::Invalid, "must be client_credentials"),
            None => note("grant_type", FaultKind::Missing, "is required"),
        }
        if self.value("scope").is_some_and(|scope| scope != Scope::Activities.as_str()) {
            note("scope", FaultKind::Invalid, "must be activities, or left out");
        }
        faults.none_or(Ok(()))
    }
}
