//! The function as Lambda runs it.

use punchcard_store::Store;
use track_event::{ENDPOINT, State, handle};

fn main() -> Result<(), lambda_http::Error> {
    punchcard_http::run(&ENDPOINT, async || State::open(&Store::from_env()).await, handle)
}
