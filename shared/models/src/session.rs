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

/// By which of its ids a session names an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// By its own; an unknown one is enrolled.
    Account(AccountId),
    /// By its loyalty id.
    Loyalty(LoyaltyId),
}

/// A request to open a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// The correlation id to tie.
    pub correlation_id: CorrelationId,
    /// Where the session was opened.
    pub channel: String,
}

impl OpenSession {
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
        Ok(OpenSession { correlation_id: correlation_id?, channel: channel? })
    }
}
