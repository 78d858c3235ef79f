//! The shares of total limits, when a catalog is applied.

use std::collections::{BTreeMap, BTreeSet};

use punchcard_rewards::{Catalog, Counter, Rule, Shares, changed_shares, new_shares, yaml};
use punchcard_store::{Admin, AdminError, AppliedRules, ShareChange, StoredTotal};

use crate::{catalog, failure::Failure};

/// Number of attempts to change the shares of a limit that is in use.
const ATTEMPTS: u32 = 20;

/// Items of total limits, by name.
type Totals = BTreeMap<String, StoredTotal>;

/// Returns the shares of a new catalog's total limits, and changes those of limits that it changes. Rules that lost their
/// limit are included: the number of shards never changes, and a limit that was counted by one item always is. A rule
/// that has a limit, one item and no shares here is counted by that item.
///
/// # Errors
/// A store call failed, another catalog was applied since `current`, or a limit is in too heavy use to be changed.
pub(crate) async fn of_catalog(
    admin: &Admin,
    new: &Catalog,
    current: Option<&AppliedRules>,
) -> Result<Shares, Failure> {
    let mut shares = Shares::new();
    if let Some(current) = current {
        if admin.is_superseded(current.version).await? {
            return Err(Failure::of_admin(AdminError::Superseded, ""));
        }
        let before = catalog::parse(&current.json)?;
        shares.extend(before.rules().filter_map(|rule| Some((rule.id().to_string(), vec![rule.total_limit()?]))));
        shares.extend(yaml::source_of(&current.json).1);
    }
    let limited: Vec<_> = new.rules().filter_map(|rule| Some((rule, rule.total_limit()?))).collect();
    let names_of = |rule: &Rule| match shares.get(&**rule.id()).map_or(0, Vec::len) {
        // A rule that was removed before there were shards.
        0 => vec![Counter::TotalUses.name(rule.id())],
        1 => Vec::new(),
        count => names(rule, count),
    };
    let stored = admin.totals(&limited.iter().flat_map(|(rule, _)| names_of(rule)).collect::<Vec<_>>()).await?;
    for (rule, limit) in limited {
        let shares = shares.entry(rule.id().to_string()).or_default();
        *shares = match &shares[..] {
            [] if stored.contains_key(&Counter::TotalUses.name(rule.id())) => vec![limit],
            [] => new_shares(limit),
            [_] => vec![limit],
            before => change(admin, rule, before, limit, &stored).await?,
        };
    }
    // One item follows from the limit.
    let limited: BTreeSet<_> = new.rules().filter(|rule| rule.has_total_limit()).map(|rule| &**rule.id()).collect();
    shares.retain(|rule, shares| shares.len() > 1 || !limited.contains(rule.as_str()));
    Ok(shares)
}

fn names(rule: &Rule, count: usize) -> Vec<String> {
    (0..count).map(|index| Counter::TotalUses.name_of_shard(rule.id(), index)).collect()
}

/// Changes the shares of a limit in its shards, and returns them. What the shards have is what counts: functions may use
/// the previous catalog for a minute.
///
/// Smaller shares come first, so that the shares never add up to more than the higher one of the two limits. If this is
/// interrupted, or the catalog is not applied, applying a catalog again completes it, even the same one.
async fn change(admin: &Admin, rule: &Rule, before: &[u64], limit: u64, stored: &Totals) -> Result<Vec<u64>, Failure> {
    let names = names(rule, before.len());
    let mut stored = stored.clone();
    'attempts: for _ in 0..ATTEMPTS {
        let used: Vec<_> = names.iter().map(|name| stored.get(name).map_or(0, |total| total.used)).collect();
        let seen: Vec<_> = names.iter().map(|name| stored.get(name).and_then(|total| total.share)).collect();
        let shares: Vec<_> = seen.iter().zip(before).map(|(seen, before)| seen.unwrap_or(*before)).collect();
        if shares.iter().sum::<u64>() == limit {
            return Ok(shares);
        }
        let target = changed_shares(&shares, &used, limit);
        let mut changes: Vec<_> = (0..names.len()).filter(|index| target[*index] != shares[*index]).collect();
        changes.sort_by_key(|index| target[*index] > shares[*index]);
        for index in changes {
            let change = ShareChange {
                seen: seen[index],
                share: target[index],
                // Uses beyond a share would be missing elsewhere, unless all shards are exhausted.
                most_used: Some(target[index]).filter(|share| used[index] <= *share),
            };
            if !admin.set_share(&names[index], change).await? {
                stored = admin.totals(&names).await?;
                continue 'attempts;
            }
        }
        return Ok(target);
    }
    Err(Failure::LimitInUse(rule.id().to_string()))
}
