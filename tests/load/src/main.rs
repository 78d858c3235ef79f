//! The cost of a request, beside the least that it could cost and beside the AWS samples' way.
//!
//! It is a program and not in `benches/`: it builds and starts release binaries of its own, with servers around them, which
//! is more than a bench target's harness is for.
//!
//! Each function's release binary runs behind a Lambda Runtime API and a DynamoDB of its own, both in this process, and
//! is sent its requests one after the other. `docs/performance.md` says what the figures mean.
#![expect(clippy::cast_precision_loss, reason = "no figure comes near what a double can't hold")]

mod binaries;
mod case;
mod certificate;
mod endpoint;
mod figures;
mod life;
mod runtime;
mod signature;
mod targets;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use crate::{
    binaries::Binaries,
    case::{Case, PLAIN, Program},
    certificate::Certificate,
    endpoint::Answers,
    figures::{Figures, Instructions},
    life::{Length, Life, Setting},
    world::{Catalog, World},
};

/// Measures what a request takes: time, instructions, memory, DynamoDB calls and units.
///
/// Builds the functions and three references as release binaries and runs each behind a Lambda Runtime API and a
/// DynamoDB that answers at once. The processor time is that of the function's process alone. Ends with the targets and
/// whether they are met; fails where an answer or a call is not what it has to be.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "a command line's flags")]
struct Options {
    /// The DynamoDB: answering at once over HTTP or over TLS, or the embedded store
    #[arg(long = "setting", value_enum, default_values = ["http", "tls", "embedded"])]
    settings: Vec<Which>,
    /// Only cases whose name or binary's name contains this, and the references
    #[arg(long = "only", value_name = "TEXT")]
    only: Vec<String>,
    /// Measure how the cost grows with the events of a batch, the offers of a catalog and the body's size, instead
    #[arg(long)]
    growth: bool,
    /// Size and memory of all functions too, each after its happy event in `events/`
    #[arg(long)]
    all: bool,
    /// Number of times that each function is started
    #[arg(long, value_name = "N", default_value_t = 15)]
    lives: usize,
    /// Number of warm requests measured in each of its lives
    #[arg(long, value_name = "N", default_value_t = 150)]
    requests: usize,
    /// One short life and no instructions: to see that it works
    #[arg(long)]
    quick: bool,
    /// The figures as JSON
    #[arg(long)]
    json: bool,
    /// Keep callgrind's files here, for `callgrind_annotate`: of each case, lives of 0, 1, 6 and 26 requests
    #[arg(long, value_name = "DIR")]
    callgrind: Option<PathBuf>,
    /// Measure the binaries of this folder, instead of building them
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
}

/// The DynamoDB of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    Http,
    Tls,
    Embedded,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Which::Http => "answered at once, over HTTP",
            Which::Tls => "answered at once, over TLS",
            Which::Embedded => "the embedded store",
        })
    }
}

/// Requests that only warm a function up.
const WARM_UP: usize = 20;
/// The embedded store's share of the requests and lives: it takes its time, and what it is asked for doesn't vary.
const EMBEDDED_SHARE: usize = 10;
/// Lives of so many requests, whose differences are the instructions of init, of the first request and of warm ones.
const COUNTED: [usize; 4] = [0, 1, 6, 26];

// One thread: what is measured has the other core to itself.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("punchcard-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let mut cases = if options.growth { case::growth() } else { case::cases() };
    cases.retain(|case| {
        let named = |text: &String| case.name.contains(text.as_str()) || case.program.name() == text;
        options.only.is_empty() || matches!(case.program, Program::Reference(_)) || options.only.iter().any(named)
    });
    let which = if options.growth { &[Which::Http][..] } else { &options.settings };
    let bench = Bench::prepare(options, cases).await?;
    let mut settings = BTreeMap::new();
    for which in which {
        settings.insert(*which, bench.measure(*which).await?);
    }
    let mut all = Vec::new();
    if options.all {
        all = Bench::prepare(options, case::happy()).await?.measure(Which::Embedded).await?;
    }
    let targets = targets::targets(&settings);

    if options.json {
        println!("{}", json!({"settings": settings, "all": all, "targets": targets}));
        return Ok(());
    }
    for (setting, figures) in &settings {
        if options.growth {
            println!("{}", figures::growth(figures));
        } else {
            println!("{setting}\n\n{}\n{}", figures::times(figures), figures::amounts(figures));
        }
    }
    if options.all {
        println!("every function, after its happy event\n\n{}", figures::sizes(&all));
    }
    if !targets.is_empty() {
        println!("{}", targets::text(&targets));
    }
    Ok(())
}

/// Cases, and what they are measured with.
struct Bench<'o> {
    options: &'o Options,
    cases: Vec<Case>,
    binaries: Binaries,
    worlds: HashMap<Catalog, Arc<World>>,
    certificate: Certificate,
}

