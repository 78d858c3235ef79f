//! Corrections by an operator, by the rules of the API: for `punchcard adjust` and the console.

use std::time::Duration;

use punchcard_models::{
    correction::{Adjustment, Reversal},
    fault::Faults,
    ids::{CorrelationId, MAX_ID},
    json,
    member::MemberId,
    session::SessionOwner,
};
use punchcard_rewards::Catalog;
use punchcard_store::{
    BalanceReader, Balances, Corrected, CorrectionWriter, Mode, NewAdjustment, NewReversal, Reversed, SessionReader,
};
use serde_json::json;
use tokio::time::Instant;

use crate::{failure::Failure, operator::Operator};

/// Time limit of the write, retries included.
pub(crate) const WRITE_LIMIT: Duration = Duration::from_secs(15);
/// The channel of corrections by operators.
const CHANNEL: &str = "punchcard";

/// An adjustment as an operator gives it.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub unit: &'a str,
    pub points_type: &'a str,
    pub points: i64,
    pub note: &'a str,
    /// Makes the adjustment unique: it can be repeated, and takes effect once.
    pub reference: &'a str,
    /// The one who decided.
    pub issuer: &'a str,
}

impl Wanted<'_> {
    /// Checks the adjustment by the rules of the API.
    pub fn parse(&self, catalog: &Catalog) -> Result<Adjustment, Failure> {
        let body = json!({
            "channel": CHANNEL,
            "businessUnit": self.unit,
            "pointsType": self.points_type,
            "issuerId": self.issuer,
            "rewardAmount": self.points,
            "externalReferenceId": self.reference,
            "note": self.note,
        });
        let faults = Faults::default();
        let body = body.to_string();
        let parsed = json::parse(body.as_bytes(), &faults, |at| Adjustment::parse(at, catalog.business_units(), None));
        faults.none_or(parsed).map_err(|faults| {
            Failure::Adjustment(faults.into_iter().map(|fault| fault.to_string()).collect::<Vec<_>>().join("; "))
        })
    }
}

/// Returns the name to record as the issuer: the one who runs the command.
pub(crate) async fn issuer(operator: &Operator) -> Option<String> {
    // An ARN can be longer than an id.
    operator.identity().await.filter(|identity| identity.len() <= MAX_ID)
}

/// The member that a correlation id stands for.
#[derive(Debug)]
pub(crate) struct Member {
    pub correlation_id: CorrelationId,
    pub owner: Option<SessionOwner>,
    pub id: MemberId,
}

impl Member {
    /// Finds the account that a session tied the correlation id to, if there is one.
    pub async fn of(operator: &Operator, correlation_id: &CorrelationId) -> Result<Self, Failure> {
        let owner = SessionReader::new(&operator.store).owner(correlation_id).await?;
        let id = MemberId::of(owner.as_ref(), correlation_id);
        Ok(Member { correlation_id: correlation_id.clone(), owner, id })
    }

    /// Reads the member's balances.
    pub async fn balances(&self, operator: &Operator) -> Result<Balances, Failure> {
        Ok(BalanceReader::new(&operator.store).of(&self.id).await?)
    }

    /// Adjusts a balance, or previews that.
    pub async fn adjust(
        &self,
        operator: &Operator,
        catalog: &Catalog,
        adjustment: &Adjustment,
        mode: Mode,
    ) -> Result<Corrected, Failure> {
        let id = adjustment.id(&self.correlation_id);
        let new = NewAdjustment {
            id: &id,
            correlation_id: &self.correlation_id,
            owner: self.owner.as_ref(),
            adjustment,
            now: punchcard_runtime::now(),
            erasure: operator.admin.erasure_key().await?,
        };
        let deadline = Instant::now() + WRITE_LIMIT;
        let writer = CorrectionWriter::new(&operator.store);
        Ok(writer.adjust(mode, new, catalog.negative_balances(), deadline).await?)
    }

    /// Reverses an activity, or previews that. The reversal must have a reference.
    pub async fn reverse(
        &self,
        operator: &Operator,
        catalog: &Catalog,
        reversal: &Reversal,
        mode: Mode,
    ) -> Result<Reversed, Failure> {
        let id = reversal.id(&self.correlation_id);
        let new = NewReversal {
            id: &id,
            correlation_id: &self.correlation_id,
            original: &reversal.original,
            reference: reversal.reference.as_deref(),
            channel: Some(CHANNEL),
            now: punchcard_runtime::now(),
            erasure: operator.admin.erasure_key().await?,
        };
        let deadline = Instant::now() + WRITE_LIMIT;
        let writer = CorrectionWriter::new(&operator.store);
        Ok(writer.reverse(mode, new, catalog.negative_balances(), deadline).await?)
    }
}

/// Returns one of the balances.
pub(crate) fn balance_of(balances: &Balances, unit: &str, points_type: &str) -> i64 {
    balances.get(unit).and_then(|types| types.get(points_type)).copied().unwrap_or(0)
}
