//! Table `Activities`: key `activityId`; one item an activity, with what it earned.

use aws_sdk_dynamodb::Client;
use punchcard_models::{
    activity::Activity,
    idempotency::PayloadDigest,
    ids::{ActivityId, CorrelationId},
    member::MemberId,
    timestamp::Timestamp,
};
use punchcard_rewards::{Award, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    error::StoreError,
    item::{Attributes as _, Item, b, s},
    ledger::{Entry, Expect, Ledger, Place, Record, Written},
    member_write::points_attribute,
    retry::Retries,
};

const RECORD: &str = "record an activity";
const READ: &str = "read an activity";

/// An activity to record.
#[derive(Debug, Clone, Copy)]
pub struct NewActivity<'a> {
    /// Its id.
    pub id: &'a ActivityId,
    /// The correlation id that it was sent with.
    pub correlation_id: &'a CorrelationId,
    /// The member that it belongs to.
    pub member: &'a MemberId,
    /// The parsed request.
    pub activity: &'a Activity,
    /// The request's digest, if an Idempotency-Key made the id.
    pub payload: Option<PayloadDigest>,
    /// The time of arrival.
    pub now: Timestamp,
}

/// An activity as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredActivity {
    /// Its id.
    pub activity_id: String,
    /// The action.
    pub action: String,
    /// The channel.
    pub channel: String,
    /// The time of the activity, in RFC 3339.
    pub when: String,
    /// The business unit of the request.
    pub business_unit: Option<String>,
    /// The loyalty id of the request.
    pub loyalty_id: Option<String>,
    /// The note.
    pub note: Option<String>,
    /// The extended data, as JSON.
    pub extended_data: Option<String>,
    /// The award, as JSON: unit → points type → base, bonus, targeted, total.
    pub earned: String,
}

/// The outcome of recording an activity.
#[derive(Debug)]
pub enum ActivityRecorded {
    /// It is stored, with its award.
    New(StoredActivity),
    /// An activity of this id exists.
    Exists {
        /// The activity that is there.
        stored: StoredActivity,
        /// Whether it was sent with an Idempotency-Key and the same payload.
        same_payload: bool,
    },
    /// It is larger than an item may be, or uses more total limits than one transaction writes.
    TooLarge,
}

/// Records activities.
#[derive(Debug)]
pub struct ActivityWriter {
    ledger: Ledger,
    table: String,
}

impl ActivityWriter {
    /// A writer to this store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        let ledger = Ledger::new(store.writes.clone(), store.table("Members"));
        ActivityWriter { ledger, table: store.table("Activities") }
    }

    /// Records an activity and books what `evaluate` awards for it, in one write.
    ///
    /// # Errors
    /// Of the store. After [`StoreError::OutcomeUnknown`] the activity may be stored; otherwise nothing is.
    pub async fn record<'c>(
        &self,
        new: NewActivity<'_>,
        deadline: Instant,
        evaluate: impl Fn(&Usage) -> Award<'c>,
    ) -> Result<ActivityRecorded, StoreError> {
        let build = || item(&new);
        let record = Record { table: &self.table, key: "activityId", item: &build, write_id: Uuid::new_v4() };
        let mut retries = Retries::until(deadline, RECORD);
        let place =
            Place { member: new.member.to_string(), expect: Expect::Anything, first: Item::new(), others: Vec::new() };
        let entry = |usage: &Usage| {
            let award = evaluate(usage);
            let adds = award.earned().into_iter().flat_map(|(unit, types)| {
                types
                    .into_iter()
                    .map(move |(points_type, earned)| (points_attribute(unit, points_type), earned.total()))
            });
            let adds = adds.collect();
            let earned = Item::from([("earned".into(), s(award.earned_json()))]);
            Entry { earned, award, adds }
        };
        let corrupt = || StoreError::corrupt(RECORD, "a stored activity");
        match self.ledger.write(&record, &place, &mut retries, entry).await? {
            Written::New(earned) => {
                let mut stored = item(&new);
                stored.extend(earned);
                read(&stored).map(ActivityRecorded::New).ok_or_else(corrupt)
            }
            Written::TooLarge => Ok(ActivityRecorded::TooLarge),
            Written::Elsewhere(_) => Err(StoreError::corrupt(RECORD, "a member that is another's alias")),
            Written::Exists(item) => {
                let payload = new.payload.as_ref().map(PayloadDigest::as_bytes);
                let same_payload = payload.is_some() && payload == item.bytes("payload");
                let stored = read(&item).ok_or_else(corrupt)?;
                Ok(ActivityRecorded::Exists { stored, same_payload })
            }
        }
    }
}

/// Reads activities.
#[derive(Debug, Clone)]
pub struct ActivityReader {
    client: Client,
    table: String,
}

impl ActivityReader {
    /// A reader of this store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        ActivityReader { client: store.reads.clone(), table: store.table("Activities") }
    }

    /// An activity, if it was sent with this correlation id.
    ///
    /// # Errors
    /// Of the store.
    pub async fn get(&self, id: &ActivityId, sent_with: &CorrelationId) -> Result<Option<StoredActivity>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("activityId", s(id)).consistent_read(true);
        let found = get.send().await.map_err(|error| StoreError::read(READ, &error))?.item;
        let found = found.filter(|item| item.text("correlationId") == Some(sent_with));
        found.map(|item| read(&item).ok_or(StoreError::corrupt(READ, "a stored activity"))).transpose()
    }
}

fn item(new: &NewActivity<'_>) -> Item {
    let Activity { action, channel, when, business_unit, loyalty_id, note, extended_data: _ } = new.activity;
    let optional = [
        ("businessUnit", business_unit.as_ref().map(s)),
        ("loyaltyId", loyalty_id.as_ref().map(s)),
        ("note", note.as_ref().map(s)),
        ("extendedData", new.activity.extended_data_to_json().map(s)),
        ("payload", new.payload.map(|digest| b(digest.as_bytes()))),
    ];
    let mut item = Item::from([
        ("activityId".into(), s(new.id)),
        ("correlationId".into(), s(new.correlation_id)),
        ("memberId".into(), s(new.member)),
        ("action".into(), s(action)),
        ("channel".into(), s(channel)),
        ("when".into(), s(when)),
        ("receivedAt".into(), s(new.now)),
    ]);
    item.extend(optional.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))));
    item
}

fn read(item: &Item) -> Option<StoredActivity> {
    let text = |name: &str| item.text(name).map(str::to_owned);
    Some(StoredActivity {
        activity_id: text("activityId")?,
        action: text("action")?,
        channel: text("channel")?,
        when: text("when")?,
        business_unit: text("businessUnit"),
        loyalty_id: text("loyaltyId"),
        note: text("note"),
        extended_data: text("extendedData"),
        earned: text("earned")?,
    })
}
