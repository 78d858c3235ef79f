//! Rules that pay for a member's first occurrence, or for each n-th.

use punchcard_models::{
    fault::Noted,
    json::{At, Members},
};

use crate::parse::positive;

/// The highest n of a rule that pays for each n-th occurrence.
const MAX_EVERY: u64 = 1_000_000;

/// The occurrences of a member that a rule pays for. Without one, it pays for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frequency {
    /// The first one with the rule's trigger, whether or not the rule applies to it.
    First,
    /// Each n-th one to which the rule applies. At least 2.
    Every(u64),
}

impl Frequency {
    /// Parses `first: true` or `every: n` of a rule.
    pub fn parse(rule: &Members<'_, '_>) -> Result<Option<Self>, Noted> {
        let first = rule.optional("first", |at| at.bool());
        let every = rule.optional("every", |at: At<'_, '_>| match positive(at, MAX_EVERY)? {
            1 => Err(at.invalid("must be at least 2: without it, the rule pays every time")),
            every => Ok(every),
        });
        match (first?.unwrap_or(false), every?) {
            (true, Some(_)) => Err(rule.at.invalid("must not have both first and every")),
            (true, None) => Ok(Some(Frequency::First)),
            (false, every) => Ok(every.map(Frequency::Every)),
        }
    }
}
