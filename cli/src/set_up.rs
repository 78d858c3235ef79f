//! Initialisation of a store: keys and catalog.

use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::{
    Shares,
    yaml::{self, Source},
};
use punchcard_store::{Admin, Annotation, AppliedRules};
use ring::rand::SecureRandom as _;

use crate::{catalog, difference::Document, failure::Failure, shares};

/// Maximum size of a catalog with the shares of its total limits: it is stored in one transaction, which holds 4 MB.
const MAX_STORED_BYTES: usize = 3_500_000;

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
    let current = admin.rules().await?;
    let new = Document { catalog: source.catalog(), json: source.to_json() };
    if let Some(current) = &current
        && catalog::parse(&current.json)?.without_shares() == *source.catalog()
    {
        repair(admin, new, current, &Annotation::default(), now).await?;
        return Ok(());
    }
    write(admin, new, current.as_ref(), &Annotation::default(), now).await?;
    Ok(())
}

/// Writes a catalog as the version after the current one. Adds the offsets of its time zone and the shares of its total
/// limits.
///
/// # Errors
/// A store call failed, or another catalog was applied concurrently.
pub(crate) async fn write(
    admin: &Admin,
    new: Document<'_>,
    current: Option<&AppliedRules>,
    annotation: &Annotation,
    now: Timestamp,
) -> Result<u64, Failure> {
    let shares = shares::of_catalog(admin, new.catalog, current).await?;
    put(admin, new, &shares, current, annotation, now).await
}

/// Writes the current catalog again if its shards have other shares than it says: an earlier change of a limit was not
/// completed. Returns the new version, if there is one.
///
/// # Errors
/// A store call failed, or another catalog was applied concurrently.
pub(crate) async fn repair(
    admin: &Admin,
    same: Document<'_>,
    current: &AppliedRules,
    annotation: &Annotation,
    now: Timestamp,
) -> Result<Option<u64>, Failure> {
    let (_, stored) = yaml::source_of(&current.json);
    let shares = shares::of_catalog(admin, same.catalog, Some(current)).await?;
    if shares == stored {
        return Ok(None);
    }
    put(admin, same, &shares, Some(current), annotation, now).await.map(Some)
}

async fn put(
    admin: &Admin,
    new: Document<'_>,
    shares: &Shares,
    current: Option<&AppliedRules>,
    annotation: &Annotation,
    now: Timestamp,
) -> Result<u64, Failure> {
    let json = yaml::applied(new.json, new.catalog, shares);
    if json.len() > MAX_STORED_BYTES {
        return Err(Failure::StoredCatalogTooLarge(json.len(), MAX_STORED_BYTES));
    }
    let seen = current.map_or(0, |current| current.version);
    admin.apply_rules(&json, seen, annotation, now).await.map_err(|error| Failure::of_admin(error, ""))
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
