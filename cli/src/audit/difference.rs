//! Differences that an audit finds.

use std::fmt;

use serde::Serialize;

/// A difference between what is stored and what follows from the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "difference", rename_all = "camelCase")]
pub enum Difference {
    /// A record cannot be read.
    Unreadable {
        /// The kind and key of the record.
        record: String,
    },
    /// The stored award is not the one that the catalog and the counters give.
    Award {
        /// The kind and key of the record.
        record: String,
        /// The stored award as JSON.
        stored: String,
        /// The derived award as JSON.
        derived: String,
    },
    /// An activity and a reversal, or an order and a refund, do not name each other.
    Reversal {
        /// The kind and key of the activity or order.
        record: String,
        /// The id of the reversal or refund.
        reversal: String,
    },
    /// The amount of a refund does not lead from the amount refunded before it to the one after it.
    Refunded {
        /// The kind and key of the refund.
        record: String,
        /// The stored amount in all.
        stored: String,
        /// The derived amount in all.
        derived: String,
    },
    /// A balance or counter of a member is not the sum of its records.
    Member {
        /// The member's key.
        member: String,
        /// The attribute.
        name: String,
        /// The stored number.
        stored: i64,
        /// The sum.
        derived: i64,
    },
    /// The uses of a total limit are not the sum of all records.
    Total {
        /// The limit's key.
        total: String,
        /// The stored number.
        stored: i64,
        /// The sum.
        derived: i64,
    },
    /// Records name a version of the catalog that is not in the history.
    MissingVersion {
        /// The version.
        version: u64,
    },
    /// A version of the catalog is incomplete or not the one that was applied.
    DamagedVersion {
        /// The version.
        version: u64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Unreadable { record } => write!(f, "{record} cannot be read"),
            Difference::Award { record, stored, derived } => {
                write!(f, "{record} has the award {stored}, and its catalog and counters give {derived}")
            }
            Difference::Reversal { record, reversal } => {
                write!(f, "{record} and its reversal or refund {reversal} do not name each other")
            }
            Difference::Refunded { record, stored, derived } => {
                write!(f, "{record} says that {stored} is refunded in all, and its amount gives {derived}")
            }
            Difference::Member { member, name, stored, derived } => {
                write!(f, "{name} of {member} is {stored}, and its records add up to {derived}")
            }
            Difference::Total { total, stored, derived } => {
                write!(f, "{total} has {stored} uses, and the records add up to {derived}")
            }
            Difference::MissingVersion { version } => {
                write!(f, "version {version} of the catalog is missing; records name it")
            }
            Difference::DamagedVersion { version } => {
                write!(f, "version {version} of the catalog is damaged: incomplete, or not the one that was applied")
            }
        }
    }
}
