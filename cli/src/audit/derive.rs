//! The effects of a record on its member and on total limits, derived with the catalog of its version.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use punchcard_models::{decimal::Decimal, ids::PlayerId, refund::Refunded};
use punchcard_rewards::{Award, Counter};
use punchcard_store::{
    ActivityRecord, CorrectionContent, ErasedRecord, Evaluation, LedgerReader, OrderAward, PlayerRecord, StoreError,
    StoredActivity, StoredCorrection, StoredPlayerEvents, StoredRefund, is_given_back, taken_json,
};
use tokio::time::Instant;

use super::{Catalogs, Difference};

/// Time limit of finding the customer of a player.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// The pause before the other record of a reversal is read again: a transaction's items need not appear at once.
const PAUSE: Duration = Duration::from_millis(250);

/// The derived effects of one record.
#[derive(Debug)]
pub(super) struct Derived {
    /// The member that was credited.
    pub member: String,
    /// The player, if it is an alias of the member.
    pub alias: Option<String>,
    /// Balances and counters of the member, and what the record added to each.
    pub adds: Vec<(String, u64)>,
    /// Total limits, and what the record added to each.
    pub totals: Vec<(String, u64)>,
    /// The stored award is not the derived one.
    pub difference: Option<Difference>,
    /// A version of the catalog that cannot be used.
    pub unusable: Option<(u64, Difference)>,
    /// The record is one of version 0.1.0.
    pub is_unversioned: bool,
    /// The record was erased. Its effects are those in its tombstone.
    pub is_erased: bool,
    /// The counters are unknown, and the balances are those that the record claims.
    pub is_partial: bool,
}

