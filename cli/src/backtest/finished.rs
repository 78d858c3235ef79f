//! A complete backtest: its subject, its figures, and the two forms in which they are given out.

use std::time::Instant;

use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::Catalog;
use serde::Serialize;

use super::{BacktestError, Figures, Source, Step, Window, backtest, report};

/// The subject of a backtest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// A name of the draft, for people.
    pub draft: String,
    /// The start of the period. `None`: the first record.
    pub since: Option<Timestamp>,
    /// Its end. `None`: the start of the backtest.
    pub until: Option<Timestamp>,
}

/// A complete backtest. As JSON, it is what `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finished {
    /// The name of the draft.
    pub draft: String,
    /// The start of the period, in RFC 3339.
    pub since: Option<String>,
    /// Its end, if one was given.
    pub until: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// The duration.
    pub seconds: f64,
}

impl Finished {
    /// Runs a backtest.
    ///
    /// # Errors
    /// The source or the temporary database failed.
    pub async fn run(
        source: &Source,
        draft: &Catalog,
        subject: &Subject,
        progress: impl Fn(Step),
    ) -> Result<Self, BacktestError> {
        let started = Instant::now();
        // A store in use gets records during the scan, of which only some would be read.
        let until = subject.until.unwrap_or_else(punchcard_runtime::now);
        let window = Window { since: subject.since, until: Some(until) };
        let figures = backtest(source, draft, window, progress).await?;
        Ok(Finished {
            draft: subject.draft.clone(),
            since: subject.since.map(|since| since.to_string()),
            until: subject.until.map(|until| until.to_string()),
            figures,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Returns the report as one HTML file.
    ///
    /// # Errors
    /// The report cannot be built.
    pub fn report(&self) -> Result<String, BacktestError> {
        report::html(self)
    }
}
