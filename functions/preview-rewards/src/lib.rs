//! `POST /integrations/events/reward-preview`: returns what events would earn, campaign by campaign, and writes nothing.

use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{fault::Faults, ids, player_events::PlayerEvents, settings::ChannelMerging};
use punchcard_rewards::{Award, Line, Reason, Verdict};
use punchcard_runtime::{Failure, Handler, PlayerIntake, player_intake::awards};
use punchcard_store::{Mode, PlayerEventsRecorded, PlayerReader, RequestId, Store};
use serde_json::{Value, json};

/// Previews the awards of player events.
#[derive(Debug)]
pub struct PreviewRewards {
    intake: PlayerIntake,
    players: PlayerReader,
}

impl Handler for PreviewRewards {
    const ROUTE: &'static Route = &route::PREVIEW_REWARDS;

    async fn open(store: &Store) -> Self {
        PreviewRewards { intake: PlayerIntake::open(store).await, players: PlayerReader::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.intake.admit(call).await?;

        let (faults, version) = (Faults::default(), call.dialect.api_version());
        // The customer exists, so no address is needed to find it.
        let request = call.parse(&faults, |body| PlayerEvents::parse(body, version, ChannelMerging::None))?;
        let request = faults.none_or(request)?;
        if !self.players.exists(&request.player.id).await? {
            return Err(Error::NotFound("Customer not found").into());
        }

        let preview =
            self.intake.record(Mode::Preview, call, &admitted, RequestId::None, &request, |_| String::new()).await?;
        // A request without an id is never a repeated one.
        let PlayerEventsRecorded::New { basis, .. } = preview else { return Err(Error::TooLargeToStore.into()) };
        let awards = awards(&admitted.catalog.rules, &request, call, &basis.usage);
        let events = request.events.iter().zip(&awards).map(|(event, award)| event_body(&event.name, award));
        Ok(Reply::ok(&json!({
            version.player_member(): &*request.player.id,
            "totalPoints": awards.iter().map(Award::points).sum::<u64>(),
            "events": events.collect::<Vec<_>>(),
        })))
    }
}

fn event_body(name: &str, award: &Award<'_>) -> Value {
    json!({
        "eventName": name,
        "valid": true,
        "invalidReason": null,
        "totalPoints": award.points(),
        "campaigns": award.trace().iter().filter_map(campaign_body).collect::<Vec<_>>(),
    })
}

/// A campaign, or `None` if this event cannot win it whatever its metadata: those are left out.
fn campaign_body(line: &Line<'_>) -> Option<Value> {
    let (eligible, reason) = match line.verdict {
        Verdict::Paid { .. } => (true, "Rewarded"),
        Verdict::NotPaid(Reason::ConditionNotMet(_)) => (false, "NoMatchingConditions"),
        Verdict::NotPaid(
            Reason::RewardsDisabled
            | Reason::UnitDisabled
            | Reason::OtherUnit
            | Reason::OtherChannel
            | Reason::NotTargeted
            | Reason::BeforeWindow
            | Reason::AfterWindow
            | Reason::NoBasePoints
            | Reason::LessThanOnePoint { .. }
            | Reason::PeriodClosed { .. }
            | Reason::LimitReached { .. },
        ) => return None,
    };
    let id = line.rule.id();
    Some(json!({
        "campaignId": ids::number_of(id),
        "campaignName": &**id,
        "campaignEndDate": line.rule.ends_at().map(|end| end.to_string()),
        "eligible": eligible,
        "reason": reason,
        "rewardType": "Points",
        "rewardPoints": line.rule.campaign_points(),
        "couponType": null,
        "couponValue": null,
        "points": line.points(),
        "timesAchieved": u8::from(eligible),
        "progress": null,
    }))
}
