//! Awards: what was paid and why, and what that uses up.

use std::collections::BTreeMap;

use crate::rule::{Kind, Rule, RuleId, What};

/// What the catalog pays for one occurrence, with its reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Award<'c> {
    pub(crate) trace: Vec<Line<'c>>,
    pub(crate) spends: Vec<Spend<'c>>,
}

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'c> {
    /// The rule.
    pub rule: &'c Rule,
    /// Whether it paid.
    pub verdict: Verdict<'c>,
}

/// Whether a rule paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'c> {
    /// It paid.
    Paid {
        /// So many points, at least one.
        points: u64,
        /// Of so many that it would have paid without its points limit.
        due: u64,
    },
    /// It didn't.
    Not(Why<'c>),
}

/// Why a rule didn't pay: the first reason, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why<'c> {
    /// The whole programme is disabled.
    RewardsDisabled,
    /// Its business unit is disabled.
    UnitDisabled,
    /// The activity is for another business unit.
    OtherUnit,
    /// It isn't for this channel.
    OtherChannel,
    /// It isn't for this member.
    NotTargeted,
    /// It didn't count yet.
    BeforeWindow,
    /// It didn't count any more.
    AfterWindow,
    /// A condition isn't met.
    ConditionNotMet {
        /// The field that it is about.
        field: &'c str,
    },
    /// It pays a share of base points, and there are none.
    NoBasePoints,
    /// Its share of the base points is less than one point.
    LessThanOnePoint,
    /// The member has used it as often as a member may.
    MemberUsesReached,
    /// All members together have used it as often as they may.
    TotalUsesReached,
    /// The member has got as many points of it as a member may.
    MemberPointsReached,
}

/// What a business unit awarded, of one points type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Earned {
    /// By base offers.
    pub base: u64,
    /// By bonus offers.
    pub bonus: u64,
    /// By targeted offers.
    pub targeted: u64,
}

impl Earned {
    /// By all offers.
    #[must_use]
    pub fn total(self) -> u64 {
        self.base + self.bonus + self.targeted
    }
}

/// What a rule's limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// How often the member used it.
    MemberUses,
    /// How many points the member got of it.
    MemberPoints,
    /// How often all members together used it.
    TotalUses,
}

impl Counter {
    /// The counter's name, at most 132 bytes: `use#ID` and `sum#ID` count on the member, `cap#ID` for all members.
    #[must_use]
    pub fn name(self, rule: &RuleId) -> String {
        let counted = match self {
            Counter::MemberUses => "use",
            Counter::MemberPoints => "sum",
            Counter::TotalUses => "cap",
        };
        format!("{counted}#{rule}")
    }
}

/// What a paying rule uses of one of its limits.
///
/// The award holds if the counter still allows it when it is written: for the full reward it must be absent or at most
/// [`Spend::most_before`], for what was left of a points limit it must be exactly `seen` (absent is 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spend<'c> {
    /// The rule.
    pub rule: &'c RuleId,
    /// Which of its counters.
    pub counter: Counter,
    /// How much is added to it.
    pub amount: u64,
    /// How high it may get.
    pub limit: u64,
    /// How high it was thought to be.
    pub seen: u64,
    /// Whether the award is right only if it is that high.
    pub exact: bool,
}

impl Spend<'_> {
    /// The counter's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.counter.name(self.rule)
    }

    /// How high the counter may be before, so that the limit holds after.
    #[must_use]
    pub fn most_before(&self) -> u64 {
        // Never below 0: what is spent was left of the limit.
        self.limit - self.amount
    }
}

impl<'c> Award<'c> {
    /// Every rule that answers to the trigger, once, in the order of their ids.
    #[must_use]
    pub fn trace(&self) -> &[Line<'c>] {
        &self.trace
    }

    /// What the paying rules use of their limits. No counter is there twice.
    #[must_use]
    pub fn spends(&self) -> &[Spend<'c>] {
        &self.spends
    }

    /// All points, of whatever unit and type.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.trace.iter().map(Line::points).sum()
    }

    /// What offers paid: by business unit, then by points type. Only where it is something.
    #[must_use]
    pub fn earned(&self) -> BTreeMap<&'c str, BTreeMap<&'c str, Earned>> {
        let mut units = BTreeMap::<_, BTreeMap<_, Earned>>::new();
        for line in &self.trace {
            if let (What::Offer(offer), points @ 1..) = (&line.rule.what, line.points()) {
                let unit = units.entry(&*offer.unit).or_default();
                let earned = unit.entry(&*offer.points_type).or_default();
                match offer.kind {
                    Kind::Base(_) => earned.base += points,
                    Kind::Bonus(_) => earned.bonus += points,
                    Kind::Targeted(..) => earned.targeted += points,
                }
            }
        }
        units
    }
}

/// Several awards as one. They must not share a rule: of one request's events, no two have one name.
impl<'c> FromIterator<Award<'c>> for Award<'c> {
    fn from_iter<I: IntoIterator<Item = Award<'c>>>(awards: I) -> Self {
        let mut all = Award::default();
        for award in awards {
            all.trace.extend(award.trace);
            all.spends.extend(award.spends);
        }
        all.trace.sort_unstable_by(|a, b| a.rule.id.cmp(&b.rule.id));
        all
    }
}

impl Award<'_> {
    /// What offers paid, as JSON: `{"XYZ":{"loyalty":{"base":0,"bonus":5,"targeted":10,"total":15}}}`.
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

impl Line<'_> {
    /// What the rule paid.
    #[must_use]
    pub fn points(&self) -> u64 {
        match self.verdict {
            Verdict::Paid { points, .. } => points,
            Verdict::Not(_) => 0,
        }
    }
}
