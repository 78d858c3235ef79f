//! The smallest change of an occurrence with which a rule would have paid.
//!
//! All obstacles are collected, not only the first. Fields move to the nearest value that meets all of the rule's
//! tests, and the time to the nearest one in its window. The changed occurrence is then evaluated: a change is given
//! only if the rule pays with it.
//!
//! A share pays only where base offers pay. Its change leaves the channels and times at which the base offers that it
//! was evaluated with pay as well.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use punchcard_models::{
    data::{Datum, OpenData, Scalar},
    decimal::Decimal,
    json::Value,
    timestamp::Timestamp,
};

use super::{field::nearest, object, shown, text};
use crate::{
    award::{Line, Reason, Verdict},
    catalog::Catalog,
    condition::{Test, datum},
    counter::Counter,
    evaluate::Evaluation,
    occurrence::{Member, Occurrence},
    rule::Rule,
    usage::Usage,
    window::Window,
};

/// Maximum number of base offers, and of channels, with which a change of a share is tried. Bounds the work for a
/// catalog with many of both.
const MAX_TRIED: usize = 100;

/// Changes that together would have made a rule pay.
///
/// An evaluation reads a rule's counters only if the rule applies. A stored record therefore does not tell whether the
/// limits of other rules were used up, so a change names the limits that it presumes are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    /// The changes, at least one.
    pub(super) edits: Vec<Edit<'a>>,
    /// The counters and the limits of the rule.
    pub(super) within: Vec<(Counter, u64)>,
    /// The points that the rule would have paid. `None` for a share, whose points depend on base offers.
    pub(super) points: Option<u64>,
}

/// One change. Where it permits several values, the rule would have paid with each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit<'a> {
    /// The activity names this business unit, or none.
    BusinessUnit(&'a str),
    /// The activity has one of these channels.
    Channel(Vec<&'a str>),
    /// The time is within these bounds.
    Time {
        /// The first time, inclusive.
        from: Option<Timestamp>,
        /// The end, exclusive.
        until: Option<Timestamp>,
    },
    /// A field has a value.
    Field {
        /// The field.
        field: &'a str,
        /// The value.
        to: Datum,
        /// The distance from the value found, if both are numbers.
        by: Option<Decimal<'static>>,
    },
    /// A field has any number, text or boolean except some.
    OtherThan {
        /// The field.
        field: &'a str,
        /// The excluded values, at least one.
        values: Vec<&'a Scalar>,
    },
    /// A field has any value.
    Present {
        /// The field.
        field: &'a str,
    },
    /// A field is absent.
    Absent {
        /// The field.
        field: &'a str,
    },
}

impl<'a> Change<'a> {
    /// The changes.
    #[must_use]
    pub fn edits(&self) -> &[Edit<'a>] {
        &self.edits
    }

    pub(super) fn to_json(&self) -> Value<'_> {
        Value::Array(self.edits.iter().map(Edit::to_json).collect())
    }
}

/// The search for changes of one occurrence.
pub(super) struct Search<'a, 'u> {
    catalog: &'a Catalog,
    occurrence: Occurrence<'a>,
    member: Member<'a>,
    usage: &'u Usage,
    /// By unit and points type.
    base_offers: HashMap<(&'a str, &'a str), Vec<&'a Rule>>,
}

/// The parts of an occurrence that have to change for a rule to apply.
struct Needs<'a> {
    unit: Option<&'a str>,
    channels: Option<&'a BTreeSet<String>>,
    window: Option<Window>,
    fields: Vec<Edit<'a>>,
}

impl<'a, 'u> Search<'a, 'u> {
    pub fn new(catalog: &'a Catalog, occurrence: Occurrence<'a>, member: Member<'a>, usage: &'u Usage) -> Self {
        let mut base_offers = HashMap::<_, Vec<_>>::new();
        for rule in catalog.rules_for(occurrence.trigger).filter(|rule| rule.is_base()) {
            if let Some(offer) = rule.offer() {
                base_offers.entry(offer.book()).or_default().push(rule);
            }
        }
        Search { catalog, occurrence, member, usage, base_offers }
    }

