//! `POST /client/users/{correlation_id}/void`: reverses an activity. Takes back what it earned and gives back the uses of
//! limits, all in one write.

use punchcard_http::{ALREADY_REVERSED, Call, Error, Reply, Route, route};
use punchcard_models::{access::Scope, correction::Reversal, fault::Faults, ids::CorrelationId};
use punchcard_runtime::{Admission, Failure, Handler, correction, mode};
use punchcard_store::{CorrectionWriter, NewReversal, Reversed, RulesReader, Store};

/// Reverses activities.
#[derive(Debug)]
pub struct VoidActivity {
    admission: Admission,
    rules: RulesReader,
    corrections: CorrectionWriter,
}

impl Handler for VoidActivity {
    const ROUTE: &'static Route = &route::VOID_ACTIVITY;
    const IS_QUARANTINED: bool = true;

    async fn open(store: &Store) -> Self {
        let (admission, rules) = Admission::open_with_rules(store).await;
        VoidActivity { admission, rules, corrections: CorrectionWriter::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.admission.bearer(call, Scope::Corrections).await?;
        let negative = self.rules.of(admitted.catalog).await?.rules.negative_balances();

        let faults = Faults::default();
        let reversal = call.parse(&faults, Reversal::parse)?;
        let correlation_id: CorrelationId = call.path_id("correlation_id", |id| id.parse().ok())?;
        let reversal = faults.none_or(reversal)?;

        let id = reversal.id(&correlation_id);
        let new = NewReversal {
            id: &id,
            correlation_id: &correlation_id,
            original: &reversal.original,
            reference: reversal.reference.as_deref(),
            channel: reversal.channel.as_deref(),
            now: call.now,
            // Without a reference the id is random.
            erasure: admitted.erasure.filter(|_| reversal.reference.is_some()),
        };
        let mode = mode(call);
        match self.corrections.reverse(mode, new, negative, call.deadline).await? {
            Reversed::Corrected(corrected) => correction::reply(mode, corrected, &id, "The activity is reversed"),
            Reversed::NoSuchActivity => Err(Error::NotFound("Activity not found").into()),
            Reversed::AlreadyReversed(by) => {
                Err(Error::AlreadyExists(format!("{ALREADY_REVERSED}, by {by}").into()).into())
            }
            Reversed::TooLarge => Err(Error::TooLargeToStore.into()),
        }
    }
}
