//! Items that have to be new: the condition that rejects a duplicate, and what it returns.

use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{CancellationReason, Put, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem},
};

use crate::{item::Item, measure, outage::Outage, retry::passes};

const IS_NEW: &str = "attribute_not_exists(#key)";

/// Puts an item, unless one of its key is there: then that one is the answer. `key` is any attribute of the key.
pub(crate) async fn put_new(
    client: &Client,
    operation: &'static str,
    table: &str,
    key: &str,
    item: Item,
) -> Result<Option<Item>, Outage> {
    let put = client
        .put_item()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression(IS_NEW)
        .expression_attribute_names("#key", key)
        .return_values_on_condition_check_failure(OnFailure::AllOld);
    match put.send().await {
        Ok(_) => Ok(None),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(exists)) => {
                exists.item.clone().map(Some).ok_or(Outage::unreadable(operation, "no old item"))
            }
            _ => Err(Outage::from_sdk(operation, &error)),
        },
    }
}

/// The same, as a part of a transaction.
pub(crate) fn new_item(
    operation: &'static str,
    table: &str,
    key: &str,
    item: Item,
) -> Result<TransactWriteItem, Outage> {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression(IS_NEW)
        .expression_attribute_names("#key", key)
        .return_values_on_condition_check_failure(OnFailure::AllOld);
    let put = put.build().map_err(|_| Outage::unreadable(operation, "a put"))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// What became of a transaction.
pub(crate) enum Transacted {
    /// All of it is written.
    Done,
    /// None of it is: the condition of the write of this index failed, and this is what is there. Of several, the
    /// first.
    Failed(usize, Item),
    /// None of it is, for a reason that passes.
    Busy,
}

/// Writes all or nothing.
pub(crate) async fn transact(
    client: &Client,
    operation: &'static str,
    writes: Vec<TransactWriteItem>,
) -> Result<Transacted, Outage> {
    let sent = client.transact_write_items().set_transact_items(Some(writes)).send().await;
    let Err(error) = sent else { return Ok(Transacted::Done) };
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            read_reasons(operation, cancelled.cancellation_reasons())
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
            measure::conflict();
            Ok(Transacted::Busy)
        }
        _ => Err(Outage::from_sdk(operation, &error)),
    }
}

/// Reads a cancelled transaction write by write: a failed condition is an answer, a conflict passes, everything else
/// is an outage.
fn read_reasons(operation: &'static str, reasons: &[CancellationReason]) -> Result<Transacted, Outage> {
    let (mut failed, mut conflict) = (None, false);
    for (index, reason) in reasons.iter().enumerate() {
        match reason.code() {
            None | Some("None") => {}
            Some("ConditionalCheckFailed") => {
                failed = failed.or_else(|| Some((index, reason.item().cloned().unwrap_or_default())));
            }
            Some("TransactionConflict") => conflict = true,
            Some(code) if passes(code) => {}
            Some(code) => return Err(Outage::refused(operation, code)),
        }
    }
    if conflict {
        measure::conflict();
    }
    Ok(failed.map_or(Transacted::Busy, |(index, item)| Transacted::Failed(index, item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Result<&'static str, String> {
        let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        match read_reasons("test", &reasons) {
            Ok(Transacted::Failed(0, _)) => Ok("first"),
            Ok(Transacted::Failed(..)) => Ok("other"),
            Ok(Transacted::Busy) => Ok("busy"),
            Ok(Transacted::Done) => Ok("done"),
            Err(outage) => Err(outage.to_string()),
        }
    }

    #[test]
    fn a_failed_condition_is_an_answer_a_conflict_passes_and_the_rest_is_an_outage() {
        assert_eq!(reasons(&["ConditionalCheckFailed", "ConditionalCheckFailed"]), Ok("first"));
        assert_eq!(reasons(&["None", "ConditionalCheckFailed"]), Ok("other"));
        assert_eq!(reasons(&["None", "TransactionConflict"]), Ok("busy"));
        assert_eq!(reasons(&["ThrottlingError", "None"]), Ok("busy"));
        assert_eq!(reasons(&["TransactionConflict", "ConditionalCheckFailed"]), Ok("other"));
        assert!(reasons(&["None", "ValidationError"]).is_err());
        assert!(reasons(&["ConditionalCheckFailed", "ItemCollectionSizeLimitExceeded"]).is_err());
    }
}
