//! Logs: lines with an RFC 3339 timestamp, a level and the request id, and nothing in them that a client sent.

use std::{env, ffi::OsStr, io, panic};

use tracing::{Level, Subscriber};
use tracing_subscriber::{
    Layer, Registry,
    filter::{Targets, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// `RUST_LOG` is not a list of levels and targets.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("RUST_LOG must be a level, or a list such as warn,punchcard_store=debug, not {0:?}")]
pub struct InvalidRustLog(String);

/// Writes logs as JSON to standard output, as Lambda takes them. `RUST_LOG` chooses how much, `info` if unset.
///
/// # Errors
/// `RUST_LOG` is invalid.
pub fn json() -> Result<(), InvalidRustLog> {
    start(tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false).with_span_list(false), "info")
}

/// Writes logs for people to standard error. `RUST_LOG` chooses how much, `default` if unset.
///
/// # Errors
/// `RUST_LOG` is invalid.
pub fn plain(default: &str) -> Result<(), InvalidRustLog> {
    start(tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false), default)
}

/// Whatever `RUST_LOG` asks for, crates that aren't ours tell only what is wrong: below that, the SDK and the Lambda
/// runtime log whole requests.
#[must_use]
pub fn discreet<S: Subscriber>() -> impl Layer<S> {
    filter_fn(|metadata| *metadata.level() <= Level::WARN || metadata.target().starts_with("punchcard"))
}

fn start(lines: impl Layer<Registry> + Send + Sync, default: &str) -> Result<(), InvalidRustLog> {
    let chosen = env::var_os("RUST_LOG").filter(|chosen| !chosen.is_empty());
    let filter = filter(chosen.as_deref().unwrap_or(OsStr::new(default)))?;
    tracing_subscriber::registry().with(lines).with(filter).with(discreet()).init();
    log_panics();
    Ok(())
}

/// What a panic says may hold what a client sent: the log gets its place only.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

/// By level and crate only: to choose by spans and fields as well would link an engine for regular expressions.
fn filter(chosen: &OsStr) -> Result<Targets, InvalidRustLog> {
    // A span filter would parse as a target that nothing has.
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
        tracing::subscriber::with_default(lines.with(discreet()), work);
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
