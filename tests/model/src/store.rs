//! The tables, and the transactions on them.
//!
//! A transaction checks all of its conditions and then writes everything or nothing, in one step.

use crate::{
    scenario::{ACTIVITIES, MEMBERS, REVERSALS, REVERSED_ACTIVITY, SHARDS, SHARE, Scenario},
    state::Sender,
    variant::Variant,
};

/// The id of a write: of one call of `Ledger::write` or `CorrectionTransactions::run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId {
    /// The client's request that the call serves. The record names the client.
    pub request: u8,
    /// The attempt. Always 0, except in [`Variant::FreshWriteId`].
    pub attempt: u8,
}

/// The record of an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ActivityRecord {
    /// The write that wrote it.
    pub write_id: WriteId,
    /// The shard whose use it spent (`shard#RULE`). `None` if it pays nothing.
    pub shard: Option<usize>,
    /// The reversal (`reversedBy`).
    pub reversed_by: Option<usize>,
}

/// The record of a reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReversalRecord {
    /// The write that wrote it.
    pub write_id: WriteId,
    /// The shard whose use was given back, with the point. `None` if the activity paid nothing.
    pub taken: Option<usize>,
}

/// A member's item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Member {
    /// The balance in points. An activity earns one point or none.
    pub points: i8,
    /// Uses of the rule (`use#RULE`).
    pub uses: i8,
}

/// The tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Store {
    /// Records of activities, by activity.
    pub activities: [Option<ActivityRecord>; ACTIVITIES],
    /// Number of times that each activity was recorded, up to 2. Not stored; only for properties.
    pub recordings: [u8; ACTIVITIES],
    /// Records of reversals, by reversal.
    pub reversals: [Option<ReversalRecord>; REVERSALS],
    /// Members.
    pub members: [Member; MEMBERS],
    /// Uses of each shard (`cap#RULE#0`, `cap#RULE#1`).
    pub shards: [i8; SHARDS],
}

/// The writes of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transaction {
    /// The record of an activity; and if it pays, the member and the shard.
    Record {
        /// The activity.
        activity: usize,
        /// The id of the write.
        write_id: WriteId,
        /// The shard whose use is spent. `None` to write the record alone.
        shard: Option<usize>,
    },
    /// The record of a reversal and the mark on the activity; and if it paid, the member and the shard.
    Reversal {
        /// The reversal.
        reversal: usize,
        /// The id of the write.
        write_id: WriteId,
        /// The shard whose use is given back. `None` if the activity paid nothing.
        taken: Option<usize>,
    },
}

/// The outcome of a transaction. Of several failed conditions, that of the first item decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transacted {
    /// Everything was written.
    Done,
    /// The record exists. Carries the write that wrote it.
    RecordExists(WriteId),
    /// The activity is reversed already.
    MarkChanged,
    /// The member has no use left.
    MemberFull,
    /// The shard has no use left.
    ShardFull,
}

impl Store {
    /// Returns true if a shard has no use left.
    pub(crate) fn is_full(&self, shard: usize) -> bool {
        self.shards[shard] >= SHARE
    }

    /// Returns the activities that were paid.
    pub(crate) fn paid(&self) -> impl Iterator<Item = usize> {
        self.records().filter(|(_, record)| record.shard.is_some()).map(|(activity, _)| activity)
    }

    /// Returns the activities that were paid and are not reversed.
    pub(crate) fn paid_and_kept(&self) -> impl Iterator<Item = usize> {
        let kept = self.records().filter(|(_, record)| record.shard.is_some() && record.reversed_by.is_none());
        kept.map(|(activity, _)| activity)
    }

    fn records(&self) -> impl Iterator<Item = (usize, &ActivityRecord)> {
        let records = self.activities.iter().enumerate();
        records.filter_map(|(activity, record)| Some((activity, record.as_ref()?)))
    }

    /// Returns the write of a client's record, if there is the record.
    pub(crate) fn written_by(&self, sender: Sender) -> Option<WriteId> {
        match sender {
            Sender::Activity(activity) => self.activities[activity].map(|record| record.write_id),
            Sender::Reversal(reversal) => self.reversals[reversal].map(|record| record.write_id),
        }
    }

    /// Executes a transaction.
    pub(crate) fn transact(
        &mut self,
        scenario: &Scenario,
        variant: Option<Variant>,
        transaction: Transaction,
    ) -> Transacted {
        match transaction {
            Transaction::Record { activity, write_id, shard } => {
                self.record(scenario, variant, activity, ActivityRecord { write_id, shard, reversed_by: None })
            }
            Transaction::Reversal { reversal, write_id, taken } => {
                self.reverse(scenario, variant, reversal, ReversalRecord { write_id, taken })
            }
        }
    }

    fn record(
        &mut self,
        scenario: &Scenario,
        variant: Option<Variant>,
        activity: usize,
        record: ActivityRecord,
    ) -> Transacted {
        if let Some(exists) = self.activities[activity]
            && variant != Some(Variant::RecordUnconditional)
        {
            return Transacted::RecordExists(exists.write_id);
        }
        if let Some(shard) = record.shard {
            let member = &mut self.members[scenario.members[activity]];
            let is_checked = variant != Some(Variant::MemberUnconditional);
            if is_checked && scenario.uses_per_member.is_some_and(|most| member.uses >= most) {
                return Transacted::MemberFull;
            }
            if self.shards[shard] >= SHARE && variant != Some(Variant::ShardCheckedBefore) {
                return Transacted::ShardFull;
            }
            member.points += 1;
            // A rule without the limit has no counter.
            member.uses += i8::from(scenario.uses_per_member.is_some());
            self.shards[shard] += 1;
        }
        self.activities[activity] = Some(record);
        self.recordings[activity] = 2.min(self.recordings[activity] + 1);
        Transacted::Done
    }

    fn reverse(
        &mut self,
        scenario: &Scenario,
        variant: Option<Variant>,
        reversal: usize,
        record: ReversalRecord,
    ) -> Transacted {
        if let Some(exists) = self.reversals[reversal] {
            return Transacted::RecordExists(exists.write_id);
        }
        let Some(activity) = &mut self.activities[REVERSED_ACTIVITY] else { return Transacted::MarkChanged };
        if activity.reversed_by.is_some() && variant != Some(Variant::MarkUnconditional) {
            return Transacted::MarkChanged;
        }
        activity.reversed_by = Some(reversal);
        if let Some(shard) = record.taken {
            let member = &mut self.members[scenario.members[REVERSED_ACTIVITY]];
            member.points -= 1;
            member.uses -= i8::from(scenario.uses_per_member.is_some());
            let back_to = if variant == Some(Variant::OtherShard) { (shard + 1) % SHARDS } else { shard };
            self.shards[back_to] -= 1;
        }
        self.reversals[reversal] = Some(record);
        Transacted::Done
    }
}
