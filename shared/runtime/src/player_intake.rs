//! The steps that the functions for player events and orders share: admission, evaluation and the write.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use lambda_http::http::StatusCode;
use punchcard_http::{Call, Error, Reply};
use punchcard_models::{
    erasure::ErasureKey,
    idempotency::PayloadDigest,
    player_events::{PlayerEvent, PlayerEvents},
};
use punchcard_rewards::{Award, Catalog, Member, Occurrence, Trigger, Usage};
use punchcard_store::{
    AppliedCatalog, DigestKeyReader, Evaluated, Mode, NewPlayerEvents, PlayerEventWriter, PlayerEventsRecorded,
    RequestId, RulesReader, Store, StoreError,
};

use crate::{Admission, Failure, metrics};

/// The name of a player's balance.
const PLAYER_POINTS: &str = "points";

/// An authenticated request of a shop.
#[derive(Debug)]
pub struct PlayerAdmitted {
    /// The current catalog.
    pub catalog: Arc<AppliedCatalog>,
    /// The key for digests of erased ids. `None` if nothing was erased.
    pub erasure: Option<ErasureKey>,
}

/// Records requests with player events, or previews that.
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
    pub async fn admit(&self, call: &Call<'_>) -> Result<PlayerAdmitted, Failure> {
        let admitted = self.admission.api_key(call).await?;
        Ok(PlayerAdmitted { catalog: self.rules.of(admitted.catalog).await?, erasure: admitted.erasure })
    }

    /// Records a request, credits its awards, and counts it; or previews that. `response` is the body of the response,
    /// given the points that the request earned.
    ///
    /// # Errors
    /// The store failed.
    pub async fn record(
        &self,
        mode: Mode,
        call: &Call<'_>,
        PlayerAdmitted { catalog, erasure }: &PlayerAdmitted,
        id: RequestId<'_>,
        request: &PlayerEvents,
        response: impl Fn(u64) -> String,
    ) -> Result<PlayerEventsRecorded, StoreError> {
        let merging = catalog.rules.channel_merging();
        let address = self.digest_key.digest(merging, request.player.address.as_deref()).await?;
        let new = NewPlayerEvents {
            request,
            address: address.as_ref(),
            id,
            payload: PayloadDigest::of(&request.to_json(address.as_ref())),
            unused: !catalog.rules.rewards_enabled(),
            catalog_version: catalog.version,
            now: call.now,
            erasure: *erasure,
        };
        // The points of the last evaluation, which is the one that was written.
        let credited = AtomicU64::new(0);
        let evaluate = |usage: &Usage| {
            let awards = awards(&catalog.rules, request, call, usage);
            let points = awards.iter().map(Award::points).sum();
            credited.store(points, Ordering::Relaxed);
            Evaluated { response: response(points), awards }
        };
        let recorded = self.events.record(mode, new, call.deadline, evaluate).await?;
        match (mode, &recorded) {
            (Mode::Write, PlayerEventsRecorded::New { .. }) => {
                metrics::accepted(request.events.len());
                metrics::credited(|| vec![(PLAYER_POINTS.to_owned(), credited.load(Ordering::Relaxed))]);
            }
            (Mode::Write, PlayerEventsRecorded::Replay(_)) => metrics::duplicate(1),
            (Mode::Write, PlayerEventsRecorded::KeyReused | PlayerEventsRecorded::TooLarge) | (Mode::Preview, _) => {}
        }
        Ok(recorded)
    }
}

/// Renders the outcome of a request. `reused` is the error if its id was used with another payload.
///
/// # Errors
/// The request was refused.
pub fn reply(mode: Mode, recorded: PlayerEventsRecorded, reused: Error) -> Result<Reply, Failure> {
    let reply = match recorded {
        PlayerEventsRecorded::New { response, .. } => Reply::json_text(StatusCode::OK, response),
        PlayerEventsRecorded::Replay(response) => Reply::json_text(StatusCode::OK, response).replayed(),
        PlayerEventsRecorded::KeyReused => return Err(reused.into()),
        PlayerEventsRecorded::TooLarge => return Err(Error::TooLargeToStore.into()),
    };
    Ok(match mode {
        Mode::Preview => reply.of_dry_run(),
        Mode::Write => reply,
    })
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
            received_at: call.now,
            data: &event.metadata,
        };
        rules.evaluate(&occurrence, Member::default(), usage)
    };
    request.events.iter().map(award).collect()
}
