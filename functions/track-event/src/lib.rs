//! `POST /integrations/event`: records player events, creates new players and credits the campaigns' awards, all in one
//! write.

use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{api_version::ApiVersion, fault::Faults, player_events::PlayerEvents};
use punchcard_runtime::{Failure, Handler, PlayerIntake, mode, player_intake};
use punchcard_store::{Mode, PlayerEventsRecorded, RequestId, Store};

/// Records player events.
#[derive(Debug)]
pub struct TrackEvent {
    intake: PlayerIntake,
}

impl Handler for TrackEvent {
    const ROUTE: &'static Route = &route::TRACK_EVENT;
    const IS_QUARANTINED: bool = true;

    async fn open(store: &Store) -> Self {
        TrackEvent { intake: PlayerIntake::open(store).await }
    }

    fn is_repeatable(call: &Call<'_>) -> bool {
        call.has_idempotency_key()
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.intake.admit(call).await?;

        let (faults, version) = (Faults::default(), call.dialect.api_version());
        let merging = admitted.catalog.rules.channel_merging();
        let request = call.parse(&faults, |body| PlayerEvents::parse(body, version, merging))?;
        let key = call.idempotency_key(&faults);
        let (request, key) = faults.none_or(request.and_then(|request| Ok((request, key?))))?;

        let id = key.as_ref().map_or(RequestId::None, RequestId::Key);
        let mode = mode(call);
        let mut recorded =
            self.intake.record(mode, call, &admitted, id, &request, |_| body(version).to_owned()).await?;
        // The usual response does not show the award.
        if let PlayerEventsRecorded::New { response, earned, .. } = &mut recorded
            && mode == Mode::Preview
        {
            *response = format!(r#"{{"earned":{earned}}}"#);
        }
        player_intake::reply(mode, recorded, Error::KeyReused)
    }
}

/// The response body. The vendor's clients accept no other.
fn body(version: ApiVersion) -> &'static str {
    match version {
        ApiVersion::V3 => "{}",
        ApiVersion::V4 => r#"{"success":true,"message":"Events processed"}"#,
    }
}
