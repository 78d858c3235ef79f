//! Table `Activities`: key `activityId`; one item an activity with what it earned: the ledger entry itself.

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
    item::{Attributes as _, Item, b, s},
    ledger::{Entry, Expect, Ledger, Place, Record, Written, points_attribute},
    outage::Outage,
};

const RECORD: &str = "record an activity";
const READ: &str = "read an activity";

/// An activity to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewActivity<'a> {
    /// Its id.
    pub id: &'a ActivityId,
    /// With which it was sent.
    pub correlation_id: &'a CorrelationId,
    /// Whose it is.
    pub member: &'a MemberId,
    /// What was done.
    pub activity: &'a Activity,
    /// Of what was sent, where an Idempotency-Key made the id.
    pub payload: Option<PayloadDigest>,
    /// When it came.
    pub now: Timestamp,
}

/// An activity as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredActivity {
    /// Its id.
    pub activity_id: String,
    /// What was done.
    pub action: String,
    /// Where.
    pub channel: String,
    /// When, as it is told.
    pub when: String,
    /// The unit that it was sent for.
    pub business_unit: Option<String>,
    /// The loyalty id that was sent along.
    pub loyalty_id: Option<String>,
    /// The remark.
    pub note: Option<String>,
    /// The further data, as JSON.
    pub extended_data: Option<String>,
    /// What it earned, as JSON: unit → points type → base, bonus, targeted, total.
    pub earned: String,
}

/// What became of an activity.
#[derive(Debug)]
pub enum ActivityRecorded {
    /// It is stored, and this is what it earned.
    New(StoredActivity),
    /// One of its id was there before.
    Exists {
        /// That one.
        stored: StoredActivity,
        /// Whether it came with an Idempotency-Key and the same payload.
        same_payload: bool,
    },
    /// It uses more total limits than the store writes at once.
    TooLarge,
}

/// The activities, to record one.
#[derive(Debug)]
pub struct Activities {
    ledger: Ledger,
    table: String,
}

impl Activities {
    pub(crate) fn new(client: Client, table: String, members: String) -> Self {
        Activities { ledger: Ledger::new(client, members), table }
    }

    /// Records an activity and books what `evaluate` gives for it, in one write.
    ///
    /// # Errors
    /// The store could not be used. Nothing is stored, or all of it is; sending it again finds out.
    pub async fn record<'c>(
        &self,
        new: NewActivity<'_>,
        deadline: Instant,
        evaluate: impl Fn(&Usage) -> Award<'c>,
    ) -> Result<ActivityRecorded, Outage> {
        let record = Record { table: &self.table, key: "activityId", item: item(&new), write_id: Uuid::new_v4() };
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
        let unreadable = || Outage::unreadable(RECORD, "a stored activity");
        match self.ledger.write(RECORD, record, &place, deadline, entry).await? {
            Written::New(item) => stored(&item).map(ActivityRecorded::New).ok_or_else(unreadable),
            Written::TooLarge => Ok(ActivityRecorded::TooLarge),
            Written::Elsewhere(_) => Err(Outage::unreadable(RECORD, "a member that is another's name")),
            Written::Exists(item) => {
                let payload = new.payload.as_ref().map(PayloadDigest::as_bytes);
                let same_payload = payload.is_some() && payload == item.bytes("payload");
                let stored = stored(&item).ok_or_else(unreadable)?;
                Ok(ActivityRecorded::Exists { stored, same_payload })
            }
        }
    }
}

/// The activities, to look one up.
#[derive(Debug, Clone)]
pub struct ActivityReader {
    client: Client,
    table: String,
}

impl ActivityReader {
    pub(crate) fn new(client: Client, table: String) -> Self {
        ActivityReader { client, table }
    }

    /// An activity, if it was sent with this correlation id.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn get(&self, id: &ActivityId, sent_with: &CorrelationId) -> Result<Option<StoredActivity>, Outage> {
        let read = self.client.get_item().table_name(&self.table).key("activityId", s(id)).consistent_read(true);
        let found = read.send().await.map_err(|error| Outage::from_sdk(READ, &error))?.item;
        let found = found.filter(|item| item.text("correlationId") == Some(sent_with));
        found.map(|item| stored(&item).ok_or(Outage::unreadable(READ, "a stored activity"))).transpose()
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

fn stored(item: &Item) -> Option<StoredActivity> {
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