/// A record whose award can be derived.
trait Record {
    fn name(&self) -> String;
    fn member(&self) -> &str;
    fn evaluation(&self) -> Result<Option<Evaluation>, StoreError>;
    /// The award as it is stored.
    fn stored(&self) -> &str;
    /// The balances that the stored award claims to have added to.
    fn claimed(&self) -> Option<Vec<(String, u64)>>;
    /// The award as it would be stored, and the balances that it adds to.
    fn derive(&self, evaluation: &Evaluation, awards: &[Award<'_>]) -> (String, Vec<(String, u64)>);
}

impl Record for StoredActivity {
    fn name(&self) -> String {
        format!("activity {}", self.activity_id)
    }

    fn member(&self) -> &str {
        &self.member_id
    }

    fn evaluation(&self) -> Result<Option<Evaluation>, StoreError> {
        StoredActivity::evaluation(self)
    }

    fn stored(&self) -> &str {
        &self.earned
    }

    fn claimed(&self) -> Option<Vec<(String, u64)>> {
        self.balances()
    }

    fn derive(&self, _: &Evaluation, awards: &[Award<'_>]) -> (String, Vec<(String, u64)>) {
        let award: Award<'_> = awards.iter().cloned().collect();
        (award.earned_json(), StoredActivity::balances_of(&award))
    }
}

impl Record for StoredPlayerEvents {
    fn name(&self) -> String {
        format!("player request {} {}", self.player_id, self.record_id)
    }

    fn member(&self) -> &str {
        &self.member_id
    }

    fn evaluation(&self) -> Result<Option<Evaluation>, StoreError> {
        StoredPlayerEvents::evaluation(self)
    }

    fn stored(&self) -> &str {
        &self.earned
    }

    fn claimed(&self) -> Option<Vec<(String, u64)>> {
        self.totals()
    }

    fn derive(&self, evaluation: &Evaluation, awards: &[Award<'_>]) -> (String, Vec<(String, u64)>) {
        let points = awards.iter().map(Award::points).sum();
        (StoredPlayerEvents::earned_of(evaluation, awards), StoredPlayerEvents::totals_of(points))
    }
}

impl Derived {
    /// The effects of an activity, a correction, or one of them that was erased. `None` if it is to be erased.
    pub async fn activity(
        record: ActivityRecord,
        catalogs: &Catalogs,
        reader: &LedgerReader,
    ) -> Result<Option<Self>, StoreError> {
        match record {
            ActivityRecord::Erased(erased) => Ok(Derived::erased(erased)),
            ActivityRecord::Correction(correction) => {
                Derived::correction(&correction, catalogs, reader).await.map(Some)
            }
            ActivityRecord::Activity(activity) => {
                let mut derived = derive(&activity, catalogs).await?;
                if let Some(by) = &activity.reversed_by
                    && reversal(by, &activity.activity_id, reader).await?.is_none()
                    && !is_erased(by, reader).await?
                {
                    let (record, reversal) = (activity.name(), by.clone());
                    derived.difference.get_or_insert(Difference::Reversal { record, reversal });
                }
                Ok(Some(derived))
            }
        }
    }

    /// A correction, which is compared with what it reverses.
    async fn correction(
        correction: &StoredCorrection,
        catalogs: &Catalogs,
        reader: &LedgerReader,
    ) -> Result<Self, StoreError> {
        let mut derived = Derived {
            member: correction.member_id.clone(),
            alias: None,
            adds: correction.adds(),
            totals: correction.totals(),
            difference: None,
            unusable: None,
            is_unversioned: false,
            is_erased: false,
            is_partial: false,
        };
        let CorrectionContent::Reversal { original, taken } = &correction.content else { return Ok(derived) };
        let Some(found) = reversed(original, &correction.id, reader).await? else {
            if is_erased(original, reader).await? {
                return Ok(derived);
            }
            let (record, reversal) = (format!("activity {original}"), correction.id.clone());
            derived.difference = Some(Difference::Reversal { record, reversal });
            return Ok(derived);
        };
        let expected = derive(&found, catalogs).await?;
        if expected.is_partial && !expected.is_unversioned {
            // The activity has a difference of its own, and nothing to compare with.
            return Ok(derived);
        }
        let expected = expected.adds.into_iter().chain(expected.totals);
        let expected: BTreeMap<_, _> = expected.filter(|(name, _)| is_given_back(name)).collect();
        if expected != *taken {
            derived.difference = Some(Difference::Award {
                record: format!("reversal {}", correction.id),
                stored: taken_json(taken),
                derived: taken_json(&expected),
            });
        }
        Ok(derived)
    }

    /// The effects of a player's request or refund, or of one that was erased. `None` if it is to be erased.
    pub async fn player_record(
        record: PlayerRecord,
        catalogs: &Catalogs,
        reader: &LedgerReader,
    ) -> Result<Option<Self>, StoreError> {
        let (mut derived, player) = match record {
            PlayerRecord::Erased(erased) => return Ok(Derived::erased(erased)),
            PlayerRecord::Request(request) => {
                (Derived::player_events(&request, catalogs, reader).await?, request.player_id)
            }
            PlayerRecord::Refund(refund) => (Derived::refund(&refund, catalogs, reader).await?, refund.player_id),
        };
        if derived.member != format!("player#{player}") {
            derived.alias = Some(player);
        }
        Ok(Some(derived))
    }

    async fn player_events(
        request: &StoredPlayerEvents,
        catalogs: &Catalogs,
        reader: &LedgerReader,
    ) -> Result<Self, StoreError> {
        let mut derived = derive(request, catalogs).await?;
        // Version 0.1.0 did not store the customer of a merged player.
        if derived.is_unversioned {
            let keys = [derived.member.clone()];
            let found = reader.members_by_key(&keys, Instant::now() + READ_LIMIT).await?;
            derived.member = found.into_iter().find_map(|item| item.customer).unwrap_or(derived.member);
        }
        if let Some(last) = &request.refunds.last
            && !is_refunded_as_marked(request, reader).await?
            && !is_request_erased(&request.player_id, &request.record_id, reader).await?
        {
            let (record, reversal) = (request.name(), last.clone());
            derived.difference.get_or_insert(Difference::Reversal { record, reversal });
        }
        Ok(derived)
    }

    /// A refund, which is compared with its order.
    async fn refund(refund: &StoredRefund, catalogs: &Catalogs, reader: &LedgerReader) -> Result<Self, StoreError> {
        let mut derived = Derived {
            member: refund.member_id.clone(),
            alias: None,
            adds: refund.adds(),
            totals: refund.totals(),
            difference: None,
            unusable: None,
            is_unversioned: false,
            is_erased: false,
            is_partial: false,
        };
        let record = format!("player request {} {}", refund.player_id, refund.record_id);
        let Some(order) = refunded_order(refund, reader).await? else {
            if !is_request_erased(&refund.player_id, &refund.order, reader).await? {
                let order = format!("player request {} {}", refund.player_id, refund.order);
                derived.difference = Some(Difference::Reversal { record: order, reversal: refund.record_id.clone() });
            }
            return Ok(derived);
        };
        // An order that cannot be derived has a difference of its own.
        let Ok(Some(evaluation)) = order.evaluation() else { return Ok(derived) };
        let Ok(catalog) = catalogs.of(evaluation.basis.catalog_version).await? else { return Ok(derived) };
        let Ok(award) = OrderAward::derive(&evaluation, &catalog) else { return Ok(derived) };
        let amount = refund.amount.as_deref().and_then(Decimal::parse);
        let after = refund.before.refunded.and(amount.as_ref(), award.paid());
        let taken = award.taken(&refund.before.refunded, &refund.after);
        if after != refund.after {
            let (stored, derived_after) = (refund.after.to_string(), after.to_string());
            derived.difference = Some(Difference::Refunded { record, stored, derived: derived_after });
        } else if taken != refund.taken {
            let (stored, derived_taken) = (taken_json(&refund.taken), taken_json(&taken));
            derived.difference = Some(Difference::Award { record, stored, derived: derived_taken });
        }
        Ok(derived)
    }

    /// An erased record. It has no effects until the record is deleted.
    fn erased(record: ErasedRecord) -> Option<Self> {
        let effects = record.effects?;
        Some(Derived {
            member: effects.member.to_string(),
            // Players have the digests of their members.
            alias: record.player.filter(|player| *player != effects.member).map(|player| player.to_string()),
            adds: effects.adds(),
            totals: effects.totals(),
            difference: None,
            unusable: None,
            is_unversioned: false,
            is_erased: true,
            is_partial: effects.is_partial,
        })
    }

    /// A record of which only the award that it claims is known.
    fn partial(record: &impl Record) -> Self {
        let claimed = record.claimed();
        let difference = claimed.is_none().then(|| Difference::Unreadable { record: record.name() });
        Derived {
            member: record.member().to_owned(),
            alias: None,
            adds: claimed.unwrap_or_default(),
            totals: Vec::new(),
            difference,
            unusable: None,
            is_unversioned: false,
            is_erased: false,
            is_partial: true,
        }
    }
}

/// Returns the reversal with this id, if it is one of the activity.
async fn reversal(id: &str, activity: &str, reader: &LedgerReader) -> Result<Option<StoredCorrection>, StoreError> {
    other_record(id, reader, |record| match record {
        ActivityRecord::Correction(correction) => match &correction.content {
            CorrectionContent::Reversal { original, .. } if original == activity => Some(correction),
            CorrectionContent::Reversal { .. } | CorrectionContent::Adjustment { .. } => None,
        },
        ActivityRecord::Activity(_) | ActivityRecord::Erased(_) => None,
    })
    .await
}

/// Returns true if the other record of a reversal was erased. The rest of the pair has the same owner and follows.
async fn is_erased(id: &str, reader: &LedgerReader) -> Result<bool, StoreError> {
    match id.parse() {
        Ok(id) => reader.is_erased(&id).await,
        Err(_) => Ok(false),
    }
}

/// Returns true if a player's order was erased, or will be. Its refunds have the same owner.
async fn is_request_erased(player: &str, record_id: &str, reader: &LedgerReader) -> Result<bool, StoreError> {
    match player.parse() {
        Ok(player) => reader.is_request_erased(&player, record_id).await,
        Err(_) => Ok(false),
    }
}

/// Returns the activity with this id, if it is marked as reversed by the correction.
async fn reversed(id: &str, by: &str, reader: &LedgerReader) -> Result<Option<StoredActivity>, StoreError> {
    other_record(id, reader, |record| record.activity().filter(|activity| activity.reversed_by.as_deref() == Some(by)))
        .await
}

/// Reads the other record of a reversal, until it is as wanted or the difference has to be believed.
async fn other_record<T>(
    id: &str,
    reader: &LedgerReader,
    wanted: impl Fn(ActivityRecord) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    let Ok(id) = id.parse() else { return Ok(None) };
    until_found(async || Ok(reader.activity_record(&id).await?.and_then(&wanted))).await
}

/// Returns the order of a refund, if its refunds lead from its mark back to this one.
async fn refunded_order(
    refund: &StoredRefund,
    reader: &LedgerReader,
) -> Result<Option<StoredPlayerEvents>, StoreError> {
    let Ok(player) = refund.player_id.parse() else { return Ok(None) };
    until_found(async || {
        let Some(order) = order(&player, &refund.order, reader).await? else { return Ok(None) };
        let is_linked =
            order.member_id == refund.member_id && leads_back(&player, &order, Some(refund), reader).await?;
        Ok(is_linked.then_some(order))
    })
    .await
}

/// Returns true if the refunds of an order lead from its mark back to the first.
async fn is_refunded_as_marked(request: &StoredPlayerEvents, reader: &LedgerReader) -> Result<bool, StoreError> {
    let Ok(player) = request.player_id.parse() else { return Ok(false) };
    let linked = until_found(async || {
        // Read again: the order may have been refunded since.
        let Some(order) = order(&player, &request.record_id, reader).await? else { return Ok(None) };
        Ok(leads_back(&player, &order, None, reader).await?.then_some(()))
    });
    Ok(linked.await?.is_some())
}

async fn order(
    player: &PlayerId,
    record_id: &str,
    reader: &LedgerReader,
) -> Result<Option<StoredPlayerEvents>, StoreError> {
    Ok(match reader.player_record(player, record_id).await? {
        Some(PlayerRecord::Request(order)) => Some(order),
        Some(PlayerRecord::Refund(_) | PlayerRecord::Erased(_)) | None => None,
    })
}

/// Follows the refunds of an order from its mark back to one of them, or to the first. Returns true if each is one of the
/// order, and refunded as much in all as the mark or the next one says.
async fn leads_back(
    player: &PlayerId,
    order: &StoredPlayerEvents,
    to: Option<&StoredRefund>,
    reader: &LedgerReader,
) -> Result<bool, StoreError> {
    let mut at = order.refunds.clone();
    let mut followed = BTreeSet::new();
    while let Some(last) = &at.last {
        // Damaged refunds may lead in a circle.
        if !followed.insert(last.clone()) {
            return Ok(false);
        }
        let refund = match reader.player_record(player, last).await? {
            Some(PlayerRecord::Refund(refund)) if refund.order == order.record_id => refund,
            Some(PlayerRecord::Refund(_) | PlayerRecord::Request(_) | PlayerRecord::Erased(_)) | None => {
                return Ok(false);
            }
        };
        if refund.after != at.refunded {
            return Ok(false);
        }
        if to.is_some_and(|to| to.record_id == refund.record_id) {
            return Ok(true);
        }
        at = refund.before;
    }
    Ok(to.is_none() && at.refunded == Refunded::nothing())
}

/// Reads a record until it is found or the difference has to be believed. One that cannot be read is not found; the scan of
/// all records reports it.
async fn until_found<T>(read: impl AsyncFn() -> Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    for is_last in [false, true] {
        let found = match read().await {
            Ok(found) => found,
            Err(StoreError::Corrupt { .. }) => None,
            Err(error) => return Err(error),
        };
        if found.is_some() || is_last {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(None)
}

async fn derive(record: &impl Record, catalogs: &Catalogs) -> Result<Derived, StoreError> {
    let evaluation = match record.evaluation() {
        Ok(Some(evaluation)) => evaluation,
        Ok(None) => return Ok(Derived { is_unversioned: true, ..Derived::partial(record) }),
        Err(_) => {
            let difference = Some(Difference::Unreadable { record: record.name() });
            return Ok(Derived { difference, ..Derived::partial(record) });
        }
    };
    let version = evaluation.basis.catalog_version;
    let catalog = match catalogs.of(version).await? {
        Ok(catalog) => catalog,
        Err(unusable) => return Ok(Derived { unusable: Some((version, unusable)), ..Derived::partial(record) }),
    };
    let awards = evaluation.awards(&catalog);
    let (derived, mut adds) = record.derive(&evaluation, &awards);
    let (mut totals, stored) = (Vec::new(), record.stored());
    for spend in awards.iter().flat_map(Award::spends) {
        let spends = if spend.counter == Counter::TotalUses { &mut totals } else { &mut adds };
        spends.push((spend.name(), spend.amount));
    }
    let difference =
        (derived != stored).then(|| Difference::Award { record: record.name(), stored: stored.to_owned(), derived });
    let member = record.member().to_owned();
    Ok(Derived {
        member,
        alias: None,
        adds,
        totals,
        difference,
        unusable: None,
        is_unversioned: false,
        is_erased: false,
        is_partial: false,
    })
}