    /// Returns the smallest change with which the rule of a line would have paid.
    pub fn smallest(&self, line: &Line<'a>) -> Option<Change<'a>> {
        match line.verdict {
            Verdict::Paid { .. } => return None,
            Verdict::NotPaid(reason) => match reason {
                // These are not the request's to change.
                Reason::RewardsDisabled
                | Reason::UnitDisabled
                | Reason::NotTargeted
                | Reason::NoBasePoints
                | Reason::LessThanOnePoint { .. }
                | Reason::LimitReached { .. } => return None,
                Reason::OtherUnit
                | Reason::OtherChannel
                | Reason::BeforeWindow
                | Reason::AfterWindow
                | Reason::ConditionNotMet { .. } => {}
            },
        }
        let rule = line.rule;
        let needs = Needs::of(rule, &self.occurrence)?;
        let mut data = self.occurrence.data.clone();
        for edit in &needs.fields {
            edit.apply_to(&mut data);
        }
        let changed = Occurrence {
            trigger: self.occurrence.trigger,
            channel: self.occurrence.channel,
            business_unit: needs.unit.or(self.occurrence.business_unit),
            at: needs.window.map_or(self.occurrence.at, |window| window.nearest(self.occurrence.at)),
            data: &data,
        };
        match needs.channels {
            None => self.try_with(rule, &needs, &changed),
            Some(channels) => channels
                .iter()
                .take(MAX_TRIED)
                .find_map(|channel| self.try_with(rule, &needs, &Occurrence { channel: Some(channel), ..changed })),
        }
    }

    /// Evaluates a changed occurrence and returns the change if the rule pays.
    fn try_with(&self, rule: &'a Rule, needs: &Needs<'a>, changed: &Occurrence<'_>) -> Option<Change<'a>> {
        let mut evaluation = Evaluation::new(self.catalog, changed, self.member, self.usage);
        let mut base_offers = Vec::new();
        if let Some(offer) = rule.offer()
            && offer.kind.share().is_some()
        {
            // A base offer that tests a field with an open value may pay with the example and not with another.
            let offers = self.base_offers.get(&offer.book()).into_iter().flatten().take(MAX_TRIED).copied();
            let sure = offers.filter(|base| !needs.leave_open_a_field_of(base));
            base_offers.extend(sure.filter(|base| evaluation.judge(base).points() > 0));
        }
        let points = evaluation.judge(rule).points();
        if points == 0 {
            return None;
        }
        let mut edits = Vec::new();
        edits.extend(needs.unit.map(Edit::BusinessUnit));
        edits.extend(needs.channels.map(|channels| {
            let pays_in = |channel: &String| base_offers.iter().all(|base| base.has_channel(channel));
            Edit::Channel(channels.iter().filter(|channel| pays_in(channel)).map(String::as_str).collect())
        }));
        edits.extend(needs.window.map(|window| {
            let Window { from, until } = base_offers.iter().fold(window, |all, base| all.overlap(base.window));
            Edit::Time { from, until }
        }));
        edits.extend(needs.fields.iter().cloned());
        let limits = rule.limits;
        let within = [
            (Counter::MemberUses, limits.uses_per_member),
            (Counter::TotalUses, limits.uses_in_total),
            (Counter::MemberPoints, limits.points_per_member),
        ];
        let within = within.into_iter().filter_map(|(counter, limit)| Some((counter, limit?))).collect();
        let is_share = rule.offer().is_some_and(|offer| offer.kind.share().is_some());
        Some(Change { edits, within, points: (!is_share).then_some(points) })
    }
}

impl<'a> Needs<'a> {
    /// Returns what has to change, or `None` if the rule's tests of a field contradict each other.
    fn of(rule: &'a Rule, occurrence: &Occurrence<'a>) -> Option<Self> {
        let offer = rule.offer();
        let unit = offer.map(|offer| &*offer.unit);
        let is_other = |unit: &&str| occurrence.business_unit.is_some_and(|named| named != *unit);
        let channels = offer.and_then(|offer| offer.channels.as_ref());
        let lacks = |channels: &&BTreeSet<String>| occurrence.channel.is_none_or(|channel| !channels.contains(channel));
        let window = Some(rule.window).filter(|window| window.nearest(occurrence.at) != occurrence.at);
        let mut tests_by_field = BTreeMap::<&str, Vec<&Test>>::new();
        for condition in &rule.conditions {
            tests_by_field.entry(&condition.field).or_default().extend(&condition.tests);
        }
        let mut fields = Vec::new();
        for (field, tests) in tests_by_field {
            let found = datum(occurrence.data, field);
            if tests.iter().any(|test| !test.is_met_by(found)) {
                fields.push(nearest(field, &tests, found, rule.is_campaign())?);
            }
        }
        Some(Needs { unit: unit.filter(is_other), channels: channels.filter(lacks), window, fields })
    }

    /// Returns true if the rule tests a field for which a change permits several values.
    fn leave_open_a_field_of(&self, rule: &Rule) -> bool {
        let is_tested = |field: &str| rule.conditions.iter().any(|condition| condition.field == field);
        self.fields.iter().any(|edit| match edit {
            Edit::OtherThan { field, .. } | Edit::Present { field } => is_tested(field),
            Edit::Field { .. } | Edit::Absent { .. } | Edit::BusinessUnit(_) | Edit::Channel(_) | Edit::Time { .. } => {
                false
            }
        })
    }
}

impl Edit<'_> {
    /// A value of the field with the change, or `None` if it is absent or no field changes.
    fn example(&self) -> Option<Datum> {
        match self {
            Edit::Field { to, .. } => Some(to.clone()),
            Edit::OtherThan { values, .. } => {
                // Longer than each excluded text, and no number.
                let texts = values.iter().filter_map(|value| match value {
                    Scalar::String(text) => Some(text.as_str()),
                    _ => None,
                });
                let longest = texts.max_by_key(|text| text.len()).unwrap_or_default();
                Some(Datum::One(Scalar::String(format!("{longest} or other"))))
            }
            Edit::Present { .. } => Some(Datum::One(Scalar::Bool(true))),
            Edit::BusinessUnit(_) | Edit::Channel(_) | Edit::Time { .. } | Edit::Absent { .. } => None,
        }
    }

    fn apply_to(&self, data: &mut OpenData) {
        let (Edit::Field { field, .. }
        | Edit::OtherThan { field, .. }
        | Edit::Present { field }
        | Edit::Absent { field }) = self
        else {
            return;
        };
        data.retain(|(name, _)| name != field);
        data.extend(self.example().map(|datum| ((*field).to_owned(), datum)));
    }

    fn to_json(&self) -> Value<'_> {
        let moment = |name, at: &Option<Timestamp>| at.map(|at| (name, Value::String(at.to_string().into())));
        match self {
            Edit::BusinessUnit(unit) => object(vec![("businessUnit", text(unit))]),
            Edit::Channel(channels) => {
                object(vec![("channel", Value::Array(channels.iter().map(|name| text(name)).collect()))])
            }
            Edit::Time { from, until } => {
                let bounds = moment("from", from).into_iter().chain(moment("until", until)).collect();
                object(vec![("time", object(bounds))])
            }
            Edit::Field { field, to, by } => {
                let mut members = vec![("field", text(field)), ("to", shown(to.to_json()))];
                members.extend(by.as_ref().map(|by| {
                    let name = if by.is_negative() { "less" } else { "more" };
                    (name, Value::Number(by.abs()))
                }));
                object(members)
            }
            Edit::OtherThan { field, values } => {
                let values = values.iter().map(|value| value.to_json()).collect();
                object(vec![("field", text(field)), ("otherThan", Value::Array(values))])
            }
            Edit::Present { field } => object(vec![("field", text(field)), ("present", Value::Bool(true))]),
            Edit::Absent { field } => object(vec![("field", text(field)), ("present", Value::Bool(false))]),
        }
    }
}
