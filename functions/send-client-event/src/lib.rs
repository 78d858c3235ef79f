//! `POST /v2/events/clientEvent`: records client events, each exactly once.

use lambda_http::http::StatusCode;
use punchcard_http::{Call, Error, Reply, Route, auth, route};
use punchcard_models::{
    access::Scope,
    client_event::{self, ClientEvent, Context},
    fault::Faults,
};
use punchcard_runtime::{Admission, Failure, Handler, metrics};
use punchcard_store::{ClientEventWriter, Recorded, RulesReader, Store};
use serde_json::json;

/// Records client events.
#[derive(Debug)]
pub struct SendClientEvent {
    admission: Admission,
    rules: RulesReader,
    events: ClientEventWriter,
}

impl Handler for SendClientEvent {
    const ROUTE: &'static Route = &route::SEND_CLIENT_EVENT;
    const IS_QUARANTINED: bool = true;

    async fn open(store: &Store) -> Self {
        let (admission, rules) = Admission::open_with_rules(store).await;
        SendClientEvent { admission, rules, events: ClientEventWriter::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.admission.bearer(call, Scope::ClientEvents).await?;
        let catalog = self.rules.of(admitted.catalog).await?;
        let rules = &catalog.rules;

        let faults = Faults::default();
        let customer = auth::customer(call, &faults);
        let context = Context { now: call.now, sections: rules.sections() };
        let events = call.parse(&faults, |body| client_event::parse_batch(body, context))?;
        let (customer, events) = faults.none_or(customer.and_then(|customer| Ok((customer, events?))))?;

        call.header("x-mock-data").map_err(Error::from)?;
        if call.is_mock() {
            return Ok(Reply::ok(&json!({"requestId": call.request_id})));
        }
        let recorded =
            self.events.record(&customer, &events, admitted.erasure.as_ref(), call.now, call.deadline).await?;
        Ok(reply(call, &events, &recorded))
    }
}

/// Responds 200 if all events are new, 207 if some are, and 409 if none is.
fn reply(call: &Call<'_>, events: &[ClientEvent], recorded: &[Recorded]) -> Reply {
    let rejected: Vec<_> = events
        .iter()
        .zip(recorded)
        .filter_map(|(event, recorded)| {
            let reason = match recorded {
                Recorded::New => return None,
                Recorded::Duplicate => "DUPLICATE_ID",
                Recorded::Reused => "ID_REUSED",
            };
            Some(json!({"clientEventId": event.id.to_string(), "reason": reason}))
        })
        .collect();
    metrics::accepted(events.len() - rejected.len());
    metrics::duplicate(rejected.len());
    let status = match rejected.len() {
        0 => return Reply::ok(&json!({"requestId": call.request_id})),
        all if all == events.len() => StatusCode::CONFLICT,
        _ => StatusCode::MULTI_STATUS,
    };
    Reply::json(status, &json!({"requestId": call.request_id, "rejected": rejected}))
}
