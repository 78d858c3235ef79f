//! Explanations: for every rule that an occurrence triggers, the points paid, the reason with the values compared, and
//! the smallest change that would have paid.
//!
//! An explanation is an evaluation with its trace. It follows from the catalog, the occurrence and the counters alone,
//! so it can be given for a stored record at any time.

mod change;
mod field;
mod sentence;

use punchcard_models::{
    decimal::Decimal,
    json::{Value, whole_number},
    settings::UnitStatus,
    timestamp::Timestamp,
};

pub use change::{Change, Edit};

use crate::{
    award::{Limit, Line, Reason, Verdict},
    catalog::Catalog,
    condition::{Alternatives, Unmet, datum},
    limits::Cap,
    occurrence::{Member, Occurrence},
    offer::{Offer, OfferKind},
    period::PeriodUnit,
    reward::Reward,
    rule::{Rule, RuleBody},
    usage::Usage,
    zone::LocalTime,
};

/// Maximum length of the JSON of a value that an explanation shows, in characters.
const MAX_SHOWN_CHARS: usize = 256;
/// Maximum number of unmet alternatives that an explanation shows.
const MAX_SHOWN_ALTERNATIVES: usize = 20;

/// The outcome for one rule, with everything that it followed from.
#[derive(Debug, Clone)]
pub struct Explanation<'a> {
    rule: &'a Rule,
    verdict: Verdict<'a>,
    occurrence: Occurrence<'a>,
    /// The time of the occurrence in the catalog's zone.
    local: LocalTime,
    change: Option<Change<'a>>,
}

impl Catalog {
    /// Explains the award of an occurrence, with one explanation for each rule that the trigger selects, ordered by
    /// rule id.
    #[must_use]
    pub fn explain<'a>(
        &'a self,
        occurrence: &Occurrence<'a>,
        member: Member<'a>,
        usage: &Usage,
    ) -> Vec<Explanation<'a>> {
        let award = self.evaluate(occurrence, member, usage);
        let search = change::Search::new(self, *occurrence, member, usage);
        let explanation = |line: &Line<'a>| Explanation {
            rule: line.rule,
            verdict: line.verdict,
            occurrence: *occurrence,
            local: self.zone().local(occurrence.at),
            change: search.smallest(line),
        };
        award.trace().iter().map(explanation).collect()
    }

    pub(crate) fn has_enabled(&self, offer: &Offer) -> bool {
        self.business_units().get(&offer.unit) == Some(&UnitStatus::Enabled)
    }
}

