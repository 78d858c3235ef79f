//! `punchcard audit`.

use std::{
    io::IsTerminal as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use punchcard_store::{LedgerReader, Store};
use serde_json::json;

use super::{EARNING, Report, Scope, archive, audit};
use crate::{
    failure::Failure,
    operator::{Target, with_spinner},
    output::{printable, say},
};

/// Derive every award again and compare all balances, counters and total limits with their records
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  punchcard audit --data .punchcard\n  punchcard audit --stack loyalty --json\n  \
    punchcard audit --archive export\n\n\
    Reads all records and changes nothing. Requests may go on. The exit status is 1 if there are differences.")]
pub struct Options {
    /// Archive in a folder, instead of a store: an export, or a copy of the bucket
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "stack", "profile", "region", "endpoint_url"])]
    archive: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Runs the command.
///
/// # Errors
/// There are differences, or the store failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let in_json = options.target.json;
    if let Some(folder) = &options.archive {
        let copy = with_spinner("copying the archive to a temporary store", archive::copy(folder)).await?;
        return run_on(&copy.store, Scope::Records, copy.records, in_json).await;
    }
    options
        .target
        .run(async |operator| {
            let count = LedgerReader::new(&operator.store).approximate_count(&EARNING).await?;
            run_on(&operator.store, Scope::Store, count, in_json).await
        })
        .await
}

async fn run_on(store: &Store, scope: Scope, about: u64, in_json: bool) -> Result<(), Failure> {
    let bar = progress_bar(about);
    let started = Instant::now();
    let audited = audit(
        store,
        scope,
        |records| bar.inc(records),
        |difference| {
            bar.suspend(|| {
                if in_json {
                    say!("{}", serde_json::to_string(&difference).unwrap_or_default());
                } else {
                    say!("{}", printable(&difference.to_string()));
                }
            });
        },
    );
    let report = audited.await?;
    bar.finish_and_clear();
    let took = started.elapsed();
    let Report { records, unversioned, erased, members, totals, is_disturbed, differences } = report;
    let rate = rate(records, took);
    if in_json {
        let seconds = took.as_secs_f64();
        say!(
            "{}",
            json!({
                "records": records, "unversioned": unversioned, "erased": erased, "members": members,
                "totals": totals, "disturbed": is_disturbed, "differences": differences, "seconds": seconds,
            })
        );
    } else {
        say!(
            "{records} records, {members} members and {totals} total limits in {:.1} s ({rate} records a second): \
             {differences} differences",
            took.as_secs_f64()
        );
        if unversioned > 0 {
            say!("{unversioned} records of version 0.1.0 do not name their catalog: their balances were audited only");
        }
    }
    if scope == Scope::Records && !in_json {
        say!("an archive has no members: balances, counters and total limits were not compared");
    }
    if erased > 0 && !in_json {
        say!("{erased} records were erased: the amounts in their tombstones were added up");
    }
    if is_disturbed && !in_json {
        say!("a customer was erased meanwhile: total limits were not compared");
    }
    if differences == 0 { Ok(()) } else { Err(Failure::Differences(differences)) }
}

fn progress_bar(about: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = if about == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(about) };
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos} of about {human_len} records, {per_sec}, {eta} left");
    let bar = style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Returns records per second.
fn rate(records: u64, took: Duration) -> u128 {
    u128::from(records) * 1000 / took.as_millis().max(1)
}
