//! `POST /v2/session/startSession`: authenticates a client and issues a session token for one customer.

use std::time::Duration;

use punchcard_http::{
    Call, Reply, Route, auth, route,
    token::{self, Claims},
};
use punchcard_models::{
    access::Scope,
    fault::{Faults, Noted},
    ids::{self, ClientId},
    json::{At, MAX_TEXT},
};
use punchcard_runtime::{Admission, Failure, Handler, now, warm_up};
use punchcard_store::{SigningKeyReader, Store};
use serde_json::json;

const TOKEN_LIFETIME: Duration = Duration::from_mins(15);

/// Issues session tokens.
#[derive(Debug)]
pub struct StartSession {
    admission: Admission,
    keys: SigningKeyReader,
}

impl Handler for StartSession {
    const ROUTE: &'static Route = &route::START_SESSION;

    async fn open(store: &Store) -> Self {
        let keys = SigningKeyReader::new(store);
        warm_up(keys.newest(now())).await;
        StartSession { admission: Admission::open(store).await, keys }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let faults = Faults::default();
        let customer = auth::customer(call, &faults);
        let credentials = call.parse(&faults, credentials)?;
        // Readable credentials are verified before other faults are reported, because 401 takes precedence over 400.
        if let Ok((id, secret)) = &credentials {
            self.admission.client(call, id, secret, Scope::ClientEvents).await?;
        }
        let (customer, (id, _)) = faults.none_or(customer.and_then(|customer| Ok((customer, credentials?))))?;

        let key = self.keys.newest(call.now).await?;
        let claims = Claims::new(Scope::ClientEvents, &id, Some(&customer), call.now, TOKEN_LIFETIME);
        Ok(Reply::ok(&json!({"sessionToken": token::sign(&claims, &key)?})))
    }
}

fn credentials(body: At<'_, '_>) -> Result<(ClientId, String), Noted> {
    let body = body.object()?;
    let id = body.required("clientId", ids::parse_member);
    let secret = body.required("secret", |at| at.string_up_to(MAX_TEXT).map(str::to_owned));
    Ok((id?, secret?))
}
