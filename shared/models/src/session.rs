//! Sessions: what ties a correlation id to an account.

use crate::{
    activity::parse_channel,
    fault::{FaultKind, Noted},
    ids::{AccountId, CorrelationId, LoyaltyId, PATH_ID_RULE},
    json::At,
};

/// An enrolled account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As the client names it.
    pub account_id: AccountId,
    /// As the system named it when it was enrolled.
    pub loyalty_id: LoyaltyId,
}

/// The literal in a session's path for a customer without an account. It is never an account or loyalty id.
pub const ANONYMOUS: &str = "anonymous";

/// The owner of a correlation id, as its session names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOwner {
    /// An enrolled account.
    Account(Account),
    /// A customer without an account: activities are recorded and earn nothing.
    Anonymous,
}

impl SessionOwner {
    /// The account, if there is one.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        match self {
            SessionOwner::Account(account) => Some(account),
            SessionOwner::Anonymous => None,
        }
    }

    /// Whether both are the same account, or both anonymous.
    #[must_use]
    pub fn is_same_as(&self, other: &SessionOwner) -> bool {
        let id = |owner: &SessionOwner| owner.account().map(|account| account.account_id.clone());
        id(self) == id(other)
    }
}

/// The id by which a session names an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// Its account id; an unknown one is enrolled.
    Account(AccountId),
    /// Its loyalty id.
    Loyalty(LoyaltyId),
    /// None: an anonymous session.
    Anonymous,
}

/// A request to open a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest {
    /// The correlation id to tie.
    pub correlation_id: CorrelationId,
    /// Where the session was opened.
    pub channel: String,
}

impl SessionRequest {
    /// Parses a request.
    ///
    /// # Errors
    /// Anything wrong.
    pub fn parse(body: At<'_, '_>, default_channel: Option<&str>) -> Result<Self, Noted> {
        let body = body.object()?;
        let correlation_id = body.required("correlationId", |at| {
            CorrelationId::from_text(at.string()?).ok_or_else(|| at.fault(FaultKind::Invalid, PATH_ID_RULE))
        });
        let channel = parse_channel(&body, default_channel);
        Ok(SessionRequest { correlation_id: correlation_id?, channel: channel? })
    }
}
