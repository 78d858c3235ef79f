//! The steps that the functions for player events and orders share: admission, evaluation and the write.

use std::sync::Arc;

use lambda_http::http::StatusCode;
use punchcard_http::{Call, Error, Reply};
use punchcard_models::{
    address::AddressDigest,
    idempotency::PayloadDigest,
    player_events::{PlayerEvent, PlayerEvents},
};
use punchcard_rewards::{Award, Catalog, Member, Occurrence, Trigger, Usage};
use punchcard_store::{
    AppliedCatalog, DigestKeyReader, Evaluated, NewPlayerEvents, PlayerEventWriter, PlayerEventsRecorded, RequestId,
    RulesReader, Store, StoreError,
};

use crate::{Admission, Failure, metrics};

/// Records requests with player events, or previews them.
#[derive(Debug)]
pub struct PlayerIntake {
    admission: Admission,
    rules: RulesReader,
    digest_key: DigestKeyReader,
    events: PlayerEventWriter,
}

impl PlayerIntake {
    /// Loads the callers and the rules of the current catalog.
    pub async fn open(store: &Store) -> Self {
        let (admission, rules) = Admission::open_with_rules(store).await;
        let (digest_key, events) = (DigestKeyReader::new(store), PlayerEventWriter::new(store));
        PlayerIntake { admission, rules, digest_key, events }
    }

    /// Verifies the `APIKey` header, and returns the current catalog.
    ///
    /// # Errors
    /// The key is not valid, or the store failed.
    pub async fn admit(&self, call: &Call<'_>) -> Result<Arc<AppliedCatalog>, Failure> {
        let admitted = self.admission.api_key(call).await?;
        Ok(self.rules.of(admitted.catalog).await?)
    }

    /// Records a request, credits its awards, and counts it; or previews it, if it asks for a dry run. `response` is the
    /// body of the response, given the points that the request earned.
    ///
    /// # Errors
    /// The store failed.
    pub async fn record(
        &self,
        call: &Call<'_>,
        catalog: &AppliedCatalog,
        id: RequestId<'_>,
        request: &PlayerEvents,
        response: impl Fn(u64) -> String,
    ) -> Result<PlayerEventsRecorded, StoreError> {
        if call.is_dry_run() {
            return self.preview(call, catalog, id, request, response).await;
        }
        let address = self.address(catalog, request).await?;
        let new = new(call, catalog, id, request, address.as_ref());
        let evaluate = |usage: &Usage| evaluated(&catalog.rules, call, request, usage, &response);
        let recorded = self.events.record(new, call.deadline, evaluate).await?;
        match &recorded {
            PlayerEventsRecorded::New { .. } => metrics::accepted(request.events.len()),
            PlayerEventsRecorded::Replay(_) => metrics::duplicate(1),
            PlayerEventsRecorded::KeyReused | PlayerEventsRecorded::TooLarge => {}
        }
        Ok(recorded)
    }

    /// Returns what [`record`](Self::record) would return, and writes and counts nothing.
    ///
    /// # Errors
    /// The store failed.
    pub async fn preview(
        &self,
        call: &Call<'_>,
        catalog: &AppliedCatalog,
        id: RequestId<'_>,
        request: &PlayerEvents,
        response: impl Fn(u64) -> String,
    ) -> Result<PlayerEventsRecorded, StoreError> {
        let address = self.address(catalog, request).await?;
        let new = new(call, catalog, id, request, address.as_ref());
        let evaluate = |usage: &Usage| evaluated(&catalog.rules, call, request, usage, &response);
        self.events.preview(new, call.deadline, evaluate).await
    }

    async fn address(
        &self,
        catalog: &AppliedCatalog,
        request: &PlayerEvents,
    ) -> Result<Option<AddressDigest>, StoreError> {
        self.digest_key.digest(catalog.rules.channel_merging(), request.player.address.as_deref()).await
    }
}

fn new<'a>(
    call: &Call<'_>,
    catalog: &AppliedCatalog,
    id: RequestId<'a>,
    request: &'a PlayerEvents,
    address: Option<&'a AddressDigest>,
) -> NewPlayerEvents<'a> {
    NewPlayerEvents {
        request,
        address,
        id,
        payload: PayloadDigest::of(&request.to_json(address)),
        unused: !catalog.rules.rewards_enabled(),
        catalog_version: catalog.version,
        now: call.now,
    }
}

fn evaluated<'c>(
    rules: &'c Catalog,
    call: &Call<'_>,
    request: &PlayerEvents,
    usage: &Usage,
    response: impl Fn(u64) -> String,
) -> Evaluated<'c> {
    let awards = awards(rules, request, call, usage);
    Evaluated { response: response(awards.iter().map(Award::points).sum()), awards }
}

/// Renders the outcome of a request. `reused` is the error if its id was used with another payload.
///
/// # Errors
/// The request was refused.
pub fn reply(call: &Call<'_>, recorded: PlayerEventsRecorded, reused: Error) -> Result<Reply, Failure> {
    let reply = match recorded {
        PlayerEventsRecorded::New { response, .. } => Reply::json_text(StatusCode::OK, response),
        PlayerEventsRecorded::Replay(response) => Reply::json_text(StatusCode::OK, response).replayed(),
        PlayerEventsRecorded::KeyReused => return Err(reused.into()),
        PlayerEventsRecorded::TooLarge => return Err(Error::TooLargeToStore.into()),
    };
    Ok(if call.is_dry_run() { reply.of_dry_run() } else { reply })
}

/// Evaluates one award per event. Players have no account or loyalty id, and events occur at the arrival time.
#[must_use]
pub fn awards<'c>(rules: &'c Catalog, request: &PlayerEvents, call: &Call<'_>, usage: &Usage) -> Vec<Award<'c>> {
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
