//! Explanations in sentences.

use std::fmt::{self, Display, Formatter, Write};

use super::{
    Explanation, MAX_SHOWN_ALTERNATIVES,
    change::{Change, Edit},
    shown,
};
use crate::{
    award::{Limit, Reason, Verdict},
    condition::{Test, Unmet, datum},
    counter::Counter,
    limits::Cap,
    period::PeriodUnit,
    schedule::Schedule,
};

/// Maximum number of channels that a sentence names.
const MAX_NAMES: usize = 10;

/// One line without control characters, whatever the request contained.
impl Display for Explanation<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", OneLine(Finding(self)))?;
        match self.hint() {
            Some(hint) => write!(f, " {hint}"),
            None => Ok(()),
        }
    }
}

/// A text without control characters.
struct OneLine<T>(T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Visible(f), "{}", self.0)
    }
}

/// The points of the rule, and the reason.
struct Finding<'e, 'a>(&'e Explanation<'a>);

impl Display for Finding<'_, '_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Finding(explanation) = self;
        let id = explanation.rule.id();
        match explanation.verdict {
            Verdict::Paid { points, due, reduced_by } => {
                write!(f, "{id} paid {points} of {}", points_of(due))?;
                match reduced_by {
                    Some(limit) => {
                        let left = if points == 1 { "1 point was" } else { &*format!("{points} points were") };
                        write!(f, ": {left} left of its limit of {}.", Maximum::of(&limit))
                    }
                    None => f.write_str("."),
                }
            }
            Verdict::NotPaid(reason) => {
                write!(f, "{id} paid nothing: ")?;
                explanation.write_reason(f, reason)
            }
        }
    }
}

/// The smallest change that would have paid.
struct Hint<'e, 'a>(&'e Explanation<'a>, &'e Change<'a>, Reason<'a>);

impl Display for Hint<'_, '_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Hint(explanation, change, reason) = self;
        explanation.write_change(f, change, *reason)
    }
}

impl Explanation<'_> {
    /// The sentence that says what the rule paid, and why. The explanation's text is this and the [hint](Self::hint).
    #[must_use]
    pub fn finding(&self) -> String {
        OneLine(Finding(self)).to_string()
    }

    /// The sentence that says what would have paid, if there is such a change.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match (self.verdict, &self.change) {
            (Verdict::NotPaid(reason), Some(change)) => Some(OneLine(Hint(self, change, reason)).to_string()),
            (Verdict::NotPaid(_) | Verdict::Paid { .. }, _) => None,
        }
    }
}

