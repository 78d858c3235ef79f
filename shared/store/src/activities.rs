//! Table `Activities`, key `activityId`: one item per activity, with its award.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use punchcard_models::{
    activity::{Activity, extended_data_from_json},
    data::OpenData,
    erasure::ErasureKey,
    idempotency::PayloadDigest,
    ids::{ActivityId, CorrelationId},
    member::MemberId,
    session::SessionOwner,
    timestamp::Timestamp,
};
use punchcard_rewards::{Award, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    corrections::{KIND, StoredCorrection},
    error::StoreError,
    evaluation::{self, Basis, Evaluation, StoredOccurrence, StoredTrigger},
    item::{Attributes as _, Item, b, s},
    ledger::{Entry, Expect, Ledger, Mode, Record, Target, Written},
    member_write::points_attribute,
    retry::Retries,
    sessions::ANONYMOUS,
    tombstones::{ErasedRecord, Tombstones, is_tombstone},
};

const RECORD: &str = "record an activity";
const READ: &str = "read an activity";
/// The attribute of a reversed activity with the id of the reversal.
pub(crate) const REVERSED_BY: &str = "reversedBy";

/// An activity to record.
#[derive(Debug, Clone, Copy)]
pub struct NewActivity<'a> {
    /// The activity's id.
    pub id: &'a ActivityId,
    /// The correlation id in the request.
    pub correlation_id: &'a CorrelationId,
    /// The owner of the correlation id, if it has a session.
    pub owner: Option<&'a SessionOwner>,
    /// The parsed request.
    pub activity: &'a Activity,
    /// The request's digest, if the id is derived from an Idempotency-Key.
    pub payload: Option<PayloadDigest>,
    /// The version of the catalog that evaluates the activity.
    pub catalog_version: u64,
    /// The arrival time.
    pub now: Timestamp,
    /// The key for digests of erased ids, if activities were erased and this one's id is not generated.
    pub erasure: Option<ErasureKey>,
}

/// A stored activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredActivity {
    /// The activity's id.
    pub activity_id: String,
    /// The correlation id in the request.
    pub correlation_id: String,
    /// The key of the member that owns the activity.
    pub member_id: String,
    /// The action.
    pub action: String,
    /// The channel.
    pub channel: String,
    /// The time of the activity, in RFC 3339.
    pub when: String,
    /// The arrival time, in RFC 3339.
    pub received_at: String,
    /// The business unit of the request.
    pub business_unit: Option<String>,
    /// The loyalty id of the request.
    pub loyalty_id: Option<String>,
    /// The note.
    pub note: Option<String>,
    /// The extended data, as JSON.
    pub extended_data: Option<String>,
    /// The award as JSON: business unit → points type → base, bonus, targeted and total points.
    pub earned: String,
    /// The catalog version and counters that determined the award. `None` for activities recorded by version 0.1.0.
    pub basis: Option<Basis>,
    /// The id of the reversal, if the activity is reversed.
    pub reversed_by: Option<String>,
    /// The loyalty id of the account that owns the activity.
    account_loyalty_id: Option<String>,
    /// True if the session was anonymous. The activity earns nothing.
    anonymous: bool,
}

/// A record of table `Activities`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActivityRecord {
    /// An activity.
    Activity(StoredActivity),
    /// A correction.
    Correction(StoredCorrection),
    /// An erased activity or correction.
    Erased(ErasedRecord),
}

impl ActivityRecord {
    pub(crate) fn read(item: &Item) -> Option<Self> {
        if is_tombstone(item, "activityId") {
            return ErasedRecord::of_activity(item).map(ActivityRecord::Erased);
        }
        if item.contains_key(KIND) {
            return StoredCorrection::read(item).map(ActivityRecord::Correction);
        }
        read(item).map(ActivityRecord::Activity)
    }

    /// Returns the record if it is an activity.
    #[must_use]
    pub fn activity(self) -> Option<StoredActivity> {
        match self {
            ActivityRecord::Activity(activity) => Some(activity),
            ActivityRecord::Correction(_) | ActivityRecord::Erased(_) => None,
        }
    }
}

