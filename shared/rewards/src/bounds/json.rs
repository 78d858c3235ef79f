//! Bounds as JSON.

use punchcard_models::{decimal::Decimal, json::Value};

use super::{Balance, Bound, Bounds, Points, Relation, Undecided};
use crate::{budget::Spans, rule_id::RuleId};

impl Bounds {
    /// The bounds as JSON: `{"rules":[{"rule","perOccurrence","perMember","inAll"}],"balances":[…],"all":{…},
    /// "never":[{"rule","because"}],"repeats":[{"rule","others"}],"accompany":[…],"undecided":[…],"isIncomplete",
    /// "overBudget":[{"pointer","message"}]}`.
    ///
    /// `perMember` and `inAll` have `day`, `week`, `month`, `year` and `ever`, each a number, or the id of a rule without
    /// a limit.
    #[must_use]
    pub fn to_json(&self) -> Value<'_> {
        let rules = self.rules.iter().map(|line| with(vec![("rule", id(&line.rule))], &line.points));
        let balances = self.balances.iter().map(|line| {
            let name = match &line.balance {
                Balance::Offers { unit, points_type } => vec![("unit", text(unit)), ("pointsType", text(points_type))],
                Balance::Campaigns => vec![("campaigns", Value::Bool(true))],
            };
            with(name, &line.points)
        });
        let never = self.never.iter().map(|never| {
            object(vec![("rule", id(&never.rule)), ("because", Value::String(never.because.to_string().into()))])
        });
        let undecided = self.undecided.iter().map(|undecided| match undecided {
            Undecided::CanPay(rule) => object(vec![("canPay", id(rule))]),
            Undecided::Accompanies(others) => object(vec![("accompanies", relation(others))]),
        });
        let over_budget = self
            .over_budget
            .iter()
            .map(|excess| object(vec![("pointer", text(&excess.pointer)), ("message", text(&excess.message))]));
        object(vec![
            ("rules", list(rules)),
            ("balances", list(balances)),
            ("all", with(Vec::new(), &self.all)),
            ("never", list(never)),
            ("repeats", list(self.repeats.iter().map(relation))),
            ("accompany", list(self.accompany.iter().map(relation))),
            ("undecided", list(undecided)),
            ("isIncomplete", Value::Bool(self.is_incomplete)),
            ("overBudget", list(over_budget)),
        ])
    }
}

fn with<'b>(mut members: Vec<(&'static str, Value<'b>)>, points: &'b Points) -> Value<'b> {
    members.push(("perOccurrence", number(points.per_occurrence)));
    members.push(("perMember", spans(&points.per_member)));
    members.push(("inAll", spans(&points.in_all)));
    object(members)
}

fn spans(bounds: &Spans<Bound>) -> Value<'_> {
    let bound = |bound| match bound {
        &Bound::AtMost(points) => number(points),
        Bound::Unbounded { because } => id(because),
    };
    object(Spans::<()>::NAMES.into_iter().zip(bounds.as_ref().map(bound).into_array()).collect())
}

fn relation(relation: &Relation) -> Value<'_> {
    object(vec![("rule", id(&relation.rule)), ("others", list(relation.others.iter().map(id)))])
}

fn number(number: u128) -> Value<'static> {
    let text = number.to_string();
    Value::Number(Decimal::parse(&text).map_or_else(|| Decimal::from(0), Decimal::into_owned))
}

fn id(id: &RuleId) -> Value<'_> {
    text(id)
}

fn text(text: &str) -> Value<'_> {
    Value::String(text.into())
}

fn list<'v>(items: impl Iterator<Item = Value<'v>>) -> Value<'v> {
    Value::Array(items.collect())
}

fn object<'v>(members: Vec<(&'static str, Value<'v>)>) -> Value<'v> {
    Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}
