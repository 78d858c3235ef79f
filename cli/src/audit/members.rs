//! The comparison of members and total limits with the sums of the records.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use punchcard_models::{erasure::ErasedId, member::MemberId};
use punchcard_rewards::{Counter, slot_of};
use punchcard_store::{LedgerReader, OUT, StoreError, StoredMember};
use tokio::time::Instant;

use super::{
    AuditError, Catalogs, Difference, Report,
    derive::Derived,
    sums::{MemberSums, Sums},
    totals::Totals,
};

/// Number of times that a member is read again before its difference is reported.
const READS: u32 = 6;
/// Number of times more, if the member was written in between: one that is erased while requests go on changes in both
/// directions.
const DISTURBED_READS: u32 = 40;
/// The pause before a member is read again. The index of activities is eventually consistent.
const PAUSE: Duration = Duration::from_millis(250);
/// Time limit of one read.
const READ_LIMIT: Duration = Duration::from_mins(1);
/// Prefix of the attributes with balances.
const POINTS: &str = "pts#";
/// The attribute of players that records add to.
const POINTS_OF_PLAYERS: &str = "points";

pub(super) struct Members<'r> {
    pub reader: &'r LedgerReader,
    pub catalogs: Catalogs,
    pub sums: Sums,
}

impl Members<'_> {
    /// Compares all members and total limits. Returns the differences of total limits.
    pub async fn compare(
        &mut self,
        totals: &Totals,
        report: &mut Report,
        found: &mut (impl FnMut(Difference) + Send),
    ) -> Result<Vec<Difference>, AuditError> {
        let (mut start, mut contradictions) = (None, Vec::new());
        let mut seen_totals = BTreeSet::new();
        loop {
            let page = self.reader.members(start).await?;
            for member in page.items {
                let Ok(member) = member else { continue };
                if Counter::of_name(&member.key) == Some(Counter::TotalUses) {
                    report.totals += 1;
                    for name in [member.key.clone(), format!("{OUT}{}", member.key)] {
                        let stored = member.numbers.get(&name).copied().unwrap_or(0);
                        if let Some(derived) = totals.contradicts(&name, stored) {
                            contradictions.push(Difference::Total { total: name.clone(), stored, derived });
                        }
                        seen_totals.insert(name);
                    }
                    continue;
                }
                let Ok(id) = member.key.parse::<MemberId>() else { continue };
                let sums = self.sums.take(&member.key)?;
                report.members += 1;
                if !differences(&member, &sums).is_empty() {
                    self.verify(&id, report, found).await?;
                }
            }
            start = page.next;
            if start.is_none() {
                break;
            }
        }
        for total in totals.names().filter(|name| !seen_totals.contains(*name)) {
            if let Some(derived) = totals.contradicts(total, 0) {
                contradictions.push(Difference::Total { total: total.clone(), stored: 0, derived });
            }
        }
        self.compare_missing(report, found).await?;
        Ok(contradictions)
    }

    /// Compares members that have records but were not read: they may be new, or missing.
    async fn compare_missing(
        &mut self,
        report: &mut Report,
        found: &mut (impl FnMut(Difference) + Send),
    ) -> Result<(), AuditError> {
        const BATCH: u32 = 1000;
        loop {
            let left = self.sums.left(BATCH)?;
            if left.is_empty() {
                return Ok(());
            }
            for key in left {
                let sums = self.sums.take(&key)?;
                let Ok(id) = key.parse::<MemberId>() else { continue };
                if sums.sums.values().any(|sum| *sum > 0) {
                    self.verify(&id, report, found).await?;
                }
            }
        }
    }

    /// Reads a member and all of its records again, until the member did not change in between or the differences have
    /// to be believed, and reports them.
    async fn verify(
        &self,
        id: &MemberId,
        report: &mut Report,
        found: &mut (impl FnMut(Difference) + Send),
    ) -> Result<(), AuditError> {
        let (mut reads, mut disturbed) = (0, 0);
        let remaining = loop {
            let before = self.member(id).await?;
            let sums = self.sums_of(id, reads + disturbed + 1 >= READS).await?;
            let after = self.member(id).await?;
            let remaining = differences(&after, &sums);
            let was_written = before.version != after.version;
            if remaining.is_empty() || (was_written && lie_between(&before, &sums, &after)) {
                return Ok(());
            }
            if was_written && disturbed < DISTURBED_READS {
                disturbed += 1;
            } else {
                reads += 1;
            }
            if reads == READS {
                break self.to_believe(id, remaining).await?;
            }
            tokio::time::sleep(PAUSE).await;
        };
        for difference in remaining {
            report.differences += 1;
            found(difference);
        }
        Ok(())
    }

    /// Returns the differences that have to be believed. Counters of periods stay where they are until their member is
    /// erased, whereas its records are erased one after the other.
    async fn to_believe(&self, id: &MemberId, mut differences: Vec<Difference>) -> Result<Vec<Difference>, StoreError> {
        let is_of_period =
            |found: &Difference| matches!(found, Difference::Member { name, .. } if slot_of(name).is_some());
        if differences.iter().any(is_of_period) && self.reader.is_being_erased(id).await? {
            differences.retain(|found| !is_of_period(found));
        }
        Ok(differences)
    }

    async fn member(&self, id: &MemberId) -> Result<StoredMember, StoreError> {
        let key = id.to_string();
        let found = self.reader.members_by_key(std::slice::from_ref(&key), Instant::now() + READ_LIMIT).await?;
        let missing = || StoredMember { key, customer: None, numbers: std::collections::BTreeMap::new(), version: 0 };
        Ok(found.into_iter().next().unwrap_or_else(missing))
    }

    /// Adds up the records of one member. `with_new_aliases` also looks for players that became aliases of it since the
    /// records were read. Records that cannot be read were reported when they were.
    async fn sums_of(&self, id: &MemberId, with_new_aliases: bool) -> Result<MemberSums, AuditError> {
        let mut sums = MemberSums::default();
        // An erased member is one of activities or of players.
        let player = match id {
            MemberId::Account(_) | MemberId::Correlation(_) | MemberId::Erased(_) => {
                self.add_activities(id, &mut sums).await?;
                match id {
                    MemberId::Erased(erased) if with_new_aliases => {
                        self.add_erased_requests(*erased, &mut sums).await?;
                        return Ok(sums);
                    }
                    // The partition of an erased player is named like its member.
                    MemberId::Erased(erased) => erased.to_string().parse(),
                    _ => return Ok(sums),
                }
            }
            MemberId::Player(player) => Ok(player.clone()),
        };
        let mut players: BTreeSet<_> = player.into_iter().collect();
        players.extend(self.sums.aliases_of(&id.to_string())?.iter().filter_map(|alias| alias.parse().ok()));
        if with_new_aliases {
            players.extend(self.reader.aliases_of(id).await?);
        }
        let key = id.to_string();
        for player in players {
            let mut start = None;
            loop {
                let page = self.reader.player_records_of(&player, start).await?;
                for record in page.items.into_iter().flatten() {
                    let derived = Derived::player_record(record, &self.catalogs, self.reader).await?;
                    if let Some(derived) = derived.filter(|derived| derived.member == key) {
                        add(&mut sums, derived);
                    }
                }
                start = page.next;
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(sums)
    }

    async fn add_erased_requests(&self, member: ErasedId, sums: &mut MemberSums) -> Result<(), AuditError> {
        for record in self.reader.erased_requests_of(member).await? {
            if let Some(derived) = Derived::player_record(record, &self.catalogs, self.reader).await? {
                add(sums, derived);
            }
        }
        Ok(())
    }

    async fn add_activities(&self, id: &MemberId, sums: &mut MemberSums) -> Result<(), AuditError> {
        let mut after = None;
        loop {
            let (activities, next) = self.reader.activities_of(id, after.as_ref(), Instant::now() + READ_LIMIT).await?;
            for record in activities.into_iter().flatten() {
                if let Some(derived) = Derived::activity(record, &self.catalogs, self.reader).await? {
                    add(sums, derived);
                }
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

fn add(sums: &mut MemberSums, derived: Derived) {
    sums.is_partial |= derived.is_partial;
    for (name, amount) in derived.adds {
        sums.add(name, amount);
    }
}

/// Returns true if a member's sums lie between its numbers before and after: the member is in use, and its records were
/// read at other times than its item. Numbers only grow, or only fall while the member is erased.
fn lie_between(before: &StoredMember, sums: &MemberSums, after: &StoredMember) -> bool {
    let numbers = |name: &str| [before, after].map(|member| member.numbers.get(name).copied().unwrap_or(0));
    differences(before, sums).into_iter().chain(differences(after, sums)).all(|difference| match difference {
        Difference::Member { name, derived, .. } => {
            let [before, after] = numbers(&name);
            (before.min(after)..=before.max(after)).contains(&derived)
        }
        _ => false,
    })
}

/// Returns the attributes of a member that are not the sums of its records.
fn differences(member: &StoredMember, sums: &MemberSums) -> Vec<Difference> {
    let mut differences = differences_of_sums(member, sums);
    differences.extend(differences_of_periods(member, sums));
    differences
}

/// Compares the counters of periods. A slot holds that of the latest period, less what was given back to it. Earlier periods
/// left no trace.
fn differences_of_periods(member: &StoredMember, sums: &MemberSums) -> Vec<Difference> {
    let mut latest = BTreeMap::<String, (u64, &str, i64)>::new();
    let derived = sums.sums.keys().map(|name| {
        let sum = |name: &str| sums.sums.get(name).copied().unwrap_or(0).cast_signed();
        (name.as_str(), sum(name) - sum(&format!("{OUT}{name}")))
    });
    let stored = |name: &str| member.numbers.get(name).copied();
    // A stored counter that no record adds to differs as well.
    let unknown = member.numbers.keys().filter(|name| !sums.sums.contains_key(*name)).map(|name| (name.as_str(), 0));
    for (name, derived) in derived.chain(unknown) {
        let Some((slot, period)) = slot_of(name) else { continue };
        let held = latest.entry(slot).or_insert((period.number, name, derived));
        if held.0 < period.number {
            *held = (period.number, name, derived);
        }
    }
    let difference = |(_, name, derived): (u64, &str, i64)| {
        let found = stored(name).unwrap_or(0);
        let agrees = found == derived || (sums.is_partial && found > derived);
        let (member, name) = (member.key.clone(), name.to_owned());
        (!agrees).then_some(Difference::Member { member, name, stored: found, derived })
    };
    latest.into_values().filter_map(difference).collect()
}

fn differences_of_sums(member: &StoredMember, sums: &MemberSums) -> Vec<Difference> {
    // Corrections count what they took from a number beside it.
    let counter = |name: &str| Counter::of_name(name.strip_prefix(OUT).unwrap_or(name));
    let is_counted = |name: &&String| {
        let number = name.strip_prefix(OUT).unwrap_or(name);
        slot_of(number).is_none()
            && (number.starts_with(POINTS) || counter(name).is_some() || number == POINTS_OF_PLAYERS)
    };
    let derived = sums.sums.keys().filter(|name| slot_of(name.strip_prefix(OUT).unwrap_or(name)).is_none());
    let names: BTreeSet<_> = member.numbers.keys().filter(is_counted).chain(derived).collect();
    let difference = |name: &String| {
        let stored = member.numbers.get(name).copied().unwrap_or(0);
        let derived = sums.sums.get(name).copied().unwrap_or(0).cast_signed();
        let agrees = if sums.is_partial && counter(name).is_some() { stored >= derived } else { stored == derived };
        (!agrees).then(|| Difference::Member { member: member.key.clone(), name: name.clone(), stored, derived })
    };
    names.into_iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_in_use_has_sums_between_its_numbers_before_and_after() {
        let member = |points| {
            let numbers = BTreeMap::from([("points".to_owned(), points)]);
            StoredMember { key: "player#p".into(), customer: None, numbers, version: 0 }
        };
        let sums = BTreeMap::from([("points".to_owned(), 5)]);
        let sums = MemberSums { sums, is_partial: false };
        for (before, after, agrees) in
            [(5, 5, true), (4, 6, true), (5, 6, true), (6, 7, false), (3, 4, false), (6, 4, true)]
        {
            assert_eq!(lie_between(&member(before), &sums, &member(after)), agrees, "{before} {after}");
        }
    }
}
