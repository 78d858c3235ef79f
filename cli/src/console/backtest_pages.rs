//! The pages of a backtest: its start, its progress and its result.

use std::time::Duration;

use askama::Template;
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::yaml;
use serde_json::json;

use super::{
    backtests::{Done, Draft, KEPT, OneAtATime, Outcome, Phase, Run},
    guard::OwnPolicy,
    page::{Shell, render},
    problem::Problem,
    request::Visit,
    text::Moment,
};
use crate::{
    backtest::{Subject, Sum, policy, time},
    numbers::{grouped, signed},
};

/// The page of the backtest.
pub const ADDRESS: &str = "/console/catalog/backtest";
/// Number of rules in the summary: those with the largest differences.
const RULES: usize = 20;

/// The reason why a backtest is not started.
pub enum Refusal {
    /// A field is not valid, or the draft.
    Invalid(String),
    /// Another one is running.
    Runs(OneAtATime),
}

impl Refusal {
    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Runs(_) => StatusCode::CONFLICT,
        }
    }

    /// The text for the page.
    pub fn message(&self) -> String {
        match self {
            Refusal::Invalid(message) => message.clone(),
            Refusal::Runs(one) => one.to_string(),
        }
    }

    /// True if the page of the backtest that is running helps.
    pub fn has_page(&self) -> bool {
        matches!(self, Refusal::Runs(_))
    }
}

#[derive(Template)]
#[template(path = "console/backtest.html")]
struct BacktestPage {
    shell: Shell,
    state: PageState,
    period: String,
    started: Moment,
}

enum PageState {
    Running(Shown),
    Done(Box<Summary>),
    Cancelled,
    Failed(String),
}

/// The progress, as it is shown.
struct Shown {
    step: &'static str,
    records: String,
    total: Option<String>,
    rate: String,
    left: String,
    /// The part of both steps that is done, in per cent.
    percent: u64,
}

/// The result, as it is shown.
struct Summary {
    tiles: Vec<(&'static str, String, String)>,
    rules: Vec<RuleRow>,
    /// The number of rules that are not shown.
    more_rules: usize,
    left_out: Vec<String>,
    seconds: String,
    kept_minutes: u64,
}

struct RuleRow {
    id: String,
    unit: String,
    points: [String; 3],
    is_minus: bool,
}

/// Starts a backtest of the draft.
pub async fn start(visit: Visit) -> Result<Response, Problem> {
    let text = visit.fields.raw("draft").unwrap_or_default().to_owned();
    let refusal = match visit.draft(text.clone()) {
        Ok(draft) => match visit.console.backtests.start(&visit.console.operator, draft) {
            Ok(()) => return Ok(Redirect::to(ADDRESS).into_response()),
            Err(one) => Refusal::Runs(one),
        },
        Err(message) => Refusal::Invalid(message),
    };
    super::draft::refused(&visit, text, refusal).await
}

/// The progress or the result.
pub async fn show(visit: Visit) -> Result<Response, Problem> {
    let run = visit.run()?;
    let state = match run.outcome().as_deref() {
        None => PageState::Running(Shown::new(&run)),
        Some(Outcome::Done(done)) => PageState::Done(Box::new(Summary::new(done, run.kept_for()))),
        Some(Outcome::Cancelled) => PageState::Cancelled,
        Some(Outcome::Failed(message)) => PageState::Failed(message.clone()),
    };
    let title = match &state {
        PageState::Running(_) => "Backtest, running",
        PageState::Done(_) => "Backtest, complete",
        PageState::Cancelled => "Backtest, cancelled",
        PageState::Failed(_) => "Backtest, failed",
    };
    let started = Moment::new(&run.started_at.to_string());
    Ok(render(&BacktestPage { shell: visit.shell(title, "Catalog"), state, period: period(&run.subject), started }))
}

/// The progress, which the script of the page reads every second.
pub async fn progress(visit: Visit) -> Result<Response, Problem> {
    let run = visit.run()?;
    let shown = Shown::new(&run);
    let progress = json!({
        "running": run.outcome().is_none(),
        "step": shown.step,
        "records": shown.records,
        "total": shown.total,
        "rate": shown.rate,
        "left": shown.left,
        "percent": shown.percent,
    });
    Ok(Json(progress).into_response())
}

/// Cancels the backtest.
pub async fn cancel(visit: Visit) -> Result<Response, Problem> {
    visit.run()?.cancel();
    Ok(Redirect::to(ADDRESS).into_response())
}

/// The report, to be shown or downloaded.
pub async fn report(visit: Visit) -> Result<Response, Problem> {
    let run = visit.run()?;
    let outcome = run.outcome().ok_or_else(|| Problem::NotFound("report yet".to_owned()))?;
    let Outcome::Done(done) = &*outcome else { return Err(Problem::NotFound("report of this backtest".to_owned())) };
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], done.report.clone()).into_response();
    if visit.fields.get("download").is_some() {
        let attachment = header::HeaderValue::from_static("attachment; filename=\"backtest.html\"");
        response.headers_mut().insert(header::CONTENT_DISPOSITION, attachment);
    }
    // The report has records' text and a script. Without an origin it can do nothing in the console.
    let policy = format!("{}; frame-ancestors 'none'; sandbox allow-scripts", policy());
    response.extensions_mut().insert(OwnPolicy(policy));
    Ok(response)
}

