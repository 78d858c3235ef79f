//! Limits on how often a rule pays and how much, for ever or in each period.

use punchcard_models::{
    fault::Noted,
    json::{At, Members, Value},
};

use crate::{
    counter::Counter,
    parse::{only, positive},
    period::{MAX_PERIOD_LIMIT, PeriodUnit},
};

/// The highest limit of uses or points.
pub const MAX_LIMIT: u64 = 1_000_000_000_000_000;

/// A limit of one of a rule's counters, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// The counter.
    pub counter: Counter,
    /// The period in which it counts. `None`: for ever.
    pub per: Option<PeriodUnit>,
    /// The highest value that the counter may reach.
    pub limit: u64,
}

/// A rule's limits, in the order in which an evaluation checks them: uses per member, uses in total, points per member;
/// each for ever before each period, shortest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    caps: Vec<Cap>,
}

impl Limits {
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let limits = at.object()?;
        let only = only(&limits, &["usesPerMember", "usesInTotal", "pointsPerMember"]);
        let uses = per_member(&limits, Counter::MemberUses);
        let total = limits.optional(Counter::TotalUses.limit_name(), |at| positive(at, MAX_LIMIT));
        let points = per_member(&limits, Counter::MemberPoints);
        only?;
        let mut caps = uses?;
        caps.extend(total?.map(|limit| Cap { counter: Counter::TotalUses, per: None, limit }));
        caps.extend(points?);
        Ok(Limits { caps })
    }

    pub fn iter(&self) -> impl Iterator<Item = Cap> {
        self.caps.iter().copied()
    }

    pub fn uses_in_total(&self) -> Option<u64> {
        self.iter().find(|cap| cap.counter == Counter::TotalUses).map(|cap| cap.limit)
    }

    #[cfg(feature = "yaml")]
    pub fn has_periods(&self) -> bool {
        self.iter().any(|cap| cap.per.is_some())
    }
}

/// Parses a limit per member: a number, or an object with a number for each period and for ever.
fn per_member(limits: &Members<'_, '_>, counter: Counter) -> Result<Vec<Cap>, Noted> {
    let caps = limits.optional(counter.limit_name(), |at| {
        let Value::Object(_) = at.value else {
            return positive(at, MAX_LIMIT).map(|limit| vec![Cap { counter, per: None, limit }]);
        };
        let spans = at.object()?;
        let names: Vec<_> = PeriodUnit::ALL.into_iter().map(PeriodUnit::name).chain(["ever"]).collect();
        let only = only(&spans, &names);
        let ever = spans.optional("ever", |at| positive(at, MAX_LIMIT));
        let mut caps = Vec::new();
        let mut faulty = Ok(());
        for unit in PeriodUnit::ALL {
            match spans.optional(unit.name(), |at| positive(at, MAX_PERIOD_LIMIT)) {
                Ok(limit) => caps.extend(limit.map(|limit| Cap { counter, per: Some(unit), limit })),
                Err(noted) => faulty = Err(noted),
            }
        }
        only?;
        faulty?;
        caps.splice(0..0, ever?.map(|limit| Cap { counter, per: None, limit }));
        if caps.is_empty() {
            return Err(at.invalid(format!("must have at least one of {}", names.join(", "))));
        }
        Ok(caps)
    })?;
    Ok(caps.unwrap_or_default())
}
