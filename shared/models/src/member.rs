//! Members: whoever has a balance.

use std::fmt;

use crate::ids::{AccountId, CorrelationId, PlayerId};

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
