//! Resolves an id by keys alone: no table is scanned.

use aws_sdk_dynamodb::{Client, types::Select};
use futures_util::try_join;
use punchcard_models::{
    ids::{AccountId, ActivityId, CorrelationId, CustomerId, LoyaltyId, PlayerId},
    member::MemberId,
    session::SessionOwner,
};
use tokio::time::Instant;

use crate::{
    SessionReader, Store,
    error::StoreError,
    item::{Attributes as _, Item, s},
    ledger::CUSTOMER,
    person::{PersonReader, Source},
    read_items::read_items,
    sessions::pointer,
};

const READ: &str = "look up an id";

/// A match of an id. One text may be the id of several subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An enrolled account.
    Account {
        /// Its id.
        id: AccountId,
        /// Its loyalty id.
        loyalty_id: Option<String>,
    },
    /// A correlation id.
    Correlation {
        /// The id.
        id: CorrelationId,
        /// The owner of its session, if it has one.
        owner: Option<SessionOwner>,
        /// True if it has a balance of its own, from before the session or without one.
        is_member: bool,
    },
    /// A player.
    Player {
        /// Its id.
        id: PlayerId,
        /// The customer, if the player was merged with another one.
        customer: Option<PlayerId>,
    },
    /// A customer of client events.
    Customer(CustomerId),
    /// An activity or a correction.
    Activity(ActivityId),
}

/// Looks ids up.
#[derive(Debug, Clone)]
pub struct Lookup {
    client: Client,
    sessions: SessionReader,
    records: PersonReader,
    client_events: String,
    activities: String,
    members: String,
}

impl Lookup {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Lookup {
            client: store.reads.clone(),
            sessions: SessionReader::new(store),
            records: PersonReader::new(store),
            client_events: store.table("ClientEvents"),
            activities: store.table("Activities"),
            members: store.table("Members"),
        }
    }

    /// Returns all matches of a text: by account, correlation, loyalty, player, customer and activity id.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn find(&self, text: &str, deadline: Instant) -> Result<Vec<Subject>, StoreError> {
        let (members, session, customer, activity) =
            try_join!(self.members(text, deadline), self.session(text), self.customer(text), self.activity(text),)?;
        let found = |key: &str| members.iter().find(|item| item.text("memberId") == Some(key));
        let mut subjects = Vec::new();
        if let Ok(id) = text.parse::<AccountId>()
            && let Some(item) = found(&MemberId::Account(id.clone()).to_string())
        {
            subjects.push(account(id, item));
        }
        if let Ok(id) = text.parse::<LoyaltyId>()
            && let Some(id) = found(&pointer(&id)).and_then(|item| item.text("accountId")?.parse::<AccountId>().ok())
        {
            let key = MemberId::Account(id.clone()).to_string();
            let keys = vec![Item::from([("memberId".into(), s(key))])];
            let items = read_items(&self.client, READ, &self.members, keys, deadline).await?;
            subjects.extend(items.first().map(|item| account(id, item)));
        }
        if let Ok(id) = text.parse::<CorrelationId>() {
            let key = MemberId::Correlation(id.clone()).to_string();
            let is_member = found(&key).is_some();
            // A member without an award has records only.
            if is_member || session.is_some() || self.records.has_records(&Source::Activities(key)).await? {
                subjects.push(Subject::Correlation { id, owner: session, is_member });
            }
        }
        if let Ok(id) = text.parse::<PlayerId>() {
            let item = found(&MemberId::Player(id.clone()).to_string());
            let customer = item.and_then(|item| item.text(CUSTOMER)).and_then(|key| match key.parse() {
                Ok(MemberId::Player(customer)) => Some(customer),
                _ => None,
            });
            if item.is_some() || self.records.has_records(&Source::PlayerEvents(id.clone())).await? {
                subjects.push(Subject::Player { id, customer });
            }
        }
        subjects.extend(customer.map(Subject::Customer));
        subjects.extend(activity.map(Subject::Activity));
        Ok(subjects)
    }

    async fn members(&self, text: &str, deadline: Instant) -> Result<Vec<Item>, StoreError> {
        let keys = [
            text.parse().map(|id| MemberId::Account(id).to_string()),
            text.parse().map(|id| MemberId::Correlation(id).to_string()),
            text.parse().map(|id| MemberId::Player(id).to_string()),
            text.parse::<LoyaltyId>().map(|id| pointer(&id)),
        ];
        let keys: Vec<_> = keys.into_iter().flatten().map(|key| Item::from([("memberId".into(), s(key))])).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        read_items(&self.client, READ, &self.members, keys, deadline).await
    }

    async fn session(&self, text: &str) -> Result<Option<SessionOwner>, StoreError> {
        match text.parse() {
            Ok(id) => self.sessions.owner(&id).await,
            Err(_) => Ok(None),
        }
    }

    async fn customer(&self, text: &str) -> Result<Option<CustomerId>, StoreError> {
        let Ok(id) = text.parse::<CustomerId>() else { return Ok(None) };
        let query = self
            .client
            .query()
            .table_name(&self.client_events)
            .key_condition_expression("customerId = :customer")
            .expression_attribute_values(":customer", s(&id))
            .select(Select::Count)
            .limit(1);
        let found = query.send().await.map_err(|error| StoreError::read(READ, &error))?;
        Ok((found.count > 0).then_some(id))
    }

    async fn activity(&self, text: &str) -> Result<Option<ActivityId>, StoreError> {
        let Ok(id) = text.parse::<ActivityId>() else { return Ok(None) };
        let get = self.client.get_item().table_name(&self.activities).key("activityId", s(&id));
        let get = get.projection_expression("activityId").consistent_read(true);
        let found = get.send().await.map_err(|error| StoreError::read(READ, &error))?.item;
        Ok(found.map(|_| id))
    }
}

fn account(id: AccountId, item: &Item) -> Subject {
    Subject::Account { id, loyalty_id: item.text("loyaltyId").map(str::to_owned) }
}
