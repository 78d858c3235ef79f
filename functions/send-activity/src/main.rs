//! The function as Lambda runs it.

use punchcard_store::{ConfigError, Store};
use send_activity::{ENDPOINT, State, handle};

fn main() -> Result<(), lambda_http::Error> {
    punchcard_http::run(&ENDPOINT, async || Ok::<_, ConfigError>(State::open(&Store::from_env()?).await), handle)
}
