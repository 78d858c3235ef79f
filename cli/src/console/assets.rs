//! Style sheets and scripts, which are part of the program.

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse as _, Response},
};

use super::problem::Problem;

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Answers with an asset.
pub async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let (kind, text) = match name.as_str() {
        "backtest.js" => (SCRIPT, include_str!("../../assets/console/backtest.js")),
        "console.css" => (STYLE, include_str!("../../assets/console/console.css")),
        "draft.js" => (SCRIPT, include_str!("../../assets/console/draft.js")),
        "live.js" => (SCRIPT, include_str!("../../assets/console/live.js")),
        "parts.js" => (SCRIPT, include_str!("../../assets/console/parts.js")),
        "icon.svg" => ("image/svg+xml", include_str!("../../assets/console/icon.svg")),
        "uplot.css" => (STYLE, include_str!("../../assets/uplot/uPlot.min.css")),
        "uplot.js" => (SCRIPT, include_str!("../../assets/uplot/uPlot.iife.min.js")),
        _ => return Err(Problem::NoPage),
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
