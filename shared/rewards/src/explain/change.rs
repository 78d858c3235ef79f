//! The smallest change of an occurrence with which a rule would have paid.
//!
//! All obstacles are collected, not only the first. Fields move to the nearest value that meets all of the rule's
//! tests, and the time to the nearest one in its window. The changed occurrence is then evaluated: a change is given
//! only if the rule pays with it.
//!
//! A share pays only where base offers pay. Its change leaves the channels and times at which the base offers that it
//! was evaluated with pay as well.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashMap},
};

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
    condition::{Condition, FieldCondition, Test, Unmet, datum},
    evaluate::Evaluation,
    limits::Cap,
    occurrence::{Member, Occurrence},
    rule::Rule,
    schedule::Schedule,
    usage::Usage,
    window::Window,
};

/// Maximum number of base offers, and of channels, with which a change of a share is tried. Bounds the work for a
/// catalog with many of both.
const MAX_TRIED: usize = 100;
/// Maximum number of evaluations of one explanation. Rules beyond it have no change.
const MAX_EVALUATIONS: usize = 10_000;

/// Changes that together would have made a rule pay.
///
/// An evaluation reads a rule's counters only if the rule applies. A stored record therefore does not tell whether the
/// limits of other rules were used up, so a change names the limits that it presumes are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    /// The changes, at least one.
    pub(super) edits: Vec<Edit<'a>>,
    /// The limits of the rule.
    pub(super) within: Vec<Cap>,
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
    /// The local time is on these days, or at this time of day.
    Schedule(&'a Schedule),
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
    /// The evaluations that may still be tried, for all rules together.
    tries_left: Cell<usize>,
    /// By unit and points type.
    base_offers: HashMap<(&'a str, &'a str), Vec<&'a Rule>>,
}

/// The parts of an occurrence that have to change for a rule to apply.
struct Needs<'a> {
    unit: Option<&'a str>,
    channels: Option<&'a BTreeSet<String>>,
    window: Option<Window>,
    schedules: Vec<&'a Schedule>,
    fields: Vec<Edit<'a>>,
    /// A time at which the window and the schedules are met.
    at: Timestamp,
}

