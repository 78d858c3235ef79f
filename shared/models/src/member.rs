//! Members: the owners of balances.

use std::{fmt, str::FromStr};

use crate::{
    erasure::{ErasedId, ErasureKey, IdKind, InvalidErasedId},
    ids::{AccountId, CorrelationId, InvalidId, PlayerId},
    session::SessionOwner,
};

const ACCOUNT: &str = "acct#";
const CORRELATION: &str = "corr#";
const PLAYER: &str = "player#";

/// The owner of a balance.
///
/// Its text is the key of the member's item in the store: `acct#…`, `corr#…`, `player#…` or `erased#…`. The prefix keeps
/// the kinds apart even if their ids have the same text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MemberId {
    /// An enrolled account.
    Account(AccountId),
    /// A correlation id without a session, which is an account by itself.
    Correlation(CorrelationId),
    /// A player.
    Player(PlayerId),
    /// A member that was erased. Holds what its records added, so that all sums still hold.
    Erased(ErasedId),
}

impl MemberId {
    /// Returns the owner of an activity's points: the account of its session, or the correlation id if it has no
    /// session or an anonymous one.
    #[must_use]
    pub fn of(owner: Option<&SessionOwner>, correlation_id: &CorrelationId) -> Self {
        match owner.and_then(SessionOwner::account) {
            Some(account) => MemberId::Account(account.account_id.clone()),
            None => MemberId::Correlation(correlation_id.clone()),
        }
    }

    /// Returns the member that this one becomes when it is erased.
    #[must_use]
    pub fn erased(&self, key: &ErasureKey) -> ErasedId {
        match self {
            MemberId::Erased(id) => *id,
            member => key.digest(IdKind::Member, &member.to_string()),
        }
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberId::Account(id) => write!(f, "{ACCOUNT}{id}"),
            MemberId::Correlation(id) => write!(f, "{CORRELATION}{id}"),
            MemberId::Player(id) => write!(f, "{PLAYER}{id}"),
            MemberId::Erased(id) => write!(f, "{id}"),
        }
    }
}

/// Text that is not a member's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidMemberId;

impl fmt::Display for InvalidMemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be {ACCOUNT}, {CORRELATION} or {PLAYER} and a valid id, or the digest of an erased member")
    }
}

impl std::error::Error for InvalidMemberId {}

impl From<InvalidId> for InvalidMemberId {
    fn from(_: InvalidId) -> Self {
        InvalidMemberId
    }
}

impl FromStr for MemberId {
    type Err = InvalidMemberId;

    fn from_str(key: &str) -> Result<Self, InvalidMemberId> {
        if let Some(id) = key.strip_prefix(ACCOUNT) {
            Ok(MemberId::Account(id.parse()?))
        } else if let Some(id) = key.strip_prefix(CORRELATION) {
            Ok(MemberId::Correlation(id.parse()?))
        } else if let Some(id) = key.strip_prefix(PLAYER) {
            Ok(MemberId::Player(id.parse()?))
        } else {
            key.parse().map(MemberId::Erased).map_err(|InvalidErasedId| InvalidMemberId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Account;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let erased = format!("erased#{}", "0a".repeat(32));
        for key in ["acct#A-1001", "corr#c:1", "player#acct#1", &erased] {
            assert_eq!(key.parse::<MemberId>().map(|member| member.to_string()).as_deref(), Ok(key));
        }
        for key in ["A-1001", "loy#1", "acct#", "corr#a#b", "erased#", ""] {
            assert!(key.parse::<MemberId>().is_err(), "{key}");
        }
    }

    #[test]
    fn a_correlation_id_without_a_session_is_apart_from_the_account_of_that_name() {
        let correlation_id: CorrelationId = "A-1001".parse().expect("an id");
        let account = SessionOwner::Account(Account {
            account_id: "A-1001".parse().expect("an id"),
            loyalty_id: "L-1".parse().expect("an id"),
        });
        assert_eq!(MemberId::of(Some(&account), &correlation_id).to_string(), "acct#A-1001");
        for owner in [None, Some(&SessionOwner::Anonymous)] {
            assert_eq!(MemberId::of(owner, &correlation_id).to_string(), "corr#A-1001");
        }
    }
}
