//! Bounds: the most points that a catalog can pay, by rule, by balance and in all, with the rules that pay nothing or say
//! nothing new.
//!
//! [`Catalog::bounds`] derives them from the catalog alone. A bound is never below what can be paid, and it need not be
//! reached. It holds for one catalog and a store in which it is the first, for points net of reversals: an award that was
//! reversed counts as if it had not been paid. Points belong to the period of the activity's `when`, or of the event's
//! arrival, as for limits.
//!
//! ```
//! use punchcard_rewards::{bounds::Bound, yaml};
//!
//! let text = "campaigns: [{id: REVIEW, event: review, points: 5, limits: {usesPerMember: {day: 3, ever: 100}}}]";
//! let catalog = yaml::read(text).expect("a valid catalog").into_catalog();
//! let bounds = catalog.bounds();
//! let review = &bounds.rules[0];
//! assert_eq!(review.points.per_member.day, Bound::AtMost(15));
//! assert_eq!(review.points.per_member.month, Bound::AtMost(465));
//! assert_eq!(review.points.per_member.ever, Bound::AtMost(500));
//! assert_eq!(review.points.in_all.day, Bound::Unbounded { because: review.rule.clone() });
//! ```

mod amounts;
mod answer;
mod calendar;
mod cases;
mod effort;
mod excess;
mod facts;
mod field;
mod findings;
mod json;
mod overlap;
mod table;
mod week;

use std::{collections::BTreeMap, fmt};

pub use excess::Excess;

use self::{amounts::Amounts, calendar::Most, effort::Effort, findings::Findings, overlap::most_at_once};
use crate::{budget::Spans, catalog::Catalog, offer::Offer, rule::Rule, rule_id::RuleId};

/// The most points that a catalog can pay, and what else follows from its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Each rule, ordered by id.
    pub rules: Vec<RulePoints>,
    /// The rules of each balance together. Offers come first.
    pub balances: Vec<BalancePoints>,
    /// All rules together.
    pub all: Points,
    /// The rules that can never pay.
    pub never: Vec<Never>,
    /// Rules that differ from others in their id only.
    pub repeats: Vec<Relation>,
    /// Rules that pay whenever others do.
    pub accompany: Vec<Relation>,
    /// The questions that the analysis cannot decide.
    pub undecided: Vec<Undecided>,
    /// True if there are too many rules to compare each with each other. `repeats`, `accompany` and `undecided` may then
    /// lack some.
    pub is_incomplete: bool,
    /// The numbers of the catalog's budget that are not proven.
    pub over_budget: Vec<Excess>,
}

/// A bound on points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// At most this number can be paid.
    AtMost(u128),
    /// No limit is proven.
    Unbounded {
        /// A rule without a limit: the first one by id.
        because: RuleId,
    },
}

/// The most points that one or several rules can pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Points {
    /// For one activity or event.
    pub per_occurrence: u128,
    /// To one member.
    pub per_member: Spans<Bound>,
    /// To all members together.
    pub in_all: Spans<Bound>,
}

/// The most points that a rule can pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePoints {
    /// The rule.
    pub rule: RuleId,
    /// The points.
    pub points: Points,
}

/// The most points that the rules of a balance can pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancePoints {
    /// The balance.
    pub balance: Balance,
    /// The points.
    pub points: Points,
}

/// A balance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Balance {
    /// The points of one type that a business unit's offers pay.
    Offers {
        /// The business unit.
        unit: String,
        /// The points type.
        points_type: String,
    },
    /// The points that campaigns pay to players.
    Campaigns,
}

/// A rule that can never pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Never {
    /// The rule.
    pub rule: RuleId,
    /// A reason.
    pub because: Obstacle,
}

/// A reason why a rule can never pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The catalog says `rewards: disabled`.
    RewardsDisabled,
    /// Its business unit is disabled.
    UnitDisabled(String),
    /// No value of this field meets all of the conditions.
    Contradiction(String),
    /// No time meets all of the conditions and lies in the window.
    NoTime,
    /// Each of the alternatives in its conditions is impossible.
    Contradictions,
    /// It pays a share, and no base offer of its balance can pay for the same activity.
    NoBasePoints,
    /// Its share of all base points is less than one point.
    LessThanOnePoint {
        /// The most base points.
        base: u64,
    },
}

/// A rule, and others to which it has a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The rule.
    pub rule: RuleId,
    /// The others, ordered by id, at least one.
    pub others: Vec<RuleId>,
}

