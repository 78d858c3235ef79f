//! Lambda entry point of `start-session`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<start_session::StartSession>()
}
