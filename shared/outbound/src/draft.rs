//! Events without balances, made of records alone.

use std::collections::BTreeMap;

use punchcard_models::timestamp::Timestamp;
use punchcard_store::{
    ActivityRecord, Change, CorrectionContent, PlayerRecord, StoreError, StoredCorrection, StoredItem,
    StoredPlayerEvents, StoredRecord, StoredRefund,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::event::EventKind;

const READ: &str = "read a record for its event";
/// The namespace of event ids. Never changes, so that a record has the same event id in all versions.
const EVENT_IDS: Uuid = Uuid::from_u128(0x5f0d_4c0a_3f1c_4a39_9a57_6a1f_d1c3_2b70);
/// The prefix of the record ids of orders.
const ORDER: &str = "order#";

/// An event whose balance has not been read yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub(crate) id: Uuid,
    pub(crate) kind: EventKind,
    pub(crate) received_at: Timestamp,
    /// The key of the member that the record is about. Client events have none.
    pub(crate) member: Option<String>,
    /// The members of the detail that follow from the record.
    pub(crate) detail: Map<String, Value>,
}

impl Draft {
    /// Makes the draft of a changed item. Returns `None` if the change gives no event: only new records do, and
    /// tombstones are no records.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn of(change: &Change) -> Result<Option<Self>, StoreError> {
        let item = match change {
            Change::Inserted(item) => item,
            Change::Modified(_) | Change::Removed(_) => return Ok(None),
        };
        let (kind, member, own) = match item.record()? {
            StoredRecord::ClientEvent(_) => {
                let customer =
                    item.partition().ok_or(StoreError::corrupt(READ, "a client event without a customer"))?;
                (EventKind::ClientEvent, None, json!({"customerId": customer}))
            }
            StoredRecord::Activity(ActivityRecord::Activity(activity)) => {
                (EventKind::Activity, Some(activity.member_id), json!({"earned": earned(&activity.earned)?}))
            }
            StoredRecord::Activity(ActivityRecord::Correction(correction)) => of_correction(correction),
            StoredRecord::Player(PlayerRecord::Request(request)) => of_request(request)?,
            StoredRecord::Player(PlayerRecord::Refund(refund)) => of_refund(refund),
            StoredRecord::Activity(ActivityRecord::Erased(_))
            | StoredRecord::Player(PlayerRecord::Erased(_))
            | StoredRecord::ErasedClientEvent => return Ok(None),
        };
        let mut detail = Map::new();
        if let Value::Object(own) = own {
            detail.extend(own);
        }
        Ok(Some(
            Draft { id: event_id(item)?, kind, received_at: item.received_at()?, member, detail }.with_id(item.id()?),
        ))
    }

    fn with_id(mut self, id: &str) -> Self {
        self.detail.insert("id".to_owned(), id.into());
        self
    }
}

/// Returns the id of a record's event. Ids of records are unique in their partition only.
fn event_id(item: &StoredItem) -> Result<Uuid, StoreError> {
    let key = json!([item.kind().table(), item.partition(), item.id()?]);
    Ok(Uuid::new_v5(&EVENT_IDS, key.to_string().as_bytes()))
}

fn earned(json: &str) -> Result<Value, StoreError> {
    serde_json::from_str(json).map_err(|_| StoreError::corrupt(READ, "a stored award"))
}

fn of_correction(correction: StoredCorrection) -> (EventKind, Option<String>, Value) {
    let (kind, own) = match correction.content {
        CorrectionContent::Reversal { original, taken } => {
            (EventKind::Reversal, json!({"corrects": original, "taken": taken_balances(&taken)}))
        }
        CorrectionContent::Adjustment { unit, points_type, amount, issuer: _, note: _ } => {
            (EventKind::Adjustment, json!({"adjusted": {unit: {points_type: amount}}}))
        }
    };
    (kind, Some(correction.member_id), own)
}

fn of_request(request: StoredPlayerEvents) -> Result<(EventKind, Option<String>, Value), StoreError> {
    let kind = if request.record_id.starts_with(ORDER) { EventKind::Order } else { EventKind::PlayerEvents };
    let own = json!({"playerId": request.player_id, "earned": earned(&request.earned)?});
    Ok((kind, Some(request.member_id), own))
}

fn of_refund(refund: StoredRefund) -> (EventKind, Option<String>, Value) {
    let points = refund.taken.get("points").copied().unwrap_or(0);
    let own = json!({"playerId": refund.player_id, "corrects": refund.order, "taken": points});
    (EventKind::Refund, Some(refund.member_id), own)
}

/// Returns the points among what a reversal took, by business unit and points type. The rest are uses of limits.
fn taken_balances(taken: &BTreeMap<String, u64>) -> Value {
    let mut balances = BTreeMap::<&str, BTreeMap<&str, u64>>::new();
    for (name, amount) in taken {
        if let Some((unit, points_type)) = name.strip_prefix("pts#").and_then(|name| name.split_once('#')) {
            balances.entry(unit).or_default().insert(points_type, *amount);
        }
    }
    json!(balances)
}
