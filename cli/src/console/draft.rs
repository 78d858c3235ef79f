//! The editor of a draft catalog: checked as it is typed, and tried on an event.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use punchcard_models::{
    data::{OpenData, parse_object},
    fault::Faults,
    ids::{AccountId, LoyaltyId},
    json,
};
use punchcard_rewards::{Catalog, Member, Occurrence as Occurring, Trigger, Usage, yaml};
use punchcard_store::{AppliedRules, LedgerReader};

use super::{
    Console,
    backtest_pages::Refusal,
    catalog_pages::{DiffLine, difference},
    explained::{Occurrence, explained},
    page::{Shell, render},
    problem::Problem,
    record::{evaluation_of, pretty},
    request::{Fields, Visit},
};
use crate::catalog::parse;

/// The result of a check.
struct Check {
    problems: Vec<yaml::Problem>,
    /// The size of a valid catalog.
    summary: String,
    /// The most points that it can pay.
    bounds: String,
    /// The changes from the catalog in force.
    changes: Vec<DiffLine>,
}

impl Check {
    fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }
}

/// The result of a dry run.
struct DryRun {
    /// With the draft.
    awards: Vec<Occurrence>,
    /// Points with the draft.
    points: u64,
    /// Points that a stored record earned.
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "console/check.html")]
struct CheckPart {
    check: Check,
}

#[derive(Template)]
#[template(path = "console/dry_run.html")]
struct DryRunPart {
    dry_run: Result<DryRun, String>,
}

#[derive(Template)]
#[template(path = "console/draft.html")]
struct DraftPage {
    shell: Shell,
    draft: String,
    check: Option<Check>,
    dry_run: Option<Result<DryRun, String>>,
    /// The reason why no backtest was started.
    refusal: Option<Refusal>,
    has_backtest: bool,
    fields: Fields,
    actions: Vec<String>,
}

impl DraftPage {
    fn value(&self, name: &str) -> String {
        self.fields.text(name)
    }
}

/// The editor, with the catalog in force or the draft of the last backtest.
pub async fn editor(visit: Visit) -> Result<Response, Problem> {
    let current = visit.console.current().await?;
    let tested = visit.fields.get("from").and_then(|_| visit.console.backtests.current());
    let draft = match tested {
        Some(run) => run.text.clone(),
        None => current.as_ref().map(as_text).transpose()?.unwrap_or_default(),
    };
    let page = visit.draft_page(draft, current.as_ref())?;
    Ok(render(&page))
}

/// Checks a draft.
pub async fn check(visit: Visit) -> Result<Response, Problem> {
    let draft = visit.fields.raw("draft").unwrap_or_default().to_owned();
    let current = visit.console.current().await?;
    let check = check_of(draft.clone(), current.clone()).await?;
    if visit.wants_part {
        return Ok(render(&CheckPart { check }));
    }
    let page = DraftPage { check: Some(check), ..visit.draft_page(draft, current.as_ref())? };
    Ok(render(&page))
}

/// Tries a draft on an event.
pub async fn dry_run(visit: Visit) -> Result<Response, Problem> {
    let draft = visit.fields.raw("draft").unwrap_or_default().to_owned();
    let dry_run = match visit.try_on_event(&draft).await {
        Ok(dry_run) => Ok(dry_run),
        Err(problem @ (Problem::Invalid(_) | Problem::NotFound(_))) => Err(problem.to_string()),
        Err(problem) => return Err(problem),
    };
    if visit.wants_part {
        return Ok(render(&DryRunPart { dry_run }));
    }
    let current = visit.console.current().await?;
    let page = DraftPage { dry_run: Some(dry_run), ..visit.draft_page(draft, current.as_ref())? };
    Ok(render(&page))
}

/// Answers with the editor, and says why no backtest was started.
pub async fn refused(visit: &Visit, draft: String, refusal: Refusal) -> Result<Response, Problem> {
    let current = visit.console.current().await?;
    let check = check_of(draft.clone(), current.clone()).await?;
    let status = refusal.status();
    let page = DraftPage { check: Some(check), refusal: Some(refusal), ..visit.draft_page(draft, current.as_ref())? };
    Ok((status, render(&page)).into_response())
}

/// Returns an applied catalog as text to edit. The demo's has comments as long as it is unchanged.
fn as_text(applied: &AppliedRules) -> Result<String, Problem> {
    let catalog = parse(&applied.json)?.without_shares();
    let is_demo = yaml::read(yaml::DEMO).is_ok_and(|demo| *demo.catalog() == catalog);
    Ok(if is_demo { yaml::DEMO.to_owned() } else { pretty(&yaml::source_of(&applied.json).0) })
}

