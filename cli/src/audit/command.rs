//! `punchcard audit`.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use punchcard_store::{LedgerReader, RecordKind};
use serde_json::json;

use super::{Report, audit};
use crate::{
    failure::Failure,
    operator::{Operator, Target},
    output::{printable, say},
};

/// Derive every award again and compare all balances, counters and total limits with their records
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  punchcard audit --data .punchcard\n  punchcard audit --stack loyalty --json\n\n\
    Reads all records and changes nothing. Requests may go on. The exit status is 1 if there are differences.")]
pub struct Options {
    #[command(flatten)]
    target: Target,
}

/// Runs the command.
///
/// # Errors
/// There are differences, or the store failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let in_json = options.target.json;
    options.target.run(async |operator| run_on(operator, in_json).await).await
}

async fn run_on(operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let bar = progress_bar(operator).await?;
    let started = Instant::now();
    let audited = audit(
        &operator.store,
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
    if erased > 0 && !in_json {
        say!("{erased} records were erased: the amounts in their tombstones were added up");
    }
    if is_disturbed && !in_json {
        say!("a customer was erased meanwhile: total limits were not compared");
    }
    if differences == 0 { Ok(()) } else { Err(Failure::Differences(differences)) }
}

async fn progress_bar(operator: &Operator) -> Result<ProgressBar, Failure> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let bar = match LedgerReader::new(&operator.store).approximate_count(&[RecordKind::Activities, RecordKind::PlayerEvents]).await? {
        0 => ProgressBar::new_spinner(),
        count => ProgressBar::new(count),
    };
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos} of about {human_len} records, {per_sec}, {eta} left");
    let bar = style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style));
    bar.enable_steady_tick(Duration::from_millis(100));
    Ok(bar)
}

/// Returns records per second.
fn rate(records: u64, took: Duration) -> u128 {
    u128::from(records) * 1000 / took.as_millis().max(1)
}
