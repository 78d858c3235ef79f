//! Index `byMember` of table `Activities`: a member's activities by arrival, newest first, in pages.
//!
//! The index holds keys only and is eventually consistent: an activity appears in it shortly after it is recorded.

use std::{collections::HashMap, fmt, str::FromStr};

use aws_sdk_dynamodb::Client;
use punchcard_models::{ids::ActivityId, member::MemberId, timestamp::Timestamp};
use tokio::time::Instant;

use crate::{
    Store,
    activities::ActivityRecord,
    error::StoreError,
    item::{Attributes as _, Item, s},
    read_items::{MAX_READ_ITEMS, read_items},
};

const LIST: &str = "list activities";
pub(crate) const INDEX: &str = "byMember";

/// The place of an activity in the list of its member's activities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The arrival time.
    pub received_at: Timestamp,
    /// The activity's id, or the digest of an erased one.
    pub activity_id: String,
}

/// Text that is not a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time and an activity id")]
pub struct InvalidPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.received_at, self.activity_id)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (received_at, activity_id) = text.split_once(' ').ok_or(InvalidPosition)?;
        Ok(Position {
            received_at: Timestamp::from_text(received_at).ok_or(InvalidPosition)?,
            activity_id: activity_id.parse::<ActivityId>().map_err(|_| InvalidPosition)?.to_string(),
        })
    }
}

/// A part of a member's activities, with the corrections among them.
#[derive(Debug, Default)]
pub struct ActivityPage {
    /// The activities and corrections, newest first.
    pub records: Vec<ActivityRecord>,
    /// The position of the last one, if there are more.
    pub next: Option<Position>,
}

/// Reads members' activities.
#[derive(Debug, Clone)]
pub struct ActivityPages {
    client: Client,
    table: String,
}

impl ActivityPages {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        ActivityPages { client: store.reads.clone(), table: store.table("Activities") }
    }

    /// Returns up to `limit` records of a member, those that follow a position or the newest.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn page(
        &self,
        member: &MemberId,
        after: Option<&Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<ActivityPage, StoreError> {
        let (items, next) = self.items(member, after, limit, deadline).await?;
        let readable = |item: Result<_, String>| item.map_err(|_| StoreError::corrupt(LIST, "a stored activity"));
        Ok(ActivityPage { records: items.into_iter().map(readable).collect::<Result<_, _>>()?, next })
    }

    /// Returns the same as [`page`](Self::page), with the id of an activity that cannot be read in its place.
    pub(crate) async fn items(
        &self,
        member: &MemberId,
        after: Option<&Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<(Vec<Result<ActivityRecord, String>>, Option<Position>), StoreError> {
        let mut positions = self.positions(member, after, limit + 1).await?;
        let has_more = positions.len() > limit;
        positions.truncate(limit);
        let mut found = HashMap::new();
        for positions in positions.chunks(MAX_READ_ITEMS) {
            let keys = positions.iter().map(|at| Item::from([("activityId".into(), s(&at.activity_id))])).collect();
            for item in read_items(&self.client, LIST, &self.table, keys, deadline).await? {
                let id = item.text("activityId").unwrap_or_default().to_owned();
                found.insert(id.clone(), ActivityRecord::read(&item).ok_or(id));
            }
        }
        let items = positions.iter().filter_map(|at| found.remove(&at.activity_id)).collect();
        Ok((items, if has_more { positions.pop() } else { None }))
    }

    async fn positions(
        &self,
        member: &MemberId,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Position>, StoreError> {
        let start = after.map(|after| {
            Item::from([
                ("memberId".into(), s(member)),
                ("receivedAt".into(), s(after.received_at)),
                ("activityId".into(), s(&after.activity_id)),
            ])
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("memberId = :member")
            .expression_attribute_values(":member", s(member))
            .scan_index_forward(false)
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let found = query.send().await.map_err(|error| StoreError::read(LIST, &error))?;
        let position = |item: &Item| {
            let received_at = Timestamp::from_text(item.text("receivedAt")?)?;
            Some(Position { received_at, activity_id: item.text("activityId")?.to_owned() })
        };
        let positions: Option<_> = found.items().iter().map(position).collect();
        positions.ok_or(StoreError::corrupt(LIST, "an index entry"))
    }
}
