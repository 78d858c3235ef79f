//! Awards: the points paid, the reasons, and the counters to increase.

use std::collections::BTreeMap;

use crate::{
    condition::Unmet,
    counter::{Counter, Spend},
    offer::OfferKind,
    period::Period,
    rule::{Rule, RuleBody},
};

/// The points that a catalog pays for one occurrence, with the reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Award<'c> {
    pub(crate) trace: Vec<Line<'c>>,
    pub(crate) spends: Vec<Spend<'c>>,
    pub(crate) assumed: BTreeMap<String, u64>,
}

/// The outcome for one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'c> {
    /// The rule.
    pub rule: &'c Rule,
    /// The verdict.
    pub verdict: Verdict<'c>,
}

/// The outcome of evaluating a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'c> {
    /// The rule pays.
    Paid {
        /// The points paid, at least one.
        points: u64,
        /// The points that it would pay without its points limits.
        due: u64,
        /// The points limit that left only a part of what is due.
        reduced_by: Option<Limit>,
    },
    /// The rule pays nothing.
    NotPaid(Reason<'c>),
}

/// The reason why a rule pays nothing. If several apply, it is the first in the order of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason<'c> {
    /// The catalog says `rewards: disabled`.
    RewardsDisabled,
    /// The offer's business unit is disabled.
    UnitDisabled,
    /// The activity names another business unit.
    OtherUnit,
    /// The offer is limited to other channels.
    OtherChannel,
    /// The offer is targeted at other members.
    NotTargeted,
    /// The rule's window starts later.
    BeforeWindow,
    /// The rule's window has ended.
    AfterWindow,
    /// A condition is not met: the first one.
    ConditionNotMet(Unmet<'c>),
    /// The reward is a share of base points, and no base points were paid.
    NoBasePoints,
    /// The share of the base points is less than one point.
    LessThanOnePoint {
        /// The base points.
        base: u64,
    },
    /// The rule has a limit per period, and the period in which the occurrence lies is not open.
    PeriodClosed {
        /// The period.
        period: Period,
        /// The points that the rule would have paid.
        due: u64,
    },
    /// A limit is reached: the first in the order of uses per member, uses in total, points per member; each for ever
    /// before each period.
    LimitReached {
        /// The limit.
        limit: Limit,
        /// The points that the rule would have paid.
        due: u64,
    },
}

/// A limit and the value of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The counter.
    pub counter: Counter,
    /// The period to which the limit applies. `None`: for ever.
    pub period: Option<Period>,
    /// The highest value that the counter may reach.
    pub limit: u64,
    /// The value that the evaluation assumed.
    pub used: u64,
}

/// The points of one type that a business unit's offers pay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Earned {
    /// Points of base offers.
    pub base: u64,
    /// Points of bonus offers.
    pub bonus: u64,
    /// Points of targeted offers.
    pub targeted: u64,
}

impl Earned {
    /// Points of all offers.
    #[must_use]
    pub fn total(self) -> u64 {
        self.base + self.bonus + self.targeted
    }
}

impl<'c> Award<'c> {
    /// The outcome for every rule that the trigger selects, ordered by rule id.
    #[must_use]
    pub fn trace(&self) -> &[Line<'c>] {
        &self.trace
    }

    /// The amounts that rules add to their counters. Each counter appears once. Counters of limits appear only for a rule
    /// that pays.
    #[must_use]
    pub fn spends(&self) -> &[Spend<'c>] {
        &self.spends
    }

    /// The counters that the evaluation read and that were not 0, by name. An evaluation of the same occurrence with
    /// these counters, and all others 0, gives the same award.
    #[must_use]
    pub fn assumed(&self) -> &BTreeMap<String, u64> {
        &self.assumed
    }

    /// The sum of all points, across units and points types.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.trace.iter().map(Line::points).sum()
    }

    /// The points that offers pay, by business unit and then by points type. Combinations without points are left out.
    #[must_use]
    pub fn earned(&self) -> BTreeMap<&'c str, BTreeMap<&'c str, Earned>> {
        let mut units = BTreeMap::<_, BTreeMap<_, Earned>>::new();
        for line in &self.trace {
            if let (RuleBody::Offer(offer), points @ 1..) = (&line.rule.body, line.points()) {
                let unit = units.entry(&*offer.unit).or_default();
                let earned = unit.entry(&*offer.points_type).or_default();
                match offer.kind {
                    OfferKind::Base(_) => earned.base += points,
                    OfferKind::Bonus(_) => earned.bonus += points,
                    OfferKind::Targeted(..) => earned.targeted += points,
                }
            }
        }
        units
    }

    /// [`Award::earned`] as JSON: `{"XYZ":{"loyalty":{"base":0,"bonus":5,"targeted":10,"total":15}}}`.
    #[must_use]
    pub fn earned_json(&self) -> String {
        let mut units = Vec::new();
        for (unit, types) in self.earned() {
            let types = types.into_iter().map(|(name, Earned { base, bonus, targeted })| {
                let total = base + bonus + targeted;
                // Names of units and points types need no escapes.
                format!(r#""{name}":{{"base":{base},"bonus":{bonus},"targeted":{targeted},"total":{total}}}"#)
            });
            units.push(format!(r#""{unit}":{{{}}}"#, types.collect::<Vec<_>>().join(",")));
        }
        format!("{{{}}}", units.join(","))
    }
}

/// Combines the awards of one request's events. They share no rule, because the events' names are distinct.
impl<'c> FromIterator<Award<'c>> for Award<'c> {
    fn from_iter<I: IntoIterator<Item = Award<'c>>>(awards: I) -> Self {
        let mut all = Award::default();
        for award in awards {
            all.trace.extend(award.trace);
            all.spends.extend(award.spends);
            all.assumed.extend(award.assumed);
        }
        all.trace.sort_unstable_by(|a, b| a.rule.id.cmp(&b.rule.id));
        all
    }
}

impl Line<'_> {
    /// The points paid, 0 if none.
    #[must_use]
    pub fn points(&self) -> u64 {
        match self.verdict {
            Verdict::Paid { points, .. } => points,
            Verdict::NotPaid(_) => 0,
        }
    }
}
