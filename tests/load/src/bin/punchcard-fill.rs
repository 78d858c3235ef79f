//! Fills the data directory of a local store with activities and player requests, to measure commands that read all of
//! them. The requests go through the real handlers, in process.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use indicatif::ProgressBar;
use lambda_http::{Body, Request, RequestExt as _, http};
use punchcard::{demo, embedded, in_process::InProcess, registry};
use punchcard_runtime::{Service, now};
use punchcard_store::Admin;
use serde_json::{Value, json};

/// Fill a data directory with records of the demo's members
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  punchcard-fill --data /tmp/large --records 1000000")]
struct Options {
    /// Data directory. It is created
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Number of records: half of them activities, half player requests
    #[arg(long, value_name = "N")]
    records: u64,
    /// Number of records of one member and the player of the same number
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    per_member: u64,
    /// Number of requests at once
    #[arg(long, value_name = "N", default_value_t = 16)]
    concurrency: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let database = embedded::open(&options.data, embedded::FILE)?;
    let store = embedded::store(InProcess::new(database)).await?;
    demo::set_up(&Admin::new(&store), now()).await?;
    let services = registry::open_all(&store).await;
    let service = |function: &str| {
        let found = services.iter().find(|service| service.route().function == function);
        found.cloned().with_context(|| format!("there is no {function}"))
    };
    let (activities, players) = (service("send-activity")?, service("track-event")?);
    let bearer = token(&service("issue-token")?).await?;
    let bar = ProgressBar::new(options.records);
    let next = AtomicU64::new(0);
    let worker = || async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= options.records {
                return Ok::<(), anyhow::Error>(());
            }
            let member = number / options.per_member;
            let (service, request) = if number.is_multiple_of(2) {
                (&activities, activity(number, member, &bearer)?)
            } else {
                (&players, order(number, member)?)
            };
            let answer = service.respond(request).await;
            ensure!(answer.status() == 200, "{number}: {:?}", answer.body());
            bar.inc(1);
        }
    };
    let mut workers = Vec::new();
    for _ in 0..options.concurrency {
        workers.push(worker());
    }
    for done in futures_util::future::join_all(workers).await {
        done?;
    }
    bar.finish_and_clear();
    Ok(())
}

async fn token(service: &Service) -> Result<String> {
    let form = "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret";
    let request = http::Request::builder().method("POST").uri("/oauth2/token");
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(Body::Text(form.to_owned()));
    let answer = service.respond(request?).await;
    let answer: Value = serde_json::from_slice(answer.body()).context("a token")?;
    Ok(format!("Bearer {}", answer["access_token"].as_str().context("a token")?))
}

fn activity(number: u64, member: u64, bearer: &str) -> Result<Request> {
    let action = ["SURVEY_RESPONSE", "APP_DOWNLOAD", "APP_CHECKIN"][usize::try_from(number % 3)?];
    let body = json!({
        "action": action, "channel": "APP", "when": "2024-10-01T07:00:00Z", "note": "Store survey 42",
        "extendedData": [{"name": "score", "value": number % 10}],
    });
    let parameters = [("correlation_id", format!("member-{member}")), ("activity_id", format!("activity-{number}"))];
    let parameters: HashMap<_, _> = parameters.map(|(name, value)| (name.to_owned(), value)).into();
    let request =
        http::Request::builder().method("POST").uri("/client/users/{correlation_id}/activities/{activity_id}");
    let request = request.header("content-type", "application/json").header("authorization", bearer);
    Ok(request.body(Body::Text(body.to_string()))?.with_path_parameters(parameters))
}

fn order(number: u64, member: u64) -> Result<Request> {
    let events = json!({
        "place_order": {"total_amount": 50 + number % 100, "category": ["electronics", "cosmetics"]}, "review": {},
    });
    let body = json!({"playerUniqueId": format!("player-{member}"), "events": events});
    let request = http::Request::builder().method("POST").uri("/integrations/event");
    let request = request.header("content-type", "application/json").header("apikey", "demo-api-key");
    let request = request.header("idempotency-key", format!("order-{number}"));
    Ok(request.body(Body::Text(body.to_string()))?)
}
