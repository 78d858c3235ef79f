//! Faults between the system and its store.

use std::fmt;

use fastrand::Rng;

/// A way in which a call of the store goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// The connection breaks before the call got there.
    Unreached,
    /// The call is carried out; the connection breaks before the answer.
    AnswerLost,
    /// The call gets there, and is carried out, when the caller has stopped waiting for it.
    Late,
    /// The call is carried out; its answer comes when the caller has stopped waiting for it.
    AnswerLate,
    /// The call is carried out; its answer can't be read.
    Garbage,
    /// The call is refused, because there are too many.
    Throttled,
    /// The call is answered 500 and not carried out.
    InternalError,
    /// The call is answered 500 and carried out all the same.
    DoneAndInternalError,
    /// A write meets a transaction.
    Conflict,
    /// A write of a transaction is throttled.
    MemberThrottled,
    /// A write of a transaction is throttled, which hides its failed condition. Those of the other writes are shown.
    ConditionHidden,
    /// A transaction is still under way, says the store.
    InProgress,
    /// Some statements of a batch are not carried out.
    PartOfBatch,
    /// Some statements of a batch are answered with an internal error and carried out all the same.
    UnsureBatch,
    /// Some keys of a batch are not read.
    Unprocessed,
    /// A query is answered in part, and the caller has to ask for the rest.
    Paged,
}

impl Kind {
    /// Every one.
    pub(crate) const ALL: [Kind; 16] = [
        Kind::Unreached,
        Kind::AnswerLost,
        Kind::Late,
        Kind::AnswerLate,
        Kind::Garbage,
        Kind::Throttled,
        Kind::InternalError,
        Kind::DoneAndInternalError,
        Kind::Conflict,
        Kind::MemberThrottled,
        Kind::ConditionHidden,
        Kind::InProgress,
        Kind::PartOfBatch,
        Kind::UnsureBatch,
        Kind::Unprocessed,
        Kind::Paged,
    ];

    /// Returns whether a call of this operation can have this fault.
    pub(crate) fn befalls(self, operation: &str) -> bool {
        match self {
            Kind::Conflict => matches!(operation, "PutItem" | "TransactWriteItems"),
            Kind::MemberThrottled | Kind::ConditionHidden | Kind::InProgress => operation == "TransactWriteItems",
            Kind::PartOfBatch | Kind::UnsureBatch => operation == "BatchExecuteStatement",
            Kind::Unprocessed => operation == "BatchGetItem",
            Kind::Paged => operation == "Query",
            _ => true,
        }
    }
}

/// In words.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Unreached => "not reached",
            Kind::AnswerLost => "answer lost",
            Kind::Late => "carried out late",
            Kind::AnswerLate => "answered late",
            Kind::Garbage => "garbage answered",
            Kind::Throttled => "throttled",
            Kind::InternalError => "internal error",
            Kind::DoneAndInternalError => "done, and internal error",
            Kind::Conflict => "conflict",
            Kind::MemberThrottled => "part of a transaction throttled",
            Kind::ConditionHidden => "failed condition hidden by throttling",
            Kind::InProgress => "transaction in progress",
            Kind::PartOfBatch => "part of a batch",
            Kind::UnsureBatch => "part of a batch done, and internal error",
            Kind::Unprocessed => "keys not processed",
            Kind::Paged => "answered in pages",
        })
    }
}

/// A refusal of a whole call that passes: its name, as DynamoDB has it.
pub(crate) fn refusal(rng: &mut Rng) -> &'static str {
    ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"][rng.usize(0..3)]
}

/// A refusal of a statement of a batch that passes.
pub(crate) fn statement_refusal(rng: &mut Rng) -> &'static str {
    ["ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict", "RequestLimitExceeded"][rng.usize(0..4)]
}