impl Visit {
    fn run(&self) -> Result<std::sync::Arc<Run>, Problem> {
        let none = || {
            let minutes = KEPT.as_secs() / 60;
            Problem::NotFound(format!("backtest: none was started, or its result was dropped after {minutes} minutes"))
        };
        self.console.backtests.current().ok_or_else(none)
    }

    /// Parses the draft as `punchcard backtest` does.
    fn draft(&self, text: String) -> Result<Draft, String> {
        let [since, until] = [self.time("since")?, self.time("until")?];
        let source = yaml::read(&text).map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            format!("The draft is not valid: {}.", problems.join("; "))
        })?;
        let now = Moment::new(&punchcard_runtime::now().to_string());
        let subject = Subject { draft: format!("the draft of {} UTC", now.shown), since, until };
        Ok(Draft { text, catalog: source.into_catalog(), subject })
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, String> {
        self.fields.get(name).map(|text| time(text).map_err(|error| format!("“{name}” {error}."))).transpose()
    }
}

impl Shown {
    fn new(run: &Run) -> Self {
        let progress = run.progress();
        let (step, first) = match progress.phase {
            Phase::Reading => ("1 of 2: the records are read", 0),
            Phase::Replaying => ("2 of 2: the records are replayed", 50),
        };
        Shown {
            step,
            records: grouped(progress.records),
            total: (progress.total > 0).then(|| grouped(progress.total)),
            rate: grouped(progress.rate()),
            left: progress.seconds_left().map_or_else(|| "–".to_owned(), duration),
            percent: first + super::text::percent(progress.records, progress.total) / 2,
        }
    }
}

impl Summary {
    fn new(done: &Done, kept_for: Option<Duration>) -> Self {
        let figures = &done.finished.figures;
        let of = |number: u64| format!("of {}", grouped(number));
        let (total, members) = (figures.total, figures.members);
        let tiles = vec![
            ("Paid", grouped(total.actual), String::new()),
            ("With the draft", grouped(total.draft), String::new()),
            ("Difference", signed(total.difference()), String::new()),
            ("Records that differ", grouped(figures.differing), of(figures.records)),
            ("Members with more", grouped(members.gain), of(members.seen)),
            ("Members with less", grouped(members.lose), of(members.seen)),
        ];
        let mut offers: Vec<_> = figures.offers.iter().collect();
        offers.sort_by_key(|offer| std::cmp::Reverse(offer.points.difference().unsigned_abs()));
        let row = |(id, unit, points): (&str, Option<&str>, Sum)| RuleRow {
            id: id.to_owned(),
            unit: unit.unwrap_or_default().to_owned(),
            points: [grouped(points.actual), grouped(points.draft), signed(points.difference())],
            is_minus: points.difference() < 0,
        };
        let rows = offers.iter().take(RULES).map(|offer| row((&offer.id, offer.unit.as_deref(), offer.points)));
        Summary {
            tiles,
            rules: rows.collect(),
            more_rules: offers.len().saturating_sub(RULES),
            left_out: figures.not_compared.sentences(),
            seconds: format!("{:.1}", done.finished.seconds),
            kept_minutes: kept_for.unwrap_or_default().as_secs().div_ceil(60),
        }
    }
}

/// The period in words.
fn period(subject: &Subject) -> String {
    let text = |time: Timestamp| format!("{} UTC", Moment::new(&time.to_string()).shown);
    match (subject.since.map(text), subject.until.map(text)) {
        (None, None) => "All records".to_owned(),
        (Some(since), None) => format!("Records that arrived from {since} on"),
        (None, Some(until)) => format!("Records that arrived before {until}"),
        (Some(since), Some(until)) => format!("Records that arrived from {since} until {until}"),
    }
}

/// A duration in words.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_words() {
        let texts = [0, 59, 60, 61, 3599, 3600, 9000].map(duration);
        assert_eq!(texts, ["0 s", "59 s", "1 min", "2 min", "60 min", "1 h 0 min", "2 h 30 min"]);
    }
}
