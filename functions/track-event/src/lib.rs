//! `POST /integrations/event`: records player events, creates new players and credits the campaigns' awards, all in one
//! write.

use lambda_http::http::StatusCode;
use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{
    address::AddressDigest,
    fault::Faults,
    idempotency::PayloadDigest,
    player_events::{PlayerEvent, PlayerEvents},
};
use punchcard_rewards::{Award, Catalog, Member, Occurrence, Trigger, Usage};
use punchcard_runtime::{Admission, Failure, Handler, metrics};
use punchcard_store::{DigestKeyReader, NewPlayerEvents, PlayerEventWriter, PlayerEventsRecorded, RulesReader, Store};

/// The response body. The vendor's clients accept no other.
const RESPONSE: &str = "{}";

/// Records player events.
#[derive(Debug)]
pub struct TrackEvent {
    admission: Admission,
    rules: RulesReader,
    digest_key: DigestKeyReader,
    events: PlayerEventWriter,
}

impl Handler for TrackEvent {
    const ROUTE: &'static Route = &route::TRACK_EVENT;

    async fn open(store: &Store) -> Self {
        let (admission, rules) = Admission::open_with_rules(store).await;
        let (digest_key, events) = (DigestKeyReader::new(store), PlayerEventWriter::new(store));
        TrackEvent { admission, rules, digest_key, events }
    }

    fn is_repeatable(call: &Call<'_>) -> bool {
        call.has_idempotency_key()
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.admission.api_key(call).await?;
        let catalog = self.rules.of(admitted.catalog).await?;
        let rules = &catalog.rules;

        let faults = Faults::default();
        let request = call.parse(&faults, |body| PlayerEvents::parse(body, rules.channel_merging()))?;
        let key = call.idempotency_key(&faults);
        let (request, key) = faults.none_or(request.and_then(|request| Ok((request, key?))))?;

        let address = match &request.address {
            Some(address) => AddressDigest::of(self.digest_key.get().await?, rules.channel_merging(), address),
            None => None,
        };
        let new = NewPlayerEvents {
            request: &request,
            address: address.as_ref(),
            key: key.as_ref(),
            payload: PayloadDigest::of(&request.to_json(address.as_ref())),
            unused: !rules.rewards_enabled(),
            response: RESPONSE,
            catalog_version: catalog.version,
            now: call.now,
        };
        let evaluate = |usage: &Usage| awards(rules, &request, call, usage);
        if call.is_dry_run() {
            let previewed = self.events.preview(new, call.deadline, evaluate).await?;
            return Ok(answer(previewed, |earned| format!(r#"{{"earned":{earned}}}"#))?.of_dry_run());
        }
        let recorded = self.events.record(new, call.deadline, evaluate).await?;
        match &recorded {
            PlayerEventsRecorded::New { .. } => metrics::accepted(request.events.len()),
            PlayerEventsRecorded::Replay(_) => metrics::duplicate(1),
            PlayerEventsRecorded::KeyReused | PlayerEventsRecorded::TooLarge => {}
        }
        answer(recorded, |_| RESPONSE.to_owned())
    }
}

/// Renders the outcome of a request. `body` is that of a new one, given its award as JSON.
fn answer(recorded: PlayerEventsRecorded, body: impl FnOnce(&str) -> String) -> Result<Reply, Failure> {
    match recorded {
        PlayerEventsRecorded::New { earned } => Ok(Reply::json_text(StatusCode::OK, body(&earned))),
        PlayerEventsRecorded::Replay(response) => Ok(Reply::json_text(StatusCode::OK, response).replayed()),
        PlayerEventsRecorded::KeyReused => Err(Error::KeyReused.into()),
        PlayerEventsRecorded::TooLarge => Err(Error::TooLargeToStore.into()),
    }
}

/// Evaluates one award per event. Players have no account or loyalty id, and events occur at the arrival time.
fn awards<'c>(rules: &'c Catalog, request: &PlayerEvents, call: &Call<'_>, usage: &Usage) -> Vec<Award<'c>> {
    let award = |event: &PlayerEvent| {
        let occurrence = Occurrence {
            trigger: Trigger::Event(&event.name),
            channel: None,
            business_unit: None,
            at: call.now,
            data: &event.metadata,
        };
        rules.evaluate(&occurrence, Member::default(), usage)
    };
    request.events.iter().map(award).collect()
}
