//! Shares of a total limit: a limit that many members use at once is counted by several items, its shards.
//!
//! Each shard has a share of the limit, and the shares add up to exactly the limit. They are computed when a catalog is
//! applied. The number of shards of a rule never changes.

use std::collections::{BTreeMap, HashMap};

use punchcard_models::{
    fault::Noted,
    json::{At, Value},
};

use crate::{limits::MAX_LIMIT, parse::positive};

/// The highest number of shards of a limit.
pub const MAX_SHARDS: usize = 64;
/// Limits from which on there are so many shards. A smaller limit is exhausted before contention matters.
const SHARDS_FROM: [(u64, usize); 2] = [(100_000, MAX_SHARDS), (1_000, 8)];

/// The shares of the total limits of a catalog, by rule. A rule that lost its limit, or was removed, keeps its shards.
pub type Shares = BTreeMap<String, Vec<u64>>;

/// Returns the shares of a new limit.
#[must_use]
pub fn new_shares(limit: u64) -> Vec<u64> {
    let shards = SHARDS_FROM.iter().find(|(from, _)| *from <= limit).map_or(1, |(_, shards)| *shards);
    equal_shares(limit, shards)
}

/// Splits a limit into a number of shares that differ by at most 1.
#[must_use]
pub fn equal_shares(limit: u64, shards: usize) -> Vec<u64> {
    let count = u64::try_from(shards).unwrap_or(1).max(1);
    (0..count).map(|index| limit / count + u64::from(index < limit % count)).collect()
}

/// Returns the shares of a limit that was changed, given the uses of each shard: what is left of the limit is what one item
/// with all uses would have left.
///
/// More is added to all shards alike, less is taken from what is left of each. A limit that is not above all uses leaves
/// nothing anywhere.
#[must_use]
pub fn changed_shares(shares: &[u64], used: &[u64], limit: u64) -> Vec<u64> {
    let used: Vec<_> = (0..shares.len()).map(|index| used.get(index).copied().unwrap_or(0)).collect();
    let all_used: u64 = used.iter().sum();
    let Some(left) = limit.checked_sub(all_used) else { return proportional(&used, limit) };
    let left_before: Vec<_> = shares.iter().zip(&used).map(|(share, used)| share.saturating_sub(*used)).collect();
    let left: Vec<_> = match left.checked_sub(left_before.iter().sum()) {
        Some(added) => {
            left_before.iter().zip(equal_shares(added, shares.len())).map(|(left, add)| left + add).collect()
        }
        None => proportional(&left_before, left),
    };
    used.iter().zip(left).map(|(used, left)| used + left).collect()
}

/// Splits an amount in proportion to parts that add up to at least the amount. No part gets more than it is.
fn proportional(parts: &[u64], amount: u64) -> Vec<u64> {
    let whole: u128 = parts.iter().copied().map(u128::from).sum::<u128>().max(1);
    // Never above the part, because the amount is not above the whole.
    let floor = |part: &u64| u64::try_from(u128::from(*part) * u128::from(amount) / whole).unwrap_or(*part);
    let mut split: Vec<_> = parts.iter().map(floor).collect();
    let mut rest = amount - split.iter().sum::<u64>();
    for (split, part) in split.iter_mut().zip(parts) {
        let more = rest.min(part - *split);
        *split += more;
        rest -= more;
    }
    split
}

/// Parses the shares of an applied catalog: a list, or `{limit, shards}` for equal shares.
pub(crate) fn parse(at: At<'_, '_>) -> Result<HashMap<String, Vec<u64>>, Noted> {
    let share = |share: At<'_, '_>| match share.integer_from(0)? {
        share if share <= MAX_LIMIT => Ok(share),
        _ => Err(share.invalid("is too large")),
    };
    let rules = at.object()?.each(|rule, at| {
        let shares = match at.value {
            Value::Object(_) => {
                let equal = at.object()?;
                let limit = equal.required("limit", share)?;
                let shards = equal.required("shards", |at| positive(at, u64::try_from(MAX_SHARDS).unwrap_or(1)))?;
                equal_shares(limit, usize::try_from(shards).unwrap_or(1))
            }
            _ => at.items(1..=MAX_SHARDS, share)?,
        };
        Ok((rule.to_owned(), shares))
    })?;
    Ok(rules.into_iter().collect())
}

/// Formats shares as JSON.
#[cfg(feature = "yaml")]
pub(crate) fn to_json(shares: &Shares) -> String {
    let rules = shares.iter().map(|(rule, shares)| {
        let (limit, count) = (shares.iter().sum::<u64>(), shares.len());
        // Ids of rules need no escapes.
        if *shares == equal_shares(limit, count) {
            return format!(r#""{rule}":{{"limit":{limit},"shards":{count}}}"#);
        }
        let shares: Vec<_> = shares.iter().map(ToString::to_string).collect();
        format!(r#""{rule}":[{}]"#, shares.join(","))
    });
    format!("{{{}}}", rules.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn small_limits_have_one_shard() {
        for (limit, shards) in [(1, 1), (999, 1), (1_000, 8), (99_999, 8), (100_000, 64), (MAX_LIMIT, 64)] {
            assert_eq!(new_shares(limit).len(), shards, "{limit}");
        }
        assert_eq!(equal_shares(10, 4), [3, 3, 2, 2]);
        assert_eq!(equal_shares(2, 4), [1, 1, 0, 0]);
    }

    proptest! {
        #[test]
        fn changed_shares_leave_what_one_item_would_have_left(
            limit in 1..5_000u64,
            shards in 1..10usize,
            changes in vec((1..5_000u64, vec(0..1_000u64, 10)), 1..6),
        ) {
            let mut shares = equal_shares(limit, shards);
            let mut used = vec![0; shards];
            for (limit, uses) in changes {
                // Uses within the shares, and some that are given back.
                for ((used, share), uses) in used.iter_mut().zip(&shares).zip(&uses) {
                    *used = if uses % 3 == 0 { *used - *used / 2 } else { (*used + uses).min((*share).max(*used)) };
                }
                let before = shares;
                shares = changed_shares(&before, &used, limit);
                prop_assert_eq!(shares.len(), shards);
                prop_assert_eq!(shares.iter().sum::<u64>(), limit);
                let left: u64 = shares.iter().zip(&used).map(|(share, used)| share.saturating_sub(*used)).sum();
                prop_assert_eq!(left, limit.saturating_sub(used.iter().sum()));
                // If no shard was used beyond its share, a higher limit makes no share smaller.
                let is_within = before.iter().zip(&used).all(|(share, used)| used <= share);
                let is_higher = limit >= before.iter().sum::<u64>();
                prop_assert!(!(is_within && is_higher) || before.iter().zip(&shares).all(|(old, new)| old <= new));
            }
        }
    }
}
