//! Refunds in table `PlayerEvents`: records beside the order that they refund, with what they took back.
//!
//! An order holds the amount refunded in all and its last refund; a refund holds the amounts before and after it and the
//! refund before it. So each can be derived again: what all refunds of an order took back is the share of its award that
//! the refunded amount is of what was paid.

use std::collections::BTreeMap;

use punchcard_models::{
    data::{Datum, Scalar},
    decimal::{Decimal, Share},
    ids::{PlayerId, RefundId},
    order::ORDER_PAID,
    refund::Refunded,
};
use punchcard_rewards::{Award, Catalog, Counter};

use crate::{
    corrections::{KIND, counted, is_total, read_taken},
    error::StoreError,
    evaluation::Evaluation,
    item::{Attributes as _, Item},
    ledger::CUSTOMER,
    players::{POINTS, player_key},
};

const DERIVE: &str = "derive a refund";
/// The kind of refunds.
pub(crate) const REFUND: &str = "refund";
/// The attributes of an order with the amount refunded in all, and with its last refund.
pub(crate) const REFUNDED: &str = "refunded";
pub(crate) const LAST_REFUND: &str = "lastRefund";

/// Returns the record id of a refund among its player's.
pub(crate) fn record_id(id: &RefundId) -> String {
    format!("refund#{id}")
}

/// The refunds of an order so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRefunds {
    /// The amount refunded in all.
    pub refunded: Refunded,
    /// The record id of the last refund. `None` if there is none.
    pub last: Option<String>,
}

/// A stored refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRefund {
    /// The player, as sent.
    pub player_id: String,
    /// The record's id among the player's: `refund#` and the refund's id.
    pub record_id: String,
    /// The key of the member whose points it takes back.
    pub member_id: String,
    /// The record id of the order.
    pub order: String,
    /// The time of the refund in the shop, in RFC 3339.
    pub time: String,
    /// The amount of the request, `None` for all that was left of the order.
    pub amount: Option<String>,
    /// The refunds of the order before it.
    pub before: OrderRefunds,
    /// The amount refunded in all, after it.
    pub after: Refunded,
    /// The amounts that were taken away, by the names of balances, counters and total limits.
    pub taken: BTreeMap<String, u64>,
    /// The response body, which retries get too.
    pub response: String,
    /// The arrival time, in RFC 3339.
    pub received_at: String,
}

impl OrderRefunds {
    /// Reads the marks of an order. An order without refunds has none.
    pub(crate) fn read(order: &Item) -> Option<Self> {
        Some(match order.text(REFUNDED) {
            Some(refunded) => {
                OrderRefunds { refunded: refunded.parse().ok()?, last: Some(order.text(LAST_REFUND)?.to_owned()) }
            }
            None => OrderRefunds { refunded: Refunded::nothing(), last: None },
        })
    }
}

impl StoredRefund {
    pub(crate) fn read(item: &Item) -> Option<Self> {
        if item.text(KIND)? != REFUND {
            return None;
        }
        let text = |name: &str| item.text(name).map(str::to_owned);
        let player_id: PlayerId = item.text("playerId")?.parse().ok()?;
        Some(StoredRefund {
            member_id: text(CUSTOMER).unwrap_or_else(|| player_key(&player_id)),
            player_id: player_id.to_string(),
            record_id: text("recordId")?,
            order: text("order")?,
            time: text("time")?,
            amount: text("amount"),
            before: OrderRefunds { refunded: text("refundedBefore")?.parse().ok()?, last: text("previous") },
            after: text("refundedAfter")?.parse().ok()?,
            taken: read_taken(item)?,
            response: text("response")?,
            received_at: text("receivedAt")?,
        })
    }

    /// Returns the amounts that the refund adds to the counters of what was taken from the member's numbers.
    #[must_use]
    pub fn adds(&self) -> Vec<(String, u64)> {
        counted(&self.taken, |name| !is_total(name))
    }

    /// Returns the uses of total limits that the refund gave back, by the names of their counters.
    #[must_use]
    pub fn totals(&self) -> Vec<(String, u64)> {
        counted(&self.taken, is_total)
    }
}

/// The award of an order, and what was paid for it.
#[derive(Debug)]
pub struct OrderAward {
    paid: Decimal<'static>,
    points: u64,
    /// The counters that the award added to.
    counters: Vec<(Counter, String, u64)>,
}

impl OrderAward {
    /// Derives the award of an order with the catalog of its version.
    ///
    /// # Errors
    /// The order cannot be read.
    pub fn derive(evaluation: &Evaluation, catalog: &Catalog) -> Result<Self, StoreError> {
        let paid =
            evaluation.occurrences.iter().flat_map(|occurrence| &occurrence.data).find_map(|(name, value)| {
                match (name.as_str(), value) {
                    (ORDER_PAID, Datum::One(Scalar::Number(paid))) => Some(paid.clone()),
                    _ => None,
                }
            });
        let award: Award<'_> = evaluation.awards(catalog).into_iter().collect();
        let counters = award.spends().iter().map(|spend| (spend.counter, spend.name(), spend.amount));
        Ok(OrderAward {
            paid: paid.ok_or(StoreError::corrupt(DERIVE, "an order"))?,
            points: award.points(),
            counters: counters.collect(),
        })
    }

    /// The amount that was paid.
    #[must_use]
    pub fn paid(&self) -> &Decimal<'static> {
        &self.paid
    }

    /// Returns the amounts that a refund takes back, by the names of balances, counters and total limits. Points, and
    /// points of limits, come back in proportion; uses once the whole order is refunded.
    #[must_use]
    pub fn taken(&self, before: &Refunded, after: &Refunded) -> BTreeMap<String, u64> {
        let [before, after] = [before, after].map(|refunded| refunded.share_of(&self.paid));
        let in_all = |share: &Share, counter: Option<Counter>, amount: u64| match counter {
            None | Some(Counter::MemberPoints) => share.of(amount),
            Some(Counter::MemberUses | Counter::TotalUses | Counter::FirstTrigger) if *share == Share::ALL => amount,
            Some(Counter::MemberUses | Counter::TotalUses | Counter::FirstTrigger | Counter::Occurrences) => 0,
        };
        let points = (None, POINTS.to_owned(), self.points);
        let counters = self.counters.iter().map(|(counter, name, amount)| (Some(*counter), name.clone(), *amount));
        let taken = std::iter::once(points).chain(counters).map(|(counter, name, amount)| {
            let taken = in_all(&after, counter, amount).saturating_sub(in_all(&before, counter, amount));
            (name, taken)
        });
        taken.filter(|(_, taken)| *taken > 0).collect()
    }
}