impl<'a> Explanation<'a> {
    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &'a Rule {
        self.rule
    }

    /// The points paid.
    #[must_use]
    pub fn paid(&self) -> u64 {
        match self.verdict {
            Verdict::Paid { points, .. } => points,
            Verdict::NotPaid(_) => 0,
        }
    }

    /// The points that the rule would have paid without its limits. 0 if it does not apply.
    #[must_use]
    pub fn due(&self) -> u64 {
        match self.verdict {
            Verdict::Paid { due, .. }
            | Verdict::NotPaid(Reason::LimitReached { due, .. } | Reason::PeriodClosed { due, .. }) => due,
            Verdict::NotPaid(_) => 0,
        }
    }

    /// The reason's name.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.verdict {
            Verdict::Paid { reduced_by: Some(_), .. } => "PAID_IN_PART",
            Verdict::Paid { .. } => "PAID",
            Verdict::NotPaid(reason) => match reason {
                Reason::RewardsDisabled => "REWARDS_DISABLED",
                Reason::UnitDisabled => "UNIT_DISABLED",
                Reason::OtherUnit => "OTHER_UNIT",
                Reason::OtherChannel => "OTHER_CHANNEL",
                Reason::NotTargeted => "NOT_TARGETED",
                Reason::BeforeWindow => "BEFORE_WINDOW",
                Reason::AfterWindow => "AFTER_WINDOW",
                Reason::ConditionNotMet(_) => "CONDITION_NOT_MET",
                Reason::NoBasePoints => "NO_BASE_POINTS",
                Reason::LessThanOnePoint { .. } => "LESS_THAN_ONE_POINT",
                Reason::PeriodClosed { .. } => "PERIOD_CLOSED",
                Reason::LimitReached { .. } => "LIMIT_REACHED",
            },
        }
    }

    /// The smallest change of the occurrence with which the rule would have paid, if there is one.
    #[must_use]
    pub fn change(&self) -> Option<&Change<'a>> {
        self.change.as_ref()
    }

    /// The explanation as JSON: `{"offer","unit","kind","paid","due","reason","detail"}`, `campaign` instead of the
    /// first three for a campaign, and `change` if there is one, with the limits `within` which it would have paid.
    #[must_use]
    pub fn to_json(&self) -> Value<'_> {
        let id = text(self.rule.id());
        let mut members = match &self.rule.body {
            RuleBody::Campaign(_) => vec![("campaign", id)],
            RuleBody::Offer(offer) => {
                vec![("offer", id), ("unit", text(&offer.unit)), ("kind", text(offer.kind.name()))]
            }
        };
        members.extend([
            ("paid", whole_number(self.paid())),
            ("due", whole_number(self.due())),
            ("reason", text(self.reason())),
            ("detail", object(self.detail())),
        ]);
        if let Some(change) = &self.change {
            members.push(("change", change.to_json()));
            if !change.within.is_empty() {
                members.push(("within", within(&change.within)));
            }
        }
        object(members)
    }

    /// The values that were compared.
    fn detail(&self) -> Vec<(&'static str, Value<'_>)> {
        let reason = match self.verdict {
            Verdict::Paid { reduced_by, .. } => return reduced_by.map_or_else(Vec::new, Limit::detail),
            Verdict::NotPaid(reason) => reason,
        };
        let offer = self.rule.offer();
        match reason {
            Reason::RewardsDisabled | Reason::NotTargeted => Vec::new(),
            Reason::UnitDisabled => offer.map(|offer| ("unit", text(&offer.unit))).into_iter().collect(),
            Reason::OtherUnit => {
                let wanted = offer.map(|offer| ("wanted", text(&offer.unit)));
                wanted.into_iter().chain([("found", optional(self.occurrence.business_unit))]).collect()
            }
            Reason::OtherChannel => {
                let channels = offer.and_then(|offer| offer.channels.as_ref());
                let wanted = channels.map(|wanted| Value::Array(wanted.iter().map(|name| text(name)).collect()));
                let wanted = wanted.map(|wanted| ("wanted", wanted));
                wanted.into_iter().chain([("found", optional(self.occurrence.channel))]).collect()
            }
            Reason::BeforeWindow => self.window_detail(self.rule.window.from.map(|from| ("from", from))),
            Reason::AfterWindow => self.window_detail(self.rule.window.until.map(|until| ("until", until))),
            Reason::ConditionNotMet(unmet) => self.unmet_detail(unmet),
            Reason::NoBasePoints => self.share_detail(0),
            Reason::LessThanOnePoint { base } => self.share_detail(base),
            Reason::PeriodClosed { period, .. } => {
                let moments = [("found", self.occurrence.at), ("receivedAt", self.occurrence.received_at)];
                [("per", text(period.unit.name()))].into_iter().chain(moments.map(moment)).collect()
            }
            Reason::LimitReached { limit, .. } => limit.detail(),
        }
    }

    fn unmet_detail(&self, unmet: Unmet<'a>) -> Vec<(&'static str, Value<'_>)> {
        match unmet {
            Unmet::Field { field, test } => {
                let mut members = vec![("field", text(field)), ("test", text(test.name())), ("wanted", test.wanted())];
                match datum(self.occurrence.data, field) {
                    Some(found) => members.push(("found", shown(found.to_json()))),
                    None => members.extend([("found", Value::Null), ("absent", Value::Bool(true))]),
                }
                members
            }
            Unmet::Schedule(schedule) => {
                let found = Value::String(schedule.found(self.local).into());
                vec![("test", text(schedule.name())), ("wanted", schedule.wanted()), ("found", found)]
            }
            Unmet::Any(alternatives) => {
                let details = self.unmet_alternatives(alternatives).map(|unmet| object(self.unmet_detail(unmet)));
                vec![("test", text("any")), ("unmet", Value::Array(details.take(MAX_SHOWN_ALTERNATIVES).collect()))]
            }
            Unmet::First => {
                vec![("test", text("first")), ("wanted", Value::Bool(true)), ("found", Value::Bool(false))]
            }
            Unmet::Every { every, counted } => {
                vec![("test", text("every")), ("wanted", whole_number(every)), ("found", whole_number(counted))]
            }
        }
    }

    /// Returns the first unmet condition of each alternative.
    fn unmet_alternatives(&self, Alternatives(alternatives): Alternatives<'a>) -> impl Iterator<Item = Unmet<'a>> {
        alternatives.iter().filter_map(|condition| condition.unmet_by(self.occurrence.data, self.local))
    }

    fn window_detail(&self, bound: Option<(&'static str, Timestamp)>) -> Vec<(&'static str, Value<'_>)> {
        bound.into_iter().chain([("found", self.occurrence.at)]).map(moment).collect()
    }

    fn share_detail(&self, base_points: u64) -> Vec<(&'static str, Value<'_>)> {
        let share = self.rule.offer().and_then(|offer| offer.kind.share());
        let share = share.map(|share| ("share", Value::Number(share)));
        [("basePoints", whole_number(base_points))].into_iter().chain(share).collect()
    }
}

impl Limit {
    fn detail(self) -> Vec<(&'static str, Value<'static>)> {
        let per = self.period.map(|period| ("per", text(period.unit.name())));
        let numbers = [("limit", whole_number(self.limit)), ("used", whole_number(self.used))];
        [("which", text(self.counter.limit_name()))].into_iter().chain(per).chain(numbers).collect()
    }
}

impl OfferKind {
    fn name(&self) -> &'static str {
        match self {
            OfferKind::Base(_) => "base",
            OfferKind::Bonus(_) => "bonus",
            OfferKind::Targeted(..) => "targeted",
        }
    }

    /// The share of the base points that the offer pays, if its reward is one: 0.55 for `percentage: 55`.
    fn share(&self) -> Option<Decimal<'static>> {
        match self {
            OfferKind::Bonus(Reward::OfBase { millionths }) | OfferKind::Targeted(Reward::OfBase { millionths }, _) => {
                Some(Reward::share_of_base(*millionths))
            }
            OfferKind::Base(_) | OfferKind::Bonus(Reward::Flat(_)) | OfferKind::Targeted(Reward::Flat(_), _) => None,
        }
    }
}