impl<'o> Bench<'o> {
    async fn prepare(options: &'o Options, mut cases: Vec<Case>) -> Result<Self> {
        if let Some(folder) = &options.binaries {
            // A build of the workspace has everything but `plain`.
            cases.retain(|case| case.program != PLAIN || folder.join(PLAIN.name()).is_file());
        }
        let programs = cases.iter().map(|case| case.program).collect::<BTreeSet<_>>().into_iter();
        let binaries = match &options.binaries {
            Some(folder) => binaries::find(programs, folder)?,
            None => binaries::build(programs)?,
        };
        let mut worlds = HashMap::new();
        for catalog in cases.iter().map(|case| case.catalog).collect::<BTreeSet<_>>() {
            worlds.insert(catalog, Arc::new(World::make(catalog).await?));
        }
        Ok(Bench { options, cases, binaries, worlds, certificate: Certificate::make()? })
    }

    /// All cases in one setting. One life of each after the other, and again: what disturbs them disturbs all.
    async fn measure(&self, which: Which) -> Result<Vec<Figures>> {
        let setting = Setting {
            answers: if which == Which::Embedded { Answers::Embedded } else { Answers::AtOnce },
            certificate: (which == Which::Tls).then_some(&self.certificate),
        };
        let Options { lives, requests, .. } = *self.options;
        let (lives, length) = match which {
            _ if self.options.quick => (1, Length { warm_up: 1, counted: 4 }),
            Which::Embedded => {
                let few = Length { warm_up: 2, counted: requests.div_ceil(EMBEDDED_SHARE) };
                (lives.div_ceil(EMBEDDED_SHARE), few)
            }
            Which::Http | Which::Tls => (lives, Length { warm_up: WARM_UP, counted: requests }),
        };
        let mut measured: Vec<Vec<Life>> = self.cases.iter().map(|_| Vec::new()).collect();
        let progress = progress(&format!("{which}, lives"), lives);
        for round in 0..lives {
            for (case, lived) in self.cases.iter().zip(&mut measured) {
                let (binary, world) = self.of(case);
                let context = || format!("{which}: {}", case.name);
                if round == 0 && which == Which::Embedded {
                    life::prepare(case, binary, world, setting).await.with_context(context)?;
                }
                lived.push(life::live(case, binary, world, setting, length).await.with_context(context)?);
            }
            progress.inc(1);
        }
        let counted = match which {
            Which::Http if !self.options.quick => self.count().await?,
            _ => vec![None; self.cases.len()],
        };
        let figures = self.cases.iter().zip(&measured).zip(counted);
        figures.map(|((case, lives), counted)| Figures::of(case, self.of(case).0, lives, counted)).collect()
    }

    /// The instructions of each case, if there is a valgrind.
    async fn count(&self) -> Result<Vec<Option<Instructions>>> {
        let found = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            eprintln!("no valgrind here, so no instructions");
            return Ok(vec![None; self.cases.len()]);
        }
        let mut counted = Vec::new();
        let progress = progress("instructions, cases", self.cases.len());
        for case in &self.cases {
            let instructions = self.count_case(case).await;
            if let Err(error) = &instructions {
                // Its lives without valgrind have shown that its answers are right.
                progress.suspend(|| eprintln!("no instructions of {}: {error:#}", case.name));
            }
            counted.push(instructions.ok());
            progress.inc(1);
        }
        Ok(counted)
    }

    async fn count_case(&self, case: &Case) -> Result<Instructions> {
        let mut totals = [0; COUNTED.len()];
        for (total, requests) in totals.iter_mut().zip(COUNTED) {
            *total = self.count_life(case, requests).await?;
        }
        let [none, one, few, many] = totals;
        let warm = many.saturating_sub(few) / (COUNTED[3] - COUNTED[2]) as u64;
        Ok(Instructions { init: none, first: one.saturating_sub(none), warm })
    }

    /// The instructions of one life. Under valgrind, on a busy machine, a call may take longer than a function waits.
    async fn count_life(&self, case: &Case, requests: usize) -> Result<u64> {
        const TRIES: usize = 3;
        let (binary, world) = self.of(case);
        let folder = tempfile::tempdir()?;
        let folder = self.options.callgrind.as_deref().unwrap_or(folder.path());
        let out = folder.join(format!("{}.{requests}", case.name));
        let mut tried = 1;
        loop {
            match life::instructions(case, binary, world, requests, &out).await {
                Err(_) if tried < TRIES => tried += 1,
                counted => return counted,
            }
        }
    }

    fn of(&self, case: &Case) -> (&Path, &Arc<World>) {
        (&self.binaries[&case.program], &self.worlds[&case.catalog])
    }
}

/// Shows how far it is, where somebody looks.
fn progress(what: &str, steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}: {pos} of {len}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps as u64).with_message(what.to_owned()).with_style(style)
}
