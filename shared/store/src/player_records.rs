//! The records of table `PlayerEvents`.

use crate::{
    corrections::KIND,
    item::Item,
    player_events::StoredPlayerEvents,
    refunds::StoredRefund,
    tombstones::{ErasedRecord, is_tombstone},
};

/// A record of table `PlayerEvents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayerRecord {
    /// A request with events, or an order.
    Request(StoredPlayerEvents),
    /// A refund of an order.
    Refund(StoredRefund),
    /// An erased request or refund.
    Erased(ErasedRecord),
}

impl PlayerRecord {
    pub(crate) fn read(item: &Item) -> Option<Self> {
        if is_tombstone(item, "recordId") {
            return ErasedRecord::of_request(item).map(PlayerRecord::Erased);
        }
        if item.contains_key(KIND) {
            return StoredRefund::read(item).map(PlayerRecord::Refund);
        }
        StoredPlayerEvents::read(item).map(PlayerRecord::Request)
    }
}
