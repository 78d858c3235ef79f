//! Logs: JSON lines with an RFC 3339 timestamp, a level and the request id.

use tracing_subscriber::EnvFilter;

/// Writes logs as JSON to standard output, as Lambda takes them. `RUST_LOG` chooses how much, `info` if unset.
pub fn json() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_span_list(false)
        .with_env_filter(filter("info"))
        .init();
}

/// Writes logs for people to standard error. `RUST_LOG` chooses how much, `default` if unset.
pub fn plain(default: &str) {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).with_env_filter(filter(default)).init();
}

fn filter(default: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default))
}
