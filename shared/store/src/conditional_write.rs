//! Conditional writes, which create an item or return the existing one.
//!
//! Each function makes one attempt. Callers retry a [`FailedAttempt`] with [`Retries`](crate::retry::Retries).

use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{CancellationReason, Put, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem},
};

use crate::{
    error::{FailedAttempt, StoreError},
    item::Item,
};

const IS_NEW: &str = "attribute_not_exists(#key)";

/// Puts an item if its key is new, and returns the existing item otherwise. `key` is any attribute of the key.
pub(crate) async fn put_new(
    client: &Client,
    operation: &'static str,
    table: &str,
    key: &str,
    item: Item,
) -> Result<Option<Item>, FailedAttempt> {
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
                let missing = || FailedAttempt::Final(StoreError::corrupt(operation, "no old item"));
                exists.item.clone().map(Some).ok_or_else(missing)
            }
            _ => Err(FailedAttempt::new(operation, &error)),
        },
    }
}

/// Builds the put of [`put_new`] for a transaction.
pub(crate) fn new_item(
    operation: &'static str,
    table: &str,
    key: &str,
    item: Item,
) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression(IS_NEW)
        .expression_attribute_names("#key", key)
        .return_values_on_condition_check_failure(OnFailure::AllOld);
    let put = put.build().map_err(|error| StoreError::internal(operation, error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// The outcome of a transaction.
#[derive(Debug)]
pub(crate) enum Transacted {
    /// All writes took effect.
    Done,
    /// Nothing was written, because a condition failed, and no write before it. Carries its index and the existing item.
    ConditionFailed(usize, Item),
}

/// Executes a transaction.
pub(crate) async fn transact(
    client: &Client,
    operation: &'static str,
    writes: Vec<TransactWriteItem>,
) -> Result<Transacted, FailedAttempt> {
    let sent = client.transact_write_items().set_transact_items(Some(writes)).send().await;
    let Err(error) = sent else { return Ok(Transacted::Done) };
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            read_reasons(operation, cancelled.cancellation_reasons())
        }
        _ => Err(FailedAttempt::new(operation, &error)),
    }
}

/// Classifies a cancelled transaction. A permanent failure takes precedence; otherwise the first item that failed decides,
/// because a transient failure hides whether the item's condition holds. So a later condition is not believed while an
/// earlier item, such as the record, may exist by an attempt of the same call.
fn read_reasons(operation: &'static str, reasons: &[CancellationReason]) -> Result<Transacted, FailedAttempt> {
    let mut first = None;
    for (index, reason) in reasons.iter().enumerate() {
        match reason.code() {
            None | Some("None") => {}
            Some("ConditionalCheckFailed") => {
                let item = || reason.item().cloned().unwrap_or_default();
                first.get_or_insert_with(|| Ok(Transacted::ConditionFailed(index, item())));
            }
            Some(code) => match FailedAttempt::of_member(operation, code) {
                failed @ FailedAttempt::Final(_) => return Err(failed),
                FailedAttempt::Conflict => {
                    first.get_or_insert(Err(FailedAttempt::Conflict));
                }
                FailedAttempt::Transient { cause, .. } => {
                    // A cancelled transaction has no effect.
                    first.get_or_insert(Err(FailedAttempt::Transient { cause, may_have_taken_effect: false }));
                }
            },
        }
    }
    first.unwrap_or(Err(FailedAttempt::Conflict))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(codes: &[&str]) -> String {
        let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        match read_reasons("test", &reasons) {
            Ok(Transacted::ConditionFailed(index, _)) => format!("condition {index}"),
            Ok(Transacted::Done) => "done".to_owned(),
            Err(FailedAttempt::Conflict) => "conflict".to_owned(),
            Err(FailedAttempt::Transient { may_have_taken_effect, .. }) => format!("transient {may_have_taken_effect}"),
            Err(FailedAttempt::Final(error)) => error.to_string(),
        }
    }

    #[test]
    fn the_first_failure_is_the_outcome_unless_a_write_failed_permanently() {
        assert_eq!(outcome(&["ConditionalCheckFailed", "ConditionalCheckFailed"]), "condition 0");
        assert_eq!(outcome(&["None", "ConditionalCheckFailed"]), "condition 1");
        assert_eq!(outcome(&["ConditionalCheckFailed", "TransactionConflict"]), "condition 0");
        assert_eq!(outcome(&["TransactionConflict", "ConditionalCheckFailed"]), "conflict");
        assert_eq!(outcome(&["ThrottlingError", "ConditionalCheckFailed"]), "transient false");
        assert_eq!(outcome(&["None", "TransactionConflict"]), "conflict");
        assert_eq!(outcome(&["ThrottlingError", "None"]), "transient false");
        assert_eq!(outcome(&["InternalServerError", "None"]), "transient false");
        assert_eq!(outcome(&["None", "ValidationError"]), "test: invalid request: ValidationError");
        let refused = "test: invalid request: ItemCollectionSizeLimitExceeded";
        assert_eq!(outcome(&["ConditionalCheckFailed", "ItemCollectionSizeLimitExceeded"]), refused);
    }
}
