//! The command line: many seeds at once, or one again.

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use punchcard_faults::{Hot, Load, Measured, Outcome, Tally, Variant, measure, run};

/// Runs the real handlers on a store that fails, and checks that everything is recorded and paid exactly once
///
/// A seed is one course of things: how many clients and instances there are, what they do, what fails and when. The
/// same seed does the same again.
#[derive(Debug, Parser)]
#[command(
    name = "punchcard-faults",
    after_help = "Examples:\n  punchcard-faults --seeds 10000\n  punchcard-faults --seed 4711\n  \
    punchcard-faults --seeds 100 --variant no-condition\n  punchcard-faults contention"
)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Number of seeds to run
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    from: u64,
    /// Run this one alone, and tell everything that happened
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Number of steps of each client. Part of a seed's meaning
    #[arg(long, default_value_t = 40)]
    steps: usize,
    /// Run a system that is broken on purpose, to see it noticed
    #[arg(long)]
    variant: Option<Variant>,
    /// Number of seeds at once [default: the number of processors]
    #[arg(long)]
    jobs: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure how many uses a second one offer with a total limit, and one member, take where transactions contend
    Contention(Contention),
}

/// Parameters of the model, and the load
#[derive(Debug, Args)]
struct Contention {
    /// Activities a second
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 5_000])]
    rates: Vec<u32>,
    /// Numbers of shards
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    shards: Vec<usize>,
    /// Seconds for which activities are sent
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Milliseconds for which a transaction holds its items
    #[arg(long, default_value_t = 5)]
    hold_millis: u64,
    /// Write units that an item takes a second
    #[arg(long, default_value_t = 1_000)]
    units: u32,
    /// The most milliseconds that a call takes to the store, and its answer back
    #[arg(long, default_value_t = 4)]
    latency_millis: u64,
}

/// Measures every load, and prints a row for each.
fn measure_all(options: &Contention) {
    println!("| what | activities/s | uses/s | 503 | conflicts | throttled | median | 99 % |");
    println!("|---|---|---|---|---|---|---|---|");
    let offers =
        options.shards.iter().map(|shards| (format!("offer, {shards} shards"), Hot::Offer { shards: *shards }));
    for (what, hot) in offers.chain([("member".to_owned(), Hot::Member)]) {
        for rate in &options.rates {
            let load = Load {
                hot,
                activities_per_second: *rate,
                time: Duration::from_secs(options.seconds),
                hold: Duration::from_millis(options.hold_millis),
                units_per_second: options.units,
                latency: Duration::from_millis(options.latency_millis),
            };
            let Measured { sent, paid, unavailable, conflicts, throttled, median, percentile_99 } = measure(load);
            let uses = u64::try_from(paid).unwrap_or(u64::MAX) / options.seconds.max(1);
            println!(
                "| {what} | {rate} | {uses} | {unavailable} of {sent} | {conflicts} | {throttled} | {} ms | {} ms |",
                median.as_millis(),
                percentile_99.as_millis()
            );
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(Command::Contention(contention)) = &options.command {
        measure_all(contention);
        return ExitCode::SUCCESS;
    }
    let kept = match options.seed {
        Some(seed) => replay(seed, &options),
        None => run_all(&options),
    };
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one seed and tells all of it. Whether every promise was kept.
fn replay(seed: u64, options: &Options) -> bool {
    let outcome = run(seed, options.steps, options.variant);
    for line in outcome.history() {
        println!("{line}");
    }
    println!("\ndigest {}\n", outcome.digest());
    tell(&outcome, options);
    summarise(&outcome.tally, outcome.violations.len(), 1);
    outcome.violations.is_empty()
}

/// Runs many seeds. Whether every promise was kept.
fn run_all(options: &Options) -> bool {
    let started = Instant::now();
    let bar = ProgressBar::new(options.seeds);
    let style = "{bar:40} {pos}/{len} seeds, {eta} to go, {msg}";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let next = AtomicU64::new(0);
    let done = Mutex::new((Tally::default(), 0));
    let jobs = options.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    thread::scope(|threads| {
        for _ in 0..jobs {
            threads.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= options.seeds {
                        break;
                    }
                    let outcome = run(options.from + index, options.steps, options.variant);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.0.add(&outcome.tally);
                    done.1 += outcome.violations.len();
                    bar.set_message(format!("{} requests, {} violations", done.0.requests, done.1));
                    bar.inc(1);
                    if !outcome.violations.is_empty() {
                        bar.suspend(|| tell(&outcome, options));
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    let (tally, violations) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    summarise(&tally, violations, options.seeds);
    println!("{:<44}{:>12.0}", "seconds", started.elapsed().as_secs_f64());
    violations == 0
}

/// Tells what was not kept, and how to see it again.
fn tell(outcome: &Outcome, options: &Options) {
    let variant = options.variant.map_or_else(String::new, |variant| format!(", {variant:?}"));
    for violation in &outcome.violations {
        println!("VIOLATION in seed {} of {} steps{variant}: {violation}", outcome.seed, options.steps);
    }
}

fn summarise(tally: &Tally, violations: usize, seeds: u64) {
    let line = |what: &str, count: u64| println!("{what:<44}{count:>12}");
    line("seeds", seeds);
    line("operations: requests handled", tally.requests);
    line("  acknowledged", tally.acknowledged);
    line("  refused: duplicates, not allowed, not there", tally.refused);
    line("  unacknowledged: 5xx or cut off", tally.unacknowledged);
    line("  of all, sent before: retries", tally.retries);
    for (answer, count) in &tally.answers {
        line(&format!("    {answer}"), *count);
    }
    line("records audited", tally.audited);
    line("calls of the store", tally.calls);
    line("changes by the operator", tally.changes);
    line("faults", tally.faults.values().sum::<u64>() + tally.cut_off);
    for (kind, count) in &tally.faults {
        line(&format!("  {kind}"), *count);
    }
    line("  handler cut off", tally.cut_off);
    line("violations", u64::try_from(violations).unwrap_or(u64::MAX));
}