/// Checks a draft like `punchcard catalog check`. The proof of what it can pay takes a while, so it has a thread.
async fn check_of(draft: String, current: Option<AppliedRules>) -> Result<Check, Problem> {
    let checking = tokio::task::spawn_blocking(move || -> Result<Check, Problem> {
        let (source, over_budget) = match yaml::read_with_any_budget(&draft) {
            Ok(valid) => valid,
            Err(problems) => {
                return Ok(Check { problems, summary: String::new(), bounds: String::new(), changes: Vec::new() });
            }
        };
        let catalog = source.catalog();
        let (units, rules) = (catalog.business_units().len(), catalog.rules().count());
        let none = AppliedRules { version: 0, json: "{}".to_owned() };
        Ok(Check {
            problems: over_budget,
            summary: format!("{units} business units, {rules} offers and campaigns"),
            bounds: if rules > 0 { catalog.bounds().to_string() } else { String::new() },
            changes: difference(current.as_ref().unwrap_or(&none), catalog, source.to_json())?,
        })
    });
    checking.await.map_err(|_| Problem::Failed("The check ended before it was complete.".to_owned()))?
}

impl Visit {
    fn draft_page(&self, draft: String, current: Option<&AppliedRules>) -> Result<DraftPage, Problem> {
        let catalog = current.map(|applied| parse(&applied.json)).transpose()?.unwrap_or_default();
        Ok(DraftPage {
            shell: self.shell("Draft", "Catalog"),
            draft,
            check: None,
            dry_run: None,
            refusal: None,
            has_backtest: self.console.backtests.current().is_some(),
            fields: self.fields.clone(),
            actions: catalog.actions().iter().cloned().collect(),
        })
    }

    async fn try_on_event(&self, draft: &str) -> Result<DryRun, Problem> {
        let (source, _) = yaml::read_with_any_budget(draft).map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            Problem::Invalid(format!("The draft is not valid: {first}."))
        })?;
        let catalog = source.catalog();
        if self.fields.get("what") == Some("record") {
            let evaluation = evaluation_of(&LedgerReader::new(&self.console.operator.store), &self.fields).await?;
            let before = explained(&evaluation, &self.console.history).await?;
            let explanations = evaluation.explanations(catalog);
            let after = evaluation.occurrences.iter().zip(&explanations);
            let awards = after.map(|(occurrence, rules)| Occurrence::new(occurrence.name(), rules)).collect();
            return Ok(DryRun::new(awards, Some(before.iter().map(Occurrence::points).sum())));
        }
        let occurrence = typed(&self.fields, catalog)?;
        Ok(DryRun::new(vec![occurrence], None))
    }
}

impl DryRun {
    fn new(awards: Vec<Occurrence>, before: Option<u64>) -> Self {
        DryRun { points: awards.iter().map(Occurrence::points).sum(), awards, before }
    }
}

/// Explains the award of a typed event, for a member who has used no limit.
fn typed(fields: &Fields, catalog: &Catalog) -> Result<Occurrence, Problem> {
    let name = fields.get("name").ok_or_else(|| Problem::Invalid("Give the name of an action or event.".to_owned()))?;
    let now = punchcard_runtime::now();
    let at = match fields.get("at") {
        Some(text) => punchcard_models::timestamp::Timestamp::from_text(text)
            .ok_or_else(|| Problem::Invalid("The time must be like 2026-01-31T12:00:00Z.".to_owned()))?,
        None => now,
    };
    let data = match fields.get("data") {
        Some(text) => {
            let faults = Faults::default();
            let parsed = json::parse(text.as_bytes(), &faults, parse_object);
            faults.none_or(parsed).map_err(|faults| Problem::Invalid(format!("The data is not valid: {faults}.")))?
        }
        None => OpenData::new(),
    };
    let is_event = fields.get("what") == Some("event");
    let (account, loyalty) = (fields.parsed::<AccountId>("account")?, fields.parsed::<LoyaltyId>("loyalty")?);
    let occurring = Occurring {
        trigger: if is_event { Trigger::Event(name) } else { Trigger::Action(name) },
        channel: fields.get("channel").filter(|_| !is_event).or(catalog.default_channel().filter(|_| !is_event)),
        business_unit: fields.get("unit").filter(|_| !is_event),
        at,
        received_at: now,
        data: &data,
    };
    let member =
        if is_event { Member::default() } else { Member { account: account.as_ref(), loyalty: loyalty.as_ref() } };
    Ok(Occurrence::new(name, &catalog.explain(&occurring, member, &Usage::default())))
}

impl Console {
    async fn current(&self) -> Result<Option<AppliedRules>, Problem> {
        self.operator.admin.rules().await.map_err(|error| self.explain(error))
    }
}
