//! Protocols that are broken on purpose, to see that the checker notices.

use clap::ValueEnum;

use crate::scenario::{INTAKE, MEMBER_LIMIT, Scenario, TWO_REVERSALS};

/// A protocol that is broken in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Variant {
    /// Records are written without the condition that they are new
    RecordUnconditional,
    /// Shards are read before the write, and written without a condition
    ShardCheckedBefore,
    /// Uses of the member are counted without a condition
    MemberUnconditional,
    /// An activity is marked as reversed without the condition that it is not
    MarkUnconditional,
    /// A reversal gives the use back to another shard than it came from
    OtherShard,
    /// Each attempt of a handler has a new write id
    FreshWriteId,
    /// A handler forgets that an earlier attempt may have taken effect
    ForgottenUncertainty,
    /// A handler does not answer at its deadline
    SilentDeadline,
}

impl Variant {
    /// Returns the smallest scenario in which the variant shows.
    #[must_use]
    pub fn scenario(self) -> Scenario {
        match self {
            Variant::ShardCheckedBefore => INTAKE.with_faults(0),
            Variant::RecordUnconditional
            | Variant::FreshWriteId
            | Variant::ForgottenUncertainty
            | Variant::SilentDeadline => INTAKE.with_faults(1),
            Variant::MemberUnconditional => MEMBER_LIMIT.with_faults(0),
            Variant::MarkUnconditional | Variant::OtherShard => TWO_REVERSALS.with_faults(0),
        }
    }
}