impl Explanation<'_> {
    fn write_reason(&self, f: &mut Formatter<'_>, reason: Reason<'_>) -> fmt::Result {
        let found = self.occurrence;
        let offer = self.rule.offer();
        let unit = offer.map_or("", |offer| &offer.unit);
        let of = if self.rule.is_campaign() { "event arrived at" } else { "activity is of" };
        match reason {
            Reason::RewardsDisabled => f.write_str("rewards were disabled."),
            Reason::UnitDisabled => write!(f, "business unit {unit} was disabled."),
            Reason::OtherUnit => {
                let named = found.business_unit.unwrap_or("none");
                write!(f, "it is of business unit {unit}, and the activity names {named}.")
            }
            Reason::OtherChannel => {
                let channels = offer.and_then(|offer| offer.channels.as_ref()).into_iter().flatten();
                let channels: Vec<_> = channels.map(String::as_str).collect();
                let are = if channels.len() == 1 { "channel is" } else { "channels are" };
                let sent = found.channel.unwrap_or("none");
                write!(f, "its {are} {}, and the activity's is {sent}.", Names(&channels, "and"))
            }
            Reason::NotTargeted => f.write_str("it is targeted at other members."),
            Reason::BeforeWindow => match self.rule.window.from {
                Some(from) => write!(f, "it starts at {from}, and the {of} {}.", found.at),
                None => f.write_str("it starts later."),
            },
            Reason::AfterWindow => match self.rule.window.until {
                Some(until) => write!(f, "it ended at {until}, and the {of} {}.", found.at),
                None => f.write_str("it ended before."),
            },
            Reason::ConditionNotMet(unmet) => {
                self.write_unmet(f, unmet)?;
                f.write_str(".")
            }
            Reason::NoBasePoints => f.write_str("it pays a share of the base points, and there were none."),
            Reason::LessThanOnePoint { base } => {
                let share = offer.and_then(|offer| offer.kind.share());
                let share = share.map_or_else(|| "share".to_owned(), |share| format!("share of {share}"));
                write!(f, "its {share} of {} is less than one point.", base_points_of(base))
            }
            Reason::PeriodClosed { period, .. } => {
                let unit = period.unit.name();
                write!(f, "its limit per {unit} counts the {unit} of the arrival, {}, ", found.received_at)?;
                write!(f, "and the one before, and the {of} {}.", found.at)
            }
            Reason::LimitReached { limit, .. } => write!(f, "its limit of {limit}."),
        }
    }

    fn write_unmet(&self, f: &mut Formatter<'_>, unmet: Unmet<'_>) -> fmt::Result {
        let found = self.occurrence;
        match unmet {
            Unmet::Field { field, test } => {
                write!(f, "{field} must {}, and it was ", Must(test))?;
                match datum(found.data, field) {
                    Some(found) => write!(f, "{}", shown(found.to_json())),
                    None => f.write_str("absent"),
                }
            }
            Unmet::Schedule(schedule) => {
                let what = if matches!(schedule, Schedule::Weekday(_)) { "weekday" } else { "time of day" };
                write!(f, "the {what} must be {schedule}, and it was {}", schedule.found(self.local))
            }
            Unmet::Any(alternatives) => {
                f.write_str("none of its alternatives was met: ")?;
                for (index, unmet) in self.unmet_alternatives(alternatives).take(MAX_SHOWN_ALTERNATIVES).enumerate() {
                    f.write_str(if index == 0 { "" } else { "; or " })?;
                    self.write_unmet(f, unmet)?;
                }
                Ok(())
            }
            Unmet::First => f.write_str("it pays for a member's first occurrence only"),
            Unmet::Every { every, counted } => {
                write!(f, "it pays every {every} times, and this was number {counted}")
            }
        }
    }

    fn write_change(&self, f: &mut Formatter<'_>, change: &Change<'_>, reason: Reason<'_>) -> fmt::Result {
        let paid = match change.points {
            Some(points) => format!("would have paid {}", points_of(points)),
            None => "would have paid".to_owned(),
        };
        match (&change.edits[..], reason) {
            // The sentence before names the field.
            ([Edit::Field { by: Some(by), .. }], Reason::ConditionNotMet(Unmet::Field { .. })) => {
                write!(f, "{} {} {paid}", by.abs(), if by.is_negative() { "less" } else { "more" })?;
            }
            ([Edit::Time { .. }], _) if self.rule.is_campaign() => {
                write!(f, "Sent {}, it {paid}", Plain(&change.edits[0]))?;
            }
            ([edit @ Edit::Time { .. }], _) => {
                // Starts a sentence.
                let bounds = Plain(edit).to_string();
                let (first, rest) = bounds.split_at(1);
                write!(f, "{}{rest} it {paid}", first.to_uppercase())?;
            }
            (edits, _) => {
                write!(f, "It {paid}")?;
                for (index, edit) in edits.iter().enumerate() {
                    f.write_str(match index {
                        0 => " ",
                        _ if index + 1 == edits.len() => " and ",
                        _ => ", ",
                    })?;
                    match edit {
                        Edit::Time { .. } if self.rule.is_campaign() => write!(f, "sent {}", Plain(edit))?,
                        edit => write!(f, "{}", Plain(edit))?,
                    }
                }
            }
        }
        for (index, Cap { counter, per, limit }) in change.within.iter().copied().enumerate() {
            let joint = if index == 0 { ", within its limit of" } else { " and" };
            write!(f, "{joint} {}", Maximum { counter, per, limit })?;
        }
        f.write_str(".")
    }
}

/// The rule of a test, after "must".
struct Must<'t>(&'t Test);

impl Display for Must<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let wanted = shown(self.0.wanted());
        match self.0 {
            Test::Eq(_) => write!(f, "be {wanted}"),
            Test::Ne(_) => write!(f, "be other than {wanted}"),
            Test::Lt(_) => write!(f, "be less than {wanted}"),
            Test::Le(_) => write!(f, "be at most {wanted}"),
            Test::Gt(_) => write!(f, "be more than {wanted}"),
            Test::Ge(_) => write!(f, "be at least {wanted}"),
            Test::In(_) => write!(f, "be one of {wanted}"),
            Test::Contains(_) => write!(f, "contain {wanted}"),
            Test::Exists(true) => f.write_str("be present"),
            Test::Exists(false) => f.write_str("be absent"),
        }
    }
}

