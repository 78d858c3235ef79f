//! Sessions, which tie a correlation id to an account.

use crate::{
    channel,
    fault::Noted,
    ids::{self, AccountId, CorrelationId, LoyaltyId},
    json::At,
};

/// An enrolled account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The client's name for the account.
    pub account_id: AccountId,
    /// The id assigned on enrolment.
    pub loyalty_id: LoyaltyId,
}

/// The identifier of a session without an account. It is never an account or loyalty id.
pub const ANONYMOUS: &str = "anonymous";

/// The owner of a correlation id that has a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOwner {
    /// An enrolled account.
    Account(Account),
    /// A customer without an account. Activities are recorded and earn nothing.
    Anonymous,
}

impl SessionOwner {
    /// Returns the account, if there is one.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        match self {
            SessionOwner::Account(account) => Some(account),
            SessionOwner::Anonymous => None,
        }
    }

    /// Returns true if both are the same account, or both anonymous.
    #[must_use]
    pub fn is_same_as(&self, other: &SessionOwner) -> bool {
        let id = |owner: &SessionOwner| owner.account().map(|account| account.account_id.clone());
        id(self) == id(other)
    }
}

/// The id by which a session names an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// The account id. An unknown account is enrolled.
    Account(AccountId),
    /// The loyalty id.
    Loyalty(LoyaltyId),
    /// No account: the session is anonymous.
    Anonymous,
}

/// A request to open a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest {
    /// The correlation id to tie to the account.
    pub correlation_id: CorrelationId,
    /// The channel of the session.
    pub channel: String,
}

impl SessionRequest {
    /// Parses a request.
    ///
    /// # Errors
    /// The faults of the request, in the order of the members.
    pub fn parse(body: At<'_, '_>, default_channel: Option<&str>) -> Result<Self, Noted> {
        let body = body.object()?;
        let correlation_id = body.required("correlationId", ids::parse_member);
        let channel = channel::parse(&body, default_channel);
        Ok(SessionRequest { correlation_id: correlation_id?, channel: channel? })
    }
}
