//! The command line.

use std::{process::ExitCode, thread, time::Instant};

use clap::Parser;
use punchcard_model::{Protocol, Variant, check, scenario};

/// Explores every interleaving of the write protocol, with every loss, up to bounds
#[derive(Debug, Parser)]
#[command(
    name = "punchcard-model",
    after_help = "Examples:\n  punchcard-model\n  punchcard-model --scenario two-reversals --faults 1\n  \
    punchcard-model --variant other-shard"
)]
struct Options {
    /// Explore this scenario alone [default: all of them]
    #[arg(long, value_parser = scenario::ALL.map(|scenario| scenario.name))]
    scenario: Option<String>,
    /// Most faults, instead of the number of each scenario
    #[arg(long)]
    faults: Option<u8>,
    /// Explore a protocol that is broken on purpose, in a small scenario, to see it noticed
    #[arg(long, conflicts_with_all = ["scenario", "faults"])]
    variant: Option<Variant>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let started = Instant::now();
    let is_chosen = |name: &str| options.scenario.as_ref().is_none_or(|chosen| chosen == name);
    let scenarios = match options.variant {
        Some(variant) => vec![variant.scenario()],
        None => scenario::ALL.into_iter().filter(|scenario| is_chosen(scenario.name)).collect(),
    };
    let (mut states, mut is_kept) = (0, true);
    // At the same time: each of them takes one processor.
    thread::scope(|threads| {
        let runs: Vec<_> = scenarios
            .into_iter()
            .map(|scenario| options.faults.map_or(scenario, |faults| scenario.with_faults(faults)))
            .map(|scenario| threads.spawn(move || check(Protocol { scenario, variant: options.variant })))
            .collect();
        for run in runs {
            let report = run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            print!("{report}");
            states += report.states;
            is_kept &= report.is_kept();
        }
    });
    println!("{states} states in {:.1} s", started.elapsed().as_secs_f64());
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
