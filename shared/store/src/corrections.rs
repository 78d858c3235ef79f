//! Corrections in table `Activities`: reversals of activities, and adjustments of balances.
//!
//! A correction is a record of its own, written together with what it changes. It may reduce a member's numbers, so the
//! member also counts all amounts that were taken from a number: in `out#` and the number's name. The number and this
//! counter together only grow.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use punchcard_models::{
    ids::{ActivityId, CorrelationId},
    json::{self, Value},
    timestamp::Timestamp,
};
use punchcard_rewards::{Award, Counter};

use crate::{
    activities::StoredActivity,
    correction_writer::{NewAdjustment, NewReversal},
    error::StoreError,
    history::HistoryReader,
    item::{Attributes as _, Item, n, s},
    member_write::points_attribute,
};

const DERIVE: &str = "derive a reversal";
/// The prefix of the counters of amounts that corrections took away.
pub const OUT: &str = "out#";
/// The attribute of corrections with their kind. Activities and requests with events have none.
pub(crate) const KIND: &str = "kind";
/// The attribute with what a correction took away.
pub(crate) const TAKEN: &str = "taken";
const REVERSAL: &str = "reversal";
const ADJUSTMENT: &str = "adjustment";

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
        /// The amounts that were taken away, by the names of balances, counters and total limits.
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
            REVERSAL => CorrectionContent::Reversal { original: text("original")?, taken: read_taken(item)? },
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

    /// Returns the amounts that the correction adds to each number of the member, or to the counter of what was taken
    /// from it.
    #[must_use]
    pub fn adds(&self) -> Vec<(String, u64)> {
        match &self.content {
            CorrectionContent::Reversal { taken, .. } => counted(taken, |name| !is_total(name)),
            CorrectionContent::Adjustment { unit, points_type, amount, .. } => {
                let balance = points_attribute(unit, points_type);
                let name = if *amount < 0 { format!("{OUT}{balance}") } else { balance };
                vec![(name, amount.unsigned_abs())]
            }
        }
    }

    /// Returns the uses of total limits that the correction gave back, by the names of their counters.
    #[must_use]
    pub fn totals(&self) -> Vec<(String, u64)> {
        match &self.content {
            CorrectionContent::Reversal { taken, .. } => counted(taken, is_total),
            CorrectionContent::Adjustment { .. } => Vec::new(),
        }
    }
}

impl CorrectionContent {
    /// Returns true if a repeated request would have this content. The amounts of a reversal follow from its activity.
    pub(crate) fn is_same_request_as(&self, other: &Self) -> bool {
        match (self, other) {
            (CorrectionContent::Reversal { original, .. }, CorrectionContent::Reversal { original: other, .. }) => {
                original == other
            }
            (own, other) => own == other,
        }
    }
}

pub(crate) fn is_total(name: &str) -> bool {
    Counter::of_name(name) == Some(Counter::TotalUses)
}

/// Reads what a correction took away.
pub(crate) fn read_taken(item: &Item) -> Option<BTreeMap<String, u64>> {
    let amount =
        |(name, value): (&String, &AttributeValue)| Some((name.clone(), value.as_n().ok()?.parse::<u64>().ok()?));
    item.get(TAKEN)?.as_m().ok()?.iter().map(amount).collect()
}

pub(crate) fn taken_attribute(taken: &BTreeMap<String, u64>) -> AttributeValue {
    AttributeValue::M(taken.iter().map(|(name, amount)| (name.clone(), n(amount))).collect())
}

/// The counters of what was taken away, for some of the numbers.
pub(crate) fn counted(taken: &BTreeMap<String, u64>, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, u64)> {
    let wanted = taken.iter().filter(|(name, _)| is_wanted(name));
    wanted.map(|(name, amount)| (format!("{OUT}{name}"), *amount)).collect()
}

/// Returns what a reversal of an activity takes back.
///
/// # Errors
/// The store call failed, or the activity or its catalog cannot be read.
pub(crate) async fn taken_by(
    activity: &StoredActivity,
    history: &HistoryReader,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut added = added_by_activity(activity, history).await?;
    added.retain(|name, _| is_given_back(name));
    Ok(added)
}

/// Returns what an activity added to balances, counters and total limits, derived with the catalog of its version. Of an
/// activity that version 0.1.0 recorded, only the balances are known.
///
/// # Errors
/// The store call failed, or the activity or its catalog cannot be read.
pub(crate) async fn added_by_activity(
    activity: &StoredActivity,
    history: &HistoryReader,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let Some(evaluation) = activity.evaluation()? else {
        let balances = activity.balances().ok_or(StoreError::corrupt(DERIVE, "a stored award"))?;
        return Ok(balances.into_iter().collect());
    };
    let catalog = evaluation.catalog(history).await?;
    let award: Award<'_> = evaluation.awards(&catalog).into_iter().collect();
    let spent = award.spends().iter().map(|spend| (spend.name(), spend.amount));
    Ok(StoredActivity::balances_of(&award).into_iter().chain(spent).collect())
}

/// Returns true if a reversal takes back what a record added to the number with this name.
#[must_use]
pub fn is_given_back(name: &str) -> bool {
    Counter::of_name(name).is_none_or(Counter::is_given_back)
}

/// Formats what was taken away as JSON.
#[must_use]
pub fn taken_json(taken: &BTreeMap<String, u64>) -> String {
    let members = taken.iter().map(|(name, amount)| (name.as_str().into(), json::whole_number(*amount)));
    Value::Object(members.collect()).to_string()
}

pub(crate) fn reversal(new: &NewReversal<'_>, member: &str, taken: &BTreeMap<String, u64>) -> Item {
    let mut item = common(new.id, new.correlation_id, member, REVERSAL, new.now);
    item.extend([("original".into(), s(new.original)), (TAKEN.into(), taken_attribute(taken))]);
    let optional = [("reference", new.reference), ("channel", new.channel)];
    item.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), s(value?)))));
    item
}

pub(crate) fn adjustment(new: &NewAdjustment<'_>, member: &str) -> Item {
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
