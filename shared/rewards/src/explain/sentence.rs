//! Explanations in sentences.

use std::fmt;

use punchcard_models::json::Value;

use super::{Explanation, change::Change, shown};
use crate::{
    award::{Limit, Reason, Verdict},
    condition::{Test, datum},
    counter::Counter,
    explain::Edit,
};

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.rule.id();
        match self.verdict {
            Verdict::Paid { points, due } if points == due => return write!(f, "{id} paid {}.", points_of(points)),
            Verdict::Paid { points, due } => {
                write!(f, "{id} paid {points} of {}", points_of(due))?;
                return match self.reduced_by {
                    Some(limit) => write!(f, ": that is what was left of its limit, {limit}."),
                    None => f.write_str("."),
                };
            }
            Verdict::NotPaid(reason) => {
                write!(f, "{id} paid nothing: ")?;
                self.write_reason(f, reason)?;
            }
        }
        match &self.change {
            Some(change) => write!(f, " It would have paid with {change}."),
            None => Ok(()),
        }
    }
}

impl Explanation<'_> {
    fn write_reason(&self, f: &mut fmt::Formatter<'_>, reason: Reason<'_>) -> fmt::Result {
        let found = self.occurrence;
        let offer = self.rule.offer();
        let unit = offer.map_or("", |offer| &offer.unit);
        match reason {
            Reason::RewardsDisabled => f.write_str("rewards were disabled."),
            Reason::UnitDisabled => write!(f, "business unit {unit} was disabled."),
            Reason::OtherUnit => {
                write!(
                    f,
                    "it is of business unit {unit}, and the activity names {}.",
                    found.business_unit.unwrap_or("")
                )
            }
            Reason::OtherChannel => {
                let channels = offer.and_then(|offer| offer.channels.as_ref()).into_iter().flatten();
                let channels: Vec<_> = channels.map(String::as_str).collect();
                let sent = found.channel.unwrap_or("none");
                write!(f, "its channels are {}, and the activity's is {sent}.", channels.join(", "))
            }
            Reason::NotTargeted => f.write_str("it is targeted at other members."),
            Reason::BeforeWindow => match self.rule.window.from {
                Some(from) => write!(f, "it starts at {from}, after {}.", found.at),
                None => f.write_str("it starts later."),
            },
            Reason::AfterWindow => match self.rule.window.until {
                Some(until) => write!(f, "it ended at {until}, not after {}.", found.at),
                None => f.write_str("it ended before."),
            },
            Reason::ConditionNotMet { field, test } => {
                write!(f, "{field} must {}, and it was ", Must(test))?;
                match datum(found.data, field) {
                    Some(found) => write!(f, "{}.", shown(found.to_json())),
                    None => f.write_str("absent."),
                }
            }
            Reason::NoBasePoints => f.write_str("it pays a share of the base points, and there were none."),
            Reason::LessThanOnePoint => {
                write!(f, "its share of {} is less than one point.", base_points_of(self.base_points))
            }
            Reason::LimitReached { limit, .. } => write!(f, "its limit is reached, {limit}."),
        }
    }
}

/// The rule of a test, after "must".
struct Must<'t>(&'t Test);

impl fmt::Display for Must<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.0.wanted();
        match self.0 {
            Test::Eq(_) => write!(f, "be {wanted}"),
            Test::Ne(_) => write!(f, "be other than {wanted}"),
            Test::Lt(_) => write!(f, "be less than {wanted}"),
            Test::Le(_) => write!(f, "be at most {wanted}"),
            Test::Gt(_) => write!(f, "be more than {wanted}"),
            Test::Ge(_) => write!(f, "be at least {wanted}"),
            Test::In(_) => write!(f, "be one of {}", shown(wanted)),
            Test::Contains(_) => write!(f, "contain {wanted}"),
            Test::Exists(true) => f.write_str("be present"),
            Test::Exists(false) => f.write_str("be absent"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_limit(f, self.counter, self.limit)?;
        match self.counter {
            Counter::MemberUses | Counter::TotalUses => write!(f, " ({} used)", self.used),
            Counter::MemberPoints => write!(f, " ({} paid)", self.used),
        }
    }
}

fn write_limit(f: &mut fmt::Formatter<'_>, counter: Counter, limit: u64) -> fmt::Result {
    let uses = if limit == 1 { "use" } else { "uses" };
    match counter {
        Counter::MemberUses => write!(f, "{limit} {uses} per member"),
        Counter::TotalUses => write!(f, "{limit} {uses} in total"),
        Counter::MemberPoints => write!(f, "{} per member", points_of(limit)),
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, edit) in self.edits.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " and " })?;
            edit.fmt(f)?;
        }
        for (index, (counter, limit)) in self.within.iter().enumerate() {
            f.write_str(if index == 0 { ", within its limit of " } else { " and " })?;
            write_limit(f, *counter, *limit)?;
        }
        Ok(())
    }
}

impl fmt::Display for Edit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edit::BusinessUnit(unit) => write!(f, "business unit {unit}, or none"),
            Edit::Channel(channels) => {
                let channels: Vec<_> = channels.iter().map(String::as_str).collect();
                write!(f, "channel {}", channels.join(" or "))
            }
            Edit::Time { from: Some(from), until: Some(until) } => write!(f, "a time from {from} to before {until}"),
            Edit::Time { from: Some(from), until: None } => write!(f, "a time from {from} on"),
            Edit::Time { from: None, until: Some(until) } => write!(f, "a time before {until}"),
            Edit::Time { from: None, until: None } => f.write_str("any time"),
            Edit::Field { field, to, by: Some(by) } => {
                let to: Value<'_> = to.to_json();
                let direction = if by.is_negative() { "less" } else { "more" };
                write!(f, "{} {direction} {field} ({to})", by.abs())
            }
            Edit::Field { field, to, by: None } => write!(f, "{field} {}", shown(to.to_json())),
            Edit::OtherThan { field, value } => write!(f, "{field} other than {}", value.to_json()),
            Edit::Present { field } => write!(f, "any {field}"),
            Edit::Absent { field } => write!(f, "no {field}"),
        }
    }
}

fn points_of(points: u64) -> String {
    if points == 1 { "1 point".to_owned() } else { format!("{points} points") }
}

fn base_points_of(points: u64) -> String {
    if points == 1 { "1 base point".to_owned() } else { format!("{points} base points") }
}
