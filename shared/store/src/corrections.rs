//! Corrections in table `Activities`: reversals of activities, and adjustments of balances.
//!
//! A correction is a record of its own, written together with what it changes. A member's numbers may fall by it, so the
//! member also counts what was ever taken away, by number: `out#` and the number's name. The two together only grow.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use punchcard_models::{
    ids::{ActivityId, CorrelationId},
    json::{self, Value},
    member::MemberId,
    session::SessionOwner,
    settings::NegativeBalances,
    timestamp::Timestamp,
};
use punchcard_rewards::Award;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    activities::{ActivityRecord, StoredActivity},
    error::StoreError,
    history::HistoryReader,
    item::{Attributes as _, Item, n, s},
    ledger::{Change, Correction, CorrectionWritten, Ledger, Mode, Record},
    member_write::points_attribute,
    retry::Retries,
};

const CORRECT: &str = "record a correction";
/// The prefix of the counters of what was taken away.
pub(crate) const OUT: &str = "out#";
/// The attribute of corrections with their kind. Activities have none.
pub(crate) const KIND: &str = "kind";
const REVERSAL: &str = "reversal";
const ADJUSTMENT: &str = "adjustment";
/// The prefix of total limits.
const TOTAL: &str = "cap#";

/// A reversal to record.
#[derive(Debug, Clone, Copy)]
pub struct NewReversal<'a> {
    /// The id of the reversal.
    pub id: &'a ActivityId,
    /// The correlation id in the request, with which the activity was sent.
    pub correlation_id: &'a CorrelationId,
    /// The activity to reverse.
    pub original: &'a ActivityId,
    /// The client's reference.
    pub reference: Option<&'a str>,
    /// The channel.
    pub channel: Option<&'a str>,
    /// The arrival time.
    pub now: Timestamp,
}

/// An adjustment to record.
#[derive(Debug, Clone, Copy)]
pub struct NewAdjustment<'a> {
    /// The id of the adjustment.
    pub id: &'a ActivityId,
    /// The correlation id in the request.
    pub correlation_id: &'a CorrelationId,
    /// The owner of the correlation id, if it has a session.
    pub owner: Option<&'a SessionOwner>,
    /// The adjustment.
    pub adjustment: &'a punchcard_models::correction::Adjustment,
    /// The arrival time.
    pub now: Timestamp,
}

/// The outcome of recording a correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corrected {
    /// The correction was recorded.
    New,
    /// The correction was already recorded.
    Replay,
    /// Another correction has this reference.
    ReferenceReused,
    /// A balance would fall below zero, which the catalog refuses.
    BelowZero,
}

/// The outcome of a reversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reversed {
    /// The outcome of recording it.
    Corrected(Corrected),
    /// There is no such activity.
    NoSuchActivity,
    /// The activity is reversed. Carries the id of the reversal.
    AlreadyReversed(String),
    /// The activity spent more total limits than one transaction can give back.
    TooLarge,
}

/// A stored correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCorrection {
    /// The correction's id.
    pub id: String,
    /// The correlation id in the request.
    pub correlation_id: String,
    /// The key of the member that it corrects.
    pub member_id: String,
    /// The client's reference.
    pub reference: Option<String>,
    /// The arrival time, in RFC 3339.
    pub received_at: String,
    /// The correction itself.
    pub content: CorrectionContent,
}

/// The content of a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorrectionContent {
    /// An activity was reversed.
    Reversal {
        /// The activity's id.
        original: String,
        /// What was taken away, by the names of balances, counters and total limits.
        taken: BTreeMap<String, u64>,
    },
    /// A balance was adjusted.
    Adjustment {
        /// The business unit.
        unit: String,
        /// The points type.
        points_type: String,
        /// The points, negative if they were taken away.
        amount: i64,
        /// The issuer.
        issuer: String,
        /// The reason.
        note: Option<String>,
    },
}

impl StoredCorrection {
    pub(crate) fn read(item: &Item) -> Option<Self> {
        let text = |name: &str| item.text(name).map(str::to_owned);
        let content = match item.text(KIND)? {
            REVERSAL => {
                let taken = item.get("taken")?.as_m().ok()?.iter();
                let amount = |(name, value): (&String, &AttributeValue)| {
                    Some((name.clone(), value.as_n().ok()?.parse::<u64>().ok()?))
                };
                CorrectionContent::Reversal {
                    original: text("original")?,
                    taken: taken.map(amount).collect::<Option<_>>()?,
                }
            }
            ADJUSTMENT => CorrectionContent::Adjustment {
                unit: text("businessUnit")?,
                points_type: text("pointsType")?,
                amount: item.number("amount")?,
                issuer: text("issuerId")?,
                note: text("note"),
            },
            _ => return None,
        };
        Some(StoredCorrection {
            id: text("activityId")?,
            correlation_id: text("correlationId")?,
            member_id: text("memberId")?,
            reference: text("reference"),
            received_at: text("receivedAt")?,
            content,
        })
    }

