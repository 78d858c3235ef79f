//! `POST /oauth2/token`: issues access tokens for activities by OAuth 2.0 client credentials (RFC 6749, 4.4).

use std::{collections::HashMap, time::Duration};

use punchcard_http::{
    Call, Error, Reply, Route, auth, route,
    token::{self, Claims},
};
use punchcard_models::{
    access::{Denied, Scope},
    fault::{FaultKind, Faults, Pointer},
    ids::ClientId,
    json::starts_with_byte_order_mark,
};
use punchcard_runtime::{Admission, Failure, Handler, now, warm_up};
use punchcard_store::{SigningKeyReader, Store};
use serde_json::json;

const TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// Issues access tokens.
#[derive(Debug)]
pub struct IssueToken {
    admission: Admission,
    keys: SigningKeyReader,
}

impl Handler for IssueToken {
    const ROUTE: &'static Route = &route::ISSUE_TOKEN;

    async fn open(store: &Store) -> Self {
        let keys = SigningKeyReader::new(store);
        warm_up(keys.newest(now())).await;
        IssueToken { admission: Admission::open(store).await, keys }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let client = match auth::basic(call)? {
            // Checked before the body, because 401 takes precedence over 413, 415 and 400.
            Some((id, secret)) => Some(self.admit(call, &id, &secret).await?),
            None => None,
        };
        let body = call.body("application/x-www-form-urlencoded")?;
        let form = Form::read(&body)?;
        let client = match (client, form.credentials()) {
            (Some(client), None) => client,
            (None, Some((id, secret))) => self.admit(call, id, secret).await?,
            (None, None) => return Err(Denied::Missing.into()),
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "The client must authenticate with either HTTP Basic or the body, not both",
                )
                .into());
            }
        };
        form.check()?;

        let key = self.keys.newest(call.now).await?;
        let claims = Claims::new(Scope::Activities, &client, None, call.now, TOKEN_LIFETIME);
        // The granted scope never depends on the requested one, so the response must name it (RFC 6749, 3.3 and 5.1).
        Ok(Reply::ok(&json!({
            "access_token": token::sign(&claims, &key)?,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME.as_secs(),
            "scope": Scope::Activities.as_str(),
        })))
    }
}

impl IssueToken {
    async fn admit(&self, call: &Call<'_>, id: &str, secret: &str) -> Result<ClientId, Failure> {
        let id = id.parse().map_err(|_| Denied::Malformed)?;
        self.admission.client(call, &id, secret, Scope::Activities).await?;
        Ok(id)
    }
}

/// The parameters of a token request.
struct Form {
    values: HashMap<String, String>,
    repeated: Option<String>,
}

impl Form {
    fn read(body: &[u8]) -> Result<Self, Error> {
        if starts_with_byte_order_mark(body) {
            return Err(Error::invalid("The body must not start with a byte order mark"));
        }
        let mut form = Form { values: HashMap::new(), repeated: None };
        for (name, value) in form_urlencoded::parse(body) {
            if form.values.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                form.repeated = Some(name.into_owned());
            }
        }
        Ok(form)
    }

    /// Returns a parameter. Empty parameters are treated as absent (RFC 6749, 3.2).
    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn credentials(&self) -> Option<(&str, &str)> {
        Some((self.value("client_id")?, self.value("client_secret")?))
    }

    fn check(&self) -> Result<(), Error> {
        let fault = |name: &str, kind, message: &str| {
            let faults = Faults::default();
            faults.note(Pointer::Member(&Pointer::Root, name), kind, message.to_owned());
            Err(faults.into())
        };
        if let Some(name) = &self.repeated {
            return fault(name, FaultKind::Repeated, "appears more than once");
        }
        match self.value("grant_type") {
            Some("client_credentials") => Ok(()),
            Some(_) => Err(Error::UnsupportedGrantType),
            None => fault("grant_type", FaultKind::Missing, "is required"),
        }
    }
}
