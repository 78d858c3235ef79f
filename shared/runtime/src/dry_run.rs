//! Dry runs.

use punchcard_http::Call;
use punchcard_store::Mode;

/// Returns the effect that a request has on the store: none, if it asks for a dry run.
#[must_use]
pub fn mode(call: &Call<'_>) -> Mode {
    if call.is_dry_run() { Mode::Preview } else { Mode::Write }
}
