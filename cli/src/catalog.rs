//! `punchcard catalog`: manages settings and rules.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, builder::RangedU64ValueParser};
use punchcard_models::{fault::Faults, json};
use punchcard_rewards::{
    Catalog, Rule,
    yaml::{self, Source},
};
use punchcard_store::{Annotation, AppliedRules, AppliedVersion};
use serde_json::json;

use crate::{
    difference::{Difference, Document},
    failure::Failure,
    operator::{Operator, Target, confirmed, with_spinner},
    output::{self, notice, say},
    set_up,
};

/// Check, apply, show and compare settings and rules
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a catalog and report all errors, or prove the most points that it can pay
    #[command(after_help = "Example:\n  punchcard catalog check shared/rewards/demo.yaml")]
    Check {
        /// Catalog file in YAML
        file: PathBuf,
    },
    /// Show the changes and apply a catalog. Fails if another catalog was applied in the meantime
    #[command(
        after_help = "Examples:\n  punchcard catalog apply catalog.yaml --stack loyalty --note \"summer offers\"\n  \
        punchcard catalog apply catalog.yaml --stack loyalty --profile production --region eu-west-1\n  \
        punchcard catalog apply catalog.yaml --stack loyalty --yes --json"
    )]
    Apply {
        /// Catalog file in YAML
        file: PathBuf,
        #[command(flatten)]
        how: Applying,
    },
    /// Print a catalog as JSON, which is valid YAML
    #[command(after_help = "Examples:\n  punchcard catalog show --stack loyalty > catalog.yaml\n  \
        punchcard catalog show --stack loyalty --version 7\n  \
        punchcard catalog show --stack loyalty --usage")]
    Show {
        /// Version to print [default: the current one]
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        /// Print the uses of total limits instead, added up over their shards
        #[arg(long)]
        usage: bool,
    },
    /// List the applied catalogs, newest first: when, by whom, and the note
    #[command(after_help = "Example:\n  punchcard catalog history --stack loyalty --limit 5")]
    History {
        /// Maximum number of versions
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
        limit: usize,
    },
    /// Show the changes from one version to another
    #[command(after_help = "Example:\n  punchcard catalog diff 6 7 --stack loyalty")]
    Diff {
        /// Version to start from
        from: u64,
        /// Version to compare with
        to: u64,
    },
    /// Apply an earlier version again, as a new version
    #[command(after_help = "Example:\n  punchcard catalog rollback 6 --stack loyalty")]
    Rollback {
        /// Version to apply
        version: u64,
        #[command(flatten)]
        how: Applying,
    },
}

/// Options of commands that apply a catalog
#[derive(Debug, Args)]
struct Applying {
    /// Apply without confirmation
    #[arg(long)]
    yes: bool,
    /// Note for the history
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: Option<String>,
}

const MAX_NOTE_CHARS: usize = 500;

fn note(text: &str) -> Result<String, String> {
    let note = text.trim();
    let fits = !note.is_empty() && note.chars().nth(MAX_NOTE_CHARS).is_none() && !note.chars().any(char::is_control);
    if fits { Ok(note.to_owned()) } else { Err(format!("must have 1 to {MAX_NOTE_CHARS} characters on one line")) }
}

/// Runs the command.
///
/// # Errors
/// The file cannot be read or is not a valid catalog, or a store call failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let Options { command, target } = options;
    let in_json = target.json;
    match command {
        Command::Check { file } => check(&file, in_json),
        Command::Apply { file, how } => {
            // Read first, so that an invalid catalog is reported without a connection.
            let source = read(&file)?;
            let new = Document { catalog: source.catalog(), json: source.to_json() };
            target.run(async |operator| apply(new, how, operator, in_json).await).await
        }
        Command::Show { version, usage: false } => target.run(async |operator| show(version, operator).await).await,
        Command::Show { version, usage: true } => {
            target.run(async |operator| show_usage(version, operator, in_json).await).await
        }
        Command::History { limit } => target.run(async |operator| history(limit, operator, in_json).await).await,
        Command::Diff { from, to } => target.run(async |operator| diff(from, to, operator, in_json).await).await,
        Command::Rollback { version, how } => {
            target.run(async |operator| rollback(version, how, operator, in_json).await).await
        }
    }
}

