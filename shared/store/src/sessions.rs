//! Table `Sessions`: key `correlationId`; the account that a correlation id belongs to, with a copy of its loyalty id.
//! Opening one may enrol the account, in table `Members`.

use aws_sdk_dynamodb::Client;
use punchcard_models::{
    ids::{AccountId, CorrelationId, LoyaltyId},
    member::MemberId,
    session::{Account, Identifier, OpenSession},
    timestamp::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    item::{Attributes as _, Item, s},
    new_item::{Transacted, new_item, put_new, transact},
    outage::Outage,
    retry::Retries,
};

const READ: &str = "read a session";
const OPEN: &str = "open a session";

/// The sessions, to look one up.
#[derive(Debug, Clone)]
pub struct Sessions {
    client: Client,
    table: String,
}

impl Sessions {
    pub(crate) fn new(client: Client, table: String) -> Self {
        Sessions { client, table }
    }

    /// The account that a correlation id belongs to, if a session said so.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn account(&self, id: &CorrelationId) -> Result<Option<Account>, Outage> {
        let read = self.client.get_item().table_name(&self.table).key("correlationId", s(id)).consistent_read(true);
        let found = read.send().await.map_err(|error| Outage::from_sdk(READ, &error))?.item;
        found.map(|item| account(&item).ok_or(Outage::unreadable(READ, "a session"))).transpose()
    }
}

/// What became of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It is open, or was already.
    Open(Account),
    /// No account has this loyalty id.
    UnknownLoyaltyId,
    /// The correlation id belongs to another account.
    OfAnother,
}

/// The sessions, to open one.
#[derive(Debug, Clone)]
pub struct SessionOpener {
    client: Client,
    sessions: String,
    members: String,
}

/// What became of one try.
enum Tried {
    Done,
    SessionExists(Item),
    AccountExists(Item),
    Busy,
}

impl SessionOpener {
    pub(crate) fn new(client: Client, sessions: String, members: String) -> Self {
        SessionOpener { client, sessions, members }
    }

    /// Ties a correlation id to an account, which is enrolled if it is new.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn open(
        &self,
        identifier: &Identifier,
        session: &OpenSession,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Opened, Outage> {
        let found = match identifier {
            Identifier::Account(id) => self.member(&MemberId::Account(id.clone()).to_string()).await?,
            Identifier::Loyalty(id) => match self.member(&pointer(id)).await? {
                Some(account) => Some(account),
                None => return Ok(Opened::UnknownLoyaltyId),
            },
        };
        let (mut wanted, mut enrolled) = match (found, identifier) {
            (Some(account), _) => (account, true),
            (None, Identifier::Account(id)) => (enrol(id)?, false),
            (None, Identifier::Loyalty(_)) => return Ok(Opened::UnknownLoyaltyId),
        };
        let mut retries = Retries::until(deadline, OPEN);
        loop {
            let tried = if enrolled {
                self.put(&wanted, session, now).await?
            } else {
                self.enrol_and_put(&wanted, session, now).await?
            };
            match tried {
                Tried::Done => return Ok(Opened::Open(wanted)),
                Tried::SessionExists(item) => {
                    let opened = account(&item).ok_or(Outage::unreadable(OPEN, "a session"))?;
                    let same = opened.account_id == wanted.account_id;
                    return Ok(if same { Opened::Open(opened) } else { Opened::OfAnother });
                }
                // Somebody enrolled it in the meantime.
                Tried::AccountExists(item) => {
                    wanted = account(&item).ok_or(Outage::unreadable(OPEN, "an account"))?;
                    enrolled = true;
                }
                Tried::Busy => retries.pause().await?,
            }
        }
    }

    async fn member(&self, key: &str) -> Result<Option<Account>, Outage> {
        let read = self.client.get_item().table_name(&self.members).key("memberId", s(key)).consistent_read(true);
        let found = read.send().await.map_err(|error| Outage::from_sdk(OPEN, &error))?.item;
        found.map(|item| account(&item).ok_or(Outage::unreadable(OPEN, "an account"))).transpose()
    }

    async fn put(&self, wanted: &Account, session: &OpenSession, now: Timestamp) -> Result<Tried, Outage> {
        let item = session_item(wanted, session, now);
        let exists = put_new(&self.client, OPEN, &self.sessions, "correlationId", item).await?;
        Ok(exists.map_or(Tried::Done, Tried::SessionExists))
    }

    async fn enrol_and_put(&self, wanted: &Account, session: &OpenSession, now: Timestamp) -> Result<Tried, Outage> {
        let member = |id: String| {
            let mut item = account_item(wanted, now);
            item.insert("memberId".into(), s(id));
            new_item(OPEN, &self.members, "memberId", item)
        };
        let writes = vec![
            new_item(OPEN, &self.sessions, "correlationId", session_item(wanted, session, now))?,
            member(MemberId::Account(wanted.account_id.clone()).to_string())?,
            member(pointer(&wanted.loyalty_id))?,
        ];
        match transact(&self.client, OPEN, writes).await? {
            Transacted::Done => Ok(Tried::Done),
            Transacted::Busy => Ok(Tried::Busy),
            Transacted::Failed(0, item) => Ok(Tried::SessionExists(item)),
            Transacted::Failed(1, item) => Ok(Tried::AccountExists(item)),
            Transacted::Failed(..) => Err(Outage::unreadable(OPEN, "a new loyalty id that somebody has")),
        }
    }
}

/// The item that finds an account by its loyalty id.
fn pointer(id: &LoyaltyId) -> String {
    format!("loy#{id}")
}

fn enrol(id: &AccountId) -> Result<Account, Outage> {
    let loyalty_id = LoyaltyId::new(&Uuid::new_v4().simple().to_string());
    let loyalty_id = loyalty_id.map_err(|_| Outage::unreadable(OPEN, "a new loyalty id"))?;
    Ok(Account { account_id: id.clone(), loyalty_id })
}

fn account_item(account: &Account, now: Timestamp) -> Item {
    Item::from([
        ("accountId".into(), s(&account.account_id)),
        ("loyaltyId".into(), s(&account.loyalty_id)),
        ("createdAt".into(), s(now)),
    ])
}

fn session_item(wanted: &Account, session: &OpenSession, now: Timestamp) -> Item {
    let mut item = account_item(wanted, now);
    item.insert("correlationId".into(), s(&session.correlation_id));
    item.insert("channel".into(), s(&session.channel));
    item
}

fn account(item: &Item) -> Option<Account> {
    Some(Account {
        account_id: AccountId::new(item.text("accountId")?).ok()?,
        loyalty_id: LoyaltyId::new(item.text("loyaltyId")?).ok()?,
    })
}
