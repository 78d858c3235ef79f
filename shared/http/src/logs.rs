//! Logs: JSON lines with an RFC 3339 timestamp, a level and the request id.

use std::env;

use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Writes logs as JSON to standard output, as Lambda takes them. `RUST_LOG` chooses how much, `info` if unset.
pub fn json() {
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false).with_span_list(false);
    tracing_subscriber::registry().with(lines).with(filter("info")).init();
}

/// Writes logs for people to standard error. `RUST_LOG` chooses how much, `default` if unset.
pub fn plain(default: &str) {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry().with(lines).with(filter(default)).init();
}

/// By level and crate only: to choose by spans and fields as well would link an engine for regular expressions.
fn filter(default: &str) -> Targets {
    let chosen = env::var("RUST_LOG").ok().filter(|chosen| !chosen.is_empty());
    chosen.and_then(|chosen| chosen.parse().ok()).or_else(|| default.parse().ok()).unwrap_or_default()
}
