//! Lambda entry point of `send-activity`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<send_activity::SendActivity>()
}
