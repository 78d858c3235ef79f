//! Items of total limits in table `Members`: `cap#RULE`, or one for each shard, `cap#RULE#N`.

use aws_sdk_dynamodb::{
    error::BuildError,
    types::{ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update},
};
use punchcard_rewards::{Spend, Usage};

use crate::{
    corrections::OUT,
    error::StoreError,
    item::{Attributes as _, Item, n, s, signed},
};

/// The attribute that counts the uses.
pub(crate) const USED: &str = "used";
/// The attribute of a shard with its share, if a catalog has changed it. It holds whatever catalog a function still has.
pub(crate) const SHARE: &str = "share";

/// The item of a total limit, or of one of its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredTotal {
    /// The uses.
    pub used: u64,
    /// The share of the limit, if a catalog has changed it since the first one.
    pub share: Option<u64>,
}

impl StoredTotal {
    /// Sets the uses that an evaluation sees.
    pub(crate) fn set(self, usage: &mut Usage, name: &str) {
        usage.set(name, self.used);
        usage.set_exhausted(name, self.share.is_some_and(|share| self.used >= share));
    }
}

/// Reads items of total limits, by name.
pub(crate) fn read_totals<'i>(
    operation: &'static str,
    items: &'i [Item],
) -> Result<Vec<(&'i str, StoredTotal)>, StoreError> {
    let read = |item: &'i Item| {
        let total = StoredTotal { used: item.number(USED)?, share: item.number(SHARE) };
        Some((item.text("memberId")?, total))
    };
    items.iter().map(|item| read(item).ok_or(StoreError::corrupt(operation, "a total limit"))).collect()
}

/// Builds the update that spends uses, on condition that the limit allows it.
pub(crate) fn spend(members: &str, spend: &Spend<'_>) -> Result<TransactWriteItem, BuildError> {
    let mut update = Update::builder()
        .table_name(members)
        .key("memberId", s(spend.name()))
        .update_expression("ADD #used :amount")
        .expression_attribute_names("#used", USED)
        .expression_attribute_values(":amount", n(spend.amount))
        .expression_attribute_values(":most", n(spend.most_before()))
        .return_values_on_condition_check_failure(OnFailure::AllOld);
    update = match spend.shard {
        None => update.condition_expression("attribute_not_exists(#used) OR #used <= :most"),
        // An item with a share has uses.
        Some(_) => update.expression_attribute_names("#share", SHARE).condition_expression(
            "attribute_not_exists(#used) OR (#used <= :most AND (attribute_not_exists(#share) OR #used < #share))",
        ),
    };
    Ok(TransactWriteItem::builder().update(update.build()?).build())
}

/// Builds the update that gives uses back.
pub(crate) fn give_back(members: &str, name: &str, uses: u64) -> Result<TransactWriteItem, BuildError> {
    let update = Update::builder()
        .table_name(members)
        .key("memberId", s(name))
        .update_expression("ADD #used :minus, #out :uses")
        .expression_attribute_names("#used", USED)
        .expression_attribute_names("#out", format!("{OUT}{USED}"))
        .expression_attribute_values(":minus", n(-signed(uses)))
        .expression_attribute_values(":uses", n(uses));
    Ok(TransactWriteItem::builder().update(update.build()?).build())
}
