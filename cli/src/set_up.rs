//! Initialisation of a store: keys and catalog.

use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::yaml::Source;
use punchcard_store::{Admin, Annotation};
use ring::rand::SecureRandom as _;

use crate::failure::Failure;

/// Creates the first signing key and the key for address digests, unless they exist.
///
/// # Errors
/// A store call failed.
pub async fn ensure_keys(admin: &Admin, now: Timestamp) -> Result<(), Failure> {
    if admin.snapshot().await?.access.public_keys.is_empty() {
        let (key, public) = punchcard_http::token::generate()?;
        admin.add_signing_key(&key, &public, now).await?;
    }
    admin.add_digest_key(&random()?, now).await?;
    Ok(())
}

/// Applies a catalog, unless it equals the current one.
///
/// # Errors
/// A store call failed, or another catalog was applied concurrently.
pub async fn apply(admin: &Admin, source: &Source, now: Timestamp) -> Result<(), Failure> {
    let seen = admin.snapshot().await?;
    if seen.version > 0 && seen.rules == *source.catalog() {
        return Ok(());
    }
    admin
        .apply_rules(source.to_json(), seen.version, &Annotation::default(), now)
        .await
        .map_err(|error| Failure::of_admin(error, ""))?;
    Ok(())
}

/// Returns 256 random bits.
///
/// # Errors
/// The system random number generator failed.
pub fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0u8; 32];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| Failure::NoRandomness)?;
    Ok(bytes)
}