fn check(file: &Path, in_json: bool) -> Result<(), Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::Read(file.to_owned(), error))?;
    let (source, over_budget) =
        yaml::read_with_any_budget(&text).map_err(|problems| Failure::Catalog(file.to_owned(), problems))?;
    let catalog = source.catalog();
    let bounds = catalog.bounds();
    if !over_budget.is_empty() {
        if !in_json {
            output::write(format_args!("{bounds}"));
        }
        return Err(Failure::Catalog(file.to_owned(), over_budget));
    }
    let (units, rules) = (catalog.business_units().len(), catalog.rules().count());
    let rewards = if catalog.rewards_enabled() { "enabled" } else { "disabled" };
    if in_json {
        // Formatted as text, because `json!` would convert numbers to doubles.
        say!(
            r#"{{"valid":true,"businessUnits":{units},"rules":{rules},"rewards":"{rewards}","bounds":{}}}"#,
            bounds.to_json()
        );
    } else {
        say!(
            "{} is a valid catalog: {units} business units, {rules} offers and campaigns, rewards {rewards}",
            file.display()
        );
        if rules > 0 {
            say!("\nThe most points that it can pay:\n");
            output::write(format_args!("{bounds}"));
        }
    }
    Ok(())
}

async fn apply(new: Document<'_>, how: Applying, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let applied = with_spinner("reading the catalog", operator.admin.rules()).await?;
    let before = applied.as_ref().map(|applied| parse(&applied.json)).transpose()?.unwrap_or_default();
    let json = applied.as_ref().map_or_else(|| "{}".to_owned(), |applied| yaml::source_of(&applied.json).0);
    let difference = Difference::of(Document { catalog: &before, json: &json }, new);
    // If no catalog was applied yet, an empty one is applied too, to create version 1.
    let changed = !difference.is_empty() || applied.is_none();
    if !in_json {
        output::write(format_args!("{difference}"));
    }
    if changed && !how.yes && !confirmed("Apply?")? {
        return Err(Failure::NotConfirmed);
    }
    let now = punchcard_runtime::now();
    set_up::ensure_keys(&operator.admin, now).await?;
    if let Some(version) = operator.admin.adopt_rules(now).await? {
        notice(format_args!("moved version {version}, which release 0.1.0 applied, into the history"));
    }
    let annotation = Annotation { note: how.note, applied_by: operator.identity().await };
    let version = match &applied {
        Some(current) if !changed => {
            let repairing = set_up::repair(&operator.admin, new, current, &annotation, now);
            let repaired = with_spinner("checking total limits", repairing).await?;
            if let Some(version) = repaired {
                notice(format_args!("completed an earlier change of total limits, as version {version}"));
            }
            repaired.unwrap_or(current.version)
        }
        current => {
            let applying = set_up::write(&operator.admin, new, current.as_ref(), &annotation, now);
            with_spinner("applying the catalog", applying).await?
        }
    };
    match (in_json, changed) {
        // Formatted as text, because `json!` would convert numbers to doubles.
        (true, _) => say!(r#"{{"changed":{changed},"changes":{},"version":{version}}}"#, difference.to_json()),
        (false, true) => say!("Applied version {version}. It takes effect within 60 seconds."),
        (false, false) => say!("No changes. The current version is {version}."),
    }
    Ok(())
}

async fn rollback(version: u64, how: Applying, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let rules = version_of(operator, version).await?;
    let catalog = parse(&rules.json)?;
    let (json, _) = yaml::source_of(&rules.json);
    let note = how.note.or_else(|| Some(format!("rollback to version {version}")));
    apply(Document { catalog: &catalog, json: &json }, Applying { note, ..how }, operator, in_json).await
}

async fn diff(from: u64, to: u64, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let (from, to) = (version_of(operator, from).await?, version_of(operator, to).await?);
    let (before, after) = (parse(&from.json)?, parse(&to.json)?);
    let [(before_json, _), (after_json, _)] = [&from.json, &to.json].map(|json| yaml::source_of(json));
    let difference = Difference::of(
        Document { catalog: &before, json: &before_json },
        Document { catalog: &after, json: &after_json },
    );
    if in_json {
        say!(r#"{{"from":{},"to":{},"changes":{}}}"#, from.version, to.version, difference.to_json());
    } else if difference.is_empty() {
        say!("No changes.");
    } else {
        output::write(format_args!("{difference}"));
    }
    Ok(())
}

async fn history(limit: usize, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let versions = with_spinner("reading the history", operator.admin.versions(limit)).await?;
    if in_json {
        let versions = versions.iter().map(|applied| {
            json!({
                "version": applied.version,
                "appliedAt": applied.applied_at,
                "appliedBy": applied.annotation.applied_by,
                "note": applied.annotation.note,
            })
        });
        say!("{}", versions.collect::<serde_json::Value>());
        return Ok(());
    }
    if versions.is_empty() {
        say!("No catalog was applied.");
    }
    for AppliedVersion { version, applied_at, annotation } in &versions {
        let by = annotation.applied_by.as_deref().map(|by| format!("  by {by}")).unwrap_or_default();
        let note = annotation.note.as_deref().map(|note| format!("  {note}")).unwrap_or_default();
        say!("{version:>6}  {applied_at}{by}{note}");
    }
    Ok(())
}

async fn version_of(operator: &Operator, version: u64) -> Result<AppliedRules, Failure> {
    let rules = with_spinner("reading the catalog", operator.admin.version(version)).await;
    rules.map_err(|error| Failure::of_admin(error, ""))
}

/// Parses an applied catalog.
///
/// # Errors
/// An incompatible version applied it.
pub(crate) fn parse(json: &str) -> Result<Catalog, Failure> {
    Catalog::from_json(json).map_err(|faults| {
        let fault = faults.into_iter().next();
        Failure::AppliedCatalog(fault.map(|fault| format!("{} {}", fault.pointer, fault.message)).unwrap_or_default())
    })
}

/// Returns a version as it is stored, or the current one. `None` if no catalog was applied.
async fn stored(version: Option<u64>, operator: &Operator) -> Result<Option<String>, Failure> {
    Ok(match version {
        Some(version) => Some(version_of(operator, version).await?.json),
        None => with_spinner("reading the catalog", operator.admin.rules_json()).await?,
    })
}

async fn show(version: Option<u64>, operator: &Operator) -> Result<(), Failure> {
    let rules = stored(version, operator).await?;
    output::write(format_args!(
        "{}",
        rules.map_or_else(|| "{}\n".to_owned(), |json| pretty(&yaml::source_of(&json).0))
    ));
    Ok(())
}

/// Prints the uses of each total limit.
async fn show_usage(version: Option<u64>, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let rules = stored(version, operator).await?;
    let catalog = rules.as_deref().map(parse).transpose()?.unwrap_or_default();
    let names: Vec<_> = catalog.rules().flat_map(Rule::total_names).collect();
    let totals = with_spinner("reading total limits", operator.admin.totals(&names)).await?;
    let used = |name: &String| totals.get(name).map_or(0, |total| total.used);
    let limited = catalog.rules().filter_map(|rule| {
        let names = rule.total_names();
        Some((rule, rule.total_limit()?, names.iter().map(used).sum::<u64>(), names.len()))
    });
    let limited: Vec<_> = limited.collect();
    if in_json {
        let limits = limited.iter().map(|(rule, limit, used, shards)| {
            json!({"rule": &**rule.id(), "limit": limit, "used": used, "left": limit.saturating_sub(*used), "shards": shards})
        });
        say!("{}", limits.collect::<serde_json::Value>());
        return Ok(());
    }
    if limited.is_empty() {
        say!("No rule has a total limit.");
    }
    for (rule, limit, used, shards) in limited {
        let left = limit.saturating_sub(used);
        let shards = if shards == 1 { "1 item".to_owned() } else { format!("{shards} shards") };
        say!("{:<40}  {used} of {limit} uses, {left} left, in {shards}", &**rule.id());
    }
    Ok(())
}

/// Formats a stored catalog with line breaks.
fn pretty(json: &str) -> String {
    json::read(json.as_bytes(), &Faults::default()).map(|value| format!("{value:#}\n")).unwrap_or_default()
}

/// Reads a catalog from a YAML file.
///
/// # Errors
/// The file cannot be read, or is not a valid catalog. The error lists all problems.
pub fn read(file: &Path) -> Result<Source, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::Read(file.to_owned(), error))?;
    yaml::read(&text).map_err(|problems| Failure::Catalog(file.to_owned(), problems))
}
