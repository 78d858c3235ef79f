//! Live figures: the last ten minutes, from the memory of `serve`.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::{
    page::{Shell, render},
    problem::Problem,
    request::Visit,
    text::{Moment, balance_name},
};
use crate::traffic::{APIS, OTHERS, OUTCOMES, Outcome, STEP_MILLIS, Seen, Step, Traffic, count};

/// The name of players' balances, which are of no unit.
const PLAYERS: &str = "players";

#[derive(Template)]
#[template(path = "console/live.html")]
struct LivePage {
    shell: Shell,
    is_watched: bool,
}

/// The page, whose script reads the figures every two seconds.
pub async fn live(visit: Visit) -> Response {
    let is_watched = visit.console.traffic.is_some();
    render(&LivePage { shell: visit.shell("Live", "Live"), is_watched })
}

/// The figures.
pub async fn figures(visit: Visit) -> Result<Response, Problem> {
    let traffic = visit.console.traffic.as_ref().ok_or(Problem::NoPage)?;
    Ok(Json(figures_of(traffic)).into_response())
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a request that takes at most seconds")]
fn figures_of(traffic: &Traffic) -> Value {
    let (steps, last, recent) = traffic.snapshot(punchcard_runtime::now());
    let per_second = |counts: Vec<u64>| {
        let seconds = STEP_MILLIS as f64 / 1000.0;
        counts.into_iter().map(|count| count as f64 / seconds).collect::<Vec<_>>()
    };
    let of_api = |index| per_second(steps.iter().map(|step: &Step| step.requests[index]).collect());
    let of_outcome = |index| per_second(steps.iter().map(|step: &Step| step.outcomes[index]).collect());
    let latency = |percent| -> Vec<Option<f64>> {
        steps.iter().map(|step| step.latency(percent).map(|took| took.as_micros() as f64 / 1000.0)).collect()
    };
    let mut points = BTreeMap::<String, Vec<u64>>::new();
    let mut reasons = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        for (name, amount) in &step.points {
            let name = if name == "points" { Some(PLAYERS.to_owned()) } else { balance_name(name) };
            let name = name.unwrap_or_else(|| OTHERS.to_owned());
            points.entry(name).or_insert_with(|| vec![0; steps.len()])[index] += amount;
        }
        for (reason, number) in &step.reasons {
            count(&mut reasons, reason, *number);
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let sum = |of: fn(&Step) -> u64| steps.iter().map(of).sum::<u64>();
    json!({
        "last": last * STEP_MILLIS / 1000,
        "step": STEP_MILLIS / 1000,
        "apis": APIS.iter().enumerate().map(|(index, name)| (*name, of_api(index))).collect::<Vec<_>>(),
        "outcomes": OUTCOMES.iter().enumerate().map(|(index, name)| (*name, of_outcome(index))).collect::<Vec<_>>(),
        "latency": [("median", latency(50)), ("95 %", latency(95))],
        "points": points.into_iter().collect::<Vec<_>>(),
        "reasons": reasons,
        "totals": {
            "requests": sum(|step| step.requests.iter().sum()),
            "accepted": sum(|step| step.accepted),
            "duplicates": sum(|step| step.duplicates),
            "refused": sum(|step| step.outcomes[Outcome::Refused as usize]),
            "failed": sum(|step| step.outcomes[Outcome::Failed as usize]),
            "points": sum(|step| step.points.values().sum()),
        },
        "recent": recent.iter().map(row).collect::<Vec<_>>(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a request that takes at most seconds")]
fn row(seen: &Seen) -> Value {
    let at = Moment::new(&seen.at.to_string());
    json!({
        "at": at.shown.split(' ').next_back(),
        "api": seen.api,
        "function": seen.function,
        "status": seen.status,
        "outcome": seen.outcome,
        "reason": seen.reason,
        "millis": seen.took.as_micros() as f64 / 1000.0,
    })
}
