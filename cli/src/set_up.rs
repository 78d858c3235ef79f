//! Initialisation of a store: keys and catalog.

use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::{
    Catalog, Counter, RuleId, Shares, changed_shares, new_shares,
    yaml::{self, Source},
};
use punchcard_store::{Admin, Annotation, AppliedRules};
use ring::rand::SecureRandom as _;

use crate::{catalog, difference::Document, failure::Failure};

/// Maximum size of a catalog with the shares of its total limits: it is stored in one transaction, which holds 4 MB.
const MAX_STORED_BYTES: usize = 3_500_000;
/// Number of attempts to change the shares of a limit that is in use.
const SHARE_ATTEMPTS: u32 = 20;

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
    if let Some(current) = &current
        && catalog::parse(&current.json)?.without_shares() == *source.catalog()
    {
        return Ok(());
    }
    let new = Document { catalog: source.catalog(), json: source.to_json() };
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
    let shares = shares(admin, new.catalog, current).await?;
    let json = yaml::applied(new.json, new.catalog, &shares);
    if json.len() > MAX_STORED_BYTES {
        return Err(Failure::StoredCatalogTooLarge(json.len(), MAX_STORED_BYTES));
    }
    let seen = current.map_or(0, |current| current.version);
    admin.apply_rules(&json, seen, annotation, now).await.map_err(|error| Failure::of_admin(error, ""))
}

/// Returns the shares of a new catalog's total limits, and of those that earlier catalogs had: the number of shards never
/// changes, and a limit that was counted by one item always is.
async fn shares(admin: &Admin, new: &Catalog, current: Option<&AppliedRules>) -> Result<Shares, Failure> {
    let mut shares = Shares::new();
    if let Some(current) = current {
        let before = catalog::parse(&current.json)?;
        shares.extend(before.rules().filter_map(|rule| Some((rule.id().to_string(), vec![rule.total_limit()?]))));
        shares.extend(yaml::source_of(&current.json).1);
    }
    for rule in new.rules() {
        let (Some(limit), id) = (rule.total_limit(), rule.id()) else { continue };
        let shares = shares.entry(id.to_string()).or_default();
        *shares = match &shares[..] {
            [] => {
                // A rule that was removed before there were shards.
                let single = Counter::TotalUses.name(id);
                let is_counted = !admin.totals(&[single]).await?.is_empty();
                if is_counted { vec![limit] } else { new_shares(limit) }
            }
            [_] => vec![limit],
            before => change_shares(admin, id, before, limit).await?,
        };
    }
    Ok(shares)
}

/// Changes the shares of a limit in its shards, and returns them. What the shards have is what counts: functions may use
/// the previous catalog for a minute.
///
/// Smaller shares come first, so that the shares never add up to more than the higher one of the two limits. If this is
/// interrupted, or the catalog is not applied, the next one that is applied completes it.
async fn change_shares(admin: &Admin, rule: &RuleId, before: &[u64], limit: u64) -> Result<Vec<u64>, Failure> {
    let names: Vec<_> = (0..before.len()).map(|index| Counter::TotalUses.name_of_shard(rule, index)).collect();
    'attempts: for _ in 0..SHARE_ATTEMPTS {
        let stored = admin.totals(&names).await?;
        let used: Vec<_> = names.iter().map(|name| stored.get(name).map_or(0, |total| total.used)).collect();
        let shares = names.iter().zip(before);
        let shares: Vec<_> =
            shares.map(|(name, share)| stored.get(name).and_then(|total| total.share).unwrap_or(*share)).collect();
        if shares.iter().sum::<u64>() == limit {
            return Ok(shares);
        }
        let target = changed_shares(&shares, &used, limit);
        let mut changes: Vec<_> = (0..names.len()).filter(|index| target[*index] != shares[*index]).collect();
        changes.sort_by_key(|index| target[*index] > shares[*index]);
        for index in changes {
            // Uses beyond a share would be missing elsewhere, unless all shards are exhausted.
            let most_used = Some(target[index]).filter(|share| used[index] <= *share);
            if !admin.set_share(&names[index], target[index], most_used).await? {
                continue 'attempts;
            }
        }
        return Ok(target);
    }
    Err(Failure::LimitInUse(rule.to_string()))
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
