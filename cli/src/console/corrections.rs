//! Voiding an activity and adjusting a balance. A dry run shows the result first, and a second form writes it.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use punchcard_models::{
    correction::{DEFAULT_POINTS_TYPE, Reversal},
    ids::{ActivityId, CorrelationId},
};
use punchcard_store::{Balances, Corrected, LedgerReader, Mode, Reversed};
use uuid::Uuid;

use super::{
    page::{Shell, render},
    problem::Problem,
    record::member,
    request::{Fields, Visit},
    text::{address, balance_name},
};
use crate::{
    correct::{Member, Wanted, balance_of, issuer},
    failure::Failure,
    numbers::{grouped, signed},
};

/// A balance before and after a correction.
struct Change {
    balance: String,
    before: String,
    by: String,
    after: String,
    is_negative: bool,
}

impl Change {
    fn new(balance: String, before: i64, change: i64) -> Self {
        let after = before.saturating_add(change);
        let is_negative = after < 0;
        Change { balance, before: grouped(before), by: signed(change), after: grouped(after), is_negative }
    }
}

#[derive(Template)]
#[template(path = "console/void.html")]
struct VoidPage {
    shell: Shell,
    correlation: String,
    activity: String,
    action: String,
    member: String,
    reference: String,
    changes: Vec<Change>,
    refused: Option<String>,
    /// The page of the activity.
    back: String,
}

/// Shows the result of voiding an activity.
pub async fn void(visit: Visit) -> Result<Response, Problem> {
    visit.may_write()?;
    let page = visit.void_page(&Uuid::new_v4().to_string(), Mode::Preview).await?;
    Ok(match page {
        Done::Page(page) => render(&*page),
        Done::Written(id) => to_record(&id),
    })
}

/// Voids an activity.
pub async fn confirm_void(visit: Visit) -> Result<Response, Problem> {
    visit.may_write()?;
    let reference = required(&visit.fields, "reference")?.to_owned();
    Ok(match visit.void_page(&reference, Mode::Write).await? {
        Done::Page(page) => (StatusCode::BAD_REQUEST, render(&*page)).into_response(),
        Done::Written(id) => to_record(&id),
    })
}

/// The outcome of a step of a correction.
enum Done<P> {
    /// The page that shows the result, or the reason for the refusal.
    Page(Box<P>),
    /// The correction was written.
    Written(ActivityId),
}

impl Visit {
    async fn void_page(&self, reference: &str, mode: Mode) -> Result<Done<VoidPage>, Problem> {
        let operator = &self.console.operator;
        let correlation: CorrelationId = valid(&self.fields, "correlation")?;
        let original: ActivityId = valid(&self.fields, "activity")?;
        let found = LedgerReader::new(&operator.store).activity(&original).await;
        let activity = found.map_err(|error| self.console.explain(error))?;
        let activity = activity.filter(|activity| activity.correlation_id == *correlation);
        let activity = activity.ok_or_else(|| Problem::NotFound(format!("activity {original} of {correlation}")))?;
        let catalog = self.console.catalog().await?;
        let owner = Member::of(operator, &correlation).await?;
        let balances = self.console.balances_of(&activity.member_id).await?;
        let changes = activity.balances().unwrap_or_default().into_iter().filter(|(_, points)| *points > 0);
        let change = |(name, points): (String, u64)| {
            let points = i64::try_from(points).unwrap_or(i64::MAX);
            Change::new(balance_name(&name).unwrap_or_else(|| name.clone()), named(&balances, &name), -points)
        };
        let changes = changes.map(change).collect();

        let reversal = Reversal { original, reference: Some(reference.to_owned()), channel: None };
        let refused = match owner.reverse(operator, &catalog, &reversal, mode).await? {
            Reversed::Corrected(Corrected::New | Corrected::Replay) if mode == Mode::Write => {
                return Ok(Done::Written(reversal.id(&correlation)));
            }
            Reversed::Corrected(corrected) => refusal(corrected),
            Reversed::NoSuchActivity => Some("There is no such activity.".to_owned()),
            Reversed::AlreadyReversed(by) => Some(format!("The activity is already reversed, by {by}.")),
            Reversed::TooLarge => Some("The reversal is too large for one write.".to_owned()),
        };
        Ok(Done::Page(Box::new(VoidPage {
            shell: self.shell("Void an activity", "Members"),
            correlation: correlation.to_string(),
            activity: reversal.original.to_string(),
            action: activity.action,
            member: shown_member(&activity.member_id),
            back: address("/console/record", &[("activity", &reversal.original)]),
            reference: reference.to_owned(),
            changes,
            refused,
        })))
    }
}

#[derive(Template)]
#[template(path = "console/adjust.html")]
struct AdjustPage {
    shell: Shell,
    fields: Fields,
    units: Vec<String>,
    reference: String,
    /// The result, once the form is valid.
    change: Option<Change>,
    member: String,
    refused: Option<String>,
}

impl AdjustPage {
    fn value(&self, name: &str) -> String {
        self.fields.text(name)
    }

    /// The page of the correlation id.
    fn back(&self) -> String {
        address("/console/member", &[("correlation", &self.value("correlation"))])
    }

    fn points_type(&self) -> String {
        self.fields.get("type").unwrap_or(DEFAULT_POINTS_TYPE).to_owned()
    }
}

