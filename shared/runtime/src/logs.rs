//! Logs: lines with an RFC 3339 timestamp, a level and the request id, and nothing in them that a client sent.

use std::{env, io, panic};

use tracing::{Level, Subscriber};
use tracing_subscriber::{
    Layer, Registry,
    filter::{Targets, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Writes logs as JSON to standard output, as Lambda takes them. `RUST_LOG` chooses how much, `info` if unset.
pub fn json() {
    start(tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false).with_span_list(false), "info");
}

/// Writes logs for people to standard error. `RUST_LOG` chooses how much, `default` if unset.
pub fn plain(default: &str) {
    start(tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false), default);
}

/// Whatever `RUST_LOG` asks for, crates that aren't ours tell only what is wrong: below that, the SDK and the Lambda
/// runtime log whole requests.
#[must_use]
pub fn discreet<S: Subscriber>() -> impl Layer<S> {
    filter_fn(|metadata| *metadata.level() <= Level::WARN || metadata.target().starts_with("punchcard"))
}

fn start(lines: impl Layer<Registry> + Send + Sync, default: &str) {
    tracing_subscriber::registry().with(lines).with(filter(default)).with(discreet()).init();
    log_panics();
}

/// What a panic says may hold what a client sent: the log gets its place only.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

/// By level and crate only: to choose by spans and fields as well would link an engine for regular expressions.
fn filter(default: &str) -> Targets {
    let chosen = env::var("RUST_LOG").ok().filter(|chosen| !chosen.is_empty());
    chosen.and_then(|chosen| chosen.parse().ok()).or_else(|| default.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, sync::Arc};

    use super::*;

    fn logged(work: impl FnOnce()) -> String {
        let (mut written, writer) = io::pipe().expect("a pipe");
        let lines = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(Arc::new(writer)).finish();
        tracing::subscriber::with_default(lines.with(discreet()), work);
        let mut log = String::new();
        written.read_to_string(&mut log).expect("text");
        log
    }

    #[test]
    fn crates_that_are_not_ours_tell_only_what_is_wrong() {
        let log = logged(|| {
            tracing::trace!(target: "punchcard_store::retry", "ours");
            tracing::warn!(target: "lambda_runtime", "theirs, a warning");
            tracing::info!(target: "aws_smithy_runtime", "theirs, a body");
            tracing::trace!(target: "lambda_runtime", "theirs, an event");
        });
        assert!(log.contains("ours") && log.contains("a warning"), "{log}");
        assert!(!log.contains("a body") && !log.contains("an event"), "{log}");
    }

    #[test]
    fn a_panic_is_told_by_its_place_alone() {
        let log = logged(|| {
            let usual = panic::take_hook();
            log_panics();
            let panicked = panic::catch_unwind(|| panic!("over {}", "what was sent"));
            panic::set_hook(usual);
            assert!(panicked.is_err());
        });
        assert!(log.contains("panicked") && log.contains("logs.rs:"), "{log}");
        assert!(!log.contains("what was sent"), "{log}");
    }
}