/// The limits within which a change pays, as the catalog has them.
fn within(caps: &[Cap]) -> Value<'_> {
    let mut limits = Vec::<(&'static str, Value<'_>)>::new();
    for cap in caps {
        let name = cap.counter.limit_name();
        let spans: Vec<_> = caps.iter().filter(|other| other.counter == cap.counter).collect();
        if limits.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let limit = if let [Cap { per: None, limit, .. }] = spans[..] {
            whole_number(*limit)
        } else {
            let span = |cap: &&Cap| (cap.per.map_or("ever", PeriodUnit::name), whole_number(cap.limit));
            object(spans.iter().map(span).collect())
        };
        limits.push((name, limit));
    }
    object(limits)
}

fn moment((name, at): (&'static str, Timestamp)) -> (&'static str, Value<'static>) {
    (name, Value::String(at.to_string().into()))
}

fn text(text: &str) -> Value<'_> {
    Value::String(text.into())
}

fn optional(value: Option<&str>) -> Value<'_> {
    value.map_or(Value::Null, text)
}

fn object<'v>(members: Vec<(&'static str, Value<'v>)>) -> Value<'v> {
    Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// Shortens a long value to the start of its JSON.
fn shown(value: Value<'_>) -> Value<'_> {
    let json = value.to_string();
    match json.char_indices().nth(MAX_SHOWN_CHARS) {
        None => value,
        Some((end, _)) => Value::String(format!("{}…", &json[..end]).into()),
    }
}
