//! `punchcard backtest`.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use punchcard_archive::Folder;
use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::Catalog;

use super::{Finished, Source, Step, Subject, table};
use crate::{
    catalog,
    failure::Failure,
    operator::{Operator, Target},
    output::{notice, say},
};

/// Replay the stored records against a draft of the catalog, and compare what it would have paid with what was paid
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  punchcard backtest draft.yaml --data .punchcard\n  \
    punchcard backtest draft.yaml --stack loyalty --since 2026-10-01T00:00:00Z --report backtest.html\n  \
    punchcard backtest draft.yaml --archive export --json\n\n\
    Reads all records and changes nothing. The exit status is 0 whatever the difference. docs/backtest.md says what the \
    figures mean.")]
pub struct Options {
    /// Draft of the catalog, in YAML
    draft: PathBuf,
    /// Folder of an export or of a copy of the archive, instead of a store
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "stack", "profile", "region", "endpoint_url"])]
    archive: Option<PathBuf>,
    /// The draft is in force from then on; earlier records only count towards its limits [default: the first record]
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Records that arrived then or later are ignored [default: the start of the backtest]
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Write a report with charts to this HTML file as well
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "archive",
        help = "Most read units a second; 0: no limit [default: 500 of a stack, no limit with --data]"
    )]
    read_units: Option<u32>,
    #[command(flatten)]
    target: Target,
}

/// Parses a time of the options.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_text(text).ok_or_else(|| "must be an RFC 3339 timestamp, such as 2026-10-01T00:00:00Z".to_owned())
}

/// Runs the command.
///
/// # Errors
/// The draft is not valid, the store or archive failed, or the report cannot be written.
pub async fn run(options: Options) -> Result<(), Failure> {
    // Read first, so that an invalid draft is reported without a connection.
    let draft = catalog::read(&options.draft)?.into_catalog();
    if let Some(folder) = &options.archive {
        let source = Source::of_archive(Folder::open(folder).map_err(Failure::Archive)?)?;
        return run_on(&source, &draft, &options).await;
    }
    let run = async |operator: &Operator| {
        let units = options.read_units.unwrap_or(operator.read_units());
        run_on(&Source::of_store(&operator.store, units), &draft, &options).await
    };
    options.target.run(run).await
}

async fn run_on(source: &Source, draft: &Catalog, options: &Options) -> Result<(), Failure> {
    let bar = bar(source.approximate_count().await?);
    let subject = Subject { draft: options.draft.display().to_string(), since: options.since, until: options.until };
    let tested = Finished::run(source, draft, &subject, |step| match step {
        Step::Read(records) | Step::Replayed(records) => bar.inc(records),
        Step::Total(records) => {
            bar.set_length(records);
            bar.set_position(0);
            bar.reset_eta();
            bar.set_message("replayed");
        }
    });
    let finished = tested.await?;
    bar.finish_and_clear();
    if options.target.json {
        say!("{}", serde_json::to_string(&finished).map_err(Failure::StoredJson)?);
    } else {
        table::print(&finished);
    }
    if let Some(file) = &options.report {
        write(file, &finished.report()?)?;
    }
    Ok(())
}

fn write(file: &Path, html: &str) -> Result<(), Failure> {
    std::fs::write(file, html).map_err(|error| Failure::Write(file.to_owned(), error))?;
    notice(format_args!("the report is in {}", file.display()));
    Ok(())
}

fn bar(count: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = if count == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(count) };
    let style = ProgressStyle::with_template(
        "{wide_bar} {human_pos} of about {human_len} records {msg}, {per_sec}, {eta} left",
    );
    let bar = style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)).with_message("read");
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
