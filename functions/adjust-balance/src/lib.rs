//! `POST /client/users/{correlation_id}/adhoc-reward`: adds points to a balance, or takes them away, exactly once.

use punchcard_http::{Call, Reply, Route, route};
use punchcard_models::{access::Scope, correction::Adjustment, fault::Faults, ids::CorrelationId, json::At};
use punchcard_runtime::{Admission, Failure, Handler, correction, mode};
use punchcard_store::{CorrectionWriter, NewAdjustment, RulesReader, SessionReader, Store};

/// Adjusts balances.
#[derive(Debug)]
pub struct AdjustBalance {
    admission: Admission,
    rules: RulesReader,
    sessions: SessionReader,
    corrections: CorrectionWriter,
}

impl Handler for AdjustBalance {
    const ROUTE: &'static Route = &route::ADJUST_BALANCE;
    const IS_QUARANTINED: bool = true;

    async fn open(store: &Store) -> Self {
        let (admission, rules) = Admission::open_with_rules(store).await;
        let (sessions, corrections) = (SessionReader::new(store), CorrectionWriter::new(store));
        AdjustBalance { admission, rules, sessions, corrections }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.admission.bearer(call, Scope::Corrections).await?;
        let catalog = self.rules.of(admitted.catalog).await?;
        let rules = &catalog.rules;

        let faults = Faults::default();
        let parse = |body: At<'_, '_>| Adjustment::parse(body, rules.business_units(), rules.default_channel());
        let adjustment = call.parse(&faults, parse)?;
        let correlation_id: CorrelationId = call.path_id("correlation_id", |id| id.parse().ok())?;
        let adjustment = faults.none_or(adjustment)?;

        let owner = self.sessions.owner(&correlation_id).await?;
        let id = adjustment.id(&correlation_id);
        let new = NewAdjustment {
            id: &id,
            correlation_id: &correlation_id,
            owner: owner.as_ref(),
            adjustment: &adjustment,
            now: call.now,
            erasure: admitted.erasure,
        };
        let mode = mode(call);
        let corrected = self.corrections.adjust(mode, new, rules.negative_balances(), call.deadline).await?;
        correction::reply(mode, corrected, &id, "The balance is adjusted")
    }
}
