//! The function as Lambda runs it.

use open_session::{ENDPOINT, State, handle};
use punchcard_store::{ConfigError, Store};

fn main() -> Result<(), lambda_http::Error> {
    punchcard_http::run(&ENDPOINT, async || Ok::<_, ConfigError>(State::open(&Store::from_env()?).await), handle)
}
