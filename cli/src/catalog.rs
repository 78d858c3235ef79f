//! `punchcard catalog`: settings and rules.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use punchcard_rewards::yaml::{self, Source};

use crate::failure::Failure;

/// Settings and rules
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a catalog, and say everything that is wrong with it
    #[command(after_help = "Example:\n  punchcard catalog check shared/rewards/demo.yaml")]
    Check {
        /// A catalog in YAML
        file: PathBuf,
    },
}

/// Does it.
///
/// # Errors
/// The file can't be read, or is no catalog.
pub fn run(options: &Options) -> Result<(), Failure> {
    match &options.command {
        Command::Check { file } => {
            let source = read(file)?;
            let catalog = source.catalog();
            let enabled = if catalog.rewards_enabled() { "enabled" } else { "disabled" };
            println!(
                "{} is a catalog: {} business units, {} offers and campaigns, rewards {enabled}",
                file.display(),
                catalog.business_units().len(),
                catalog.rules().count(),
            );
            Ok(())
        }
    }
}

/// Reads a catalog from a YAML file.
///
/// # Errors
/// The file can't be read, or is no catalog: everything that is wrong with it.
pub fn read(file: &Path) -> Result<Source, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::Read(file.to_owned(), error))?;
    yaml::read(&text).map_err(|problems| Failure::Catalog(file.to_owned(), problems))
}