/// A question about a rule that the analysis cannot decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecided {
    /// The rule may never pay: its conditions may contradict each other.
    CanPay(RuleId),
    /// The rule may pay whenever the others do: their conditions cannot be compared.
    Accompanies(Relation),
}

impl Catalog {
    /// Derives the most points that the catalog can pay, and what else follows from its rules.
    ///
    /// The time that it takes is bounded. If a catalog has too many rules for an exact comparison, bounds are higher.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        let effort = Effort::new();
        let amounts = amounts::of_rules(self, &effort);
        let mut by_balance = BTreeMap::<_, Vec<_>>::new();
        for amount in &amounts {
            by_balance.entry(Balance::of(amount.facts.rule)).or_default().push(amount);
        }
        let balances = by_balance
            .into_iter()
            .map(|(balance, amounts)| BalancePoints { balance, points: Points::sum(&amounts, &effort) });
        let balances = balances.collect();
        let all = Points::sum(&amounts.iter().collect::<Vec<_>>(), &effort);
        let rules = amounts
            .iter()
            .map(|amount| RulePoints { rule: amount.facts.rule.id.clone(), points: Points::sum(&[amount], &effort) });
        let rules = rules.collect();
        let over_budget = excess::find(self.budget(), &amounts);
        let Findings { never, repeats, accompany, undecided, is_incomplete } = findings::find(&amounts, &Effort::new());
        Bounds { rules, balances, all, never, repeats, accompany, undecided, is_incomplete, over_budget }
    }

    /// Finds what of the catalog's budget is not proven: the part of [`Catalog::bounds`] that decides whether the catalog
    /// may be applied.
    #[must_use]
    pub fn over_budget(&self) -> Vec<Excess> {
        if self.budget().is_empty() {
            return Vec::new();
        }
        excess::find(self.budget(), &amounts::of_rules(self, &Effort::new()))
    }
}

impl Points {
    fn sum(amounts: &[&Amounts<'_>], effort: &Effort) -> Self {
        let weighed: Vec<_> = amounts.iter().map(|amount| (amount.facts.rule, amount.at_once)).collect();
        Points {
            per_occurrence: most_at_once(&weighed, None, effort),
            per_member: sum(amounts, |amount| amount.per_member),
            in_all: sum(amounts, |amount| amount.in_all),
        }
    }
}

/// Adds what several rules can pay.
fn sum<'a>(amounts: &[&'a Amounts<'_>], most: impl Fn(&'a Amounts<'_>) -> Most) -> Spans<Bound> {
    let nothing = Spans::<()>::default().map(|()| Bound::AtMost(0));
    amounts.iter().fold(nothing, |sum, amount| {
        sum.zip(most(amount), |sum, most| match (sum, most) {
            (Bound::AtMost(sum), Some(most)) => match sum.checked_add(most) {
                Some(sum) => Bound::AtMost(sum),
                None => Bound::Unbounded { because: amount.facts.rule.id.clone() },
            },
            (Bound::AtMost(_), None) => Bound::Unbounded { because: amount.facts.rule.id.clone() },
            (unbounded @ Bound::Unbounded { .. }, _) => unbounded,
        })
    })
}

impl Balance {
    fn of(rule: &Rule) -> Self {
        let of_offer =
            |offer: &Offer| Balance::Offers { unit: offer.unit.clone(), points_type: offer.points_type.clone() };
        rule.offer().map_or(Balance::Campaigns, of_offer)
    }
}

/// `XYZ loyalty`, `campaigns`
impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Balance::Offers { unit, points_type } => write!(f, "{unit} {points_type}"),
            Balance::Campaigns => f.write_str("campaigns"),
        }
    }
}

/// The reason as a sentence without a full stop.
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::RewardsDisabled => f.write_str("rewards are disabled"),
            Obstacle::UnitDisabled(unit) => write!(f, "business unit {unit} is disabled"),
            Obstacle::Contradiction(field) => {
                write!(f, "no value of {} meets all of its conditions", field.escape_debug())
            }
            Obstacle::NoTime => f.write_str("no time in its window meets all of its conditions"),
            Obstacle::Contradictions => f.write_str("each alternative of its conditions is impossible"),
            Obstacle::NoBasePoints => {
                f.write_str("it pays a share, and no base offer of its balance can pay for the same activity")
            }
            Obstacle::LessThanOnePoint { base } => write!(f, "its share of at most {base} base points is less than 1"),
        }
    }
}