impl<'a, 'u> Search<'a, 'u> {
    pub fn new(catalog: &'a Catalog, occurrence: Occurrence<'a>, member: Member<'a>, usage: &'u Usage) -> Self {
        let mut base_offers = HashMap::<_, Vec<_>>::new();
        for rule in catalog.rules_for(occurrence.trigger).filter(|rule| rule.is_base()) {
            if let Some(offer) = rule.offer() {
                base_offers.entry(offer.book()).or_default().push(rule);
            }
        }
        Search { catalog, occurrence, member, usage, tries_left: Cell::new(MAX_EVALUATIONS), base_offers }
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
                | Reason::PeriodClosed { .. }
                | Reason::ConditionNotMet(Unmet::First | Unmet::Every { .. })
                | Reason::LimitReached { .. } => return None,
                Reason::OtherUnit
                | Reason::OtherChannel
                | Reason::BeforeWindow
                | Reason::AfterWindow
                | Reason::ConditionNotMet(Unmet::Field { .. } | Unmet::Schedule(_) | Unmet::Any(_)) => {}
            },
        }
        let rule = line.rule;
        let mut smallest = None::<Change<'a>>;
        for conditions in expansions(&rule.conditions) {
            let Some(needs) = Needs::of(rule, &conditions, &self.occurrence, self.catalog) else { continue };
            let change = self.try_needs(rule, &needs);
            let edits = |change: &Option<Change<'a>>| change.as_ref().map_or(usize::MAX, |change| change.edits.len());
            if edits(&change) < edits(&smallest) {
                smallest = change;
            }
        }
        smallest
    }

    /// Evaluates the occurrence with everything changed that a rule needs.
    fn try_needs(&self, rule: &'a Rule, needs: &Needs<'a>) -> Option<Change<'a>> {
        let mut data = self.occurrence.data.clone();
        for edit in &needs.fields {
            edit.apply_to(&mut data);
        }
        let changed = Occurrence {
            trigger: self.occurrence.trigger,
            channel: self.occurrence.channel,
            business_unit: needs.unit.or(self.occurrence.business_unit),
            at: needs.at,
            // An event happens when it arrives.
            received_at: if rule.is_campaign() { needs.at } else { self.occurrence.received_at },
            data: &data,
        };
        match needs.channels {
            None => self.try_with(rule, needs, &changed),
            Some(channels) => channels
                .iter()
                .take(MAX_TRIED)
                .find_map(|channel| self.try_with(rule, needs, &Occurrence { channel: Some(channel), ..changed })),
        }
    }

    /// Evaluates a changed occurrence and returns the change if the rule pays.
    fn try_with(&self, rule: &'a Rule, needs: &Needs<'a>, changed: &Occurrence<'_>) -> Option<Change<'a>> {
        self.tries_left.set(self.tries_left.get().checked_sub(1)?);
        let mut evaluation = Evaluation::new(self.catalog, changed, self.member, self.usage);
        let mut base_offers = Vec::new();
        if let Some(offer) = rule.offer()
            && offer.kind.share().is_some()
        {
            // A base offer that tests a field with an open value may pay with the example and not with another.
            let offers = self.base_offers.get(&offer.book()).into_iter().flatten().take(MAX_TRIED).copied();
            let sure = offers.filter(|base| !needs.leave_open_what_tests(base));
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
        edits.extend(needs.schedules.iter().map(|schedule| Edit::Schedule(schedule)));
        edits.extend(needs.fields.iter().cloned());
        let within = rule.limits.iter().collect();
        let is_share = rule.offer().is_some_and(|offer| offer.kind.share().is_some());
        Some(Change { edits, within, points: (!is_share).then_some(points) })
    }
}

impl<'a> Needs<'a> {
    /// Returns what has to change for these conditions of a rule, or `None` if they contradict each other.
    fn of(
        rule: &'a Rule,
        conditions: &[&'a Condition],
        occurrence: &Occurrence<'a>,
        catalog: &Catalog,
    ) -> Option<Self> {
        let offer = rule.offer();
        let unit = offer.map(|offer| &*offer.unit);
        let is_other = |unit: &&str| occurrence.business_unit.is_some_and(|named| named != *unit);
        let channels = offer.and_then(|offer| offer.channels.as_ref());
        let lacks = |channels: &&BTreeSet<String>| occurrence.channel.is_none_or(|channel| !channels.contains(channel));
        let window = Some(rule.window).filter(|window| window.nearest(occurrence.at) != occurrence.at);
        let mut tests_by_field = BTreeMap::<&str, Vec<&Test>>::new();
        let mut schedules = Vec::new();
        for condition in conditions {
            match condition {
                Condition::Field(FieldCondition { field, tests }) => {
                    tests_by_field.entry(field).or_default().extend(tests);
                }
                Condition::Schedule(schedule) => schedules.push(schedule),
                // Expanded before.
                Condition::Any(_) | Condition::All(_) => {}
            }
        }
        let at = nearest_time(rule.window, &schedules, occurrence.at, catalog)?;
        let local = catalog.zone().local(occurrence.at);
        // A change of the time has to keep the schedules that are met now.
        schedules.retain(|schedule| window.is_some() || !schedule.is_met_at(local));
        let mut fields = Vec::new();
        for (field, tests) in tests_by_field {
            let found = datum(occurrence.data, field);
            if tests.iter().any(|test| !test.is_met_by(found)) {
                fields.push(nearest(field, &tests, found, rule.is_campaign())?);
            }
        }
        Some(Needs { unit: unit.filter(is_other), channels: channels.filter(lacks), window, schedules, fields, at })
    }

    /// Returns true if the rule tests a field, or the local time, for which a change permits several values.
    fn leave_open_what_tests(&self, rule: &Rule) -> bool {
        let tests = |is_wanted: &dyn Fn(&Condition) -> bool| {
            rule.conditions.iter().any(|condition| condition.contains(&|part: &Condition| is_wanted(part)))
        };
        let is_tested =
            |name: &str| tests(&|part| matches!(part, Condition::Field(FieldCondition { field, .. }) if field == name));
        let moves = self.window.is_some() || !self.schedules.is_empty();
        if moves && tests(&|part| matches!(part, Condition::Schedule(_))) {
            return true;
        }
        self.fields.iter().any(|edit| match edit {
            Edit::OtherThan { field, .. } | Edit::Present { field } => is_tested(field),
            Edit::Field { .. }
            | Edit::Absent { .. }
            | Edit::BusinessUnit(_)
            | Edit::Channel(_)
            | Edit::Time { .. }
            | Edit::Schedule(_) => false,
        })
    }
}

/// Returns the ways to meet all conditions: lists of tests of which each one has to be met. At most [`MAX_TRIED`].
fn expansions(conditions: &[Condition]) -> Vec<Vec<&Condition>> {
    let mut all = vec![Vec::new()];
    for condition in conditions {
        let ways = match condition {
            Condition::Field(_) | Condition::Schedule(_) => vec![vec![condition]],
            Condition::All(parts) => expansions(parts),
            Condition::Any(parts) => parts.iter().flat_map(|part| expansions(std::slice::from_ref(part))).collect(),
        };
        let joined = all.iter().flat_map(|before| ways.iter().map(|way| [&before[..], way].concat()));
        all = joined.take(MAX_TRIED).collect();
    }
    all
}

/// Returns the time nearest to `at` that is in the window and meets the schedules.
fn nearest_time(window: Window, schedules: &[&Schedule], at: Timestamp, catalog: &Catalog) -> Option<Timestamp> {
    let is_met = |at: &Timestamp| {
        let local = catalog.zone().local(*at);
        window.nearest(*at) == *at && schedules.iter().all(|schedule| schedule.is_met_at(local))
    };
    let nearest = window.nearest(at);
    if is_met(&nearest) {
        return Some(nearest);
    }
    let local = catalog.zone().local(nearest);
    let edges = schedules.iter().flat_map(|schedule| schedule.edges(local));
    let candidates = edges.map(|distance| Timestamp::from_millis(nearest.as_millis().saturating_add(distance)));
    // A change of the zone's offset moves an edge by an hour.
    let shifted = candidates.flat_map(|at| [0, -3_600_000, 3_600_000].map(|by| at.as_millis().saturating_add(by)));
    shifted.map(Timestamp::from_millis).filter(is_met).min_by_key(|found| found.as_millis().abs_diff(at.as_millis()))
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
            Edit::BusinessUnit(_) | Edit::Channel(_) | Edit::Time { .. } | Edit::Schedule(_) | Edit::Absent { .. } => {
                None
            }
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
            Edit::Schedule(schedule) => object(vec![(schedule.name(), schedule.wanted())]),
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
