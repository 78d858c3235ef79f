//! Table `Sessions`, key `correlationId`: the account of a correlation id, with a copy of its loyalty id, or a flag
//! that the session is anonymous. Opening a session also enrols new accounts in table `Members`.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use punchcard_models::{
    ids::{AccountId, CorrelationId, InvalidId, LoyaltyId},
    member::MemberId,
    session::{Account, Identifier, SessionOwner, SessionRequest},
    timestamp::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    conditional_write::{Transacted, new_item, put_new, transact},
    error::{FailedAttempt, StoreError},
    item::{Attributes as _, Item, s},
    retry::Retries,
};

const READ: &str = "read a session";
const OPEN: &str = "open a session";
/// The attribute that marks anonymous sessions, and activities that were sent in one.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Reads sessions.
#[derive(Debug, Clone)]
pub struct SessionReader {
    client: Client,
    table: String,
}

impl SessionReader {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        SessionReader { client: store.reads.clone(), table: store.table("Sessions") }
    }

    /// Returns the owner of a correlation id, or `None` if it has no session.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn owner(&self, id: &CorrelationId) -> Result<Option<SessionOwner>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("correlationId", s(id)).consistent_read(true);
        let found = get.send().await.map_err(|error| StoreError::read(READ, &error))?.item;
        found.map(|item| owner(&item).ok_or(StoreError::corrupt(READ, "a session"))).transpose()
    }
}

/// The outcome of opening a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The session is open. It may have existed before.
    Open(SessionOwner),
    /// The loyalty id does not exist.
    UnknownLoyaltyId,
    /// The correlation id belongs to another account.
    BelongsToAnother,
}

/// Opens sessions.
#[derive(Debug, Clone)]
pub struct SessionWriter {
    reads: Client,
    writes: Client,
    sessions: String,
    members: String,
}

/// The outcome of one attempt.
enum Attempt {
    Done,
    SessionExists(Item),
    AccountExists(Item),
}

