//! `punchcard catalog`: manages settings and rules.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use punchcard_models::{fault::Faults, json};
use punchcard_rewards::{
    Catalog,
    yaml::{self, Source},
};
use serde_json::json;

use crate::{
    difference::{Difference, Document},
    failure::Failure,
    operator::{Operator, Target, with_spinner},
    output::{self, say},
    set_up,
};

/// Check, apply and show settings and rules
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a catalog and report all errors
    #[command(after_help = "Example:\n  punchcard catalog check shared/rewards/demo.yaml")]
    Check {
        /// Catalog file in YAML
        file: PathBuf,
    },
    /// Show the changes and apply a catalog. Fails if another catalog was applied in the meantime
    #[command(after_help = "Examples:\n  punchcard catalog apply catalog.yaml --stack loyalty\n  \
        punchcard catalog apply catalog.yaml --stack loyalty --profile production --region eu-west-1\n  \
        punchcard catalog apply catalog.yaml --stack loyalty --yes --json")]
    Apply {
        /// Catalog file in YAML
        file: PathBuf,
        /// Apply without confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Print the current catalog as JSON, which is valid YAML
    #[command(after_help = "Example:\n  punchcard catalog show --stack loyalty > catalog.yaml")]
    Show,
}

/// Runs the command.
///
/// # Errors
/// The file cannot be read or is not a valid catalog, or a store call failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let target = &options.target;
    match options.command {
        Command::Check { file } => check(&file, target.json),
        Command::Apply { file, yes } => {
            let source = read(&file)?;
            let operator = target.open().await?;
            let done = apply(&source, yes, &operator, target.json).await;
            done.map_err(|failure| operator.explain(failure))
        }
        Command::Show => {
            let operator = target.open().await?;
            show(&operator).await.map_err(|failure| operator.explain(failure))
        }
    }
}

fn check(file: &Path, in_json: bool) -> Result<(), Failure> {
    let source = read(file)?;
    let catalog = source.catalog();
    let (units, rules) = (catalog.business_units().len(), catalog.rules().count());
    let rewards = if catalog.rewards_enabled() { "enabled" } else { "disabled" };
    if in_json {
        say!("{}", json!({"valid": true, "businessUnits": units, "rules": rules, "rewards": rewards}));
    } else {
        say!(
            "{} is a valid catalog: {units} business units, {rules} offers and campaigns, rewards {rewards}",
            file.display()
        );
    }
    Ok(())
}

async fn apply(source: &Source, yes: bool, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let applied = with_spinner("reading the catalog", operator.admin.rules()).await?;
    let (seen, json) = applied.map_or((0, None), |rules| (rules.version, Some(rules.json)));
    let before = json.as_deref().map(parse).transpose()?.unwrap_or_default();
    let difference = Difference::of(
        Document { catalog: &before, json: json.as_deref().unwrap_or("{}") },
        Document { catalog: source.catalog(), json: source.to_json() },
    );
    // If no catalog was applied yet, an empty one is applied too, to create version 1.
    let changed = !difference.is_empty() || json.is_none();
    if !in_json {
        output::write(format_args!("{difference}"));
    }
    if changed && !yes && !confirmed()? {
        return Err(Failure::NotConfirmed);
    }
    let now = punchcard_runtime::now();
    set_up::ensure_keys(&operator.admin, now).await?;
    let version = if changed {
        let applying = operator.admin.apply_rules(source.to_json(), seen, now);
        with_spinner("applying the catalog", applying).await.map_err(|error| Failure::of_admin(error, ""))?
    } else {
        seen
    };
    match (in_json, changed) {
        // Formatted as text, because `json!` would convert numbers to doubles.
        (true, _) => say!(r#"{{"changed":{changed},"changes":{},"version":{version}}}"#, difference.to_json()),
        (false, true) => say!("Applied version {version}. It takes effect within 60 seconds."),
        (false, false) => say!("No changes. The current version is {version}."),
    }
    Ok(())
}

fn parse(json: &str) -> Result<Catalog, Failure> {
    Catalog::from_json(json).map_err(|faults| {
        let fault = faults.into_iter().next();
        Failure::AppliedCatalog(fault.map(|fault| format!("{} {}", fault.pointer, fault.message)).unwrap_or_default())
    })
}

/// Asks for confirmation at the terminal. Without a terminal, only `--yes` confirms.
fn confirmed() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    output::write(format_args!("Apply? [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn show(operator: &Operator) -> Result<(), Failure> {
    let rules = with_spinner("reading the catalog", operator.admin.rules_json()).await?;
    output::write(format_args!("{}", rules.map_or_else(|| "{}\n".to_owned(), |json| pretty(&json))));
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
