//! `punchcard catalog`: settings and rules.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use punchcard_models::{fault::Faults, json};
use punchcard_rewards::yaml::{self, Source};
use serde_json::json;
use similar::TextDiff;

use crate::{
    failure::Failure,
    operator::{Target, patiently},
    set_up,
};

/// Settings and rules
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a catalog, and say everything that is wrong with it
    #[command(after_help = "Example:\n  punchcard catalog check shared/rewards/demo.yaml")]
    Check {
        /// A catalog in YAML
        file: PathBuf,
    },
    /// Show what would change, and apply a catalog: all of it or, if somebody else applied another meanwhile, nothing
    #[command(after_help = "Examples:\n  punchcard catalog apply catalog.yaml --stack loyalty\n  \
        punchcard catalog apply catalog.yaml --stack loyalty --yes")]
    Apply {
        /// A catalog in YAML
        file: PathBuf,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Show the catalog that is applied, in JSON, which is YAML too
    #[command(after_help = "Example:\n  punchcard catalog show --stack loyalty > catalog.yaml")]
    Show,
}

/// Does it.
///
/// # Errors
/// The file can't be read, or is no catalog, or the store could not be used.
pub async fn run(options: Options) -> Result<(), Failure> {
    match options.command {
        Command::Check { file } => check(&file, options.target.json),
        Command::Apply { file, yes } => apply(&file, yes, &options.target).await,
        Command::Show => show(&options.target).await,
    }
}

fn check(file: &Path, in_json: bool) -> Result<(), Failure> {
    let source = read(file)?;
    let catalog = source.catalog();
    let (units, rules) = (catalog.business_units().len(), catalog.rules().count());
    let rewards = if catalog.rewards_enabled() { "enabled" } else { "disabled" };
    if in_json {
        println!("{}", json!({"valid": true, "businessUnits": units, "rules": rules, "rewards": rewards}));
    } else {
        println!(
            "{} is a catalog: {units} business units, {rules} offers and campaigns, rewards {rewards}",
            file.display()
        );
    }
    Ok(())
}

async fn apply(file: &Path, yes: bool, target: &Target) -> Result<(), Failure> {
    let source = read(file)?;
    let operator = target.open().await?;
    let seen = patiently("reading the catalog", operator.admin.snapshot()).await?;
    let before = patiently("reading the catalog", operator.admin.rules_json()).await?;
    let changed = before.as_deref() != Some(source.to_json());
    if !target.json {
        print!("{}", difference(before.as_deref().unwrap_or_default(), source.to_json()));
    }
    if changed && !yes && !agreed()? {
        return Err(Failure::NotAgreed);
    }
    let now = punchcard_runtime::now();
    set_up::ensure_keys(&operator.admin, now).await?;
    let version = if changed {
        let applied = operator.admin.apply_rules(source.to_json(), seen.version, now);
        patiently("applying", applied).await.map_err(|error| Failure::of_admin(error, ""))?
    } else {
        seen.version
    };
    match (target.json, changed) {
        (true, _) => println!("{}", json!({"version": version, "changed": changed})),
        (false, true) => println!("Version {version} is applied; every function has it within 60 seconds."),
        (false, false) => println!("Version {version} is this very catalog; nothing to apply."),
    }
    Ok(())
}

/// Asks the person at the terminal; where there is none, `--yes` has to say it.
fn agreed() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    print!("Apply? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn show(target: &Target) -> Result<(), Failure> {
    let operator = target.open().await?;
    let rules = patiently("reading the catalog", operator.admin.rules_json()).await?;
    println!("{}", rules.map_or_else(|| "{}".to_owned(), |json| pretty(&json)));
    Ok(())
}

/// The difference of two catalogs, line by line; nothing if there is none.
fn difference(before: &str, after: &str) -> String {
    let (before, after) = (pretty(before), pretty(after));
    TextDiff::from_lines(&before, &after).unified_diff().context_radius(3).header("applied", "new").to_string()
}

/// A stored catalog with line breaks.
fn pretty(json: &str) -> String {
    json::read(json.as_bytes(), &Faults::default()).map(|value| format!("{value:#}\n")).unwrap_or_default()
}

/// Reads a catalog from a YAML file.
///
/// # Errors
/// The file can't be read, or is no catalog: everything that is wrong with it.
pub fn read(file: &Path) -> Result<Source, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::Read(file.to_owned(), error))?;
    yaml::read(&text).map_err(|problems| Failure::Catalog(file.to_owned(), problems))
}
