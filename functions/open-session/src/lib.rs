//! `POST /client/users/{correlation_id}/sessions`: links a correlation id to an account and enrols new
//! accounts.

use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{
    access::Scope,
    fault::Faults,
    ids::InvalidId,
    session::{ANONYMOUS, Identifier, SessionOwner, SessionRequest},
};
use punchcard_runtime::{Admission, Failure, Handler};
use punchcard_store::{Opened, RulesReader, SessionWriter, Store};
use serde_json::json;

/// Opens sessions.
#[derive(Debug)]
pub struct OpenSession {
    admission: Admission,
    rules: RulesReader,
    sessions: SessionWriter,
}

impl Handler for OpenSession {
    const ROUTE: &'static Route = &route::OPEN_SESSION;
    const IS_QUARANTINED: bool = true;

    async fn open(store: &Store) -> Self {
        let (admission, rules) = Admission::open_with_rules(store).await;
        OpenSession { admission, rules, sessions: SessionWriter::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.admission.bearer(call, Scope::Activities).await?;
        let catalog = self.rules.of(admitted.catalog).await?;
        let rules = &catalog.rules;

        let faults = Faults::default();
        let session = call.parse(&faults, |body| SessionRequest::parse(body, rules.default_channel()))?;
        let identifier = identifier(call)?;
        let session = faults.none_or(session)?;

        match self.sessions.open(&identifier, &session, call.now, call.deadline).await? {
            Opened::Open(owner) => Ok(reply(&session, &owner)),
            Opened::UnknownLoyaltyId => Err(Error::NotFound("LoyaltyId not found").into()),
            Opened::BelongsToAnother => Err(Error::Conflict("CorrelationID already belongs to another account").into()),
        }
    }
}

/// Parses the identifier in the path. API Gateway passes it as `correlation_id`, because it allows one variable name
/// per path level.
fn identifier(call: &Call<'_>) -> Result<Identifier, Error> {
    let id = call.path_parameter("correlation_id").unwrap_or_default();
    let invalid = |invalid: InvalidId| Error::invalid(&format!("The identifier {invalid}"));
    match call.header("x-identifier-type")?.unwrap_or("ACCOUNT_ID") {
        "ACCOUNT_ID" | "LOYALTY_ID" if id == ANONYMOUS => Ok(Identifier::Anonymous),
        "ACCOUNT_ID" => id.parse().map(Identifier::Account).map_err(invalid),
        "LOYALTY_ID" => id.parse().map(Identifier::Loyalty).map_err(invalid),
        _ => Err(Error::invalid("X-Identifier-Type must be ACCOUNT_ID or LOYALTY_ID")),
    }
}

fn reply(session: &SessionRequest, owner: &SessionOwner) -> Reply {
    match owner {
        SessionOwner::Account(account) => Reply::ok(&json!({
            "correlationId": &*session.correlation_id,
            "accountId": &*account.account_id,
            "loyaltyId": &*account.loyalty_id,
        })),
        SessionOwner::Anonymous => Reply::ok(&json!({
            "correlationId": &*session.correlation_id,
            "loyaltyId": ANONYMOUS,
            "membershipType": "N",
            "status": "NO_CARD",
        })),
    }
}
