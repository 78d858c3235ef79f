//! `--demo`: the demo catalog and well-known credentials.

use std::net::SocketAddr;

use punchcard_models::{
    access::{Scope, SecretDigest},
    ids::InvalidId,
    timestamp::Timestamp,
};
use punchcard_rewards::yaml;
use punchcard_store::Admin;

use crate::{failure::Failure, set_up};

pub(crate) const CLIENT: &str = "demo-client";
pub(crate) const SECRET: &str = "demo-secret";
pub(crate) const API_KEY: &str = "demo-api-key";
pub(crate) const SECRET_KEY: &str = "demo-secret-key";

/// Creates the demo credentials and applies the demo catalog, unless they exist.
///
/// # Errors
/// A store call failed.
pub async fn set_up(admin: &Admin, now: Timestamp) -> Result<(), Failure> {
    let client = CLIENT.parse().map_err(|invalid: InvalidId| Failure::Embedded(invalid.to_string()))?;
    admin.add_client(&client, SecretDigest::of(SECRET), &Scope::ALL, now).await?;
    admin.add_api_key("demo", SecretDigest::of(API_KEY), SecretDigest::of(SECRET_KEY), now).await?;
    set_up::ensure_keys(admin, now).await?;
    let catalog = yaml::read(yaml::DEMO).map_err(|problems| Failure::Catalog("demo.yaml".into(), problems))?;
    set_up::apply(admin, &catalog, now).await
}

/// Returns example commands, one per API, that work without changes.
#[must_use]
pub fn commands(address: SocketAddr) -> String {
    format!(
        r#"Examples: a client event, an activity and a player event. The first two have unique ids and are rejected as
duplicates when they are sent again.

curl -i -w '\n' http://{address}/v2/events/clientEvent -H "Authorization: Bearer $(curl -s http://{address}/v2/session/startSession -H 'x-source-customer-id: customer-1' -H 'Content-Type: application/json' -d '{{"clientId":"{CLIENT}","secret":"{SECRET}"}}' | cut -d'"' -f4)" -H 'x-source-customer-id: customer-1' -H 'Content-Type: application/json' -d '{{"clientEvents":[{{"clientEventId":"12395199-1565-4565-bf99-3f94ee505d12","clientEventType":"AdInteraction","clientEvent":"ActivateOffer","clientEventTimestamp":"2024-10-01T07:00:00Z","clientEventMetadata":{{"serveToken":"CiQ3MGU5","section":"Dashboard","channel":"OLB"}}}}]}}'

curl -i -w '\n' http://{address}/client/users/correlation-1/activities/activity-1 -H "Authorization: Bearer $(curl -s http://{address}/oauth2/token -u {CLIENT}:{SECRET} -d grant_type=client_credentials | cut -d'"' -f4)" -H 'Content-Type: application/json' -d '{{"action":"SURVEY_RESPONSE","channel":"APP","when":"2024-10-01T07:00:00Z"}}'

curl -i -w '\n' http://{address}/integrations/event -H 'APIKey: {API_KEY}' -H 'Content-Type: application/json' -d '{{"playerUniqueId":"player123","events":{{"place_order":{{"total_amount":"120","category":["electronics","cosmetics"]}},"review":{{}}}}}}'
"#
    )
}