/// A limit that is used up, after "limit of".
impl Display for Limit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let done = if self.counter == Counter::MemberPoints { "paid" } else { "used" };
        write!(f, "{} is used up ({} {done})", Maximum::of(self), self.used)
    }
}

/// A limit with its unit: `2 uses per member`.
struct Maximum {
    counter: Counter,
    per: Option<PeriodUnit>,
    limit: u64,
}

impl Maximum {
    fn of(limit: &Limit) -> Self {
        Maximum { counter: limit.counter, per: limit.period.map(|period| period.unit), limit: limit.limit }
    }
}

impl Display for Maximum {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Maximum { counter, per, limit } = *self;
        let uses = if limit == 1 { "use" } else { "uses" };
        match counter {
            Counter::MemberUses => write!(f, "{limit} {uses} per member")?,
            Counter::TotalUses => write!(f, "{limit} {uses} in total")?,
            Counter::MemberPoints => write!(f, "{} per member", points_of(limit))?,
            // These have no limit.
            Counter::FirstTrigger | Counter::Occurrences => write!(f, "{limit}")?,
        }
        match per {
            Some(unit) => write!(f, " and {}", unit.name()),
            None => Ok(()),
        }
    }
}

/// A change, after "It would have paid".
struct Plain<'e>(&'e Edit<'e>);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Edit::BusinessUnit(unit) => write!(f, "for business unit {unit} or none"),
            Edit::Channel(channels) => write!(f, "in channel {}", Names(channels, "or")),
            Edit::Time { from: Some(from), until: Some(until) } => write!(f, "at or after {from} and before {until}"),
            Edit::Time { from: Some(from), until: None } => write!(f, "at or after {from}"),
            Edit::Time { from: None, until: Some(until) } => write!(f, "before {until}"),
            Edit::Time { from: None, until: None } => f.write_str("at any time"),
            Edit::Schedule(schedule @ Schedule::Weekday(_)) => write!(f, "on {schedule}"),
            Edit::Schedule(schedule @ Schedule::TimeOfDay { .. }) => write!(f, "{schedule}"),
            Edit::Field { field, to, by } => {
                write!(f, "with {field} {}", shown(to.to_json()))?;
                match by {
                    Some(by) => write!(f, " ({} {})", by.abs(), if by.is_negative() { "less" } else { "more" }),
                    None => Ok(()),
                }
            }
            Edit::OtherThan { field, values } => {
                write!(f, "with a {field} other than ")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { " or " }, shown(value.to_json()))?;
                }
                Ok(())
            }
            Edit::Present { field } => write!(f, "with any {field}"),
            Edit::Absent { field } => write!(f, "without {field}"),
        }
    }
}

/// Names in a list whose last two are joined by a word.
struct Names<'n>(&'n [&'n str], &'static str);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Names(names, word) = self;
        let (front, more) = names.split_at(names.len().min(MAX_NAMES));
        match (front, more.len()) {
            ([others @ .., last], 0) if !others.is_empty() => write!(f, "{} {word} {last}", others.join(", ")),
            (all, 0) => f.write_str(&all.concat()),
            (first, more) => write!(f, "{} {word} {more} more", first.join(", ")),
        }
    }
}

/// Writes control characters, and those that change the direction or the lines of a text, as escapes: a terminal would
/// follow them.
struct Visible<'f, 'g>(&'f mut Formatter<'g>);

impl Write for Visible<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| self.write_char(char))
    }

    fn write_char(&mut self, char: char) -> fmt::Result {
        match char {
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                write!(self.0, "{}", char.escape_unicode())
            }
            char if char.is_control() => write!(self.0, "{}", char.escape_unicode()),
            char => self.0.write_char(char),
        }
    }
}

fn points_of(points: u64) -> String {
    if points == 1 { "1 point".to_owned() } else { format!("{points} points") }
}

fn base_points_of(points: u64) -> String {
    if points == 1 { "1 base point".to_owned() } else { format!("{points} base points") }
}
