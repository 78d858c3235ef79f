//! `--demo`: the demo catalog and well-known credentials. `punchcard demo`: sample requests with them.

mod command;

use punchcard_models::{
    access::{Scope, SecretDigest},
    ids::InvalidId,
    timestamp::Timestamp,
};
use punchcard_rewards::yaml;
use punchcard_store::Admin;

pub(crate) use command::{DEFAULT_URL, WHATS};
pub use command::{Options, run};

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
