//! Limits on how often a rule pays and how much.

use punchcard_models::{fault::Noted, json::At};

use crate::parse::{only, positive};

/// The highest limit of uses or points.
pub const MAX_LIMIT: u64 = 1_000_000_000_000_000;

/// A rule's limits. None of them is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub uses_per_member: Option<u64>,
    pub uses_in_total: Option<u64>,
    pub points_per_member: Option<u64>,
}

impl Limits {
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let limits = at.object()?;
        let only = only(&limits, &["usesPerMember", "usesInTotal", "pointsPerMember"]);
        let limit = |name| limits.optional(name, |at| positive(at, MAX_LIMIT));
        let (uses_per_member, uses_in_total, points_per_member) =
            (limit("usesPerMember"), limit("usesInTotal"), limit("pointsPerMember"));
        only?;
        Ok(Limits {
            uses_per_member: uses_per_member?,
            uses_in_total: uses_in_total?,
            points_per_member: points_per_member?,
        })
    }
}