    /// Returns what the correction adds to each number of the member. Points that are taken away add to the counter of
    /// what was.
    #[must_use]
    pub fn adds(&self) -> Vec<(String, u64)> {
        match &self.content {
            CorrectionContent::Reversal { taken, .. } => {
                let own = taken.iter().filter(|(name, _)| !name.starts_with(TOTAL));
                own.map(|(name, amount)| (format!("{OUT}{name}"), *amount)).collect()
            }
            CorrectionContent::Adjustment { unit, points_type, amount, .. } => {
                let balance = points_attribute(unit, points_type);
                let name = if *amount < 0 { format!("{OUT}{balance}") } else { balance };
                vec![(name, amount.unsigned_abs())]
            }
        }
    }

    /// Returns what the correction adds to the counters of given-back uses of total limits.
    #[must_use]
    pub fn totals(&self) -> Vec<(String, u64)> {
        match &self.content {
            CorrectionContent::Reversal { taken, .. } => {
                let totals = taken.iter().filter(|(name, _)| name.starts_with(TOTAL));
                totals.map(|(name, amount)| (format!("{OUT}{name}"), *amount)).collect()
            }
            CorrectionContent::Adjustment { .. } => Vec::new(),
        }
    }
}

/// Records corrections.
#[derive(Debug)]
pub struct CorrectionWriter {
    ledger: Ledger,
    reads: Client,
    table: String,
    history: HistoryReader,
}

impl CorrectionWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        CorrectionWriter {
            ledger: Ledger::new(store),
            reads: store.reads.clone(),
            table: store.table("Activities"),
            history: HistoryReader::new(store),
        }
    }

    /// Reverses an activity, or previews that: takes back what it earned, and gives back the uses of limits, in one write.
    ///
    /// # Errors
    /// The store call failed. The request can be repeated.
    pub async fn reverse(
        &self,
        mode: Mode,
        new: NewReversal<'_>,
        negative: NegativeBalances,
        deadline: Instant,
    ) -> Result<Reversed, StoreError> {
        let found = match self.record(new.original).await? {
            Some(ActivityRecord::Activity(found)) if found.correlation_id == **new.correlation_id => found,
            _ => return Ok(Reversed::NoSuchActivity),
        };
        match &found.reversed_by {
            Some(by) if **new.id == **by => return Ok(Reversed::Corrected(Corrected::Replay)),
            Some(by) => return Ok(Reversed::AlreadyReversed(by.clone())),
            None => {}
        }
        let taken = taken_by(&found, &self.history).await?;
        let changes = taken.iter().filter(|(name, _)| !name.starts_with(TOTAL));
        let changes: Vec<_> = changes.map(|(name, amount)| Change::take(name, *amount)).collect();
        let totals =
            taken.iter().filter(|(name, _)| name.starts_with(TOTAL)).map(|(name, amount)| (name.clone(), *amount));
        let build = || reversal(&new, &found.member_id, &taken);
        let record = Record { table: &self.table, key: &["activityId"], item: &build, write_id: Uuid::new_v4() };
        let correction = Correction {
            record: &record,
            member: &found.member_id,
            changes,
            totals: totals.collect(),
            reversed: Some((new.original, new.id)),
            negative,
        };
        self.write(mode, correction, deadline, |stored| match &stored.content {
            CorrectionContent::Reversal { original, .. } => **new.original == **original,
            CorrectionContent::Adjustment { .. } => false,
        })
        .await
    }

    /// Adjusts a balance, or previews that.
    ///
    /// # Errors
    /// The store call failed. The request can be repeated.
    pub async fn adjust(
        &self,
        mode: Mode,
        new: NewAdjustment<'_>,
        negative: NegativeBalances,
        deadline: Instant,
    ) -> Result<Corrected, StoreError> {
        let member = MemberId::of(new.owner, new.correlation_id).to_string();
        let balance = points_attribute(&new.adjustment.unit, &new.adjustment.points_type);
        let amount = new.adjustment.amount.unsigned_abs();
        let change =
            if new.adjustment.amount < 0 { Change::take(&balance, amount) } else { Change::add(&balance, amount) };
        let build = || adjustment(&new, &member);
        let record = Record { table: &self.table, key: &["activityId"], item: &build, write_id: Uuid::new_v4() };
        let correction = Correction {
            record: &record,
            member: &member,
            changes: vec![change],
            totals: Vec::new(),
            reversed: None,
            negative,
        };
        let wanted = StoredCorrection::read(&build());
        let content = wanted.map(|wanted| wanted.content);
        match self.write(mode, correction, deadline, |stored| Some(&stored.content) == content.as_ref()).await? {
            Reversed::Corrected(corrected) => Ok(corrected),
            // An adjustment has no activity and no total limits.
            Reversed::NoSuchActivity | Reversed::AlreadyReversed(_) | Reversed::TooLarge => {
                Err(StoreError::corrupt(CORRECT, "an adjustment"))
            }
        }
    }

    /// Returns the record of this id: an activity or a correction.
    async fn record(&self, id: &ActivityId) -> Result<Option<ActivityRecord>, StoreError> {
        let get = self.reads.get_item().table_name(&self.table).key("activityId", s(id)).consistent_read(true);
        let found = get.send().await.map_err(|error| StoreError::read(CORRECT, &error))?.item;
        found
            .map(|item| ActivityRecord::read(&item).ok_or(StoreError::corrupt(CORRECT, "a stored activity")))
            .transpose()
    }

    async fn write(
        &self,
        mode: Mode,
        correction: Correction<'_>,
        deadline: Instant,
        is_same: impl Fn(&StoredCorrection) -> bool,
    ) -> Result<Reversed, StoreError> {
        let mut retries = Retries::until(deadline, CORRECT);
        Ok(match self.ledger.correct(mode, &correction, &mut retries).await? {
            CorrectionWritten::New => Reversed::Corrected(Corrected::New),
            CorrectionWritten::Exists(item) => Reversed::Corrected(match StoredCorrection::read(&item) {
                Some(stored) if is_same(&stored) => Corrected::Replay,
                _ => Corrected::ReferenceReused,
            }),
            CorrectionWritten::AlreadyReversed(by) => Reversed::AlreadyReversed(by),
            CorrectionWritten::BelowZero => Reversed::Corrected(Corrected::BelowZero),
            CorrectionWritten::TooLarge => Reversed::TooLarge,
        })
    }
}

