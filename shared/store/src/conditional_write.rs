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
    /// Nothing was written, because a condition failed. Carries the index of the first such write and the existing
    /// item.
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

/// Classifies a cancelled transaction. A permanent failure takes precedence over a failed condition, which takes
/// precedence over a transient failure.
fn read_reasons(operation: &'static str, reasons: &[CancellationReason]) -> Result<Transacted, FailedAttempt> {
    let (mut condition, mut transient) = (None, FailedAttempt::Conflict);
    for (index, reason) in reasons.iter().enumerate() {
        match reason.code() {
            None | Some("None") => {}
            Some("ConditionalCheckFailed") => {
                condition = condition.or_else(|| Some((index, reason.item().cloned().unwrap_or_default())));
            }
            Some(code) => match FailedAttempt::of_member(operation, code) {
                FailedAttempt::Conflict => {}
                FailedAttempt::Transient { cause, .. } => {
                    // A cancelled transaction has no effect.
                    transient = FailedAttempt::Transient { cause, may_have_taken_effect: false };
                }
                failed @ FailedAttempt::Final(_) => return Err(failed),
            },
        }
    }
    condition.map_or(Err(transient), |(index, item)| Ok(Transacted::ConditionFailed(index, item)))
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
    fn a_failed_condition_is_the_outcome_unless_a_write_failed_permanently() {
        assert_eq!(outcome(&["ConditionalCheckFailed", "ConditionalCheckFailed"]), "condition 0");
        assert_eq!(outcome(&["None", "ConditionalCheckFailed"]), "condition 1");
        assert_eq!(outcome(&["TransactionConflict", "ConditionalCheckFailed"]), "condition 1");
        assert_eq!(outcome(&["None", "TransactionConflict"]), "conflict");
        assert_eq!(outcome(&["ThrottlingError", "None"]), "transient false");
        assert_eq!(outcome(&["InternalServerError", "None"]), "transient false");
        assert_eq!(outcome(&["None", "ValidationError"]), "test: invalid request: ValidationError");
        let refused = "test: invalid request: ItemCollectionSizeLimitExceeded";
        assert_eq!(outcome(&["ConditionalCheckFailed", "ItemCollectionSizeLimitExceeded"]), refused);
    }
}