impl SessionWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        let (reads, writes) = (store.reads.clone(), store.writes.clone());
        SessionWriter { reads, writes, sessions: store.table("Sessions"), members: store.table("Members") }
    }

    /// Links a correlation id to an account, and enrols the account if it is new.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn open(
        &self,
        identifier: &Identifier,
        session: &SessionRequest,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Opened, StoreError> {
        let found = match identifier {
            Identifier::Anonymous => return self.open_as(SessionOwner::Anonymous, true, session, now, deadline).await,
            Identifier::Account(id) => self.member(&MemberId::Account(id.clone()).to_string()).await?,
            Identifier::Loyalty(id) => self.member(&pointer(id)).await?,
        };
        let (account, enrolled) = match (found, identifier) {
            (Some(account), _) => (account, true),
            (None, Identifier::Account(id)) => (enrol(id)?, false),
            (None, Identifier::Loyalty(_) | Identifier::Anonymous) => return Ok(Opened::UnknownLoyaltyId),
        };
        self.open_as(SessionOwner::Account(account), enrolled, session, now, deadline).await
    }

    async fn open_as(
        &self,
        mut wanted: SessionOwner,
        mut enrolled: bool,
        session: &SessionRequest,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Opened, StoreError> {
        let mut retries = Retries::until(deadline, OPEN);
        loop {
            let attempt = match &wanted {
                SessionOwner::Account(account) if !enrolled => self.enrol_and_put(account, session, now).await,
                owner => self.put(owner, session, now).await,
            };
            match attempt {
                Ok(Attempt::Done) => return Ok(Opened::Open(wanted)),
                Ok(Attempt::SessionExists(item)) => {
                    let opened = owner(&item).ok_or(StoreError::corrupt(OPEN, "a session"))?;
                    return Ok(if opened.is_same_as(&wanted) {
                        Opened::Open(opened)
                    } else {
                        Opened::BelongsToAnother
                    });
                }
                // A concurrent request enrolled the account.
                Ok(Attempt::AccountExists(item)) => {
                    let account = account(&item).ok_or(StoreError::corrupt(OPEN, "an account"))?;
                    wanted = SessionOwner::Account(account);
                    enrolled = true;
                }
                Err(failed) => retries.after(failed).await?,
            }
        }
    }

    async fn member(&self, key: &str) -> Result<Option<Account>, StoreError> {
        let get = self.reads.get_item().table_name(&self.members).key("memberId", s(key)).consistent_read(true);
        let found = get.send().await.map_err(|error| StoreError::read(OPEN, &error))?.item;
        found.map(|item| account(&item).ok_or(StoreError::corrupt(OPEN, "an account"))).transpose()
    }

    async fn put(
        &self,
        owner: &SessionOwner,
        session: &SessionRequest,
        now: Timestamp,
    ) -> Result<Attempt, FailedAttempt> {
        let item = session_item(owner, session, now);
        let exists = put_new(&self.writes, OPEN, &self.sessions, "correlationId", item).await?;
        Ok(exists.map_or(Attempt::Done, Attempt::SessionExists))
    }

    async fn enrol_and_put(
        &self,
        account: &Account,
        session: &SessionRequest,
        now: Timestamp,
    ) -> Result<Attempt, FailedAttempt> {
        let new = |table: &str, key, item| new_item(OPEN, table, key, item).map_err(FailedAttempt::Final);
        let member = |id: String| {
            let mut item = account_item(account, now);
            item.insert("memberId".into(), s(id));
            new(&self.members, "memberId", item)
        };
        let owner = SessionOwner::Account(account.clone());
        let writes = vec![
            new(&self.sessions, "correlationId", session_item(&owner, session, now))?,
            member(MemberId::Account(account.account_id.clone()).to_string())?,
            member(pointer(&account.loyalty_id))?,
        ];
        match transact(&self.writes, OPEN, writes).await? {
            Transacted::Done => Ok(Attempt::Done),
            Transacted::ConditionFailed(0, item) => Ok(Attempt::SessionExists(item)),
            Transacted::ConditionFailed(1, item) => Ok(Attempt::AccountExists(item)),
            Transacted::ConditionFailed(..) => {
                Err(FailedAttempt::Final(StoreError::corrupt(OPEN, "a random loyalty id that exists")))
            }
        }
    }
}

/// Returns the key of the item that maps a loyalty id to its account.
pub(crate) fn pointer(id: &LoyaltyId) -> String {
    format!("loy#{id}")
}

fn enrol(id: &AccountId) -> Result<Account, StoreError> {
    let loyalty_id = Uuid::new_v4().simple().to_string().parse();
    let loyalty_id = loyalty_id.map_err(|invalid: InvalidId| StoreError::internal(OPEN, invalid))?;
    Ok(Account { account_id: id.clone(), loyalty_id })
}

fn account_item(account: &Account, now: Timestamp) -> Item {
    Item::from([
        ("accountId".into(), s(&account.account_id)),
        ("loyaltyId".into(), s(&account.loyalty_id)),
        ("createdAt".into(), s(now)),
    ])
}

fn session_item(owner: &SessionOwner, session: &SessionRequest, now: Timestamp) -> Item {
    let mut item = match owner {
        SessionOwner::Account(account) => account_item(account, now),
        SessionOwner::Anonymous => {
            Item::from([(ANONYMOUS.into(), AttributeValue::Bool(true)), ("createdAt".into(), s(now))])
        }
    };
    item.insert("correlationId".into(), s(&session.correlation_id));
    item.insert("channel".into(), s(&session.channel));
    item
}

fn owner(item: &Item) -> Option<SessionOwner> {
    if item.contains_key(ANONYMOUS) {
        return Some(SessionOwner::Anonymous);
    }
    account(item).map(SessionOwner::Account)
}

fn account(item: &Item) -> Option<Account> {
    Some(Account {
        account_id: item.text("accountId")?.parse().ok()?,
        loyalty_id: item.text("loyaltyId")?.parse().ok()?,
    })
}
