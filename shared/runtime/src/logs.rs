//! Logging. Lines have an RFC 3339 timestamp, a level and the request id, and never contain client data.

use std::{env, ffi::OsStr, io, panic};

use tracing::{Level, Subscriber};
use tracing_subscriber::{
    Layer, Registry,
    filter::{Targets, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// `RUST_LOG` is not valid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("RUST_LOG must be a level, or a list such as warn,punchcard_store=debug, not {0:?}")]
pub struct InvalidRustLog(String);

/// Starts logging as JSON to standard output, which Lambda collects. `RUST_LOG` sets the level; the default is `info`.
///
/// # Errors
/// `RUST_LOG` is invalid.
pub fn json() -> Result<(), InvalidRustLog> {
    start(tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false).with_span_list(false), "info")
}

/// Starts logging as plain text to standard error. `RUST_LOG` sets the level; the default is `default`.
///
/// # Errors
/// `RUST_LOG` is invalid.
pub fn plain(default: &str) -> Result<(), InvalidRustLog> {
    start(tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false), default)
}

/// Limits dependencies to warnings and errors, regardless of `RUST_LOG`: at lower levels the SDK and the Lambda runtime
/// log whole requests.
#[must_use]
pub fn limit_dependencies<S: Subscriber>() -> impl Layer<S> {
    filter_fn(|metadata| *metadata.level() <= Level::WARN || metadata.target().starts_with("punchcard"))
}

fn start(lines: impl Layer<Registry> + Send + Sync, default: &str) -> Result<(), InvalidRustLog> {
    let chosen = env::var_os("RUST_LOG").filter(|chosen| !chosen.is_empty());
    let filter = filter(chosen.as_deref().unwrap_or(OsStr::new(default)))?;
    tracing_subscriber::registry().with(lines).with(filter).with(limit_dependencies()).init();
    log_panics();
    Ok(())
}

/// Logs panics with their location only, because the message may contain client data.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "panicked");
    }));
}

/// Parses a filter by level and target. Filters by span or field would add a regular-expression engine to the binary.
fn filter(chosen: &OsStr) -> Result<Targets, InvalidRustLog> {
    // `Targets` would accept a span filter as a target that never matches.
    let text = chosen.to_str().filter(|text| !text.contains('['));
    let parsed = text.and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| InvalidRustLog(chosen.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, sync::Arc};

    use super::*;

    fn logged(work: impl FnOnce()) -> String {
        let (mut written, writer) = io::pipe().expect("a pipe");
        let lines = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(Arc::new(writer)).finish();
        tracing::subscriber::with_default(lines.with(limit_dependencies()), work);
        let mut log = String::new();
        written.read_to_string(&mut log).expect("text");
        log
    }

    #[test]
    fn a_filter_is_read_or_refused_and_never_ignored() {
        for valid in ["warn", "off", "warn,punchcard_store=debug", "punchcard=trace"] {
            assert!(filter(OsStr::new(valid)).is_ok(), "{valid}");
        }
        for invalid in ["punchcard=loud", "info,a=b=c", "punchcard[span]=info"] {
            let error = filter(OsStr::new(invalid)).expect_err("an error").to_string();
            assert!(error.starts_with("RUST_LOG must be a level") && error.contains(invalid), "{error}");
        }
    }

    #[test]
    fn dependencies_log_only_warnings_and_errors() {
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
    fn a_panic_is_logged_with_its_location_only() {
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
