//! The report as one HTML file: no network, charts by uPlot, which is embedded.

use askama::Template;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::digest::{SHA256, digest};
use serde_json::json;

use super::{BacktestError, Figures, Finished};

const UPLOT: &str = include_str!("../../assets/uplot/uPlot.iife.min.js");
const UPLOT_CSS: &str = include_str!("../../assets/uplot/uPlot.min.css");
const CHARTS: &str = include_str!("../../assets/backtest.js");
const CSS: &str = include_str!("../../assets/backtest.css");
/// Number of offers in the chart, those with the largest differences.
const CHARTED: usize = 20;

#[expect(
    clippy::inline_always,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "askama's macro makes a type of a filter, which returns a result"
)]
mod filters {
    use std::fmt::Display;

    use askama::{Result, Values, filter_fn};

    use crate::numbers;

    /// A whole number with a separator of thousands.
    #[filter_fn]
    pub fn grouped(number: impl Display, _: &dyn Values) -> Result<String> {
        Ok(numbers::grouped(number))
    }
}

#[derive(Template)]
#[template(path = "backtest.html")]
struct Report<'a> {
    heading: &'a Finished,
    figures: &'a Figures,
    left_out: Vec<String>,
    has_charts: bool,
    policy: String,
    style: String,
    script: String,
    data: String,
}

/// Builds the report.
///
/// # Errors
/// The report cannot be built.
pub fn html(finished: &Finished) -> Result<String, BacktestError> {
    let figures = &finished.figures;
    let report = Report {
        heading: finished,
        figures,
        left_out: figures.not_compared.sentences(),
        has_charts: !figures.weeks.is_empty(),
        policy: policy(),
        style: style(),
        script: script(),
        data: chart_data(figures),
    };
    report.render().map_err(|_| BacktestError::Report)
}

/// Returns the report's policy, which permits its own script and style and nothing else.
#[must_use]
pub fn policy() -> String {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        source_hash(&script()),
        source_hash(&style())
    )
}

fn style() -> String {
    format!("{UPLOT_CSS}\n{CSS}")
}

fn script() -> String {
    format!("{UPLOT}\n{CHARTS}")
}

/// The hash by which the policy permits an inline script or style.
fn source_hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

/// The data of the charts as JSON that cannot end its element.
fn chart_data(figures: &Figures) -> String {
    let mut offers: Vec<_> = figures.offers.iter().filter(|offer| offer.points.difference() != 0).collect();
    offers.sort_by_key(|offer| std::cmp::Reverse(offer.points.difference().unsigned_abs()));
    offers.truncate(CHARTED);
    let data = json!({
        "weeks": figures.weeks.iter().map(|week| json!([week.from, week.points.actual, week.points.draft])).collect::<Vec<_>>(),
        "offers": offers.iter().map(|offer| json!([offer.id, offer.points.difference()])).collect::<Vec<_>>(),
    });
    data.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of uPlot 1.6.32 as its package has them.
    #[test]
    fn the_charting_library_is_the_published_one() {
        assert_eq!(source_hash(UPLOT), "sha256-GcjUxq2Ikpp59K5J1vcWFWbf0Lo9FcxJXpdPeH63jx8=");
        assert_eq!(source_hash(UPLOT_CSS), "sha256-32MMao1vjur/JktQ9zzlsRT2Rv/ZoLt08EmwoAE1+gQ=");
    }
}