/// The outcome of recording an activity.
#[derive(Debug)]
pub enum ActivityRecorded {
    /// The activity was recorded.
    New(StoredActivity),
    /// A record with this id exists, or existed and was erased.
    Exists,
    /// The activity was already recorded: it was sent with the same Idempotency-Key and payload.
    Replay(StoredActivity),
    /// The activity exceeds DynamoDB's item size, or its award spends more total limits than one transaction can write.
    TooLarge,
}

/// Records activities.
#[derive(Debug)]
pub struct ActivityWriter {
    ledger: Ledger,
    tombstones: Tombstones,
    table: String,
}

impl ActivityWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        ActivityWriter {
            ledger: Ledger::new(store),
            tombstones: Tombstones::new(store, "Activities"),
            table: store.table("Activities"),
        }
    }

    /// Records an activity and credits the award that `evaluate` computes, in one write; or previews that.
    ///
    /// # Errors
    /// The store call failed. After [`StoreError::OutcomeUnknown`] the activity may be stored; otherwise nothing is.
    pub async fn record<'c>(
        &self,
        mode: Mode,
        new: NewActivity<'_>,
        deadline: Instant,
        evaluate: impl Fn(&Usage) -> Award<'c>,
    ) -> Result<ActivityRecorded, StoreError> {
        if self.tombstones.has_activity(RECORD, new.erasure.as_ref(), new.id).await? {
            return Ok(ActivityRecorded::Exists);
        }
        let build = || item(&new);
        let record = Record { table: &self.table, key: &["activityId"], item: &build, write_id: Uuid::new_v4() };
        let member = MemberId::of(new.owner, new.correlation_id).to_string();
        let target = Target { member, expect: Expect::Anything, first: Item::new(), others: Vec::new() };
        let mut retries = Retries::until(deadline, RECORD);
        let entry = |usage: &Usage| entry(new.catalog_version, evaluate(usage));
        let corrupt = || StoreError::corrupt(RECORD, "a stored activity");
        match self.ledger.run(mode, &record, &target, &mut retries, entry).await? {
            Written::New(earned) => {
                let mut stored = item(&new);
                stored.extend(earned);
                read(&stored).map(ActivityRecorded::New).ok_or_else(corrupt)
            }
            Written::TooLarge => Ok(ActivityRecorded::TooLarge),
            Written::MemberChanged(_) => Err(StoreError::corrupt(RECORD, "a member that is an alias")),
            Written::Exists(item) => {
                let payload = new.payload.as_ref().map(PayloadDigest::as_bytes);
                if payload.is_none() || payload != item.bytes("payload") {
                    return Ok(ActivityRecorded::Exists);
                }
                read(&item).map(ActivityRecorded::Replay).ok_or_else(corrupt)
            }
        }
    }
}

/// Turns an award into the attributes and the additions of one attempt.
fn entry(catalog_version: u64, award: Award<'_>) -> Entry<'_> {
    let adds = StoredActivity::balances_of(&award);
    let mut earned = evaluation::attributes(catalog_version, &award);
    earned.insert("earned".into(), s(award.earned_json()));
    Entry { earned, award, adds }
}

/// Reads activities.
#[derive(Debug, Clone)]
pub struct ActivityReader {
    client: Client,
    table: String,
}

impl ActivityReader {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        ActivityReader { client: store.reads.clone(), table: store.table("Activities") }
    }

    /// Returns the activity, if it exists and was sent with this correlation id.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn get(&self, id: &ActivityId, sent_with: &CorrelationId) -> Result<Option<StoredActivity>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("activityId", s(id)).consistent_read(true);
        let found = get.send().await.map_err(|error| StoreError::read(READ, &error))?.item;
        let is_wanted = |item: &Item| item.text("correlationId") == Some(sent_with) && !item.contains_key(KIND);
        let found = found.filter(is_wanted);
        found.map(|item| read(&item).ok_or(StoreError::corrupt(READ, "a stored activity"))).transpose()
    }
}

impl StoredActivity {
    /// Returns the balances that an award of activities adds to, by attribute name of the member.
    #[must_use]
    pub fn balances_of(award: &Award<'_>) -> Vec<(String, u64)> {
        let of_unit = |(unit, types): (_, std::collections::BTreeMap<_, punchcard_rewards::Earned>)| {
            types.into_iter().map(move |(points_type, earned)| (points_attribute(unit, points_type), earned.total()))
        };
        award.earned().into_iter().flat_map(of_unit).collect()
    }

