//! The function as Lambda runs it.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<send_client_event::SendClientEvent>()
}