/// Returns what an activity added to balances, counters and total limits, derived with the catalog of its version. Of an
/// activity that version 0.1.0 recorded, only the balances are known.
///
/// # Errors
/// The store call failed, or the activity or its catalog cannot be read.
pub async fn taken_by(activity: &StoredActivity, history: &HistoryReader) -> Result<BTreeMap<String, u64>, StoreError> {
    let Some(evaluation) = activity.evaluation()? else {
        let balances = activity.balances().ok_or(StoreError::corrupt(CORRECT, "a stored award"))?;
        return Ok(balances.into_iter().collect());
    };
    let catalog = evaluation.catalog(history).await?;
    let award: Award<'_> = evaluation.awards(&catalog).into_iter().collect();
    let spent = award.spends().iter().map(|spend| (spend.name(), spend.amount));
    Ok(StoredActivity::balances_of(&award).into_iter().chain(spent).collect())
}

/// Formats what was taken away as JSON.
#[must_use]
pub fn taken_json(taken: &BTreeMap<String, u64>) -> String {
    let members = taken.iter().map(|(name, amount)| (name.as_str().into(), json::whole_number(*amount)));
    Value::Object(members.collect()).to_string()
}

fn reversal(new: &NewReversal<'_>, member: &str, taken: &BTreeMap<String, u64>) -> Item {
    let taken = taken.iter().map(|(name, amount)| (name.clone(), n(amount))).collect();
    let mut item = common(new.id, new.correlation_id, member, REVERSAL, new.now);
    item.extend([("original".into(), s(new.original)), ("taken".into(), AttributeValue::M(taken))]);
    let optional = [("reference", new.reference), ("channel", new.channel)];
    item.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), s(value?)))));
    item
}

fn adjustment(new: &NewAdjustment<'_>, member: &str) -> Item {
    let adjustment = new.adjustment;
    let mut item = common(new.id, new.correlation_id, member, ADJUSTMENT, new.now);
    item.extend([
        ("businessUnit".into(), s(&adjustment.unit)),
        ("pointsType".into(), s(&adjustment.points_type)),
        ("amount".into(), n(adjustment.amount)),
        ("issuerId".into(), s(&adjustment.issuer)),
        ("channel".into(), s(&adjustment.channel)),
        ("reference".into(), s(&adjustment.reference)),
    ]);
    item.extend(adjustment.note.as_ref().map(|note| ("note".into(), s(note))));
    item
}

fn common(id: &ActivityId, correlation_id: &CorrelationId, member: &str, kind: &str, now: Timestamp) -> Item {
    Item::from([
        ("activityId".into(), s(id)),
        ("correlationId".into(), s(correlation_id)),
        ("memberId".into(), s(member)),
        (KIND.into(), s(kind)),
        ("receivedAt".into(), s(now)),
    ])
}
