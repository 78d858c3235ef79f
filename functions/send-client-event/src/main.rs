//! Lambda entry point of `send-client-event`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<send_client_event::SendClientEvent>()
}
