//! Members: whoever has a balance.

use std::fmt;

use crate::{
    ids::{AccountId, CorrelationId, PlayerId},
    session::SessionOwner,
};

/// Whose balance it is. The three kinds are apart even where their ids read the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MemberId {
    /// An enrolled account.
    Account(AccountId),
    /// A correlation id that no session introduced: an account of its own.
    Correlation(CorrelationId),
    /// A player.
    Player(PlayerId),
}

impl MemberId {
    /// The member that activities of a correlation id belong to: the account of its session, or else an account of its own.
    #[must_use]
    pub fn of(owner: Option<&SessionOwner>, correlation_id: &CorrelationId) -> Self {
        match owner.and_then(SessionOwner::account) {
            Some(account) => MemberId::Account(account.account_id.clone()),
            None => MemberId::Correlation(correlation_id.clone()),
        }
    }
}

/// As it is stored: `acct#…`, `corr#…` or `player#…`.
impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberId::Account(id) => write!(f, "acct#{id}"),
            MemberId::Correlation(id) => write!(f, "corr#{id}"),
            MemberId::Player(id) => write!(f, "player#{id}"),
        }
    }
}
