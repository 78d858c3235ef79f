//! The function as Lambda runs it.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<start_session::StartSession>()
}