    /// Returns the balances that the stored award added to, or `None` if it cannot be read.
    #[must_use]
    pub fn balances(&self) -> Option<Vec<(String, u64)>> {
        let stored: serde_json::Value = serde_json::from_str(&self.earned).ok()?;
        let mut balances = Vec::new();
        for (unit, types) in stored.as_object()? {
            for (points_type, points) in types.as_object()? {
                balances.push((points_attribute(unit, points_type), points.get("total")?.as_u64()?));
            }
        }
        Some(balances)
    }

    /// Returns the input of the activity's evaluation, or `None` if the activity was recorded by version 0.1.0.
    ///
    /// # Errors
    /// The activity cannot be read.
    pub fn evaluation(&self) -> Result<Option<Evaluation>, StoreError> {
        let Some(basis) = &self.basis else { return Ok(None) };
        let read = || {
            let member: MemberId = self.member_id.parse().ok()?;
            let data = self.extended_data.as_deref().map(extended_data_from_json);
            let occurrence = StoredOccurrence {
                trigger: StoredTrigger::Action(self.action.clone()),
                channel: Some(self.channel.clone()),
                business_unit: self.business_unit.clone(),
                at: Timestamp::from_text(&self.when)?,
                received_at: Timestamp::from_text(&self.received_at)?,
                data: data.unwrap_or(Some(OpenData::new()))?,
            };
            Some(Evaluation {
                basis: basis.clone(),
                account: match member {
                    MemberId::Account(account) => Some(account),
                    MemberId::Correlation(_) | MemberId::Player(_) | MemberId::Erased(_) => None,
                },
                loyalty_id: self.account_loyalty_id.as_deref().map(str::parse).transpose().ok()?,
                occurrences: if self.anonymous { Vec::new() } else { vec![occurrence] },
            })
        };
        read().map(Some).ok_or(StoreError::corrupt(READ, "a stored activity"))
    }
}

fn item(new: &NewActivity<'_>) -> Item {
    let Activity { action, channel, when, business_unit, loyalty_id, note, extended_data: _ } = new.activity;
    let account = new.owner.and_then(SessionOwner::account);
    let optional = [
        ("accountLoyaltyId", account.map(|account| s(&account.loyalty_id))),
        (ANONYMOUS, matches!(new.owner, Some(SessionOwner::Anonymous)).then_some(AttributeValue::Bool(true))),
        ("businessUnit", business_unit.as_ref().map(s)),
        ("loyaltyId", loyalty_id.as_ref().map(s)),
        ("note", note.as_ref().map(s)),
        ("extendedData", new.activity.extended_data_to_json().map(s)),
        ("payload", new.payload.map(|digest| b(digest.as_bytes()))),
    ];
    let mut item = Item::from([
        ("activityId".into(), s(new.id)),
        ("correlationId".into(), s(new.correlation_id)),
        ("memberId".into(), s(MemberId::of(new.owner, new.correlation_id))),
        ("action".into(), s(action)),
        ("channel".into(), s(channel)),
        ("when".into(), s(when)),
        ("receivedAt".into(), s(new.now)),
    ]);
    item.extend(optional.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))));
    item
}

pub(crate) fn read(item: &Item) -> Option<StoredActivity> {
    let text = |name: &str| item.text(name).map(str::to_owned);
    Some(StoredActivity {
        activity_id: text("activityId")?,
        correlation_id: text("correlationId")?,
        member_id: text("memberId")?,
        action: text("action")?,
        channel: text("channel")?,
        when: text("when")?,
        received_at: text("receivedAt")?,
        business_unit: text("businessUnit"),
        loyalty_id: text("loyaltyId"),
        note: text("note"),
        extended_data: text("extendedData"),
        earned: text("earned")?,
        basis: Basis::read(item).ok()?,
        reversed_by: text(REVERSED_BY),
        account_loyalty_id: text("accountLoyaltyId"),
        anonymous: item.contains_key(ANONYMOUS),
    })
}
