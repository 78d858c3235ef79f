//! The figures of a case, and the tables that show them.

use std::{path::Path, time::Duration};

use anyhow::Result;
use serde::Serialize;

use crate::{case::Case, life::Life};

/// The figures of a case. Of several lives, the median.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub case: String,
    pub program: &'static str,
    pub events: usize,
    /// Microseconds.
    pub init: Times,
    pub first: Times,
    /// Processor time of a warm request.
    pub warm_cpu: f64,
    /// Of all warm requests.
    pub warm_p50: f64,
    pub warm_p99: f64,
    /// Connections that the first request opened.
    pub opened_in_first: usize,
    pub calls: usize,
    pub bytes_sent: usize,
    pub bytes_received: usize,
    /// Units, if the store reports them.
    pub units_written: Option<f64>,
    /// Bytes.
    pub peak_memory: u64,
    pub binary: u64,
    pub instructions: Option<Instructions>,
}

/// Microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Times {
    pub wall: f64,
    pub cpu: f64,
}

/// As valgrind counts them.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Instructions {
    pub init: u64,
    pub first: u64,
    pub warm: u64,
}

impl Figures {
    pub fn of(case: &Case, binary: &Path, lives: &[Life], instructions: Option<Instructions>) -> Result<Self> {
        let median_of = |figure: fn(&Life) -> Duration| median(lives.iter().map(figure).map(micros).collect());
        let mut walls: Vec<f64> = lives.iter().flat_map(|life| &life.warm_walls).copied().map(micros).collect();
        walls.sort_by(f64::total_cmp);
        let last = lives.last().map(|life| life.seen.clone()).unwrap_or_default();
        Ok(Figures {
            case: case.name.clone(),
            program: case.program.name(),
            events: case.events(),
            init: Times { wall: median_of(|life| life.init.wall), cpu: median_of(|life| life.init.cpu) },
            first: Times { wall: median_of(|life| life.first.wall), cpu: median_of(|life| life.first.cpu) },
            warm_cpu: median_of(|life| life.warm_cpu),
            warm_p50: quantile(&walls, 50),
            warm_p99: quantile(&walls, 99),
            opened_in_first: lives.iter().map(|life| life.opened).max().unwrap_or(0),
            calls: last.operations.len(),
            bytes_sent: last.sent,
            bytes_received: last.received,
            units_written: (last.units > 0.0).then_some(last.units),
            peak_memory: lives.iter().map(|life| life.peak_memory).max().unwrap_or(0),
            binary: std::fs::metadata(binary)?.len(),
            instructions,
        })
    }

    /// Instructions, where they were counted.
    fn thousands(&self, count: fn(Instructions) -> u64, by: usize) -> String {
        let thousands = |instructions| format!("{:.1}", count(instructions) as f64 / by as f64 / 1e3);
        self.instructions.map_or_else(String::new, thousands)
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 50)
}

/// Of sorted values.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * percent / 100).min(last)).copied().unwrap_or(f64::NAN)
}

/// The times of a run, as a table.
pub fn times(all: &[Figures]) -> String {
    let headers = ["µs", "init CPU", "wall", "first CPU", "wall", "warm CPU", "an event", "wall p50", "p99"];
    let row = |figures: &Figures| {
        let times = [
            figures.init.cpu,
            figures.init.wall,
            figures.first.cpu,
            figures.first.wall,
            figures.warm_cpu,
            figures.warm_cpu / figures.events as f64,
            figures.warm_p50,
            figures.warm_p99,
        ];
        [figures.case.clone()].into_iter().chain(times.map(micros_text)).collect()
    };
    table(&headers, &all.iter().map(row).collect::<Vec<_>>())
}

/// The other figures of a run, as a table.
pub fn amounts(all: &[Figures]) -> String {
    let headers = [
        "k instructions",
        "init",
        "first",
        "warm",
        "an event",
        "calls",
        "bytes sent",
        "received",
        "units",
        "peak MB",
        "binary MB",
    ];
    let row = |figures: &Figures| {
        vec![
            figures.case.clone(),
            figures.thousands(|count| count.init, 1),
            figures.thousands(|count| count.first, 1),
            figures.thousands(|count| count.warm, 1),
            figures.thousands(|count| count.warm, figures.events),
            figures.calls.to_string(),
            figures.bytes_sent.to_string(),
            figures.bytes_received.to_string(),
            figures.units_written.map_or_else(String::new, |units| units.to_string()),
            megabytes(figures.peak_memory),
            megabytes(figures.binary),
        ]
    };
    table(&headers, &all.iter().map(row).collect::<Vec<_>>())
}

/// The growth of the cost, as a table.
pub fn growth(all: &[Figures]) -> String {
    let headers = [
        "",
        "init CPU, µs",
        "k instructions",
        "warm CPU, µs",
        "an event",
        "k instructions",
        "an event",
        "calls",
        "bytes sent",
        "peak MB",
    ];
    let row = |figures: &Figures| {
        vec![
            figures.case.clone(),
            micros_text(figures.init.cpu),
            figures.thousands(|count| count.init, 1),
            micros_text(figures.warm_cpu),
            micros_text(figures.warm_cpu / figures.events as f64),
            figures.thousands(|count| count.warm, 1),
            figures.thousands(|count| count.warm, figures.events),
            figures.calls.to_string(),
            figures.bytes_sent.to_string(),
            megabytes(figures.peak_memory),
        ]
    };
    table(&headers, &all.iter().map(row).collect::<Vec<_>>())
}

/// Sizes and memory of the functions, as a table.
pub fn sizes(all: &[Figures]) -> String {
    let row = |figures: &Figures| {
        let start = micros_text(figures.init.cpu);
        vec![figures.program.to_owned(), start, megabytes(figures.peak_memory), megabytes(figures.binary)]
    };
    table(&["function", "init CPU, µs", "peak MB", "binary MB"], &all.iter().map(row).collect::<Vec<_>>())
}

fn micros_text(micros: f64) -> String {
    if micros < 100.0 { format!("{micros:.1}") } else { format!("{micros:.0}") }
}

pub fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// A table that reads well as it is and in a document: the first column is text, the others are numbers. Columns that
/// nobody filled are left out.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let filled = |column: &usize| rows.iter().any(|row| !row[*column].is_empty());
    let columns: Vec<usize> = (0..headers.len()).filter(filled).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headers[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let line = |cell: &dyn Fn(usize) -> String| {
        let cells = columns.iter().map(|&column| match (cell(column), width(column)) {
            (cell, width) if column == 0 => format!("{cell:width$}"),
            (cell, width) => format!("{cell:>width$}"),
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule = |column| if column == 0 { "-".repeat(width(column)) } else { "-".repeat(width(column) - 1) + ":" };
    let rows = rows.iter().map(|row| line(&|column| row[column].clone()));
    line(&|column| headers[column].to_owned()) + &line(&rule) + &rows.collect::<String>()
}
