//! The catalog in force, its history and the changes between two versions.

use askama::Template;
use axum::response::Response;
use punchcard_rewards::{Catalog, Rule, yaml};
use punchcard_store::AppliedRules;

use super::{
    Console,
    page::{Shell, render},
    problem::Problem,
    record::pretty,
    request::Visit,
    rule_rows::Rows,
    text::{Moment, address},
};
use crate::{
    catalog::parse,
    difference::{Difference, Document},
    failure::Failure,
};

/// Number of versions in the history.
const VERSIONS: usize = 200;

/// A line of the difference between two catalogs.
pub struct DiffLine {
    /// The class of the line: added, removed, changed, or none.
    pub class: &'static str,
    /// The text.
    pub text: String,
}

#[derive(Template)]
#[template(path = "console/catalog.html")]
struct CatalogPage {
    shell: Shell,
    version: Option<u64>,
    rules: Rows,
    rewards: &'static str,
    timezone: String,
    units: Vec<(String, bool)>,
}

/// The rules in force.
pub async fn overview(visit: Visit) -> Result<Response, Problem> {
    let console = &visit.console;
    let applied = console.operator.admin.rules().await.map_err(|error| console.explain(error))?;
    let catalog = applied.as_ref().map(|applied| parse(&applied.json)).transpose()?.unwrap_or_default();
    let source = applied.as_ref().map_or_else(|| "{}".to_owned(), |applied| yaml::source_of(&applied.json).0);
    let names: Vec<_> = catalog.rules().flat_map(Rule::total_names).collect();
    let totals = console.operator.admin.totals(&names).await.map_err(|error| console.explain(error))?;
    let is_enabled = |status| status == punchcard_rewards::UnitStatus::Enabled;
    let page = CatalogPage {
        shell: visit.shell("Catalog", "Catalog"),
        version: applied.map(|applied| applied.version),
        rules: Rows::new(&catalog, &source, &totals, punchcard_runtime::now()),
        rewards: if catalog.rewards_enabled() { "enabled" } else { "disabled" },
        timezone: catalog.timezone().to_owned(),
        units: catalog.business_units().iter().map(|(unit, status)| (unit.clone(), is_enabled(*status))).collect(),
    };
    Ok(render(&page))
}

struct VersionRow {
    version: u64,
    at: Moment,
    by: String,
    note: String,
    changes: Option<String>,
}

#[derive(Template)]
#[template(path = "console/catalog_history.html")]
struct HistoryPage {
    shell: Shell,
    versions: Vec<VersionRow>,
}

/// The applied versions, newest first.
pub async fn history(visit: Visit) -> Result<Response, Problem> {
    let console = &visit.console;
    let versions = console.operator.admin.versions(VERSIONS).await.map_err(|error| console.explain(error))?;
    let row = |applied: punchcard_store::AppliedVersion| VersionRow {
        version: applied.version,
        at: Moment::new(&applied.applied_at),
        by: applied.annotation.applied_by.unwrap_or_default(),
        note: applied.annotation.note.unwrap_or_default(),
        changes: applied.version.checked_sub(1).filter(|before| *before > 0).map(|before| {
            let parameters = [("from", before.to_string()), ("to", applied.version.to_string())];
            address("/console/catalog/changes", &parameters.each_ref().map(|(name, value)| (*name, value.as_str())))
        }),
    };
    let versions = versions.into_iter().map(row).collect();
    Ok(render(&HistoryPage { shell: visit.shell("History of the catalog", "Catalog"), versions }))
}

#[derive(Template)]
#[template(path = "console/catalog_changes.html")]
struct ChangesPage {
    shell: Shell,
    from: u64,
    to: u64,
    lines: Vec<DiffLine>,
}

/// The changes between two versions.
pub async fn changes(visit: Visit) -> Result<Response, Problem> {
    let number =
        |name| visit.fields.parsed::<u64>(name)?.ok_or_else(|| Problem::Invalid(format!("{name} is missing.")));
    let (from, to) = (number("from")?, number("to")?);
    let (before, after) = (visit.console.version(from).await?, visit.console.version(to).await?);
    let lines = difference(&before, &parse(&after.json)?, &yaml::source_of(&after.json).0)?;
    Ok(render(&ChangesPage { shell: visit.shell(format!("Version {to}"), "Catalog"), from, to, lines }))
}

#[derive(Template)]
#[template(path = "console/catalog_version.html")]
struct VersionPage {
    shell: Shell,
    version: u64,
    text: String,
}

/// One version, as it was applied.
pub async fn version(visit: Visit) -> Result<Response, Problem> {
    let wanted = visit.fields.parsed::<u64>("version")?.ok_or(Problem::NoPage)?;
    let AppliedRules { version, json } = visit.console.version(wanted).await?;
    let text = pretty(&yaml::source_of(&json).0);
    Ok(render(&VersionPage { shell: visit.shell(format!("Version {version}"), "Catalog"), version, text }))
}

/// Returns the changes from an applied catalog to another one, given with its JSON.
///
/// # Errors
/// The applied catalog cannot be read.
pub fn difference(before: &AppliedRules, after: &Catalog, json: &str) -> Result<Vec<DiffLine>, Failure> {
    let catalog = parse(&before.json)?;
    let (source, _) = yaml::source_of(&before.json);
    let before = Document { catalog: &catalog, json: &source };
    let difference = Difference::of(before, Document { catalog: after, json });
    Ok(difference.to_string().lines().map(DiffLine::new).collect())
}

impl DiffLine {
    fn new(line: &str) -> Self {
        let class = match line.trim_start().chars().next() {
            Some('+') => "added",
            Some('-') => "removed",
            Some('~') => "changed",
            _ => "",
        };
        DiffLine { class, text: line.to_owned() }
    }
}

impl Console {
    async fn version(&self, version: u64) -> Result<AppliedRules, Problem> {
        let found = self.operator.admin.version(version).await;
        found.map_err(|error| self.operator.explain(Failure::of_admin(error, "")).into())
    }
}
