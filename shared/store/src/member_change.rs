//! The change of a member's numbers by a correction, and the uses of total limits that it gives back.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{error::BuildError, types::TransactWriteItem};
use punchcard_models::settings::NegativeBalances;
use punchcard_rewards::slot_of;

use crate::{
    corrections::{OUT, is_total},
    item::{Attributes as _, Item, signed},
    ledger::{Expect, Target},
    member_write::{self, MemberWrite},
    players, totals,
};

/// A change of one member.
pub(crate) struct MemberChange {
    /// The member's key.
    pub member: String,
    /// Balances and counters of the member, and the amounts to add to them. Negative amounts are taken away.
    changes: Vec<(String, i64)>,
    /// Counters of periods, and the amounts to give back.
    given_back: Vec<(String, u64)>,
    /// Total limits, and the uses to give back.
    totals: Vec<(String, u64)>,
    negative: NegativeBalances,
}

impl MemberChange {
    /// Adds a number of points to a balance. A negative number takes them away.
    pub(crate) fn of_balance(member: String, balance: String, points: i64, negative: NegativeBalances) -> Self {
        MemberChange { member, changes: vec![(balance, points)], given_back: Vec::new(), totals: Vec::new(), negative }
    }

    /// Takes back amounts that a record added.
    pub(crate) fn taking(member: String, taken: &BTreeMap<String, u64>, negative: NegativeBalances) -> Self {
        let (totals, own): (Vec<_>, Vec<_>) = taken.iter().partition(|(name, _)| is_total(name));
        let (periods, own): (Vec<_>, Vec<_>) = own.into_iter().partition(|(name, _)| slot_of(name).is_some());
        let owned =
            |numbers: Vec<(&String, &u64)>| numbers.into_iter().map(|(name, amount)| (name.clone(), *amount)).collect();
        MemberChange {
            member,
            changes: own.into_iter().map(|(name, amount)| (name.clone(), -signed(*amount))).collect(),
            given_back: owned(periods),
            totals: owned(totals),
            negative,
        }
    }

    /// Builds the write of the member, unless nothing changes. `known` is its last known item.
    pub(crate) fn member_write(
        &self,
        members: &str,
        known: Option<&Item>,
    ) -> Result<Option<TransactWriteItem>, BuildError> {
        if self.changes.is_empty() && self.given_back.is_empty() {
            return Ok(None);
        }
        let (expect, first, others) = (Expect::Anything, Item::new(), Vec::new());
        let target = Target { member: self.member.clone(), expect, first, others };
        let (adds, floors, given_back) = (self.adds(), self.floors(), self.given_back.clone());
        let write = MemberWrite { target: &target, known, adds, floors, given_back };
        write.write(members, &[]).map(Some)
    }

    /// Builds the writes that give uses of total limits back.
    pub(crate) fn total_writes(&self, members: &str) -> Result<Vec<TransactWriteItem>, BuildError> {
        self.totals.iter().map(|(name, uses)| totals::give_back(members, name, *uses)).collect()
    }

    /// Returns true if the catalog refuses the change, because a balance would fall below zero.
    pub(crate) fn is_below_zero(&self, member: &Item) -> bool {
        self.floors().iter().any(|(name, least)| member.number(name).unwrap_or(0i64) < signed(*least))
    }

    /// The numbers to add to: those that change, and the counters of what is taken away.
    fn adds(&self) -> Vec<(String, i64)> {
        let taken = self.changes.iter().filter(|(_, amount)| *amount < 0);
        let taken = taken.map(|(name, amount)| (format!("{OUT}{name}"), -amount));
        self.changes.iter().cloned().chain(taken).collect()
    }

    /// The balances that must not fall below zero, and what is taken from them.
    fn floors(&self) -> Vec<(String, u64)> {
        let is_balance = |name: &str| name.starts_with(member_write::POINTS) || name == players::POINTS;
        let is_taken = |(name, amount): &&(String, i64)| *amount < 0 && is_balance(name);
        let is_refused = self.negative == NegativeBalances::Refused;
        let taken = self.changes.iter().filter(is_taken).filter(|_| is_refused);
        taken.map(|(name, amount)| (name.clone(), amount.unsigned_abs())).collect()
    }
}