/// The form of an adjustment.
pub async fn adjust(visit: Visit) -> Result<Response, Problem> {
    visit.may_write()?;
    let units = visit.console.catalog().await?.business_units().keys().cloned().collect();
    let page = AdjustPage {
        shell: visit.shell("Adjust a balance", "Members"),
        fields: visit.fields.clone(),
        units,
        reference: String::new(),
        change: None,
        member: String::new(),
        refused: None,
    };
    Ok(render(&page))
}

/// Shows the result of an adjustment, or writes it if it was confirmed.
pub async fn confirm_adjust(visit: Visit) -> Result<Response, Problem> {
    visit.may_write()?;
    let confirmed = visit.fields.get("reference");
    let mode = if confirmed.is_some() { Mode::Write } else { Mode::Preview };
    let reference = confirmed.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    match visit.adjust_page(&reference, mode).await? {
        Done::Written(id) => Ok(to_record(&id)),
        Done::Page(page) if page.refused.is_some() => Ok((StatusCode::BAD_REQUEST, render(&*page)).into_response()),
        Done::Page(page) => Ok(render(&*page)),
    }
}

impl Visit {
    async fn adjust_page(&self, reference: &str, mode: Mode) -> Result<Done<AdjustPage>, Problem> {
        let (operator, fields) = (&self.console.operator, &self.fields);
        let catalog = self.console.catalog().await?;
        let page = |change, member: String, refused| AdjustPage {
            shell: self.shell("Adjust a balance", "Members"),
            fields: fields.clone(),
            units: catalog.business_units().keys().cloned().collect(),
            reference: reference.to_owned(),
            change,
            member,
            refused,
        };
        let refused = |message: String| Ok(Done::Page(Box::new(page(None, String::new(), Some(message)))));
        let correlation: CorrelationId = match fields.parsed("correlation") {
            Ok(Some(id)) => id,
            Ok(None) => return refused("Give the correlation id of the member.".to_owned()),
            Err(problem) => return refused(problem.to_string()),
        };
        let Some(points) = fields.get("points").and_then(|points| points.parse::<i64>().ok()) else {
            return refused("The points must be a whole number, such as 50 or -20.".to_owned());
        };
        let Some(note) = fields.get("note") else { return refused("Give a reason. The record keeps it.".to_owned()) };
        let issuer = issuer(operator).await.unwrap_or_else(|| "console".to_owned());
        let points_type = fields.get("type").unwrap_or(DEFAULT_POINTS_TYPE);
        let unit = fields.get("unit").unwrap_or_default();
        let wanted = Wanted { unit, points_type, points, note, reference, issuer: &issuer };
        let adjustment = match wanted.parse(&catalog) {
            Ok(adjustment) => adjustment,
            Err(Failure::Adjustment(faults)) => return refused(format!("The adjustment is not valid: {faults}.")),
            Err(failure) => return Err(failure.into()),
        };
        let owner = Member::of(operator, &correlation).await?;
        let before = balance_of(&owner.balances(operator).await?, unit, points_type);
        let outcome = match owner.adjust(operator, &catalog, &adjustment, mode).await? {
            Corrected::New | Corrected::Replay if mode == Mode::Write => {
                return Ok(Done::Written(adjustment.id(&correlation)));
            }
            corrected => refusal(corrected),
        };
        let change = Change::new(format!("{unit} {points_type}"), before, points);
        Ok(Done::Page(Box::new(page(Some(change), shown_member(&owner.id.to_string()), outcome))))
    }
}

fn refusal(corrected: Corrected) -> Option<String> {
    match corrected {
        Corrected::New | Corrected::Replay => None,
        Corrected::ReferenceReused => Some("This form was used for another correction. Start again.".to_owned()),
        Corrected::BelowZero => Some(Failure::BelowZero.to_string()),
    }
}

/// Names a member for people, from its key.
fn shown_member(key: &str) -> String {
    member(key).map_or_else(|| key.to_owned(), |(kind, id)| format!("{kind} {id}"))
}

fn to_record(id: &ActivityId) -> Response {
    Redirect::to(&address("/console/record", &[("activity", id)])).into_response()
}

fn required<'f>(fields: &'f Fields, name: &str) -> Result<&'f str, Problem> {
    fields.get(name).ok_or_else(|| Problem::Invalid(format!("{name} is missing.")))
}

fn valid<T: std::str::FromStr<Err: std::fmt::Display>>(fields: &Fields, name: &str) -> Result<T, Problem> {
    fields.parsed(name)?.ok_or_else(|| Problem::Invalid(format!("{name} is missing.")))
}

/// Returns the balance with an attribute's name.
fn named(balances: &Balances, name: &str) -> i64 {
    let balance = name.strip_prefix("pts#").and_then(|balance| balance.split_once('#'));
    balance.map_or(0, |(unit, points_type)| balance_of(balances, unit, points_type))
}

impl super::Console {
    async fn balances_of(&self, member: &str) -> Result<Balances, Problem> {
        let Ok(member) = member.parse() else { return Ok(Balances::new()) };
        let balances = punchcard_store::BalanceReader::new(&self.operator.store).of(&member).await;
        balances.map_err(|error| self.explain(error))
    }
}
